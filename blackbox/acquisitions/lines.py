"""The expected maximum of random lines: what one more observation is worth to a finite choice.

An observation moves the posterior means of N rows along straight lines: mean i becomes
``a_i + b_i Z`` with one standard normal Z. The best of them is the upper envelope of N lines, and
with the envelope's lines in order of slope, crossing each other at c_1 < c_2 < ...,

    E max_i (a_i + b_i Z) - max_i a_i = sum over crossings of (b' - b) h(-|c|),
    h(z) = phi(z) + z Phi(z)

(Frazier, Powell and Dayanik 2009, *The Knowledge-Gradient Policy for Correlated Normal Beliefs*,
eq. 14). All terms are positive, so its logarithm is exact where the value itself underflows.

Notation: r independent problems, N lines each.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from blackbox.acquisitions.normal import log_h, ratios
from blackbox.batch import Array

_FAR = 1e150  # crossings beyond do not matter, and their squares are finite
_LEAST = -1e10  # log of the gain where no line overtakes another

Index = npt.NDArray[np.intp]


def log_gain(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Log of ``E max_i (a_i + b_i Z) - max_i a_i``, and its derivatives.

    Args:
        a: (r, N) intercepts.
        b: (r, N) slopes.

    Returns:
        (r,) values, (r, N) derivatives by the intercepts, (r, N) by the slopes.
    """
    row, left, right = _crossings(a, b)
    rise = b[row, right] - b[row, left]
    gap = a[row, left] - a[row, right]
    crossing = np.clip(gap / rise, -_FAR, _FAR)
    each = np.log(rise) + log_h(-np.abs(crossing))
    value = np.full(len(a), _LEAST)
    np.maximum.at(value, row, each)
    total = np.zeros(len(a))
    np.add.at(total, row, np.exp(each - value[row]))
    value += np.log(np.where(total > 0, total, 1.0))
    by_a, by_b = np.zeros(a.shape), np.zeros(b.shape)
    share = np.exp(each - value[row]) / rise
    tail, density = (share * ratio for ratio in ratios(-np.abs(crossing)))
    tail *= np.sign(gap)
    np.add.at(by_a, (row, right), tail)
    np.add.at(by_a, (row, left), -tail)
    np.add.at(by_b, (row, right), density)
    np.add.at(by_b, (row, left), -density)
    return value, by_a, by_b


def _crossings(a: Array, b: Array) -> tuple[Index, Index, Index]:
    """Problem, line before and line after each crossing of the upper envelopes.

    All envelopes are walked from left to right at once; each step looks for the line that overtakes
    first.
    """
    row = np.arange(len(a))
    here = np.where(b <= b.min(axis=1, keepdims=True), a, -np.inf).argmax(axis=1)
    found: list[tuple[Index, Index, Index]] = []
    while len(row):
        line = np.arange(len(row))
        rise = b - b[line, here][:, None]
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            crossing = (a[line, here][:, None] - a) / rise
        crossing = np.where(rise > 0, np.maximum(crossing, -np.finfo(float).max), np.inf)
        there = crossing.argmin(axis=1)
        on = np.isfinite(crossing[line, there])
        row, a, b, here, there = row[on], a[on], b[on], here[on], there[on]
        found.append((row, here, there))
        here = there
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))  # type: ignore[return-value]
