"""The probability that a candidate satisfies every constraint and can be evaluated at all.

Constraints are modelled by processes of their own, independent of each other and of the objectives
(Gardner et al. 2014, *Bayesian Optimization with Inequality Constraints*). Whether an evaluation
succeeds is one more of them: least-squares classification (Rasmussen and Williams 2006, section
6.5), a process fitted to +1 for rows that succeeded and -1 for rows that failed.
"""

from __future__ import annotations

import numpy as np
from scipy.special import log_ndtr

from blackbox.acquisitions.base import AcquisitionFunction, Limit
from blackbox.batch import Array

_LOG_ROOT = 0.5 * np.log(2.0 * np.pi)


def within(mean: Array, deviation: Array, lower: Array, upper: Array) -> tuple[Array, Array, Array]:
    """Log probability of a normal to lie between two bounds, and its derivatives.

    Args:
        mean: (n,).
        deviation: (n,) positive.
        lower: scalar, perhaps -inf.
        upper: scalar, perhaps inf.

    Returns:
        (n,) log probabilities, (n,) derivatives by the mean, (n,) by the deviation.
    """
    a, b = (lower - mean) / deviation, (upper - mean) / deviation
    # By symmetry the nearer tail is the lower one, where logarithms of probabilities are exact.
    flip = a + b > 0
    a, b = np.where(flip, -b, a), np.where(flip, -a, b)
    sign = np.where(flip, -1.0, 1.0)
    log_a, log_b = log_ndtr(a), log_ndtr(b)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = log_b + np.log1p(-np.exp(np.minimum(log_a - log_b, -1e-300)))
        up = np.exp(-0.5 * b**2 - _LOG_ROOT - value)
        down = np.exp(-0.5 * a**2 - _LOG_ROOT - value)
    up, down = np.where(np.isfinite(b), up, 0.0), np.where(np.isfinite(a), down, 0.0)
    by_mean = sign * (down - up) / deviation
    inner = np.where(np.isfinite(a), a, 0.0) * down - np.where(np.isfinite(b), b, 0.0) * up
    return value, by_mean, inner / deviation


class LogFeasibility:
    """Log of the probability that every limit holds.

    Args:
        limits: what must hold; independent of each other.
    """

    def __init__(self, limits: tuple[Limit, ...]) -> None:
        self._limits = limits

    def values(self, points: Array) -> Array:
        return self._sum(points, slopes=False)[0]

    def values_and_gradients(self, points: Array) -> tuple[Array, Array]:
        return self._sum(points, slopes=True)

    def _sum(self, points: Array, *, slopes: bool) -> tuple[Array, Array]:
        total, gradient = np.zeros(len(points)), np.zeros(points.shape)
        for limit in self._limits:
            model = limit.model
            moments = model.moments(points)
            lower, upper = model.outcomes.forward(np.array([limit.lower, limit.upper]))
            spread = moments.deviation
            if limit.noisy:
                spread = np.sqrt(spread**2 + model.noise)
            value, by_mean, by_spread = within(moments.mean[:, 0], spread, lower, upper)
            total += value
            if slopes:
                by_deviation = by_spread * moments.deviation / spread
                gradient += moments.pull(by_mean[:, None], by_deviation)
        return total, gradient


class Feasibly:
    """The logarithm of something worth having, weighted by the probability of getting it.

    Args:
        function: log of a positive acquisition.
        limits: what must hold.
    """

    def __init__(self, function: AcquisitionFunction, limits: tuple[Limit, ...]) -> None:
        self._function = function
        self._feasibility = LogFeasibility(limits)

    def values(self, points: Array) -> Array:
        return self._function.values(points) + self._feasibility.values(points)

    def values_and_gradients(self, points: Array) -> tuple[Array, Array]:
        value, gradient = self._function.values_and_gradients(points)
        log, slope = self._feasibility.values_and_gradients(points)
        return value + log, gradient + slope
