"""Hyperparameters of the fast engine: maximum a posteriori, by L-BFGS-B with closed-form gradients.

The constant mean is profiled out (generalised least squares), so its optimum costs nothing. Priors:
length scales as Hvarfner, Hellsten and Nardi (2024, *Vanilla Bayesian Optimization Performs Great
in High Dimensions*, eq. 8), which grow with the root of the dimension, but steeper below the mode:
a few rows are as well explained by one length scale of nearly nothing, under which every row stands
alone and nothing is learnt from the others. Code scales, which divide squared distances, likewise
grow with the number of groups. The noise is wide, from none to nothing but noise.

Notation: n rows, p numbers, g groups of codes; z (n,) standardised scores; theta as in ``kernel``,
followed by the logarithm of the noise variance where that is inferred.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

from blackbox.batch import Array
from blackbox.state import State
from blackbox.surrogates.kernel import TREND, Kernel, Rows
from blackbox.surrogates.posterior import Posterior, SingularError, cholesky

NOISE_FLOOR = 1e-8  # variance of z; keeps replicates from making the matrix singular
NOISE_MOST = 10.0
NOISE_PRIOR = (-8.0, 3.0)  # of the log-normal one
NOISY_PRIOR = (-2.0, 1.0)  # of the same where values are known to be noisy: likeliest .22 of z
_SIGNAL = 2.0  # deviation of the logarithm of the signal variance
LENGTH = math.sqrt(3.0)  # deviation of the logarithm of a length scale
SHORT = 0.5  # the same below the mode, and of code scales
TILT = 1.0  # deviation of the tilts
TREND_PRIOR = (-4.0, 2.0)  # of the logarithms of its variances: normal, so that none is a choice
#: Prior of the trend over mixtures: a loss follows a law of the (mapped) shares first, and
#: the process is what is left. Measured on a fitted law: with 16 rows the error falls by a third.
MIXTURE_TREND = (0.0, 2.0)
#: Shares are likely to matter alike: deviation of the logarithms of their scales from their mean.
#: Of 19 scales of their own, fitted to 60 runs, most fit noise: on recorded runs the rank
#: correlation with runs left out rises from .56 to .72 (instruction tuning, 7B) and from .74 to .77
#: (Pile, 1B), and 95 % intervals hold 94 and 92 % where they held 62 and 75.
TIED = 0.3
_CODES = (3.0, math.sqrt(3.0))  # of the log-normal prior of the scale of a single group of codes
_STARTS = ((0.0, -7.0), (math.log(4.0), -7.0), (-1.0, -3.0), (math.log(4.0), -2.0))
_OPTIMISED = 2  # starts that are followed, the most likely ones
COLD, _WARM = 60, 15  # iterations
_BARRIER = 1e30  # loss where it cannot be computed
_REFIT = 1.03  # growth of the data after which hyperparameters are fitted again, from the last ones
_AFRESH = 1.25  # growth after which they are looked for from several starts
_ALWAYS = 50  # rows up to which they are fitted again with every one


@dataclass(frozen=True)
class Likelihood:
    """Of standardised scores, as a function of the hyperparameters.

    Args:
        rows: (n) rows observed.
        groups: (q,) group of each column of codes.
        z: (n,) standardised scores.
        noise: (n,) known noise variances of z, or None to infer one common variance.
        noisy: whether scores are known to be noisy.
        short: deviation of the logarithm of a length scale or code scale below the prior's mode.
        axes: of the kernel.
        shares: (p,) which numbers are shares of mixtures; None where none is.
    """

    rows: Rows
    groups: npt.NDArray[np.intp]
    z: Array
    noise: Array | None
    noisy: bool = False
    short: float = SHORT
    axes: Array | None = None
    shares: npt.NDArray[np.bool_] | None = None

    @property
    def trend(self) -> tuple[float, float]:
        """Mean and deviation of the normal prior of the logarithms of the trend's variances."""
        return MIXTURE_TREND if self._tied.size else TREND_PRIOR

    @cached_property
    def _tied(self) -> npt.NDArray[np.intp]:
        """Which length scales are those of shares."""
        return np.flatnonzero([] if self.shares is None else self.shares)

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of length scales and of code scales."""
        return self.rows.numbers.shape[1], int(self.groups.max(initial=-1)) + 1

    @property
    def tilts(self) -> int:
        """Number of hyperparameters of the kernel after those that every one has."""
        return 0

    def kernel(self, theta: Array) -> Kernel:
        """The kernel at its own hyperparameters."""
        return Kernel(theta, self.groups, self.axes)

    def split(self, theta: Array) -> tuple[Kernel, Array]:
        """The kernel and the (n,) noise variances at these hyperparameters."""
        if self.noise is not None:
            return self.kernel(theta), self.noise
        return self.kernel(theta[:-1]), np.full(len(self.z), math.exp(theta[-1]))

    def posterior(self, theta: Array) -> Posterior:
        """The process given the scores.

        Raises:
            SingularError: the covariance cannot be factorised.
        """
        kernel, noise = self.split(theta)
        return Posterior.profiled(kernel, self.rows, self.z, noise)

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """Negative log posterior of the hyperparameters and its gradient."""
        kernel, noise = self.split(theta)
        value, slope = kernel.with_slope(self.rows, self.rows)
        loss, weights = marginal(value, noise, kernel.signal, self.z)
        gradient = np.empty(len(theta))
        count = len(kernel.theta)
        gradient[:count] = kernel.gradient(self.rows, value, slope, weights)
        if self.noise is None:
            gradient[-1] = noise[0] * np.trace(weights)
        prior, slopes = self.prior(theta)
        return float(loss - prior), gradient - slopes

    def prior(self, theta: Array) -> tuple[float, Array]:
        """Log density of the hyperparameters up to a constant, and its gradient."""
        away = theta - self.mode
        slopes = -away / np.where(away < 0, self.below, self.above) ** 2
        value = 0.5 * float(away @ slopes)
        if not self._tied.size:
            return value, slopes
        apart = (theta[self._tied] - theta[self._tied].mean()) / TIED
        slopes[self._tied] -= apart / TIED
        return value - 0.5 * float(apart @ apart), slopes

    @cached_property
    def mode(self) -> Array:
        """(t,) where the prior is greatest.

        Of length scales, code scales and noise it is that of the density of the values themselves,
        as in the paper: a log-normal one is a normal one of the logarithm, moved by its variance.
        """
        p, g = self.sizes
        length = math.sqrt(2.0) + 0.5 * math.log(max(p, 1)) - LENGTH**2
        codes = _CODES[0] + math.log(max(g, 1)) - _CODES[1] ** 2
        noise = self._noise[0] - self._noise[1] ** 2
        mode = [length] * p + [codes] * g + [self.trend[0]] * TREND + [0.0]
        mode += [0.0] * self.tilts + [noise]
        return np.array(mode if self.noise is None else mode[:-1])

    @cached_property
    def above(self) -> Array:
        """(t,) deviations of the prior above its mode."""
        p, g = self.sizes
        width = [LENGTH] * p + [_CODES[1]] * g + [self.trend[1]] * TREND + [_SIGNAL]
        width += [TILT] * self.tilts + [self._noise[1]]
        return np.array(width if self.noise is None else width[:-1])

    @cached_property
    def below(self) -> Array:
        """(t,) deviations of the prior below its mode."""
        below = self.above.copy()
        below[: sum(self.sizes)] = self.short
        return below

    @property
    def _noise(self) -> tuple[float, float]:
        return NOISY_PRIOR if self.noisy else NOISE_PRIOR

    def bounds(self) -> Array:
        """(t, 2) of the hyperparameters."""
        p, g = self.sizes
        rows = [(math.log(5e-3), math.log(1e3))] * p + [(math.log(1e-2), math.log(1e3))] * g
        rows += [(-14.0, 6.0)] * TREND + [(-7.0, 12.0)] + [(-8.0, 8.0)] * self.tilts
        if self.noise is None:
            rows.append((math.log(NOISE_FLOOR), math.log(NOISE_MOST)))
        return np.array(rows)

    def start(self, stretch: float, noise: float) -> Array:
        """(t,) hyperparameters with all scales at the prior's mode times exp(stretch)."""
        p, g = self.sizes
        theta = self.mode.copy()
        theta[:p] += stretch
        theta[p : p + g] += stretch
        if self.noise is None:
            theta[-1] = noise
        return theta


def marginal(value: Array, noise: Array, unit: float, z: Array) -> tuple[float, Array]:
    """Negative log marginal likelihood, the mean profiled out, and its (n, n) derivatives.

    Args:
        value: (n, n) covariances.
        noise: (n,) noise variances.
        unit: signal variance.
        z: (n,) scores.

    Raises:
        SingularError: the covariance cannot be factorised.
    """
    factor = cholesky(value, noise, unit)
    inverse, _ = dpotri(factor, lower=1)
    inverse = inverse + np.tril(inverse, -1).T
    total = inverse.sum(axis=0)
    rest = z - (total @ z) / total.sum()
    alpha = inverse @ rest
    loss = 0.5 * rest @ alpha + np.log(np.diag(factor)).sum()
    loss += 0.5 * len(rest) * math.log(2 * math.pi)
    weights = inverse
    weights -= np.outer(alpha, alpha)
    weights *= 0.5
    return float(loss), weights


#: Hyperparameters to a negative log posterior and its gradient.
Loss: TypeAlias = Callable[[Array], tuple[float, Array]]


class Fittable(Protocol):
    """A negative log posterior of hyperparameters."""

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """Its value and gradient."""

    def bounds(self) -> Array:
        """(t, 2) of the hyperparameters."""

    def start(self, stretch: float, noise: float) -> Array:
        """(t,) hyperparameters to begin at."""


def due(memory: State, n: int) -> Literal["afresh", "again", "not"]:
    """Whether hyperparameters are looked for, improved from the last ones, or kept.

    Args:
        memory: of the last fit: ``theta``, and the rows there were when it was ``fitted`` and when
            it was looked for ``afresh``; empty before the first.
        n: rows there are now.
    """
    if "theta" not in memory or n >= _AFRESH * memory["afresh"] or n < memory["fitted"]:
        return "afresh"
    if n > memory["fitted"] and (n <= _ALWAYS or n >= _REFIT * memory["fitted"]):
        return "again"
    return "not"


def fitted(likelihood: Fittable, start: Array | None, steps: int = _WARM) -> Array:
    """(t,) hyperparameters of greatest posterior density found.

    Args:
        likelihood: what to fit.
        start: hyperparameters to go on from; None looks from several starts.
        steps: iterations from the start.

    Raises:
        SingularError: no start has a covariance that can be factorised.
    """
    box = likelihood.bounds()
    if start is not None:
        return minimised(likelihood, [start], box, steps)
    tried = [np.clip(likelihood.start(*s), *box.T) for s in _STARTS]
    order = np.argsort([_guarded(likelihood, theta)[0] for theta in tried], kind="stable")
    return minimised(likelihood, [tried[i] for i in order[:_OPTIMISED]], box, COLD)


def minimised(loss: Loss, starts: Sequence[Array], box: Array, steps: int) -> Array:
    """(t,) hyperparameters of the least loss found from some starts.

    Args:
        loss: to minimise, with its gradient; it may raise ``SingularError`` or be no number.
        starts: (t,) each.
        box: (t, 2) bounds.
        steps: iterations from each start.

    Raises:
        SingularError: no start leads to where the loss can be computed.
    """
    best, theta = _BARRIER, np.empty(0)
    options = {"maxiter": steps, "ftol": 1e-7}
    how: dict[str, Any] = {"jac": True, "bounds": box, "options": options}
    for start in starts:
        found = minimize(partial(_guarded, loss), start, method="L-BFGS-B", **how)
        if found.fun < best:
            best, theta = float(found.fun), np.asarray(found.x)
    if best == _BARRIER:
        raise SingularError("no hyperparameters give a covariance that can be factorised")
    return theta


def _guarded(loss: Loss, theta: Array) -> tuple[float, Array]:
    """The loss and its gradient; a barrier where it cannot be computed."""
    try:
        value, gradient = loss(theta)
    except SingularError:
        return _BARRIER, np.zeros(len(theta))
    if not (math.isfinite(value) and np.all(np.isfinite(gradient))):
        return _BARRIER, np.zeros(len(theta))
    return value, gradient
