"""Which known objects are trained on again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array

#: How far good objects are preferred: the best of n counts as much as 1 / SHARE + 1 bad ones.
_SHARE = 0.01


def priorities(ranks: Array) -> Array:
    """(n,) probabilities in proportion to 1 / (0.01 n + rank), rank 0 being the best.

    Tripp et al. 2020, arXiv 2006.09191.
    """
    weights = 1.0 / (_SHARE * len(ranks) + ranks)
    probabilities: Array = weights / weights.sum()
    return probabilities


def replayed(ranks: Array, k: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """(k,) positions, half of them drawn by priority and half uniformly, with replacement."""
    n = len(ranks)
    good = np.searchsorted(np.cumsum(priorities(ranks)), rng.random(k // 2))
    return np.concatenate([np.minimum(good, n - 1), rng.integers(0, n, k - k // 2)])


def diverse(states: Array, ranks: Array, distance: int, most: int) -> npt.NDArray[np.intp]:
    """Positions of at most ``most`` objects, best first, that differ from all better ones kept.

    Args:
        states: (n, width) terminal states.
        ranks: (n,) rank 0 being the best.
        distance: entries of the states in which two objects must differ at least.
        most: objects wanted.
    """
    kept: list[int] = []
    for i in np.argsort(ranks, kind="stable"):
        if not kept or (states[kept] != states[i]).sum(axis=1).min() >= distance:
            kept.append(int(i))
            if len(kept) == most:
                break
    return np.array(kept, dtype=np.intp)
