"""What a Gaussian process believes after its observations: the fast engine's only data structure.

Notation: n rows observed, m rows asked about, K components; L the Cholesky factor of the
observations' covariance; alpha = inverse covariance times what the observations exceed the mean by.
Components share rows and covariance and differ in what was observed, as draws of what is not known
yet do: K = 1 where everything is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs, dtrtrs

from blackbox.batch import Array
from blackbox.surrogates.kernel import Kernel, Rows

#: Added to the diagonal, in multiples of the signal variance, each tried where the last failed.
_JITTERS = (0.0, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
_LEAST = 1e-20  # variance below which a value counts as known


class SingularError(ArithmeticError):
    """A covariance matrix cannot be factorised."""


@dataclass(frozen=True)
class Moments:
    """Means and deviations of noise-free values at m rows in K components.

    Args:
        mean: (m, K).
        deviation: (m,), the same in each component; positive.
        pull: gives, for (m, K) derivatives of any quantity by the means and (m,) ones by the
            deviations, its (m, p) derivatives by the numbers of the rows.
    """

    mean: Array
    deviation: Array
    pull: Callable[[Array, Array], Array]

    def widened(self, by: float) -> Moments:
        """The same with ``by`` squared added to every variance."""
        if not by:
            return self
        deviation = np.hypot(self.deviation, by)
        share = self.deviation / deviation

        def pull(by_mean: Array, by_deviation: Array) -> Array:
            return self.pull(by_mean, by_deviation * share)

        return Moments(self.mean, deviation, pull)


@dataclass(frozen=True)
class Posterior:
    """A Gaussian process given observations.

    Args:
        kernel: the prior's covariance.
        mean: the prior's constant mean.
        rows: the n rows observed.
        factor: (n, n) lower Cholesky factor of their covariance, noise included.
        alpha: (n, K) inverse covariance times observations less the mean.
    """

    kernel: Kernel
    mean: float
    rows: Rows
    factor: Array
    alpha: Array

    @classmethod
    def of(cls, kernel: Kernel, mean: float, rows: Rows, z: Array, noise: Array) -> Posterior:
        """Given (n,) or (n, K) observations with (n,) noise variances.

        Raises:
            SingularError: the covariance cannot be factorised.
        """
        factor = cholesky(kernel(rows, rows), noise, kernel.signal)
        return cls(kernel, mean, rows, factor, _solve(factor, z.reshape(len(rows), -1) - mean))

    @classmethod
    def profiled(cls, kernel: Kernel, rows: Rows, z: Array, noise: Array) -> Posterior:
        """As ``of``, with the mean of greatest likelihood."""
        factor = cholesky(kernel(rows, rows), noise, kernel.signal)
        both = _solve(factor, np.stack([z, np.ones(len(z))], axis=1))
        mean = float(both[:, 0].sum() / both[:, 1].sum())
        return cls(kernel, mean, rows, factor, both[:, :1] - mean * both[:, 1:])

    def moments(self, rows: Rows) -> Moments:
        """Of the noise-free values at m rows."""
        cross, slope = self.kernel.with_slope(rows, self.rows)
        mean = self.mean + cross @ self.alpha
        half = _forward(self.factor, cross.T)  # (n, m)
        variance = self.kernel.variance(rows) - np.einsum("ij,ij->j", half, half)
        known = variance <= _LEAST
        deviation = np.sqrt(np.where(known, _LEAST, variance))

        def pull(by_mean: Array, by_deviation: Array) -> Array:
            by_variance = np.where(known, 0.0, by_deviation / (2.0 * deviation))
            weights = by_mean @ self.alpha.T
            weights -= 2.0 * by_variance[:, None] * _backward(self.factor, half).T
            pulled = self.kernel.pull(rows, self.rows, slope, weights)
            pulled += by_variance[:, None] * self.kernel.variance_slope(rows)
            return pulled

        return Moments(mean, deviation, pull)

    def forward(self, right: Array) -> Array:
        """(n, m) solution y of ``L y = right``."""
        return _forward(self.factor, right)

    def backward(self, right: Array) -> Array:
        """(n, m) solution y of ``L^T y = right``."""
        return _backward(self.factor, right)

    def covariance(self, a: Rows, b: Rows) -> Array:
        """(n, m) posterior covariances of noise-free values."""
        half_a = _forward(self.factor, self.kernel(a, self.rows).T)
        half_b = half_a if b is a else _forward(self.factor, self.kernel(b, self.rows).T)
        covariance: Array = self.kernel(a, b) - half_a.T @ half_b
        return covariance

    def draws(self, rows: Rows, normal: Array) -> Array:
        """(m, K) joint draws of the noise-free values at m rows, from (m, K) standard normals."""
        factor = cholesky(self.covariance(rows, rows), np.zeros(len(rows)), self.kernel.signal)
        drawn: Array = self.moments(rows).mean + factor @ normal
        return drawn

    def given(self, rows: Rows, values: Array, noise: Array) -> Posterior:
        """With m further rows observed: (m, K) values, (m,) noise variances.

        Extends the factor by m rows, n^2 m operations.

        Raises:
            SingularError: the covariance cannot be factorised.
        """
        half = _forward(self.factor, self.kernel(rows, self.rows).T)
        rest = self.kernel(rows, rows) - half.T @ half
        corner = cholesky(rest, noise, self.kernel.signal)
        n, m = len(self.rows), len(rows)
        factor = np.zeros((n + m, n + m), order="F")
        factor[:n, :n] = self.factor
        factor[n:, :n] = half.T
        factor[n:, n:] = corner
        # The further rows' alpha, then what it takes from the first ones': no pass over all of L.
        last = _solve(corner, values - self.moments(rows).mean)
        first = self.alpha - _backward(self.factor, half) @ last
        count = values.shape[1]
        first = np.broadcast_to(first, (n, count))
        return Posterior(
            self.kernel, self.mean, self.rows.joined(rows), factor, np.concatenate([first, last])
        )


def cholesky(covariance: Array, noise: Array, unit: float) -> Array:
    """(n, n) lower Cholesky factor of the covariance plus noise on its diagonal.

    Raises:
        SingularError: it has no factor even with a hundredth of the unit added to the diagonal.
    """
    n = len(covariance)
    for jitter in _JITTERS:
        matrix = np.array(covariance, order="F")
        matrix.ravel(order="K")[:: n + 1] += noise + jitter * unit
        factor, info = dpotrf(matrix, lower=1, clean=1, overwrite_a=1)
        if info == 0 and np.isfinite(factor[-1, -1] if n else 0.0):
            return np.asarray(factor)
    raise SingularError(f"no Cholesky factor of a covariance of {n} rows")


def _solve(factor: Array, right: Array) -> Array:
    solved, _ = dpotrs(factor, right, lower=1)
    return np.asarray(solved)


def _forward(factor: Array, right: Array) -> Array:
    if not right.size:
        return np.zeros_like(right)
    solved, _ = dtrtrs(factor, right, lower=1)
    return np.asarray(solved)


def _backward(factor: Array, right: Array) -> Array:
    if not right.size:
        return np.zeros_like(right)
    solved, _ = dtrtrs(factor, right, lower=1, trans=1)
    return np.asarray(solved)
