"""How much of a behaviour space is filled, and how well (Pugh et al. 2016, *Quality diversity*).

A cell is the number of a niche; -1 marks a row outside every niche.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from blackbox.errors import BatchError


def qd_score(scores: npt.ArrayLike, cells: npt.ArrayLike, *, offset: float = 0.0) -> float:
    """Sum over filled cells of the best score there, above an offset.

    Args:
        scores: (n,) scores, larger is better; NaN marks a failed row.
        cells: (n,) cell of each row, -1 for none. Rows may share a cell: the best counts.
        offset: the least possible score, so that filling a cell never lowers the sum.

    Returns:
        The sum; 0 where no cell is filled.

    Raises:
        BatchError: wrong shapes or types, or a best score below the offset.
    """
    where = _cells(cells)
    values = np.asarray(scores, dtype=np.float64)
    if values.shape != where.shape:
        raise BatchError(
            f"scores have shape {values.shape} where cells have {where.shape}; give (n,) both"
        )
    if not np.isfinite(offset):
        raise BatchError(f"offset is {offset!r}; give the least possible score, a finite number")
    kept = (where >= 0) & ~np.isnan(values)
    if not kept.any():
        return 0.0
    filled, position = np.unique(where[kept], return_inverse=True)
    best = np.full(len(filled), -np.inf)
    np.maximum.at(best, position, values[kept])
    if best.min() < offset:
        raise BatchError(
            f"the elite of cell {filled[best.argmin()]} scores {best.min()}, below "
            f"offset={offset}; give the least possible score as offset"
        )
    return float((best - offset).sum())


def coverage(cells: npt.ArrayLike, n_cells: int, *, scores: npt.ArrayLike | None = None) -> float:
    """Share of cells that are filled.

    Args:
        cells: (n,) cell of each row, -1 for none.
        n_cells: number of cells there are, at least 1.
        scores: (n,) scores, so that rows that failed (NaN) do not fill a cell.

    Returns:
        A number from 0 to 1.

    Raises:
        BatchError: wrong shapes or types, or a cell of ``n_cells`` or above.
    """
    where = _cells(cells)
    if n_cells < 1:
        raise BatchError(f"n_cells is {n_cells}; give at least 1")
    if where.size and where.max() >= n_cells:
        raise BatchError(f"cell {where.max()} does not exist: there are n_cells={n_cells}")
    kept = where >= 0
    if scores is not None:
        values = np.asarray(scores, dtype=np.float64)
        if values.shape != where.shape:
            raise BatchError(f"scores have shape {values.shape} where cells have {where.shape}")
        kept &= ~np.isnan(values)
    return len(np.unique(where[kept])) / n_cells


def _cells(values: npt.ArrayLike) -> npt.NDArray[np.int64]:
    cells = np.asarray(values)
    if cells.size == 0:
        cells = cells.astype(np.int64)
    if cells.ndim != 1 or cells.dtype.kind not in "iu":
        raise BatchError(
            f"cells have shape {cells.shape} and type {cells.dtype}; give (n,) whole numbers"
        )
    return cells.astype(np.int64)
