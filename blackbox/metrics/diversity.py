"""How good and how different from one another the best candidates are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array
from blackbox.errors import BatchError
from blackbox.metrics.scores import Floats, array, count, numbers, score_table

# Pairs whose tables of edit distances are filled in at once.
_PAIRS = 20_000


def top_k_mean(scores: npt.ArrayLike, k: int) -> float:
    """Mean of the k best scores.

    Args:
        scores: (n,) scores of different candidates, larger is better; NaN is none.
        k: how many, at least 1; all where there are fewer.

    Returns:
        The mean; NaN where there is no score.

    Raises:
        BatchError: wrong shape, or ``k`` below 1.
    """
    values = numbers("scores", scores)
    if values.ndim != 1:
        raise BatchError(f"top_k_mean: scores of shape {values.shape}; give (n,)")
    best = np.sort(values[~np.isnan(values)])[-count("k", k) :]
    return float(best.mean()) if len(best) else float("nan")


def hamming_diversity(rows: npt.ArrayLike) -> float:
    """Mean over pairs of the number of places in which two rows differ.

    Args:
        rows: (n, k) choices of n candidates, of any type.

    Returns:
        From 0 to k; 0 for fewer than two rows.

    Raises:
        BatchError: wrong shape.
    """
    table = _table(rows)
    n = len(table)
    # Pairs that agree in a place: those of each value that it takes.
    agree = sum(_pairs(np.unique(column, return_counts=True)[1]) for column in table.T)
    return table.shape[1] - agree / (n * (n - 1) / 2) if n > 1 else 0.0


def edit_diversity(rows: npt.ArrayLike) -> float:
    """Mean over pairs of the edit distance (Levenshtein 1966) of two strings.

    Args:
        rows: (n, k) tokens of n strings, the shorter ones padded with "".

    Returns:
        From 0 to k; 0 for fewer than two rows.

    Raises:
        BatchError: wrong shape.
    """
    table = _table(rows)
    if len(table) < 2:
        return 0.0
    first, second = np.triu_indices(len(table), 1)
    total = 0.0
    for start in range(0, len(first), _PAIRS):
        some = slice(start, start + _PAIRS)
        total += float(_edits(table[first[some]], table[second[some]]).sum())
    return total / len(first)


def pc_entropy(scores: npt.ArrayLike, front: npt.ArrayLike) -> float:
    """Entropy of how a set spreads over a reference front (Jain et al. 2023's PC-ent).

    Each row counts for the nearest point of the front; -sum over points of the shares' p log p.

    Args:
        scores: (n, m) scores, larger is better.
        front: (r, m) scores of the reference front, r >= 1.

    Returns:
        From 0, where all rows are near one point, to log r; 0 for an empty set.

    Raises:
        BatchError: wrong shapes.
    """
    table, valid = score_table("scores", scores)
    points, finite = score_table("front", front)
    if points.shape[1] != table.shape[1] or not len(points) or not finite.all():
        raise BatchError(
            f"front has shape {points.shape}; give (r, {table.shape[1]}) numbers with r >= 1"
        )
    rows = table[valid]
    away = ((rows[:, None, :] - points) ** 2).sum(axis=2)
    shares = np.unique(away.argmin(axis=1), return_counts=True)[1] / max(len(rows), 1)
    return float(-(shares * np.log(shares)).sum()) + 0.0


def _table(rows: npt.ArrayLike) -> Array:
    table = array("rows", rows)
    if table.ndim != 2:
        raise BatchError(f"rows have shape {table.shape}; give (n, k)")
    return table


def _pairs(counts: npt.NDArray[np.int64]) -> float:
    return float((counts * (counts - 1) / 2).sum())


def _edits(one: Array, other: Array) -> Floats:
    """(p,) edit distances of p pairs of padded strings, all tables filled in side by side."""
    length_one, length_other = (one != "").sum(axis=1), (other != "").sum(axis=1)
    n, k = one.shape
    row = np.broadcast_to(np.arange(k + 1.0), (n, k + 1))
    found = np.where(length_one == 0, length_other, -1.0)
    for i in range(1, k + 1):
        made = np.empty((n, k + 1))
        made[:, 0] = i
        differ = one[:, i - 1, None] != other
        for j in range(1, k + 1):
            step = np.minimum(row[:, j], made[:, j - 1]) + 1
            made[:, j] = np.minimum(step, row[:, j - 1] + differ[:, j - 1])
        row = made
        ends = length_one == i
        found[ends] = row[ends, length_other[ends]]
    return found
