"""How Bayes begins in many dimensions: a step along each axis, then down the slope they show."""

from __future__ import annotations

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.formulation import Problem
from blackbox.optimizer import Optimizer, Supports
from blackbox.optimizers.bayes.design import Design
from blackbox.space import Real
from blackbox.state import State

_MANY = 10  # coordinates from which on this is measured to be worth its rows
_STEPS = 20  # along axes at most; of more coordinates several are moved together
_STEP = 1.0 / 6.0  # of the box, at first
_LEAST = 1e-9  # a shorter step is none


class Descent(Optimizer):
    """The centre, a step along each axis from the best row so far, then steps downhill.

    A few points spread over a cube of many dimensions lie far from each other and from the best
    one; as many single steps from its centre show the slope of the whole, and the way down is most
    of what there is to gain at first. COBYLA begins alike (Powell 1994, *A Direct Search
    Optimization Method That Models the Objective and Constraint Functions by Linear
    Interpolation*), to which NGOpt owes its lead in many dimensions. The slope is brought up to
    date by each row told (the rank-one update of Broyden 1965, *A Class of Methods for Solving
    Nonlinear Simultaneous Equations*, of one equation), so that batches, failed rows and rows from
    outside change nothing in how it goes on.

    Args:
        problem: of one objective, without constraints, on Real parameters.
        seed: seeds the order and the signs of the steps, and the rows after the last of them.
    """

    supports = Supports(parameters=(Real,))

    def __init__(self, problem: Problem, *, seed: int | None = None) -> None:
        super().__init__(problem, seed=seed)
        d = problem.space.width
        self._design = Design(problem, seed=int(self.rng.integers(2**63)))
        groups = np.array_split(self.rng.permutation(d), min(d, _STEPS))
        signs = self.rng.choice([-1.0, 1.0], d)
        self._steps = np.zeros((len(groups), d))
        for step, group in zip(self._steps, groups, strict=True):
            step[group] = _STEP * signs[group] / np.sqrt(len(group))
        self._slope = np.zeros(d)
        self._base, self._value = np.full(d, 0.5), np.inf  # the best row so far
        self._length = _STEP

    @classmethod
    def suits(cls, problem: Problem) -> bool:
        """Whether to begin a problem so: many numbers, and one outcome with a slope to see.

        Strong noise hides the slope of single steps, so one that is declared rules it out.
        """
        if problem.environment is not None or cls.supports.mismatches(problem):
            return False
        return problem.space.width >= _MANY and not problem.objectives[0].noise

    @staticmethod
    def rows(width: int) -> int:
        """How many rows it takes; after them it has nothing more to say than ``Design``."""
        steps = min(width, _STEPS)
        return 1 + steps + steps // 3

    def _ask(self, n: int) -> Batch:
        waiting = self.pending["id"].tolist() if len(self.pending) else []
        ahead = sum(map(self._descends, waiting))
        rows = []
        for number in range(self.asked, self.asked + n):
            rows.append(self._row(number, ahead).select(self.problem.space.names))
            ahead += self._descends(number)
        return Batch.concat(rows)

    def _row(self, number: int, ahead: int) -> Batch:
        """The row of a number, counted from 0.

        Args:
            number: which.
            ahead: steps downhill that are not told yet; each goes half as far as the one before.
        """
        if number == 0 or number >= self.rows(self.problem.space.width):
            return self._design.ask(1)
        step = self._steps[number - 1] if not self._descends(number) else self._down(ahead)
        row = np.clip(self._base + step, 0.0, 1.0)
        if np.abs(row - self._base).max() < _LEAST:
            return self._design.ask(1)  # there is no slope, or it leads out of the space
        return self.problem.space.decode(row[None])

    def _descends(self, number: int) -> bool:
        """Whether the row of a number is one of the steps downhill, or comes after them."""
        return number > len(self._steps)

    def _down(self, ahead: int) -> Array:
        """(d,) a step of steepest descent; zero where there is no slope."""
        largest = float(np.abs(self._slope).max())
        if not (np.isfinite(largest) and largest > 0):
            return np.zeros_like(self._slope)
        down = -self._slope / largest
        step: Array = down / np.linalg.norm(down) * (self._length * 0.5**ahead)
        return step

    def _tell(self, batch: Batch) -> None:
        kept = batch[batch["ok"]]
        rows, values = self.problem.space.encode(kept), -self.problem.scores(kept)[:, 0]
        for number, row, value in zip(kept["id"].tolist(), rows, values.tolist(), strict=True):
            better = value < self._value
            self._learn(row, value)
            if self._descends(number) and not better:
                self._length /= 2.0

    def _learn(self, row: Array, value: float) -> None:
        """Bring the slope up to date, and go on from the row if it is the best."""
        step = row - self._base
        square = float(step @ step)
        if np.isfinite(self._value) and square > 0:
            with np.errstate(all="ignore"):  # of values near the largest number it is not known
                missed = value - self._value - self._slope @ step
                self._slope = self._slope + missed / square * step
        if value < self._value:
            self._base, self._value = row, value

    def _state(self) -> State:
        return {
            "design": self._design.state_dict(),
            "slope": self._slope,
            "base": self._base,
            "value": self._value,
            "length": self._length,
        }

    def _load_state(self, state: State) -> None:
        self._design.load_state_dict(state["design"])
        self._slope, self._base = np.asarray(state["slope"]), np.asarray(state["base"])
        self._value, self._length = float(state["value"]), float(state["length"])
