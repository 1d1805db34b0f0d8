"""One number for each row, from objectives and constraints; the same for what was predicted.

Scores are shares of the range seen. Several of them become one by an augmented weighted Chebyshev
function with weights drawn anew for each proposal (Knowles 2006, *ParEGO*); of a single one that is
a straight line, which leaves the order and expected improvement as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.formulation import Problem

_AUGMENTED = 0.05
_FLOOR = 1e-5  # of deviations, as a share of the range seen


@dataclass(frozen=True)
class Scalar:
    """What rows are worth, given those that succeeded.

    Args:
        problem: objectives and constraints.
        told: rows that succeeded, at least one.
        weights: (m,) of the objectives.
    """

    problem: Problem
    told: Batch
    weights: Array

    @classmethod
    def drawn(cls, problem: Problem, told: Batch, rng: np.random.Generator) -> Scalar:
        """With random weights."""
        m = len(problem.objectives)
        weights = np.ones(1) if m == 1 else rng.dirichlet(np.ones(m))
        return cls(problem, told, weights)

    def worth(self, scores: Array) -> Array:
        """(...) worth of scores (..., m); larger is better, about 0 to 1."""
        low, span = self._range()
        with np.errstate(over="ignore", invalid="ignore"):
            u = self.weights * ((scores / 2 - low / 2) / span)
        made: Array = u.min(axis=-1) + _AUGMENTED * u.sum(axis=-1)
        return made

    def observed(self) -> Array:
        """(n,) worth of the rows told; infeasible ones below every feasible one."""
        worth = self.worth(self.problem.scores(self.told))
        feasible = self.problem.feasible(self.told)
        return worth if feasible.all() else np.where(feasible, worth, worth.min() - 1.0)

    def target(self, alpha: float) -> list[float]:
        """The outcome of the best row, moved by ``alpha`` times the range seen; user's units.

        Equation (1) of LLAMBO (Liu et al. 2024) for a maximized and for a minimized objective.
        """
        best = self.problem.scores(self.told)[int(np.argmax(self.observed()))]
        _, span = self._range()
        signs = [o.sign for o in self.problem.objectives]
        wanted = np.array(signs) * (best + 2 * alpha * span)
        return [float(value) for value in wanted]

    def improvement(self, predicted: Array) -> Array:
        """(M,) expected improvement over the best row times the probability of feasibility.

        Args:
            predicted: (K, M, m + c) predicted outcomes in the user's units, NaN where one is
                missing. A candidate without any gets the average of the others.
        """
        from scipy.special import ndtr

        m = len(self.problem.objectives)
        signs = np.array([o.sign for o in self.problem.objectives])
        mean, deviation = _moments(self.worth(signs * predicted[:, :, :m])[:, :, None])
        gap = mean[:, 0] - self.observed().max()
        s = np.maximum(deviation[:, 0], _FLOOR)
        z = gap / s
        density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
        value: Array = gap * ndtr(z) + s * density
        return np.maximum(value, 0.0) * self._probability(predicted[:, :, m:])

    def _probability(self, predicted: Array) -> Array:
        if not self.problem.constraints:
            return np.ones(predicted.shape[1])
        from scipy.special import ndtr

        mean, deviation = _moments(predicted)
        low = np.array([c.lower for c in self.problem.constraints])
        high = np.array([c.upper for c in self.problem.constraints])
        s = np.maximum(deviation, _FLOOR * np.maximum(np.abs(mean), 1e-12))
        with np.errstate(invalid="ignore"):
            inside = ndtr((high - mean) / s) - ndtr((low - mean) / s)
        return np.asarray(inside.prod(axis=1))

    def _range(self) -> tuple[Array, Array]:
        """(m,) least scores seen, and half the ranges; of equal ones a tenth of their size."""
        scores = self.problem.scores(self.told)
        low, high = scores.min(axis=0), scores.max(axis=0)
        span = high / 2 - low / 2
        size = np.maximum(np.abs(high), np.abs(low))
        equal = span <= 1e-14 * size
        return low, np.where(equal, np.where(size > 0, 0.05 * size, 0.5), span)


def _moments(values: Array) -> tuple[Array, Array]:
    """(M, q) means and deviations over the first axis, of values that may be NaN."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    filled = np.where(known, values, 0.0)
    mean = filled.sum(axis=0) / np.maximum(count, 1)
    spread = np.where(known, values - mean, 0.0)
    deviation = np.sqrt((spread**2).sum(axis=0) / np.maximum(count - 1, 1))
    for column in (mean, deviation):
        for j in range(column.shape[1]):
            some = count[:, j] > 0
            column[~some, j] = column[some, j].mean() if some.any() else 0.0
    return mean, deviation
