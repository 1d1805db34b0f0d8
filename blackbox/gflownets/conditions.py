"""What is wanted of a sample, as numbers for a network: preferences and temperatures.

Jain et al. 2023, *Multi-Objective GFlowNets*, arXiv 2210.12765.

Notation: w (n, m) preferences, non-negative and summing to one; u (n, m) objectives scaled to
[0, 1], larger is better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array
from blackbox.errors import ProblemError

#: Rewards are at least this large, so that their logarithms are finite.
FLOOR = 1e-8


def thermometer(values: Array, low: float, high: float, bins: int) -> Array:
    """(n, k * bins) of (n, k) values: bin b is filled as far as a value has passed its start.

    A monotone code, from which a network can tell close values apart and order far ones.
    """
    gap = (high - low) / (bins - 1)
    starts = low + gap * np.arange(bins)
    filled = np.clip((values[:, :, None] - starts) / gap, 0.0, 1.0)
    code: Array = filled.reshape(len(values), -1).astype(np.float32)
    return code


def checked(preference: npt.ArrayLike, m: int) -> Array:
    """(m,) float64 weights.

    Raises:
        ProblemError: another number of weights, negative ones, or a sum that is not one.
    """
    try:
        weights = np.asarray(preference, dtype=np.float64)
    except (TypeError, ValueError):
        weights = np.full(0, np.nan)
    good = weights.shape == (m,) and bool(np.all(weights >= 0))
    if not good or abs(weights.sum() - 1) > 1e-6:
        raise ProblemError(
            f"preference={preference!r}: give {m} non-negative weights that sum to 1"
        )
    return weights


def weighted_sum(u: Array, w: Array) -> Array:
    """(n,) sum of w_i u_i."""
    total: Array = (w * u).sum(axis=1)
    return total


def weighted_log_sum(u: Array, w: Array) -> Array:
    """(n,) product of u_i ** w_i: what no objective may be without."""
    product: Array = np.exp((w * np.log(np.maximum(u, FLOOR))).sum(axis=1))
    return product


def tchebycheff(u: Array, w: Array) -> Array:
    """(n,) 1 - max of w_i (1 - u_i): how near the ideal point the worst objective is."""
    nearness: Array = 1.0 - (w * (1.0 - u)).max(axis=1)
    return nearness


SCALARIZATIONS: Mapping[str, Callable[[Array, Array], Array]] = {
    "sum": weighted_sum,
    "log_sum": weighted_log_sum,
    "tchebycheff": tchebycheff,
}
