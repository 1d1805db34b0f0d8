"""Gains of an evaluation at any fidelity: improvement, information, and the rise of the best mean.

Notation as in ``multi_fidelity``; S maxima.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import log_ndtr, ndtr

from blackbox.acquisitions.improvement import log_ei
from blackbox.acquisitions.knowledge import Covariances
from blackbox.acquisitions.lines import log_gain
from blackbox.acquisitions.multi_fidelity import (
    FidelityAcquisition,
    Foresight,
    Gain,
    Prospect,
    Pull,
    Target,
    eligible,
)
from blackbox.arguments import check_count
from blackbox.batch import Array
from blackbox.errors import ProblemError
from blackbox.surrogates.fidelity import FidelityRows

_FULL = 0.995  # share of the variance beyond which an evaluation tells everything
_FAR = -4.0  # deviations to a maximum below the mean from which on they count as so many
_LOG_ROOT = 0.5 * math.log(2.0 * math.pi)
_NODES = np.linspace(-6.0, 6.0, 65)
_WEIGHTS = np.exp(-0.5 * _NODES**2 - _LOG_ROOT) * (_NODES[1] - _NODES[0])

Measured = tuple[Array, Array, Array, Array]


@dataclass(frozen=True)
class Foreseen(Gain):
    """A gain that depends on mean, variance and r alone.

    Args:
        target: what is believed.
        values: (L,) fidelities.
        measure: (m,) means, variances and r to values and their three derivatives.
    """

    target: Target
    values: Array
    measure: Callable[[Array, Array, Array], Measured]

    def at(self, points: Array) -> tuple[Array, Pull]:
        seen = self.target.views(points, self.values)
        m, count = seen.told.shape
        mean, variance = np.repeat(seen.mean, count), np.repeat(seen.variance, count)
        value, *slopes = self.measure(mean, variance, seen.told.ravel())

        def pull(chosen: Array) -> Array:
            row = np.arange(m)
            by_mean, by_variance, by_r = (s.reshape(m, count)[row, chosen] for s in slopes)
            by_told = np.zeros(seen.told.shape)
            by_told[row, chosen] = by_r
            return seen.pull(by_mean, by_variance, by_told, None)

        return value.reshape(m, count), pull


@dataclass(frozen=True)
class TargetEI(FidelityAcquisition):
    """Expected improvement of the target's posterior mean at the design itself.

    ``E[max(mu' - best, 0)]`` where mu' is the posterior mean after the evaluation, a normal of
    variance r, and best the greatest posterior mean of a design told. At the target without noise
    it is classical expected improvement.
    """

    def build(self, prospect: Prospect, target: Target, rng: np.random.Generator) -> Gain:
        best = np.array([target.means(eligible(prospect)).max()])

        def measure(mean: Array, variance: Array, told: Array) -> Measured:
            deviation = np.sqrt(told)
            value, by_mean, by_deviation = log_ei(mean[:, None], deviation, best)
            return value, by_mean[:, 0], np.zeros(len(mean)), by_deviation / (2.0 * deviation)

        return Foreseen(target, prospect.levels, measure)


@dataclass(frozen=True)
class FidelityMES(FidelityAcquisition):
    """Information of an evaluation about the largest value at the target, in nats.

    Takeno et al. (2020), *Multi-fidelity Bayesian Optimization with Max-value Entropy Search and
    its Parallelization*. Given the maximum, the value at a cheap fidelity is an extended skew
    normal, whose entropy is an integral over one variable. Maxima are those of joint draws on a
    finite set of designs.

    Args:
        samples: maxima drawn, a power of two.

    Raises:
        ProblemError: an argument is out of its range.
    """

    samples: int = 16
    in_units: ClassVar[bool] = False

    def __post_init__(self) -> None:
        samples = check_count("FidelityMES: samples", self.samples, 1)
        if samples & (samples - 1):  # Sobol points of other numbers are not balanced
            raise ProblemError(f"FidelityMES: samples={samples} must be a power of two, such as 16")

    def build(self, prospect: Prospect, target: Target, rng: np.random.Generator) -> Gain:
        choices = prospect.choices(rng)
        drawn = target.draws(choices, self.samples, rng).max(axis=0)
        maxima = np.maximum(drawn, target.means(eligible(prospect)).max())

        def measure(mean: Array, variance: Array, told: Array) -> Measured:
            return log_information(mean, variance, told, maxima)

        return Foreseen(target, prospect.levels, measure)


def log_information(mean: Array, variance: Array, told: Array, maxima: Array) -> Measured:
    """Log information about (S,) maxima of evaluations that tell r of the variance v.

    With ``g = (maximum - mu) / sqrt(v)`` and ``rho^2 = r / v``, u a standard normal, h = phi / Phi
    at g and ``A = (g - rho u) / sqrt(1 - rho^2)``: the average over maxima of

        rho^2 g h / 2 - log Phi(g) + E[Phi(A) log Phi(A)] / Phi(g).

    Returns:
        (m,) values and their derivatives by mean, variance and r.
    """
    s = np.sqrt(variance)
    below = (maxima - mean[:, None]) / s[:, None]
    g = np.maximum(below, _FAR)
    full = told / variance
    squared = np.clip(full, 1e-12, _FULL)
    rho, rest = np.sqrt(squared)[:, None, None], np.sqrt(1.0 - squared)[:, None, None]
    a = (g[:, :, None] - rho * _NODES) / rest
    cdf, log_cdf = ndtr(a), log_ndtr(a)
    log_g = log_ndtr(g)
    h = np.exp(-0.5 * g**2 - _LOG_ROOT - log_g)
    inverse = np.exp(-log_g)
    mixed = (cdf * log_cdf) @ _WEIGHTS * inverse
    half = 0.5 * squared[:, None]
    each = half * g * h - log_g + mixed
    slope = np.exp(-0.5 * a**2 - _LOG_ROOT) * (log_cdf + 1.0)
    by_g = half * (h - g * h * (g + h)) - h + (slope / rest) @ _WEIGHTS * inverse - mixed * h
    bend = (rho * g[:, :, None] - _NODES) / rest**3 / (2.0 * rho)
    by_g = np.where(below > _FAR, by_g, 0.0)
    by_squared = 0.5 * g * h + (slope * bend) @ _WEIGHTS * inverse
    value = np.maximum(each.mean(axis=1), 1e-300)
    by_g, by_squared = by_g / value[:, None], by_squared.mean(axis=1) / value
    by_squared = np.where(full < _FULL, by_squared, 0.0)
    count = len(maxima)
    by_mean = -by_g.sum(axis=1) / count / s
    by_variance = -(by_g * g).sum(axis=1) / count / (2.0 * variance)
    by_variance -= by_squared * full / variance
    return np.log(value), by_mean, by_variance, by_squared / variance


@dataclass(frozen=True)
class FidelityKG(FidelityAcquisition):
    """Expected rise of the target's greatest posterior mean (Frazier 2018, section 4.2).

    Over a finite set of designs, as ``KnowledgeGradient``, without those that probably break a
    constraint; of several outcomes what an evaluation tells about its own design is followed.
    """

    def build(self, prospect: Prospect, target: Target, rng: np.random.Generator) -> Gain:
        return Rise(target, prospect.levels, prospect.choices(rng))


class Rise(Gain):
    """The knowledge gradient over choices and the candidate itself.

    Args:
        target: what is believed.
        values: (L,) fidelities.
        choices: (N, d) designs to choose from.
    """

    def __init__(self, target: Target, values: Array, choices: Array) -> None:
        self._target, self._values = target, values
        self._means = target.means(choices)
        self._with = [
            Covariances(process, model.rows(choices))
            for model, process in zip(target.models, target.posteriors, strict=True)
        ]
        self._moves = [model.moved(choices) for model in target.models]

    def at(self, points: Array) -> tuple[Array, Pull]:
        seen = self._target.views(points, self._values)
        columns = []
        for level in range(len(self._values)):
            b, _ = self._slopes(points, seen, np.full(len(points), level))
            columns.append(log_gain(self._intercepts(seen), b)[0])
        return np.column_stack(columns), lambda chosen: self._gradients(points, seen, chosen)

    def _gradients(self, points: Array, seen: Foresight, chosen: Array) -> Array:
        row = np.arange(len(points))
        b, parts = self._slopes(points, seen, chosen)
        _, by_a, by_b = log_gain(self._intercepts(seen), b)
        root = np.sqrt(seen.told[row, chosen])
        others = by_b[:, :-1]
        # b of the choices is sum_j C_j g_j / root with g_j = a_j^2 cross_j / seen_j.
        by_told = np.zeros(seen.told.shape)
        by_told[row, chosen] = by_b[:, -1] / (2.0 * root)
        by_told[row, chosen] -= (others * b[:, :-1]).sum(axis=1) / (2.0 * root**2)
        by_cross, total = [], np.zeros(points.shape)
        for j, (a, view) in enumerate(zip(seen.factors, seen.each, strict=True)):
            covariances, rows = parts[j]
            cross, spread = view.cross[row, chosen], view.seen[row, chosen]
            by_g = (others * covariances).sum(axis=1) / root
            further = np.zeros((len(points), 2, len(self._values)))
            further[row, 0, chosen] = by_g * a**2 / spread
            further[row, 1, chosen] = -by_g * a**2 * cross / spread**2
            by_cross.append(further)
            weights = others * self._moves[j] * (a**2 * cross / spread / root)[:, None]
            shares = self._target.models[j].shares
            total += shares.on_features(points, self._with[j].pull(rows, weights))
        return total + seen.pull(by_a[:, -1], np.zeros(len(points)), by_told, by_cross)

    def _intercepts(self, seen: Foresight) -> Array:
        means = np.broadcast_to(self._means, (len(seen.mean), len(self._means)))
        return np.column_stack([means, seen.mean])

    def _slopes(
        self, points: Array, seen: Foresight, chosen: Array
    ) -> tuple[Array, list[tuple[Array, FidelityRows]]]:
        """(m, N + 1) slopes of the posterior means, and covariances with the choices."""
        row = np.arange(len(points))
        root = np.sqrt(seen.told[row, chosen])
        total, parts = np.zeros((len(points), len(self._means))), []
        for j, (a, view) in enumerate(zip(seen.factors, seen.each, strict=True)):
            rows = self._target.models[j].rows(points, self._values[chosen])
            covariances = self._with[j].values(rows) * self._moves[j]
            share = a**2 * view.cross[row, chosen] / view.seen[row, chosen]
            total += covariances * share[:, None]
            parts.append((covariances, rows))
        return np.column_stack([total / root[:, None], root]), parts
