"""The axes of the length scales, where the data show others than those of the cube.

A valley across two parameters is long along one line and narrow along another, neither of which is
an axis: one length scale for each parameter has to take the narrow one for both. So the metric in

    r^2 = (u - u')^T exp(S) (u - u'),    S_ii = -2 log l_i,    S_ij ~ normal(0, 1),

is fitted whole (Vivarelli and Williams 1998, *Discovering Hidden Features with Gaussian Processes
Regression*; here by its logarithm, in which all symmetric matrices are metrics and length scales
are the diagonal). What is kept of it are its eigenvectors: along them length scales and trend are
fitted as along the axes of the cube. The metric must pay for itself by Schwarz' criterion (1978,
*Estimating the Dimension of a Model*): half the logarithm of n for each of its p (p + 1) / 2
entries. (For its p (p - 1) / 2 angles alone, functions with the axes of the cube suffered.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array
from blackbox.surrogates.kernel import Kernel, Rows
from blackbox.surrogates.likelihood import COLD, Likelihood, fitted
from blackbox.surrogates.posterior import SingularError


def turned(likelihood: Likelihood, theta: Array) -> tuple[Array, Array | None]:
    """Hyperparameters and axes that explain the scores better than the cube's, or those given.

    Args:
        likelihood: along the axes of the cube.
        theta: (t,) its fitted hyperparameters.

    Returns:
        (t,) hyperparameters, and (p, p) axes, None for those of the cube.
    """
    tilted = Tilted(**{f.name: getattr(likelihood, f.name) for f in fields(likelihood)})
    n, angles = len(likelihood.z), tilted.tilts
    if not 0 < angles <= n:
        return theta, None
    own = len(theta) - (likelihood.noise is None)
    start = np.concatenate([theta[:own], np.zeros(angles), theta[own:]])
    try:
        axes = tilted.kernel(fitted(tilted, start, COLD)[: own + angles]).eigenvectors
        along = replace(likelihood, axes=axes)
        found = fitted(along, None)
    except SingularError:
        return theta, None  # what is fitted already stands
    gain = likelihood(theta)[0] - along(found)[0]
    entries = angles + len(axes)
    return (found, axes) if gain > 0.5 * entries * math.log(n) else (theta, None)


@dataclass(frozen=True)
class Tilted(Likelihood):
    """With the whole metric: after the signal variance follow its tilts S_ij, i < j, row by row."""

    @property
    def tilts(self) -> int:
        p = self.sizes[0]
        return p * (p - 1) // 2

    def kernel(self, theta: Array) -> TiltedKernel:
        return TiltedKernel(theta, self.groups, self.tilts)


class TiltedKernel(Kernel):
    """The covariance of the whole metric, to fit it by; see above.

    Args:
        theta: those of ``Kernel``, then the tilts.
        groups: (q,) group of each column of codes.
        tilts: how many.
    """

    def __init__(self, theta: Array, groups: npt.NDArray[np.intp], tilts: int) -> None:
        super().__init__(theta[: len(theta) - tilts], groups)
        self._upper = np.triu_indices(len(self.lengths), 1)
        metric = np.diag(-2.0 * np.log(self.lengths))
        metric[self._upper] = metric[self._upper[::-1]] = theta[len(theta) - tilts :]
        self._powers, self.eigenvectors = np.linalg.eigh(metric)
        self._root = (self.eigenvectors * np.exp(0.5 * self._powers)) @ self.eigenvectors.T
        self.theta = theta

    def gradient(self, rows: Rows, value: Array, slope: Array, weights: Array) -> Array:
        gradient = super().gradient(rows, value, slope, weights)
        inner, x = weights * slope, rows.numbers - rows.numbers.mean(axis=0)
        by_metric = x.T @ inner @ x - (x.T * inner.sum(axis=1)) @ x
        by_power = self._by_power(by_metric)
        gradient[: len(self.lengths)] = -2.0 * np.diag(by_power)
        return np.concatenate([gradient, 2.0 * by_power[self._upper]])

    def _by_power(self, by_metric: Array) -> Array:
        """(p, p) derivatives by S, of those by exp(S).

        Daleckii and Krein's formula (Higham 2008, *Functions of Matrices*, theorem 3.11).
        """
        half = 0.5 * (self._powers[:, None] - self._powers)
        level = np.exp(0.5 * (self._powers[:, None] + self._powers))
        near = np.abs(half) < 1e-4
        safe = np.where(near, 1.0, half)
        divided = level * np.where(near, 1.0 + half**2 / 6.0, np.sinh(safe) / safe)
        q = self.eigenvectors
        return np.asarray(q @ (divided * (q.T @ by_metric @ q)) @ q.T)

    def _scaled(self, numbers: Array) -> Array:
        return np.asarray(numbers @ self._root)
