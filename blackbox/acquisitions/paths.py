"""Functions drawn from a Gaussian process, and where they are largest.

A draw of the prior is a finite sum of random Fourier features (Rahimi and Recht 2007); adding
``k(x, X) K^-1 (z - f(X) - noise)`` makes it a draw of the posterior (Matheron's rule; Wilson et al.
2020, *Efficiently Sampling Functions from Gaussian Process Posteriors*, eq. 9 and 13). The
features approximate the prior only, so draws interpolate noise-free observations exactly.

The spectrum of Matern 5/2 is a Student t with 5 degrees of freedom. The other kernels are Gaussian
in their codes, so the same features serve categories, permutations and strings. The trend is a sum
of finitely many normal weights and needs no approximation.

Notation: m points, S paths, F features, n observations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.linalg import cho_solve

from blackbox.acquisitions.base import Belief
from blackbox.acquisitions.polish import polish
from blackbox.batch import Array
from blackbox.surrogates.exact import ExactModel
from blackbox.surrogates.kernel import Kernel, Rows
from blackbox.surrogates.model import Model
from blackbox.surrogates.posterior import Posterior

_FEATURES = 1024
_DRAWS = 2048  # rows among which the maxima are looked for first


class Paths(Protocol):
    """S functions of features."""

    def values(self, points: Array) -> Array:
        """(m, S) values at (m, d) features."""

    def along(self, points: Array, index: int) -> tuple[Array, Array]:
        """(m,) values and (m, d) gradients of one path at (m, d) features."""


def draw_paths(
    model: Model, count: int, rng: np.random.Generator, device: str, features: int = _FEATURES
) -> Paths:
    """S paths of the standardised noise-free values."""
    if isinstance(model, ExactModel):
        return ExactPaths(model, count, rng, features)
    from blackbox.acquisitions.torch.paths import BotorchPaths

    return BotorchPaths(model, count, rng, device)


def optima(paths: Paths, belief: Belief, rng: np.random.Generator) -> tuple[Array, Array]:
    """(S, d) features of each path's largest value, and the (S,) values."""
    features = belief.features
    if features.space.cardinality <= _DRAWS:
        pool = features.everything()
        values = paths.values(pool)
        return pool[values.argmax(axis=0)], values.max(axis=0)
    pool = np.concatenate([features.draw(_DRAWS, rng), belief.x, belief.pending])
    values = paths.values(pool)
    starts, found = pool[values.argmax(axis=0)], values.max(axis=0)
    if not features.continuous.size:
        return starts, found
    ends = np.concatenate(
        [polish(features, Path(paths, i), start[None]) for i, start in enumerate(starts)]
    )
    reached = paths.values(ends).diagonal()
    better = reached > found
    return np.where(better[:, None], ends, starts), np.where(better, reached, found)


@dataclass(frozen=True)
class Path:
    """One of the paths, as an acquisition."""

    paths: Paths
    index: int

    def values(self, points: Array) -> Array:
        values: Array = self.paths.values(points)[:, self.index]
        return values

    def values_and_gradients(self, points: Array) -> tuple[Array, Array]:
        return self.paths.along(points, self.index)


class ExactPaths:
    """Paths of the fast engine's process.

    Args:
        model: the process, of one component.
        count: number S of paths; they share the features' frequencies.
        rng: draws them.
        features: number F of features.
    """

    def __init__(
        self, model: ExactModel, count: int, rng: np.random.Generator, features: int
    ) -> None:
        self._model = model
        self._posterior = posterior = model.posterior
        self._prior = _Prior(posterior.kernel, len(posterior.rows.codes.T), count, features, rng)
        noise = rng.standard_normal((len(posterior.rows), count)) * _noise(posterior)[:, None]
        drawn = self._prior.values(posterior.rows) + noise
        self._update = posterior.alpha - cho_solve((posterior.factor, True), drawn)  # (n, S)

    def values(self, points: Array) -> Array:
        rows = self._model.rows(points)
        posterior = self._posterior
        values: Array = posterior.kernel(rows, posterior.rows) @ self._update
        values += self._prior.values(rows) + posterior.mean
        return values

    def along(self, points: Array, index: int) -> tuple[Array, Array]:
        rows = self._model.rows(points)
        posterior = self._posterior
        cross, slope = posterior.kernel.with_slope(rows, posterior.rows)
        update = self._update[:, index]
        value, pulled = self._prior.along(rows, index)
        value += posterior.mean + cross @ update
        weights = np.broadcast_to(update, slope.shape)
        pulled += posterior.kernel.pull(rows, posterior.rows, slope, weights)
        return value, self._model.shares.on_features(points, pulled)


class _Prior:
    """S draws of the prior less its mean, by F random features."""

    def __init__(
        self, kernel: Kernel, codes: int, count: int, features: int, rng: np.random.Generator
    ) -> None:
        self._kernel = kernel
        p = len(kernel.lengths)
        spread = np.sqrt(rng.chisquare(5.0, size=(features, 1)) / 5.0)
        along = rng.standard_normal((features, p)) / kernel.lengths / spread
        # exp(-|c|^2 / h) is the characteristic function of normals of variance 2 / h.
        across = (
            rng.standard_normal((features, codes)) * np.sqrt(2.0 / kernel.scales)[kernel.groups]
        )
        self._frequencies = np.concatenate([along, across], axis=1)
        self._phases = rng.uniform(0.0, 2.0 * np.pi, size=features)
        scale = np.sqrt(2.0 * kernel.signal / features)
        self._weights = scale * rng.standard_normal((features, count))
        roots = np.sqrt(kernel.trend)
        self._line = roots[0] * rng.standard_normal((p, count))
        self._square = roots[1] * rng.standard_normal((p, count))

    def values(self, rows: Rows) -> Array:
        """(m, S)."""
        rows = self._kernel.along(rows)
        line = 2.0 * rows.numbers - 1.0
        values: Array = np.cos(self._angles(rows)) @ self._weights
        values += line @ self._line + line**2 @ self._square
        return values

    def along(self, rows: Rows, index: int) -> tuple[Array, Array]:
        """(m,) values and (m, p) derivatives of one draw."""
        rows = self._kernel.along(rows)
        line, angles = 2.0 * rows.numbers - 1.0, self._angles(rows)
        weights, first, second = (
            part[:, index] for part in (self._weights, self._line, self._square)
        )
        value = np.cos(angles) @ weights + line @ first + line**2 @ second
        slope = (-np.sin(angles) * weights) @ self._frequencies[:, : rows.numbers.shape[1]]
        slope += 2.0 * first + 4.0 * line * second
        return value, self._kernel.by_numbers(slope)

    def _angles(self, rows: Rows) -> Array:
        angles: Array = np.concatenate([rows.numbers, rows.codes], axis=1) @ self._frequencies.T
        angles += self._phases
        return angles


def _noise(posterior: Posterior) -> Array:
    """(n,) deviations of the noise with which the process was observed, jitter included."""
    diagonal = np.einsum("ij,ij->i", posterior.factor, posterior.factor)
    variance = np.maximum(diagonal - posterior.kernel.variance(posterior.rows), 0.0)
    return np.asarray(np.sqrt(variance))
