"""One pass over a batch: which rows beat their cell's threshold, and which of them wins it.

Two versions with one contract and bit-equal answers: plain NumPy here, and compiled loops in
``_compiled`` for archives that see enough rows to be worth the compiler's start.

Contract: ``index`` (size,) holds 1 + the row of each cell's elite, 0 where there is none, and gets
the numbers of new rows, in the order in which the batch first fills their cells. Rows whose score
is not finite lose their cell.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array

# Rows after which compiled loops are used: their start would be all the cost of a short run.
_COMPILE_AFTER = 20_000


def worth_compiling(rows: int) -> bool:
    """Whether compiled loops pay for who has seen so many rows; never without numba."""
    return rows >= _COMPILE_AFTER and _numba()


@cache
def _numba() -> bool:
    return find_spec("numba") is not None


class Placed(NamedTuple):
    """What a batch does to an archive; g is the number of cells in which a row was accepted.

    Attributes:
        n: number of the archive's rows from now on.
        outside: number of rows without a cell whose score is finite.
        status: (n,) int8; 0 refused, 1 beats the threshold of a filled cell, 2 of an empty one.
        gain: (n,) score above the threshold (above 0 where that is -inf); NaN without a cell.
        rows: (g,) rows of those cells' elites.
        winner: (g,) position in the batch of the best accepted row, the first of equals.
        totals: (g,) sum of the accepted scores.
        counts: (g,) number of accepted rows.
    """

    n: int
    outside: int
    status: npt.NDArray[np.int8]
    gain: npt.NDArray[np.float64]
    rows: npt.NDArray[np.int64]
    winner: npt.NDArray[np.int64]
    totals: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]


def place(
    cells: Array, scores: Array, index: Array, thresholds: Array, k: int, least: float
) -> Placed:
    """Place a batch, all rows against the archive as it was before.

    Args:
        cells: (n,) int64 cell of each row, -1 for none.
        scores: (n,) scores.
        index: (size,) row + 1 of each cell; new rows are entered.
        thresholds: (>= k,) threshold of each row.
        k: number of rows.
        least: threshold of an empty cell.
    """
    finite = np.isfinite(scores)
    outside = int(np.count_nonzero(finite & (cells < 0)))
    cells[~finite] = -1
    inside = cells >= 0
    rows = np.where(inside, index[cells], 0).astype(np.int64) - 1
    filled = rows >= 0
    base = np.full(len(cells), least)
    base[filled] = thresholds[rows[filled]]
    accepted = inside & (scores > base)
    status = np.where(accepted, np.where(filled, 1, 2), 0).astype(np.int8)
    with np.errstate(over="ignore"):  # of scores as large as floats
        gain = np.where(inside, scores - np.where(base == -np.inf, 0.0, base), np.nan)
    source = np.flatnonzero(accepted)
    _, first, group = np.unique(cells[source], return_index=True, return_inverse=True)
    # Groups are numbered in the order of their first row.
    rank = np.empty_like(first)
    rank[np.argsort(first)] = np.arange(len(first))
    group = rank[group]
    order = np.lexsort((-scores[source], group))  # stable: the first of equals stays first
    ends = np.flatnonzero(np.diff(group[order], prepend=-1))
    winner = source[order[ends]]
    rows = rows[winner]
    new = rows < 0
    n = k + int(np.count_nonzero(new))
    rows[new] = np.arange(k, n)
    index[cells[winner[new]]] = rows[new] + 1
    counts = np.bincount(group, minlength=len(first))
    totals = np.bincount(group, scores[source], minlength=len(first)).astype(np.float64)
    return Placed(n, outside, status, gain, rows, winner, totals, counts)


def grid_cells(
    measures: Array, low: Array, scale: Array, dims: Array, edge: float, clip: bool
) -> npt.NDArray[np.int64]:
    """(n,) cell of each row in a grid, row-major; -1 where a measure is NaN or outside.

    Args:
        measures: (n, m) measures.
        low: (m,) lower end of the range.
        scale: (m,) cells per unit.
        dims: (m,) int64 cells along each measure.
        edge: how far beside a boundary, in cells, a value counts as on it: 0.3 is no exact number.
        clip: whether what is outside belongs to the nearest cell.
    """
    with np.errstate(over="ignore"):
        at = (measures - low) * scale + edge
    if clip:
        at = np.minimum(np.maximum(at, 0.0), dims - 0.5)  # NaN stays NaN
    good = np.all((at >= 0.0) & (at <= dims + 2 * edge), axis=1)
    steps = np.minimum(np.where(good[:, None], at, 0.0).astype(np.int64), dims - 1)
    cells = steps[:, 0]
    for j in range(1, len(dims)):
        cells = cells * dims[j] + steps[:, j]
    return np.where(good, cells, -1)
