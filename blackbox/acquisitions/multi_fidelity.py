"""What an evaluation at a cheap fidelity is worth for the target, per unit of cost.

An evaluation of design x at fidelity s leaves the target's value at x with variance v - r, where

    r = cov(f(x, target), y(x, s))^2 / var y(x, s),

so its posterior mean there moves with variance r. Everything below is a function of the mean mu,
the variance v and r; at the target without noise r = v, and the acquisitions are the usual ones.
For one objective that is the weighted sum of several outcomes, each with a process of its own, all
of which an evaluation measures, r is the sum of theirs.

Pending rows are observed at their means, which leaves means where they are and takes away what they
will tell (Desautels, Krause and Burdick 2014, as in ``UCB``).

Notation: m points, L levels, J outcomes, N rows to choose from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from blackbox.acquisitions.base import Limit
from blackbox.acquisitions.feasibility import LogFeasibility
from blackbox.acquisitions.normal import normals
from blackbox.acquisitions.search import keys
from blackbox.batch import Array
from blackbox.surrogates.features import Features
from blackbox.surrogates.multi_fidelity import FidelityModel, Views
from blackbox.surrogates.posterior import Posterior

_LEAST = 1e-16  # share of the variance that any evaluation takes away
_POOL = 384  # draws among which maxima are looked for, and rows to choose from


@dataclass(frozen=True)
class Prospect:
    """What is believed about a problem with fidelities.

    Args:
        features: coordinates of designs.
        models: of each objective's score.
        weights: (J,) of the objectives in what is maximised.
        limits: what must hold at the target.
        x: (n, d) designs told, at whatever fidelity.
        feasible: (n,) whether they may be the best: they satisfy the constraints at the target.
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
        """(N, d) designs told and draws, or the pool: those that may be the best, if any may."""
        points = self.pool
        if points is None:
            points = np.concatenate([self.x, self.features.draw(_POOL, rng)])
        may = self.may(points)
        return points[may] if may.any() else points

    @cached_property
    def eligible(self) -> Array:
        """(k, d) designs told, or those of the pool, that may be the best; perhaps none."""
        points = self.x if self.pool is None else self.pool
        return points[self.may(points)]

    def may(self, points: Array) -> npt.NDArray[np.bool_]:
        """(m,) whether designs may be the best: as is known of those told, else as is likely."""
        return probably_feasible(points, self.x, self.feasible, self.limits)


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
            drawn = process.draws(model.rows(points), normals(len(points), count, rng))
            total += a * model.values(points, drawn, rng.standard_normal(total.shape))
        return total

    def views(self, points: Array, levels: Array) -> Foresight:
        """Means, variances, and what each level would tell."""
        each = [m.views(points, levels, process) for _, m, process in self._parts()]
        squares = self.factors**2
        mean = self.factors @ np.stack([view.mean for view in each])
        variance = squares @ np.stack([view.variance for view in each])
        told = np.tensordot(squares, np.stack([v.cross**2 / v.seen for v in each]), axes=1)
        told = np.clip(told, _LEAST * variance[:, None], variance[:, None])
        return Foresight(self.factors, each, mean, variance, told)

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


class PerCost:
    """Log of the gain per unit of cost at the best fidelity of each design.

    Args:
        prospect: what is believed.
        gain: what an evaluation is worth.
        taken: of (m, d) designs, whether each was evaluated at each of all levels, or will be.

    Attributes:
        blind: whether no design may be the best, so that there is nothing to improve on yet.
    """

    def __init__(self, prospect: Prospect, gain: Gain, taken: Callable[[Array], Array]) -> None:
        self._gain, self._prospect, self._taken = gain, prospect, taken
        self._limits = LogFeasibility(prospect.limits) if prospect.limits else None
        self.blind = bool(prospect.limits) and not len(prospect.eligible)

    def gone(self, points: Array) -> npt.NDArray[np.bool_]:
        """(m,) designs that cannot be evaluated at any level any more."""
        return np.asarray(self._closed(points).all(axis=1))

    def table(self, points: Array) -> Array:
        """(m, L) values at each level; minus infinity where taken."""
        return self._table(points)[0]

    def values(self, points: Array) -> Array:
        values: Array = self.table(points).max(axis=1)
        return values if self._limits is None else values + self._limits.values(points)

    def values_and_gradients(self, points: Array) -> tuple[Array, Array]:
        table, pull = self._table(points)
        values, gradients = table.max(axis=1), np.zeros(points.shape)
        if not self.blind:
            gradients = pull(table.argmax(axis=1))
        if self._limits is not None:
            log, slope = self._limits.values_and_gradients(points)
            values, gradients = values + log, gradients + slope
        return values, gradients

    def _insight(self, points: Array) -> Array:
        """(m, L) logs of what levels tell of the limits, as shares of what the target would.

        Else what is cheap and tells nothing would be bought for ever. The slope is left out, as
        that of costs.
        """
        limits, levels = self._prospect.limits, self._prospect.levels
        shares = np.zeros((len(points), len(levels)))
        for limit in limits:
            if isinstance(limit.model, FidelityModel):
                views = limit.model.views(points, levels)
                told = np.maximum(views.cross**2 / views.seen, _LEAST)
                shares += np.minimum(told / told[:, -1:], 1.0)
            else:  # whether an evaluation fails is taken to be the same at every level
                shares += 1.0
        return np.log(shares / len(limits))

    def _closed(self, points: Array) -> Array:
        """(m, L) levels at which designs cannot be evaluated any more."""
        return np.asarray(self._taken(points)[:, self._prospect.index])

    def _table(self, points: Array) -> tuple[Array, Pull]:
        gains, pull = self._gain.at(points)
        if self.blind:
            gains = self._insight(points)
        rates = gains - np.log(np.maximum(self._prospect.costs(points), 1e-300))
        return np.where(self._closed(points), -np.inf, rates), pull


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


def probably_feasible(
    points: Array, x: Array, feasible: Array, limits: tuple[Limit, ...]
) -> npt.NDArray[np.bool_]:
    """(m,) whether designs are feasible: as (n,) is known of (n, d) x, else if that is likely."""
    if not limits:
        return np.ones(len(points), dtype=bool)
    here, there = keys(points), keys(x)
    likely = LogFeasibility(limits).likely(points)
    return np.where(np.isin(here, there), np.isin(here, there[feasible]), likely)


def eligible(prospect: Prospect) -> Array:
    """(k, d) designs to improve on: those that may be the best, where none may all there are."""
    if len(prospect.eligible):
        return prospect.eligible
    return prospect.x if prospect.pool is None else prospect.pool
