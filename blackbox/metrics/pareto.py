"""Fronts of several objectives and how good they are.

Notation: A (n, m) scores of a set, R (r, m) scores of a reference front, z (m,) a point of
scores. Larger is better. a dominates b when a >= b in every objective and a > b in one.

moocore does the counting; ``_moocore`` is the only place where it learns that we maximize.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from blackbox.errors import BatchError, require

Floats: TypeAlias = npt.NDArray[np.float64]

# moocore counts objectives in one byte.
_MAX_OBJECTIVES = 255


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
    table, valid = _scores("scores", scores)
    front = np.zeros(len(table), dtype=bool)
    if valid.any():
        front[valid] = _moocore("is_nondominated", table[valid], keep_weakly=True)
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
    table, valid = _scores("scores", scores)
    ranks = np.full(len(table), len(table), dtype=np.int64)
    if valid.any():
        ranks[valid] = _moocore("pareto_rank", table[valid])
    return ranks


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
    table, valid = _scores("scores", scores)
    z = _point("reference", reference, table.shape[1])
    inside = table[valid & (table > z).all(axis=1)]
    if not len(inside):
        return 0.0
    if not np.isfinite(inside).all():
        return math.inf
    return float(_moocore("hypervolume", inside, ref=z))


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
    table, valid = _scores("scores", scores)
    z = _point("reference", reference, table.shape[1])
    counts = valid & (table > z).all(axis=1)
    trace = np.zeros(len(table))
    front = np.empty((0, table.shape[1]))
    volume = 0.0
    for i, row in enumerate(table):
        if counts[i] and not (front >= row).all(axis=1).any():
            front = np.vstack([front[~(front <= row).all(axis=1)], row])
            # Rounding must not let the trace go down.
            volume = max(volume, hypervolume(front, z))
        trace[i] = volume
    return trace


def igd_plus(scores: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """IGD+: mean distance by which the set falls short of a reference front.

    mean over r in R of min over a in A of ||max(r - a, 0)||, equation 18 of Ishibuchi et al.,
    *Modified distance calculation in generational distance and inverted generational distance*
    (EMO 2015). Weakly Pareto-compliant; smaller is better, 0 when A reaches all of R.

    Args:
        scores: (n, m) scores, larger is better.
        reference: (r, m) scores of the reference front, r >= 1.

    Returns:
        A distance of at least 0; ``inf`` for an empty set.

    Raises:
        BatchError: wrong shapes, or a reference that is not finite.
        MissingExtraError: moocore is not installed.
    """
    table, front = _set_and_front(scores, reference)
    return float(_moocore("igd_plus", table, ref=front)) if len(table) else math.inf


def epsilon_additive(scores: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """The least amount that, added to every score, makes the set reach the whole reference.

    max over r in R of min over a in A of max over j of r_j - a_j (Zitzler et al. 2003); smaller
    is better, negative where A is strictly beyond R.

    Args:
        scores: (n, m) scores, larger is better.
        reference: (r, m) scores of the reference front, r >= 1.

    Returns:
        The amount; ``inf`` for an empty set.

    Raises:
        BatchError: wrong shapes, or a reference that is not finite.
        MissingExtraError: moocore is not installed.
    """
    table, front = _set_and_front(scores, reference)
    return float(_moocore("epsilon_additive", table, ref=front)) if len(table) else math.inf


def epsilon_multiplicative(scores: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """The least factor by which the set must improve to reach the whole reference.

    As ``epsilon_additive`` with the ratio r_j / a_j where an objective's scores are positive and
    a_j / r_j where they are negative, that is, where a positive outcome is minimized. Smaller is
    better, 1 when A reaches R.

    Args:
        scores: (n, m) scores, larger is better; each objective all positive or all negative.
        reference: (r, m) scores of the reference front, of the same signs, r >= 1.

    Returns:
        The factor; ``inf`` for an empty set.

    Raises:
        BatchError: wrong shapes, a reference that is not finite, or an objective with zeros or
            both signs.
        MissingExtraError: moocore is not installed.
    """
    table, front = _set_and_front(scores, reference)
    table = table[(table > -np.inf).all(axis=1)]  # no factor brings these anywhere
    both = np.vstack([table, front])
    negative = (both < 0).all(axis=0)
    mixed = np.flatnonzero(~(negative | (both > 0).all(axis=0)))
    if mixed.size:
        j = int(mixed[0])
        raise BatchError(
            f"objective {j} has scores from {both[:, j].min()} to {both[:, j].max()}; a ratio "
            "needs all of one sign and none zero, use epsilon_additive"
        )
    if not len(table):
        return math.inf
    # -1/s is positive and grows with s, and its ratios are those of the minimized outcome.
    table[:, negative] = -1.0 / table[:, negative]
    front[:, negative] = -1.0 / front[:, negative]
    return float(_moocore("epsilon_mult", table, ref=front))


def r2(
    scores: npt.ArrayLike, ideal: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> float:
    """R2: mean over weights of the best weighted Chebyshev distance to an ideal point.

    mean over w of min over a in A of max over j of w_j (z_j - a_j) (Hansen and Jaszkiewicz 1998;
    Brockhoff et al., GECCO 2012). Smaller is better, 0 when A holds the ideal point.

    Args:
        scores: (n, m) scores, larger is better.
        ideal: (m,) point that no score exceeds, or one number.
        weights: (k, m) weights of at least 0, for instance ``lattice_weights(m, 12)``. Without,
            the mean is the exact integral over all weights that sum to one (Schäpermeier and
            Kerschke 2025), which exists for two objectives.

    Returns:
        A distance of at least 0; ``inf`` for an empty set.

    Raises:
        BatchError: wrong shapes, a score beyond the ideal, negative weights, or no weights where
            there are not two objectives.
        MissingExtraError: moocore is not installed (needed for the exact integral alone).
    """
    table, valid = _scores("scores", scores)
    table = table[valid]
    m = table.shape[1]
    z = _point("ideal", ideal, m)
    if (table > z).any():
        i, j = np.argwhere(table > z)[0]
        raise BatchError(
            f"score {table[i, j]} of objective {j} is beyond ideal[{j}]={z[j]}; give an ideal "
            "point that no score exceeds"
        )
    if weights is None and m != 2:
        raise BatchError(f"scores have {m} objectives; the exact R2 needs 2, give weights")
    if not len(table):
        return math.inf
    if weights is None:
        return float(_moocore("r2_exact", table, ref=z))
    chosen = _weights(weights, m)
    # One objective at a time, so that memory stays at k times n numbers.
    worst = np.zeros((len(chosen), len(table)))
    for j in range(m):
        np.maximum(worst, np.outer(chosen[:, j], z[j] - table[:, j]), out=worst)
    return float(worst.min(axis=1).mean())


def lattice_weights(m: int, divisions: int) -> Floats:
    """Evenly spaced weights (Das and Dennis 1998).

    Args:
        m: number of objectives, at least 1.
        divisions: steps from 0 to 1 along each edge, at least 1.

    Returns:
        (C(divisions + m - 1, m - 1), m) weights, multiples of 1 / divisions that sum to one.

    Raises:
        BatchError: ``m`` or ``divisions`` is below 1.
    """
    if m < 1 or divisions < 1:
        raise BatchError(f"lattice_weights({m}, {divisions}): give m and divisions of at least 1")
    rows = np.zeros((1, 0), dtype=np.int64)
    for _ in range(m - 1):
        left = divisions - rows.sum(axis=1)
        parts = np.concatenate([np.arange(k + 1) for k in left])
        rows = np.column_stack([np.repeat(rows, left + 1, axis=0), parts])
    return np.column_stack([rows, divisions - rows.sum(axis=1)]) / float(divisions)


def _moocore(name: str, points: Floats, **options: Any) -> Any:
    """Call moocore, which minimizes unless told otherwise: the one place where it is told."""
    function = getattr(require("moocore", "metrics"), name)
    return function(np.ascontiguousarray(points), maximise=True, **options)


def _scores(name: str, values: npt.ArrayLike) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The (n, m) table, and (n,) which of its rows hold no NaN."""
    try:
        table = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BatchError(f"{name} must be an (n, m) array of numbers") from error
    if table.ndim != 2 or not 1 <= table.shape[1] <= _MAX_OBJECTIVES:
        raise BatchError(
            f"{name} has shape {table.shape}; give (n, m), one column per objective "
            f"(at most {_MAX_OBJECTIVES}); for a single objective scores[:, None]"
        )
    return table, ~np.any(np.isnan(table), axis=1)


def _point(name: str, values: npt.ArrayLike, m: int) -> Floats:
    """A finite point (m,); one number stands for all objectives."""
    try:
        point = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BatchError(f"{name} must be {m} numbers; got {values!r}") from error
    if point.shape not in ((), (m,)):
        raise BatchError(f"{name} has shape {point.shape}; the scores need ({m},)")
    if not np.isfinite(point).all():
        raise BatchError(f"{name} is {point.tolist()}; give finite numbers")
    return np.array(np.broadcast_to(point, (m,)))


def _set_and_front(scores: npt.ArrayLike, reference: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The valid rows of a set, and a reference front that fits it."""
    table, valid = _scores("scores", scores)
    front, _ = _scores("reference", reference)
    if not len(front) or front.shape[1] != table.shape[1]:
        raise BatchError(
            f"reference has shape {front.shape}; give (r, {table.shape[1]}) with r >= 1, "
            "as many objectives as the scores"
        )
    if not np.isfinite(front).all():
        i = int(np.flatnonzero(~np.isfinite(front).all(axis=1))[0])
        raise BatchError(f"reference row {i} is {front[i].tolist()}; give finite numbers")
    return table[valid], front


def _weights(values: npt.ArrayLike, m: int) -> Floats:
    weights = np.asarray(values, dtype=np.float64)
    if weights.ndim != 2 or not len(weights) or weights.shape[1] != m:
        raise BatchError(f"weights have shape {weights.shape}; give (k, {m}) with k >= 1")
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise BatchError("weights must be finite and at least 0")
    return weights
