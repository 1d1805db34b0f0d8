"""How well a set of scores does against a reference front or an ideal point.

Notation: A (n, m) scores of the set, R (r, m) scores of a reference front, z (m,) a point of
scores. Larger scores are better; smaller indicators are.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from blackbox.errors import BatchError
from blackbox.metrics.scores import (
    Floats,
    call_moocore,
    count,
    score_point,
    score_table,
    weight_table,
)


def igd_plus(scores: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """IGD+: mean distance by which the set falls short of a reference front.

    mean over r in R of min over a in A of ||max(r - a, 0)|| (Ishibuchi et al., *Modified distance
    calculation in generational distance and inverted generational distance*, EMO
    2015). Weakly Pareto-compliant; smaller is better, 0 when A reaches all of R.

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
    return float(call_moocore("igd_plus", table, ref=front)) if len(table) else math.inf


def gd_plus(scores: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """GD+: mean distance by which the rows of the set fall short of a reference front.

    mean over a in A of min over r in R of ||max(r - a, 0)|| (Ishibuchi et al. 2015): ``igd_plus``
    the other way round. Smaller is better, 0 where every row reaches the front; it does not see
    how much of the front is reached.

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
    # Turned upside down, what a row falls short of the front is what the front exceeds it by.
    return float(call_moocore("igd_plus", -front, ref=-table)) if len(table) else math.inf


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
    return float(call_moocore("epsilon_additive", table, ref=front)) if len(table) else math.inf


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
    return float(call_moocore("epsilon_mult", table, ref=front))


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
    table, valid = score_table("scores", scores)
    table = table[valid]
    m = table.shape[1]
    z = score_point("ideal", ideal, m)
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
        return float(call_moocore("r2_exact", table, ref=z))
    chosen = weight_table(weights, m)
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
    m, divisions = count("m", m), count("divisions", divisions)
    rows = np.zeros((1, 0), dtype=np.int64)
    for _ in range(m - 1):
        left = divisions - rows.sum(axis=1)
        parts = np.concatenate([np.arange(k + 1) for k in left])
        rows = np.column_stack([np.repeat(rows, left + 1, axis=0), parts])
    return np.column_stack([rows, divisions - rows.sum(axis=1)]) / float(divisions)


def _set_and_front(scores: npt.ArrayLike, reference: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The valid rows of a set, and a reference front that fits it."""
    table, valid = score_table("scores", scores)
    front, _ = score_table("reference", reference)
    if not len(front) or front.shape[1] != table.shape[1]:
        raise BatchError(
            f"reference has shape {front.shape}; give (r, {table.shape[1]}) with r >= 1, "
            "as many objectives as the scores"
        )
    if not np.isfinite(front).all():
        i = int(np.flatnonzero(~np.isfinite(front).all(axis=1))[0])
        raise BatchError(f"reference row {i} is {front[i].tolist()}; give finite numbers")
    return table[valid], front
