"""How much of a behaviour space is filled, and how well (Pugh et al. 2016, *Quality diversity*).

A cell is the number of a niche; -1 marks a row outside every niche.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from blackbox.errors import BatchError
from blackbox.metrics.pareto import hypervolume
from blackbox.metrics.scores import Floats, array, count, finite, numbers, score_point, score_table

Ints: TypeAlias = npt.NDArray[np.int64]


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
    offset = finite("offset", offset, "the least possible score")
    filled, best = best_of_cells(cells, scores)
    if not len(filled):
        return 0.0
    if best.min() < offset:
        raise BatchError(
            f"the elite of cell {filled[best.argmin()]} scores {best.min()}, below "
            f"offset={offset}; give the least possible score as offset"
        )
    return float((best - offset).sum())


def archive_profile(
    scores: npt.ArrayLike,
    cells: npt.ArrayLike,
    thresholds: npt.ArrayLike,
    *,
    n_cells: int | None = None,
) -> Floats:
    """Of how many cells the elite scores at least t, for each threshold t.

    The complementary cumulative distribution of the elites' scores, called archive profile by
    Vassiliades et al. (*Using centroidal Voronoi tessellations to scale up MAP-Elites*, 2018).
    The area under the number of cells from an offset on is the QD score with that offset.

    Args:
        scores: (n,) scores, larger is better; NaN marks a failed row.
        cells: (n,) cell of each row, -1 for none. Rows may share a cell: the best counts.
        thresholds: (t,) thresholds in any order.
        n_cells: number of cells there are; gives shares of it instead of numbers.

    Returns:
        (t,) numbers of cells, or shares from 0 to 1.

    Raises:
        BatchError: wrong shapes or types, or a cell of ``n_cells`` or above.
    """
    filled, best = best_of_cells(cells, scores)
    levels = numbers("thresholds", thresholds)
    if levels.ndim != 1 or np.isnan(levels).any():
        raise BatchError(
            f"thresholds have shape {levels.shape}; give (t,) numbers, none of them NaN"
        )
    counts = (len(best) - np.searchsorted(np.sort(best), levels)).astype(np.float64)
    if n_cells is None:
        return counts
    return counts / _checked_size(filled, n_cells)


def cqd_score(
    scores: npt.ArrayLike,
    measures: npt.ArrayLike,
    *,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    least: float,
    most: float,
    targets: npt.ArrayLike,
    penalties: npt.ArrayLike = (0.0, 0.25, 0.5, 0.75, 1.0),
) -> float:
    """Continuous QD score: how good an elite is found for wanted measures, without any cells.

    Sum over targets and penalties p of the largest over all elites of
    (score - least) / (most - least) - p * distance, where the distance of the elite's measures to
    the target is 1 from corner to corner of their range (Kent et al. 2022,
    doi:10.1145/3520304.3534018). Shifting or scaling the scores together with ``least`` and
    ``most`` changes nothing.

    Args:
        scores: (n,) elites' scores, larger is better; rows with NaN do not count.
        measures: (n, m) the elites' measures.
        low: (m,) least measures.
        high: (m,) largest measures.
        least: score that counts as 0.
        most: score that counts as 1.
        targets: (t, m) wanted measures, for instance uniform ones.
        penalties: (p,) weights of the distance.

    Returns:
        The sum, at most t p where no score is above ``most``. Where there is no elite each term is
        -p: that of an elite of the least score at the far corner.

    Raises:
        BatchError: wrong shapes, or a range without width.
    """
    values, places = numbers("scores", scores), numbers("measures", measures)
    wanted, weights = numbers("targets", targets), numbers("penalties", penalties)
    top, bottom = numbers("high", high), numbers("low", low)
    least = finite("least", least, "the score that counts as 0")
    most = finite("most", most, "the score that counts as 1")
    if top.shape != bottom.shape:
        raise BatchError(f"low has shape {bottom.shape}, high {top.shape}; give (m,) both")
    span = top - bottom
    m = span.size
    if values.ndim != 1 or places.shape != (len(values), m) or span.shape != (m,):
        raise BatchError(
            f"scores have shape {values.shape}, measures {places.shape}, low and high "
            f"{span.shape}; give (n,), (n, m) and (m,)"
        )
    if wanted.ndim != 2 or wanted.shape[1] != m or weights.ndim != 1:
        raise BatchError(
            f"targets have shape {wanted.shape}, penalties {weights.shape}; give (t, {m}) and (p,)"
        )
    if not (span > 0).all() or not most > least:
        raise BatchError(f"high - low is {span.tolist()}, most - least {most - least}; give more")
    known = ~np.isnan(values) & ~np.isnan(places).any(axis=1)
    if not known.any():
        return -float(weights.sum() * len(wanted))
    worth, places = (values[known] - least) / (most - least), places[known]
    diagonal, total = float(np.sqrt((span**2).sum())), 0.0
    for target in wanted:
        away = np.sqrt(((places - target) ** 2).sum(axis=1)) / diagonal
        total += sum(float((worth - p * away).max()) for p in weights.tolist())
    return total


def moqd_score(scores: npt.ArrayLike, cells: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Sum over cells of the hypervolume of the rows in them (Pierrot et al. 2022, MOME).

    Args:
        scores: (n, m) scores, larger is better; a row with NaN counts nowhere.
        cells: (n,) cell of each row, -1 for none.
        reference: (m,) reference point of every hypervolume, in scores.

    Raises:
        BatchError: wrong shapes or types.
        MissingExtraError: moocore is not installed.
    """
    table, valid = score_table("scores", scores)
    where = _cells(cells)
    if len(where) != len(table):
        raise BatchError(f"scores have {len(table)} rows where cells have {len(where)}; give (n,)")
    point = score_point("reference", reference, table.shape[1])
    kept = np.flatnonzero((where >= 0) & valid)
    kept = kept[np.argsort(where[kept], kind="stable")]
    parts = np.split(table[kept], np.flatnonzero(np.diff(where[kept])) + 1)
    return sum(hypervolume(part, point) for part in parts if len(part))


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
    filled, _ = best_of_cells(cells, np.zeros(np.shape(cells)) if scores is None else scores)
    return len(filled) / _checked_size(_cells(cells), n_cells)


def best_of_cells(cells: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Ints, Floats]:
    """The filled cells, increasing, and the best score in each.

    Args:
        cells: (n,) cell of each row, -1 for none. Rows may share a cell.
        scores: (n,) scores, larger is better; NaN marks a failed row, which fills no cell.

    Raises:
        BatchError: wrong shapes or types.
    """
    where = _cells(cells)
    values = numbers("scores", scores)
    if values.shape != where.shape:
        raise BatchError(
            f"scores have shape {values.shape} where cells have {where.shape}; give (n,) both"
        )
    kept = (where >= 0) & ~np.isnan(values)
    filled, position = np.unique(where[kept], return_inverse=True)
    best = np.full(len(filled), -np.inf)
    np.maximum.at(best, position, values[kept])
    return filled, best


def _checked_size(cells: Ints, n_cells: int) -> int:
    n_cells = count("n_cells", n_cells)
    if cells.size and cells.max() >= n_cells:
        raise BatchError(f"cell {cells.max()} does not exist: there are n_cells={n_cells}")
    return n_cells


def _cells(values: npt.ArrayLike) -> Ints:
    cells = array("cells", values)
    if cells.size == 0:
        cells = cells.astype(np.int64)
    if cells.ndim != 1 or cells.dtype.kind not in "iu":
        raise BatchError(
            f"cells have shape {cells.shape} and type {cells.dtype}; give (n,) whole numbers"
        )
    return cells.astype(np.int64)
