"""Hyperparameters of a process over fidelities: what is likely before and after the data.

Priors of the two kernels are those of the fast engine; what cheaper fidelities get wrong is taken
for small until the data say otherwise.

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
from blackbox.surrogates.likelihood import NOISE_FLOOR, Likelihood, marginal
from blackbox.surrogates.posterior import Posterior

_WRONG = math.log(0.15)  # of the prior of what fidelities do not share, in signal variances
_COUPLED = 0.7  # deviation of the logarithms in c
_AMPLITUDE = 0.5  # of the logarithm of an amplitude
_NOISE = (-8.0, 3.0)  # of the log-normal prior of the noise
_NOISES = 1.5  # deviation of the logarithm of a level's noise from the target's
_MOST = math.log(10.0)


@dataclass(frozen=True)
class FidelityLikelihood:
    """Of standardised values, as a function of the hyperparameters.

    Args:
        rows: (n) rows observed.
        groups: group of each column of codes.
        z: (n,) standardised values.
        known: (n,) known noise variances, zeros where none is known.
        coupling: how fidelities are related.
    """

    rows: FidelityRows
    groups: npt.NDArray[np.intp]
    z: Array
    known: Array
    coupling: Coupling

    @property
    def width(self) -> int:
        """Entries q of g."""
        return int(self.rows.design.shape[1])

    @cached_property
    def _one(self) -> Likelihood:
        """The fast engine's likelihood, for the priors of one kernel."""
        return Likelihood(self.rows, self.groups, self.z, self.known)

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
        n = self._size
        shifted = theta[n : 2 * n].copy()
        shifted[-1] -= _WRONG
        value, slopes = self._one.prior(theta[:n])
        more, their = self._one.prior(shifted)
        rest = theta[2 * n :]
        away = (rest - self._center) / self._spread
        slopes = np.concatenate([slopes, their, -away / self._spread])
        noise = len(theta) - 1 - self.width
        slopes[noise] -= 1.0  # the density of the noise itself, as in the fast engine
        return value + more - 0.5 * float(away @ away) - theta[noise], slopes

    @cached_property
    def _center(self) -> Array:
        return np.r_[np.zeros(self._of_c + self.width), _NOISE[0], np.zeros(self.width)]

    @cached_property
    def _spread(self) -> Array:
        ends = [_COUPLED] * self._of_c + [_AMPLITUDE] * self.width
        return np.array(ends + [_NOISE[1]] + [_NOISES] * self.width)

    def bounds(self) -> Array:
        """(t, 2) of the hyperparameters."""
        one = self._one.bounds()
        rest = [(-3.0, 3.0)] * self._of_c + [(-2.0, 2.0)] * self.width
        rest += [(math.log(NOISE_FLOOR), _MOST)] + [(-6.0, 6.0)] * self.width
        return np.concatenate([one, one, np.array(rest)])

    def start(self, stretch: float, noise: float) -> Array:
        """(t,) hyperparameters to begin at."""
        one = self._one.start(stretch, noise)
        wrong = one.copy()
        wrong[-1] += _WRONG
        rest = np.zeros(self._of_c + 2 * self.width + 1)
        rest[self._of_c + self.width] = noise
        return np.concatenate([one, wrong, rest])
