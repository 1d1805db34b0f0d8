"""The compiled versions of what ``_placing`` does; importing this module needs numba.

Signatures are given, so that each loop is compiled once, whether a column is read-only or not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, float64, int32, int64, njit, types

from blackbox.batch import Array


def _given(dtype: Any, ndim: int) -> Any:
    return types.Array(dtype, ndim, "A", readonly=True)


_FLOATS, _MATRIX, _INTS = _given(float64, 1), _given(float64, 2), _given(int64, 1)
_PLACE = (int64[::1], _FLOATS, int32[::1], float64[::1], int64, float64, int64[::1])
_CELLS = (_MATRIX, _FLOATS, _FLOATS, _INTS, float64, boolean)


@njit([_PLACE], cache=True)
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
    known, groups, outside = k, 0, 0
    for i in range(n):
        cell, score = cells[i], scores[i]
        if not np.isfinite(score):
            cells[i] = -1
            continue
        if cell < 0:
            outside += 1
            continue
        row = int(index[cell]) - 1
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
    found = rows[:groups], winner[:groups], total[:groups], count[:groups]
    return known, outside, status, gain, *found


@njit([_CELLS], cache=True)
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


@njit([(float64[:, ::1], _INTS, _MATRIX, _INTS)], cache=True)
def put(target: Array, rows: Array, column: Array, source: Array) -> None:
    """``target[rows] = column[source]``, which NumPy does slowly where rows are short."""
    for i in range(len(rows)):
        for j in range(target.shape[1]):
            target[rows[i], j] = column[source[i], j]
