"""What has been told, as the sampler needs it."""

from __future__ import annotations

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.formulation import Problem
from blackbox.gflownets.orders import dense_ranks
from blackbox.metrics.pareto import nondominated_ranks
from blackbox.space.construction import Construction, keys


class Known:
    """All rows told, their terminal states, and their order.

    Args:
        problem: whose outcomes order the rows.
        construction: gives the states.
    """

    def __init__(self, problem: Problem, construction: Construction) -> None:
        self._problem = problem
        self._construction = construction
        self.batch = Batch({})
        self.groups = np.zeros(0, dtype=np.int64)
        self.states = construction.initial(0)
        self.keys = keys(self.states)

    def __len__(self) -> int:
        return len(self.batch)

    def add(self, told: Batch) -> None:
        """Rows of one tell: inputs, outcomes, ok."""
        kept = told.select([*self._problem.inputs, *self._problem.outcomes, "ok"])
        group = np.full(len(kept), self.groups.max(initial=-1) + 1)
        self._join(kept, np.concatenate([self.groups, group]))

    def load(self, batch: Batch, groups: Array) -> None:
        """Start from rows told earlier, and which tell each was of."""
        self.batch = Batch({})
        self.states, self.keys = self.states[:0], self.keys[:0]
        self._join(batch, groups)

    def _join(self, rows: Batch, groups: Array) -> None:
        self.batch = Batch.concat([self.batch, rows]) if len(self.batch) else rows
        self.groups = groups.astype(np.int64)
        if len(rows):
            states = self._construction.encode(rows.select(self._problem.space.names))
            self.states = np.concatenate([self.states, states])
            self.keys = np.concatenate([self.keys, keys(states)])

    @property
    def good(self) -> Array:
        """Positions of the rows that did not fail."""
        if not len(self.batch):
            return np.zeros(0, dtype=np.intp)
        return np.flatnonzero(self.batch["ok"])

    def ranks(self) -> Array:
        """(n,) ranks of the good rows, 0 the best.

        A ``Preference`` ranks by the share of won comparisons.
        """
        rows = self.batch[self.good]
        return (
            dense_ranks(self._won(rows))
            if self._problem.preference
            else ranked(self._problem, rows)
        )

    def comparisons(self) -> Array:
        """(k, 2) positions among the good rows, the preferred one first, of rows told together."""
        values = self._problem.scores(self.batch[self.good])[:, 0]
        groups = self.groups[self.good]
        pairs = [np.empty((0, 2), dtype=np.int64)]
        for group in np.unique(groups):
            rows = np.flatnonzero(groups == group)
            better, worse = np.nonzero(values[rows][:, None] > values[rows][None])
            pairs.append(np.column_stack([rows[better], rows[worse]]))
        return np.concatenate(pairs)

    def _won(self, rows: Batch) -> Array:
        pairs = self.comparisons()
        won = np.bincount(pairs[:, 0], minlength=len(rows))
        lost = np.bincount(pairs[:, 1], minlength=len(rows))
        share: Array = (won + 1) / (won + lost + 2)
        return share


def ranked(problem: Problem, rows: Batch) -> Array:
    """(n,) ranks of rows that did not fail, 0 the best: by score or front, infeasible ones last."""
    scores, feasible = problem.scores(rows), problem.feasible(rows)
    ranks = np.empty(len(rows), dtype=np.int64)
    inner = scores[feasible]
    several = scores.shape[1] > 1
    ranks[feasible] = nondominated_ranks(inner) if several else dense_ranks(inner[:, 0])
    excess = problem.violations(rows)[~feasible].sum(axis=1)
    ranks[~feasible] = ranks[feasible].max(initial=-1) + 1 + dense_ranks(-excess)
    return ranks
