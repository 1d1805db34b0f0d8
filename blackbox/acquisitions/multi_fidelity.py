"""What an evaluation at a cheap fidelity is worth for the target, per unit of cost.

An evaluation of design x at fidelity s leaves the target's value at x with variance v - r, where

    r = cov(f(x, target), y(x, s))^2 / var y(x, s),

so its posterior mean there moves with variance r. Everything below is a function of the mean mu,
the variance v and r; at the target without noise r = v, and the acquisitions are the usual ones. For
one objective that is the weighted sum of several outcomes, each with a process of its own, all of
which an evaluation measures, r is the sum of theirs.

Pending rows are observed at their means, which leaves means where they are and takes away what they
will tell (Desautels, Krause and Burdick 2014, as in ``UCB``).

Notation: m points, L levels, S maxima, J outcomes, N rows to choose from.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr, ndtr

from blackbox.acquisitions.base import Limit
from blackbox.acquisitions.feasibility import LogFeasibility
from blackbox.acquisitions.improvement import log_ei
from blackbox.acquisitions.knowledge import Covariances
from blackbox.acquisitions.lines import log_gain
from blackbox.acquisitions.normal import normals
from blackbox.batch import Array
from blackbox.surrogates.features import Features
from blackbox.surrogates.fidelity import FidelityRows
from blackbox.surrogates.multi_fidelity import FidelityModel, Views
from blackbox.surrogates.posterior import Posterior

_LEAST = 1e-16  # share of the variance that any evaluation takes away
_POOL = 384  # draws among which maxima are looked for, and rows to choose from
_FULL = 0.995  # share of the variance beyond which an evaluation tells everything
_LOG_ROOT = 0.5 * math.log(2.0 * math.pi)
_NODES = np.linspace(-6.0, 6.0, 65)
_WEIGHTS = np.exp(-0.5 * _NODES**2 - _LOG_ROOT) * (_NODES[1] - _NODES[0])


@dataclass(frozen=True)
class Prospect:
    """What is believed about a problem with fidelities.

    Args:
        features: coordinates of designs.
        models: of each objective's score.
        weights: (J,) of the objectives in what is maximised.
        limits: what must hold at the target.
        x: (n, d) designs told, at whatever fidelity.
        feasible: (n,) whether they may be the best: they satisfy the constraints.
        levels: (L,) fidelities that may be proposed, the target last.
        index: (L,) their places among all fidelities.
        costs: of (m, d) designs at these, (m, L).
        pending: (k, d) designs whose outcome is awaited.
        awaited: (k,) their fidelities.
        pool: (N, d) the designs to choose from, or None where all of the space may be chosen.
    """

    features: Features
    models: tuple[FidelityModel, ...]
    weights: Array
    limits: tuple[Limit, ...]
    x: Array
    feasible: Array
    levels: Array
    index: Array
    costs: Callable[[Array], Array]
    pending: Array
    awaited: Array
    pool: Array | None = None

    def choices(self, rng: np.random.Generator) -> Array:
        """(N, d) designs told, and feasible draws or the pool."""
        if self.pool is not None:
            return self.pool
        return np.concatenate([self.x, self.features.draw(_POOL, rng)])


class Target:
    """The weighted sum of the objectives at the target.

    Args:
        prospect: what is believed.

    Attributes:
        unit: the largest part's scale, in the user's units; everything below is in multiples.

    Raises:
        SingularError: a covariance cannot be factorised.
    """

    def __init__(self, prospect: Prospect) -> None:
        scales = np.array([model.outcomes.scale for model in prospect.models])
        parts = prospect.weights * scales
        self.unit = float(np.max(np.abs(parts)))
        self.models, self.factors = prospect.models, parts / self.unit
        self.posteriors = [m.given(prospect.pending, prospect.awaited) for m in self.models]

    def means(self, points: Array) -> Array:
        """(m,) expected values."""
        each = [model.means(points) for model in self.models]
        return np.asarray(self.factors @ np.stack(each))

    def draws(self, points: Array, count: int, rng: np.random.Generator) -> Array:
        """(m, S) joint draws of the values."""
        total = np.zeros((len(points), count))
        for a, model, process in self._parts():
            total += a * process.draws(model.rows(points), normals(len(points), count, rng))
            lone = model.told_at(points) < 0
            total += a * math.sqrt(model.own) * rng.standard_normal(total.shape) * lone[:, None]
        return total

    def views(self, points: Array, levels: Array) -> Foresight:
        """Means, variances, and what each level would tell."""
        each = [m.views(points, levels, process) for _, m, process in self._parts()]
        mean = sum(a * view.mean for a, view in zip(self.factors, each, strict=True))
        variance = sum(a**2 * v.variance for a, v in zip(self.factors, each, strict=True))
        told = sum(a**2 * v.cross**2 / v.seen for a, v in zip(self.factors, each, strict=True))
        least, most = _LEAST * variance[:, None], variance[:, None]  # type: ignore[index]
        return Foresight(self.factors, each, mean, variance, np.clip(told, least, most))  # type: ignore[arg-type]

    def _parts(self) -> zip[tuple[float, FidelityModel, Posterior]]:
        return zip(self.factors, self.models, self.posteriors, strict=True)


@dataclass(frozen=True)
class Foresight:
    """The target at m designs, and what an evaluation at each of L levels would tell of it.

    Args:
        factors: (J,) of the outcomes.
        each: of each outcome.
        mean: (m,) of the sum.
        variance: (m,) v.
        told: (m, L) r.
    """

    factors: Array
    each: list[Views]
    mean: Array
    variance: Array
    told: Array

    def pull(
        self, by_mean: Array, by_variance: Array, by_told: Array, by_cross: list[Array] | None
    ) -> Array:
        """(m, d) derivatives by the features, of those by mean, variance and r.

        Args:
            by_mean: (m,).
            by_variance: (m,).
            by_told: (m, L).
            by_cross: for each outcome (m, 2, L) further ones by its ``cross`` and ``seen``.
        """
        total: Array | float = 0.0
        for j, (a, view) in enumerate(zip(self.factors, self.each, strict=True)):
            share = view.cross / view.seen
            cross, seen = 2.0 * a**2 * share * by_told, -((a * share) ** 2) * by_told
            if by_cross is not None:
                cross, seen = cross + by_cross[j][:, 0], seen + by_cross[j][:, 1]
            total = total + view.pull(a * by_mean, a**2 * by_variance, cross, seen)
        return np.asarray(total)


Pull: TypeAlias = Callable[[Array], Array]


class Gain(ABC):
    """The logarithm of what an evaluation is worth, cost aside."""

    @abstractmethod
    def at(self, points: Array) -> tuple[Array, Pull]:
        """(m, L) logarithms at (m, d) designs, and their slopes.

        The slopes are a function of (m,) chosen levels that gives (m, d) gradients there.
        """


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
        every = [np.repeat(part, count) for part in (seen.mean, seen.variance)]
        value, *slopes = self.measure(*every, seen.told.ravel())

        def pull(chosen: Array) -> Array:
            row = np.arange(m)
            by_mean, by_variance, by_r = (s.reshape(m, count)[row, chosen] for s in slopes)
            by_told = np.zeros(seen.told.shape)
            by_told[row, chosen] = by_r
            return seen.pull(by_mean, by_variance, by_told, None)

        return value.reshape(m, count), pull


class FidelityAcquisition(ABC):
    """A recipe: what an evaluation is worth. A frozen dataclass.

    Attributes:
        in_units: whether the gain is in the objective's units.
    """

    in_units: ClassVar[bool] = True

    @abstractmethod
    def build(self, prospect: Prospect, target: Target, rng: np.random.Generator) -> Gain:
        """The logarithm of the gain; its exponential times ``target.unit`` is in score units.

        Raises:
            SingularError: a covariance cannot be factorised.
        """


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
    """

    samples: int = 16
    in_units: ClassVar[bool] = False

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
    g = np.maximum((maxima - mean[:, None]) / s[:, None], -4.0)
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

    Over a finite set of designs, as ``KnowledgeGradient``; of several outcomes what an evaluation
    tells about its own design is followed.
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
        # What is known for certain does not move.
        self._moves = [(model.told_at(choices) < 0).astype(np.float64) for model in target.models]

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


class PerCost:
    """Log of the gain per unit of cost at the best fidelity of each design.

    Args:
        prospect: what is believed.
        gain: what an evaluation is worth.
        taken: of (m, d) designs, whether each was evaluated at each of all levels, or will be.
    """

    def __init__(
        self, prospect: Prospect, gain: Gain, taken: Callable[[Array], Array]
    ) -> None:
        self._gain, self._costs = gain, prospect.costs
        self._taken = lambda points: taken(points)[:, prospect.index]
        self._limits = LogFeasibility(prospect.limits) if prospect.limits else None
        self._blind = bool(prospect.limits) and not prospect.feasible.any()

    def gone(self, points: Array) -> npt.NDArray[np.bool_]:
        """(m,) designs that cannot be evaluated at any level any more."""
        return np.asarray(self._taken(points).all(axis=1))

    def table(self, points: Array) -> Array:
        """(m, L) values at each level; minus infinity where taken."""
        return self._table(points)[0]

    def values(self, points: Array) -> Array:
        values = self.table(points).max(axis=1)
        return values if self._limits is None else values + self._limits.values(points)

    def values_and_gradients(self, points: Array) -> tuple[Array, Array]:
        table, pull = self._table(points)
        values, gradients = table.max(axis=1), np.zeros(points.shape)
        if not self._blind:
            gradients = pull(table.argmax(axis=1))
        if self._limits is not None:
            log, slope = self._limits.values_and_gradients(points)
            values, gradients = values + log, gradients + slope
        return values, gradients

    def _table(self, points: Array) -> tuple[Array, Pull]:
        gains, pull = self._gain.at(points)
        if self._blind:  # there is nothing to improve on yet
            gains = np.zeros(gains.shape)
        rates = gains - np.log(np.maximum(self._costs(points), 1e-300))
        return np.where(self._taken(points), -np.inf, rates), pull


@dataclass(frozen=True)
class Expected:
    """The target's posterior mean, as an acquisition.

    Args:
        target: what is believed.
    """

    target: Target

    def values(self, points: Array) -> Array:
        return self.target.means(points)

    def values_and_gradients(self, points: Array) -> tuple[Array, Array]:
        seen = self.target.views(points, self.target.models[0].levels.values[:0])
        one, nothing = np.ones(len(points)), np.zeros((len(points), 0))
        return seen.mean, seen.pull(one, np.zeros(len(points)), nothing, None)


def eligible(prospect: Prospect) -> Array:
    """(k, d) designs that may be the best: told and feasible, or those of the pool."""
    if prospect.pool is not None:
        return prospect.pool
    return prospect.x[prospect.feasible] if prospect.feasible.any() else prospect.x


__all__ = [
    "Expected",
    "FidelityAcquisition",
    "FidelityKG",
    "FidelityMES",
    "PerCost",
    "Prospect",
    "Target",
    "TargetEI",
    "eligible",
]
