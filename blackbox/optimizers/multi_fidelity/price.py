"""What evaluations cost: as the problem says, or as past runs did."""

from __future__ import annotations

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError
from blackbox.formulation import Problem
from blackbox.surrogates.features import Features
from blackbox.surrogates.fidelity import Levels

_COLUMNS = ("cost", "seconds")


class Price:
    """Costs of designs at fidelities.

    Args:
        problem: with a cost of its own, unless past runs are given.
        features: coordinates of designs.
        levels: of the fidelity.
        runs: a Batch (or a study) of past runs with the fidelity and a column "cost" or
            "seconds", from which costs are learnt: the mean at each fidelity, between and beyond
            them the power law through the nearest two (a straight line in both logarithms). Where
            fidelities are not positive numbers, their places on the scale stand for the logarithms
            and costs are flat beyond the runs.

    Raises:
        ProblemError: the runs lack a column, or a cost is not positive.
    """

    def __init__(
        self, problem: Problem, features: Features, levels: Levels, runs: object | None
    ) -> None:
        self._problem, self._features, self._levels = problem, features, levels
        self._table: tuple[Array, Array] | None = None
        if runs is not None:
            self._table = self._learnt(getattr(runs, "history", runs))

    def at(self, points: Array, values: Array) -> Array:
        """(m, L) costs of (m, d) features at L fidelities."""
        fidelity = self._problem.fidelity
        if self._table is not None:
            return np.broadcast_to(self._between(values), (len(points), len(values)))
        if not self._problem.has_cost:
            return np.ones((len(points), len(values)))
        rows = self._features.decode(points)
        if fidelity is None:
            return self._problem.costs(rows)[:, None]
        columns = [
            self._problem.costs(rows.with_columns(**{fidelity.name: np.full(len(points), value)}))
            for value in values
        ]
        return np.column_stack(columns)

    def _between(self, values: Array) -> Array:
        assert self._table is not None
        known, logs = self._table
        if self._has_powers and len(known) > 1:
            costs = _lines(np.log(values), np.log(known), logs)
        else:
            there = self._levels.nearness(known)
            order = np.argsort(there, kind="stable")
            costs = np.interp(self._levels.nearness(values), there[order], logs[order])
        exact = values[:, None] == known
        return np.exp(np.where(exact.any(axis=1), logs[exact.argmax(axis=1)], costs))

    @property
    def _has_powers(self) -> bool:
        """Whether the fidelity is a positive number."""
        values = self._levels.values
        return self._levels.ordered and values.dtype.kind in "if" and bool(np.all(values > 0))

    def _learnt(self, runs: object) -> tuple[Array, Array]:
        fidelity = self._problem.fidelity
        if not isinstance(runs, Batch) or fidelity is None or fidelity.name not in runs:
            raise ProblemError(
                f"MultiFidelityBayes: cost={runs!r}; give a Batch or a study of past runs of a "
                "problem with a fidelity"
            )
        column = next((name for name in _COLUMNS if name in runs), None)
        if column is None:
            raise ProblemError(
                f"MultiFidelityBayes: cost has columns {list(runs.names)}; it needs 'cost' or "
                "'seconds'"
            )
        values = fidelity.parameter.check(runs[fidelity.name])
        costs = runs[column]
        if not len(costs) or costs.dtype.kind not in "if":
            raise ProblemError(
                f"MultiFidelityBayes: {column!r} of cost is {costs!r}; give at least one number"
            )
        costs = costs.astype(np.float64)
        bad = np.flatnonzero(~(np.isfinite(costs) & (costs > 0)))
        if len(bad):
            raise ProblemError(
                f"MultiFidelityBayes: row {bad[0]} of cost has {column}={costs[bad[0]]}; give "
                "positive costs"
            )
        known = np.array(list(dict.fromkeys(values.tolist())), dtype=values.dtype)
        logs = np.array([np.log(costs[values == value].mean()) for value in known])
        return known, logs


def _lines(x: Array, knots: Array, heights: Array) -> Array:
    """(n,) heights on the lines through neighbouring knots, beyond the ends on the last ones."""
    order = np.argsort(knots)
    knots, heights = knots[order], heights[order]
    right = np.searchsorted(knots, x).clip(1, len(knots) - 1)
    share = (x - knots[right - 1]) / (knots[right] - knots[right - 1])
    return np.asarray(heights[right - 1] + share * (heights[right] - heights[right - 1]))
