"""How Bayes begins: the centre of the space, then points spread evenly."""

from __future__ import annotations

import numpy as np

from blackbox.batch import Batch
from blackbox.formulation import Problem
from blackbox.optimizer import Optimizer
from blackbox.optimizers.random import ANY, Random
from blackbox.optimizers.sobol import Sobol
from blackbox.space import Integer, Ordinal, Real, Simplex
from blackbox.state import State

_LINES = (Real, Integer, Ordinal, Simplex)  # parameters that have a middle


class Design(Optimizer):
    """The centre, then Sobol points, or uniform draws under linear constraints.

    People put the box around where they expect the best, and a first row in the middle tells a
    model more than one in a corner. Names, permutations and strings have no middle: they are drawn,
    and a space of nothing else has no centre. (If it were the middle of the list of choices, every
    run would begin at one arbitrary row, and look around it where that happens to be good.)

    Args:
        problem: any problem.
        seed: seeds the points.
    """

    supports = ANY

    def __init__(self, problem: Problem, *, seed: int | None = None) -> None:
        super().__init__(problem, seed=seed)
        kind = Sobol if problem.space.polytope is None else Random
        self._others = kind(problem, seed=int(self.rng.integers(2**63)))
        self._begun = False

    def _ask(self, n: int) -> Batch:
        names = self.problem.space.names
        first = Batch({}) if self._begun else self._centre()
        self._begun = True
        if len(first) == n:
            return first
        others = self._others.ask(n - len(first)).select(names)
        return Batch.concat([first, others]) if len(first) else others

    def _centre(self) -> Batch:
        """One row in the middle of what has one, equal shares; none where that is infeasible."""
        space = self.problem.space
        drawn = [p.name for p in space if not isinstance(p, _LINES)]
        if len(drawn) == len(space.names):
            return Batch({})
        row = space.decode(np.full((1, space.width), 0.5))
        shares = [p for p in space if isinstance(p, Simplex)]
        row = row.with_columns(**{p.name: np.full((1, p.size), 1.0 / p.size) for p in shares})
        if drawn:
            row = row.with_columns(**self._others.ask(1).select(drawn).columns())
        return row if space.feasible(row)[0] else Batch({})

    def _tell(self, batch: Batch) -> None:
        """Learns nothing."""

    def _state(self) -> State:
        return {"begun": self._begun, "others": self._others.state_dict()}

    def _load_state(self, state: State) -> None:
        self._begun = bool(state["begun"])
        self._others = type(self._others).of_state(self.problem, state["others"])
