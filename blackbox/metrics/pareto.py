"""The Pareto front of a set of scores, the volume it dominates, and what runs attain together.

Larger is better. a dominates b when a >= b in every objective and a > b in one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from blackbox.arguments import is_number
from blackbox.errors import BatchError
from blackbox.metrics.scores import Floats, attained, call_moocore, places, score_point, score_table

# Rows compared with the front at once: Python then sees only those that may enter it.
_CHUNK = 4096


def is_nondominated(scores: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which rows no other row dominates; equal rows are all kept.

    Args:
        scores: (n, m) scores, larger is better; a row with a NaN is never in the front.

    Returns:
        (n,) mask of the front.

    Raises:
        BatchError: ``scores`` is not (n, m).
        MissingExtraError: moocore is not installed.
    """
    table, valid = score_table("scores", scores)
    front = np.zeros(len(table), dtype=bool)
    if valid.any():
        front[valid] = call_moocore("is_nondominated", _comparable(table[valid]), keep_weakly=True)
    return front


def nondominated_ranks(scores: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The front each row belongs to: 0 is the Pareto front, 1 the front without it, and so on.

    Non-dominated sorting as in NSGA-II (Deb et al. 2002), in O(n log n) for two objectives.

    Args:
        scores: (n, m) scores, larger is better.

    Returns:
        (n,) ranks from 0; n, which no valid row can reach, for a row with a NaN.

    Raises:
        BatchError: ``scores`` is not (n, m).
        MissingExtraError: moocore is not installed.
    """
    table, valid = score_table("scores", scores)
    ranks = np.full(len(table), len(table), dtype=np.int64)
    if valid.any():
        ranks[valid] = call_moocore("pareto_rank", _comparable(table[valid]))
    return ranks


def _comparable(table: Floats) -> Floats:
    """(n, m) finite numbers in the order of the scores of each objective, all that counts here."""
    return table if np.isfinite(table).all() else places(table)[0]


def hypervolume(scores: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Volume that the set dominates and that dominates the reference point (Zitzler 1999).

    Args:
        scores: (n, m) scores, larger is better.
        reference: (m,) finite point, in scores; rows that do not exceed it everywhere add
            nothing. A number is used for every objective.

    Returns:
        The exact volume: 0 for an empty set, ``inf`` where a row that counts is infinite. Its
        cost grows exponentially with m; up to m = 4 fronts of thousands take milliseconds.

    Raises:
        BatchError: wrong shapes, or a reference that is not finite.
        MissingExtraError: moocore is not installed.
    """
    table, valid = score_table("scores", scores)
    z = score_point("reference", reference, table.shape[1])
    inside = table[valid & (table > z).all(axis=1)]
    if not len(inside):
        return 0.0
    if not np.isfinite(inside).all():
        return math.inf
    return float(call_moocore("hypervolume", inside, ref=z))


def hypervolume_trace(scores: npt.ArrayLike, reference: npt.ArrayLike) -> Floats:
    """Hypervolume after each row.

    Args:
        scores: (n, m) scores in the order they were told.
        reference: (m,) finite point, in scores, or one number.

    Returns:
        (n,) values that never decrease; computed anew only where a row enters the front.

    Raises:
        BatchError: wrong shapes, or a reference that is not finite.
        MissingExtraError: moocore is not installed.
    """
    table, valid = score_table("scores", scores)
    z = score_point("reference", reference, table.shape[1])
    rows = np.flatnonzero(valid & (table > z).all(axis=1))
    volumes = np.zeros(len(table))
    front = np.empty((0, table.shape[1]))
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        for i in chunk[~_covered(table[chunk], front)]:
            row = table[i]
            if not (front >= row).all(axis=1).any():
                front = np.vstack([front[~(front <= row).all(axis=1)], row])
                volumes[i] = hypervolume(front, z)
    # Between changes the volume stays; rounding must not let it go down.
    return np.maximum.accumulate(volumes)


def _covered(rows: Floats, front: Floats) -> npt.NDArray[np.bool_]:
    """(n,) which rows some point of the front is at least as good as, one point at a time."""
    covered = np.zeros(len(rows), dtype=bool)
    for point in front:
        covered |= (point >= rows).all(axis=1)
    return covered


def attainment(
    runs: Sequence[npt.ArrayLike], levels: Sequence[float] = (0.25, 0.5, 0.75)
) -> list[Floats]:
    """What a share of several runs attains: surfaces of the empirical attainment function.

    A point is attained by a run that holds a row at least as good everywhere. The surface of
    level 0.5 borders what at least half of the runs attain, a median front (Fonseca and Fleming
    1996; computed as by Fonseca et al. 2011).

    Args:
        runs: (n_i, m) scores of each run, m of 2 or 3; rows with a NaN are ignored.
        levels: shares of runs, above 0 and at most 1.

    Returns:
        For each level the (k, m) scores that span its surface, not dominating one another; no
        rows where fewer runs than that hold anything.

    Raises:
        BatchError: no runs, wrong shapes, more than three objectives, or a level out of range.
        MissingExtraError: moocore is not installed.
    """
    for name, given in (("runs", runs), ("levels", levels)):
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise BatchError(f"{name} is {given!r}; give a list")
    tables = [table[valid] for table, valid in (score_table("runs", run) for run in runs)]
    widths = {table.shape[1] for table in tables}
    if len(widths) != 1 or not widths <= {2, 3}:
        raise BatchError(
            f"runs have {sorted(widths)} objectives; give at least one run, each with 2 or 3"
        )
    if not all(is_number(level) and 0 < level <= 1 for level in levels):
        raise BatchError(f"levels are {list(levels)}; give shares above 0 and at most 1")
    filled = [table for table in tables if len(table)]
    # Rounding must not ask for one run more: 0.1 * 30 is above 3.
    counts = [max(1, math.ceil(level * len(tables) - 1e-9)) for level in levels]
    none = np.empty((0, widths.pop()))
    return [attained(filled, count) if count <= len(filled) else none for count in counts]
