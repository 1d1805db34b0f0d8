"""The probability that a candidate satisfies every constraint and can be evaluated at all.

Constraints are modelled by processes of their own, independent of each other and of the objectives
(Gardner et al. 2014, *Bayesian Optimization with Inequality Constraints*). Whether an evaluation
succeeds is one more of them: least-squares classification (Rasmussen and Williams 2006, section
6.5), a process fitted to +1 for rows that succeeded and -1 for rows that failed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import erfcx, ndtr

from blackbox.acquisitions.base import AcquisitionFunction, Belief, Limit, Widening
from blackbox.batch import Array
from blackbox.surrogates.exact import ExactGP
from blackbox.surrogates.features import Features
from blackbox.surrogates.model import Data, Model, Surrogate

_LOG_ROOT = 0.5 * np.log(2.0 * np.pi)
_FAR = 1e100  # bounds beyond are as good as infinite
_NARROW = 1e-5  # deviations between bounds that nearly meet
_LEAST = 1e-250
_LIKELY = math.log(0.5)  # of feasibility, for a row to count as feasible

#: Standard error of the labels +1 and -1 of success: without one the process would bend itself
#: through every step from one to the other, and know nothing between them.
_LABEL = 0.5


def within(mean: Array, deviation: Array, lower: Array, upper: Array) -> tuple[Array, Array, Array]:
    """Log probability of a normal to lie between two bounds, and its derivatives.

    Args:
        mean: (..., n).
        deviation: (..., n) positive.
        lower: scalar or (..., 1), perhaps -inf.
        upper: the same, perhaps inf.

    Returns:
        (..., n) log probabilities, their derivatives by the mean, and by the deviation.
    """
    a, b = (lower - mean) / deviation, (upper - mean) / deviation
    # By symmetry the nearer tail is the lower one: a + b <= 0.
    with np.errstate(invalid="ignore"):
        flip = a + b > 0  # not where both are infinite
    a, b = np.where(flip, -b, a), np.where(flip, -a, b)
    sign = np.where(flip, -1.0, 1.0)
    value, up, down = _tail(a, np.minimum(b, 0.0))
    wide = b > 0
    inside, up_inside, down_inside = _middle(np.where(wide, a, -1.0), np.where(wide, b, 1.0))
    value = np.where(wide, inside, value)
    up, down = np.where(wide, up_inside, up), np.where(wide, down_inside, down)
    by_mean = sign * (down - up) / deviation
    inner = np.where(np.isfinite(a), a, 0.0) * down - np.where(np.isfinite(b), b, 0.0) * up
    return value, by_mean, inner / deviation


def _tail(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Log of ``P = Phi(b) - Phi(a)``, ``phi(b) / P`` and ``phi(a) / P`` where a <= b <= 0.

    ``P / phi(b)`` is a difference of Mills ratios, which neither underflow nor lose digits; where
    the bounds nearly meet, it is the distance between them times the density in the middle.
    """
    a = np.minimum(a, b)
    near = np.maximum(a, -_FAR)
    fall = np.where(np.isfinite(a), np.exp((b - near) * (near + b) / 2.0), 0.0)
    width = b - near
    narrow = width * np.maximum(1.0, -b) < _NARROW
    share = np.where(narrow, width * np.sqrt(fall), _mills(b) - fall * _mills(near))
    share = np.maximum(share, _LEAST)
    return -0.5 * b**2 - _LOG_ROOT + np.log(share), 1.0 / share, fall / share


def _middle(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """The same where a < 0 < b."""
    value = np.log1p(-(ndtr(a) + ndtr(-b)))
    value = np.where(b - a < 1.0, np.log(np.maximum(ndtr(b) - ndtr(a), _LEAST)), value)
    up, down = (np.exp(-0.5 * np.minimum(v**2, _FAR) - _LOG_ROOT - value) for v in (b, a))
    return value, up, down


def _mills(z: Array) -> Array:
    """``Phi(z) / phi(z)`` for z <= 0."""
    return np.asarray(np.sqrt(np.pi / 2.0) * erfcx(-z / np.sqrt(2.0)))


def success_limit(
    features: Features, x: Array, ok: Array, fit: Callable[[Surrogate, Data], Model]
) -> Limit:
    """That an evaluation succeeds, from rows of which some failed.

    Args:
        features: the coordinates of rows.
        x: (n, d) rows.
        ok: (n,) which of them succeeded.
        fit: fits a recipe to data, going on from its last fit.
    """
    labels, noise = np.where(ok, 1.0, -1.0), np.full(len(x), _LABEL)
    return Limit(fit(ExactGP(warp=False), Data(features, x, labels, noise=noise)), 0.0, math.inf)


def constrained(belief: Belief, build: Callable[[], AcquisitionFunction]) -> AcquisitionFunction:
    """An acquisition plus the log of the probability that every limit holds.

    Where no row is feasible yet there is nothing to improve on, and that probability alone is
    sought. Every recipe passes here.

    Args:
        belief: what is known.
        build: makes the acquisition as if there were no limits.
    """
    if not belief.limits:
        return build()
    if not belief.feasible.any():
        return LogFeasibility(belief.limits)
    return Feasibly(build(), LogFeasibility(belief.limits))


@dataclass(frozen=True)
class LogFeasibility:
    """Log of the probability that every limit holds.

    Args:
        limits: what must hold; independent of each other.
        width: deviation by which what is predicted of them is widened.
    """

    limits: tuple[Limit, ...]
    width: float = 0.0

    def widened(self, by: float) -> LogFeasibility:
        return replace(self, width=by)

    def values(self, points: Array) -> Array:
        return self._sum(points, slopes=False)[0]

    def likely(self, points: Array) -> npt.NDArray[np.bool_]:
        """(m,) whether it is more likely than not that every limit holds."""
        return self.values(points) > _LIKELY

    def values_and_gradients(self, points: Array) -> tuple[Array, Array]:
        return self._sum(points, slopes=True)

    def _sum(self, points: Array, *, slopes: bool) -> tuple[Array, Array]:
        moments = [limit.model.moments(points).widened(self.width) for limit in self.limits]
        mean = np.array([m.mean[:, 0] for m in moments])
        deviation = np.array([m.deviation for m in moments])
        lower, upper = self._bounds
        value, by_mean, by_deviation = within(mean, deviation, lower, upper)
        gradient = np.zeros(points.shape)
        if slopes:
            for m, of_mean, of_deviation in zip(moments, by_mean, by_deviation, strict=True):
                gradient += m.pull(of_mean[:, None], of_deviation)
        # One after another: NumPy adds a single column in another order than several.
        return sum(value, np.zeros(len(points))), gradient

    @cached_property
    def _bounds(self) -> tuple[Array, Array]:
        """(c, 1) lower and upper bounds, in the models' units."""
        bounds = [
            limit.model.outcomes.forward(np.array([limit.lower, limit.upper]))
            for limit in self.limits
        ]
        lower, upper = np.array(bounds).T
        return lower[:, None], upper[:, None]


@dataclass(frozen=True)
class Feasibly:
    """A worth plus the log of the probability of getting it.

    Of the logarithm of a positive acquisition this is the product of both (Gardner et al. 2014,
    eq. 6). Of one in standard deviations of the scores, as a confidence bound is, it means that a
    row that holds with probability 1/e must promise one standard deviation more.

    Args:
        function: the acquisition.
        feasibility: of what must hold.
    """

    function: AcquisitionFunction
    feasibility: LogFeasibility

    def widened(self, by: float) -> Feasibly:
        function = self.function
        wider = function.widened(by) if isinstance(function, Widening) else function
        return Feasibly(wider, self.feasibility.widened(by))

    def values(self, points: Array) -> Array:
        return self.function.values(points) + self.feasibility.values(points)

    def values_and_gradients(self, points: Array) -> tuple[Array, Array]:
        value, gradient = self.function.values_and_gradients(points)
        log, slope = self.feasibility.values_and_gradients(points)
        return value + log, gradient + slope
