"""Hyperparameters of a process over fidelities: what is likely before and after the data.

Priors of the two kernels are those of the fast engine; what cheaper fidelities get wrong is taken
for less than what they share, and for as rough, until the data say otherwise.

Notation: n rows, q entries of g; theta = (of the kernel, log n_0, u), see ``fidelity``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array
from blackbox.surrogates.fidelity import Coupling, FidelityKernel, FidelityRows, plain_size
from blackbox.surrogates.kernel import TREND
from blackbox.surrogates.likelihood import (
    LENGTH,
    NOISE_FLOOR,
    NOISE_MOST,
    NOISE_PRIOR,
    NOISY_PRIOR,
    TREND_PRIOR,
    Likelihood,
    marginal,
)
from blackbox.surrogates.posterior import Posterior

_WRONG = (math.log(0.4), 1.5)  # of the logarithm of the variance of k_1
_SMOOTHER = (0.0, 0.3)  # of the logarithms of its scales, in those of k_0
_MIXTURE_NOISE = (-3.0, 2.0)  # of the logarithm of the noise where there are shares
_COUPLED = 0.7  # deviation of the logarithms in c
_AMPLITUDE = 0.5  # of the logarithm of an amplitude
_NOISES = 1.5  # deviation of the logarithm of a level's noise from the target's


@dataclass(frozen=True)
class FidelityLikelihood:
    """Of standardised values, as a function of the hyperparameters.

    Args:
        rows: (n) rows observed.
        groups: group of each column of codes.
        z: (n,) standardised values.
        known: (n,) known noise variances, zeros where none is known.
        coupling: how fidelities are related.
        shares: (p,) which numbers are shares of mixtures.
        noisy: whether values are known to be noisy.
    """

    rows: FidelityRows
    groups: npt.NDArray[np.intp]
    z: Array
    known: Array
    coupling: Coupling
    shares: npt.NDArray[np.bool_]
    noisy: bool = False

    @property
    def width(self) -> int:
        """Entries q of g."""
        return int(self.rows.design.shape[1])

    @cached_property
    def _one(self) -> Likelihood:
        """The fast engine's likelihood, for the priors of one kernel."""
        return Likelihood(
            self.rows, self.groups, self.z, self.known, short=LENGTH, shares=self.shares
        )

    @property
    def _size(self) -> int:
        return plain_size(self.rows.numbers.shape[1], self.groups)

    @property
    def _of_c(self) -> int:
        return self.width if self.coupling == "tasks" else 1

    def kernel(self, theta: Array) -> FidelityKernel:
        """The covariance at these hyperparameters."""
        own = theta[: len(theta) - 1 - self.width]
        numbers = self.rows.numbers.shape[1]
        return FidelityKernel(own, self.groups, numbers, self.width, self.coupling)

    def inferred(self, theta: Array, design: Array) -> Array:
        """(m,) inferred noise variances of rows with (m, q) g."""
        last = theta[len(theta) - 1 - self.width :]
        return np.asarray(np.exp(np.clip(last[0] + design @ last[1:], -20.0, 5.0)))

    def noise(self, theta: Array) -> Array:
        """(n,) noise variances of the rows observed."""
        return np.asarray(self.known + self.inferred(theta, self.rows.design))

    def posterior(self, theta: Array) -> Posterior:
        """The process given the values.

        Raises:
            SingularError: the covariance cannot be factorised.
        """
        return Posterior.profiled(self.kernel(theta), self.rows, self.z, self.noise(theta))

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """Negative log posterior of the hyperparameters and its gradient."""
        kernel, inferred = self.kernel(theta), self.inferred(theta, self.rows.design)
        value, slope = kernel.with_slope(self.rows, self.rows)
        loss, weights = marginal(value, self.known + inferred, kernel.signal, self.z)
        by_noise = np.diag(weights) * inferred
        gradient = np.concatenate(
            [
                kernel.gradient(self.rows, value, slope, weights),
                [by_noise.sum()],
                by_noise @ self.rows.design,
            ]
        )
        prior, slopes = self.prior(theta)
        return loss - prior, gradient - slopes

    def prior(self, theta: Array) -> tuple[float, Array]:
        """Log density of the hyperparameters, and its gradient."""
        n, noise = self._size, len(theta) - 1 - self.width
        value, slopes = self._one.prior(theta[:n])
        away = (theta[n:] - self._center) / self._spread
        slopes = np.concatenate([slopes, -away / self._spread])
        value -= 0.5 * float(away @ away)
        if not self.shares.any():  # the density of the noise itself, as in the fast engine
            slopes[noise] -= 1.0
            value -= theta[noise]
        return value, slopes

    @cached_property
    def _wrong(self) -> tuple[Array, Array]:
        """Centers and deviations of the hyperparameters of k_1."""
        scales = self._size - TREND - 1
        center = np.r_[np.full(scales, _SMOOTHER[0]), np.full(TREND, TREND_PRIOR[0]), _WRONG[0]]
        spread = np.r_[np.full(scales, _SMOOTHER[1]), np.full(TREND, TREND_PRIOR[1]), _WRONG[1]]
        return center, spread

    @property
    def _noise(self) -> tuple[float, float]:
        if self.shares.any():
            return _MIXTURE_NOISE
        return NOISY_PRIOR if self.noisy else NOISE_PRIOR

    @cached_property
    def _center(self) -> Array:
        noise = self._noise[0]
        rest = np.r_[np.zeros(self._of_c + self.width), noise, np.zeros(self.width)]
        return np.concatenate([self._wrong[0], rest])

    @cached_property
    def _spread(self) -> Array:
        ends = [_COUPLED] * self._of_c + [_AMPLITUDE] * self.width
        rest = np.array(ends + [self._noise[1]] + [_NOISES] * self.width)
        return np.concatenate([self._wrong[1], rest])

    def bounds(self) -> Array:
        """(t, 2) of the hyperparameters."""
        one = self._one.bounds()
        center, spread = self._wrong
        wrong = np.stack([center - 6.0 * spread, center + 6.0 * spread], axis=1)
        rest = [(-3.0, 3.0)] * self._of_c + [(-2.0, 2.0)] * self.width
        rest += [(math.log(NOISE_FLOOR), math.log(NOISE_MOST))] + [(-6.0, 6.0)] * self.width
        return np.concatenate([one, wrong, np.array(rest)])

    def start(self, stretch: float, noise: float) -> Array:
        """(t,) hyperparameters to begin at."""
        one = self._one.start(stretch, noise)
        rest = np.zeros(self._of_c + 2 * self.width + 1)
        rest[self._of_c + self.width] = noise
        return np.concatenate([one, self._wrong[0], rest])
