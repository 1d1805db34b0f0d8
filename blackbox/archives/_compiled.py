"""The compiled versions of what ``_placing`` does; importing this module needs numba."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from blackbox.batch import Array


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def place(
    cells: Array,
    scores: Array,
    index: Array,
    thresholds: Array,
    k: int,
    least: float,
    group_of: Array,
) -> Any:
    """As ``_placing.place``; ``group_of`` (>= k + n,) int64 is -1 throughout, before and after."""
    n = len(cells)
    status = np.zeros(n, dtype=np.int8)
    gain = np.full(n, np.nan)
    rows, winner = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    total, count = np.empty(n), np.empty(n, dtype=np.int64)
    known, groups = k, 0
    for i in range(n):
        cell, score = cells[i], scores[i]
        if cell < 0:
            continue
        row = np.int64(index[cell]) - 1
        old = 0 <= row < k
        base = thresholds[row] if old else least
        gain[i] = score if base == -np.inf else score - base
        if not score > base:
            continue
        status[i] = 1 if old else 2
        if row < 0:
            row = known
            known += 1
            index[cell] = row + 1
        g = group_of[row]
        if g < 0:
            g = groups
            groups += 1
            group_of[row] = g
            rows[g], winner[g], total[g], count[g] = row, i, 0.0, 0
        elif score > scores[winner[g]]:
            winner[g] = i
        total[g] += score
        count[g] += 1
    for g in range(groups):
        group_of[rows[g]] = -1
    return status, gain, rows[:groups], winner[:groups], total[:groups], count[:groups]


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def grid_cells(
    measures: Array, low: Array, scale: Array, dims: Array, edge: float, clip: bool
) -> Array:
    """As ``_placing.grid_cells``."""
    n, m = measures.shape
    cells = np.empty(n, dtype=np.int64)
    for i in range(n):
        cell = np.int64(0)
        for j in range(m):
            at = (measures[i, j] - low[j]) * scale[j] + edge
            if clip:
                at = min(max(at, 0.0), dims[j] - 0.5) if at == at else at
            if not (at >= 0.0 and at <= dims[j] + 2 * edge):
                cell = np.int64(-1)
                break
            cell = cell * dims[j] + min(np.int64(at), dims[j] - 1)
        cells[i] = cell
    return cells
