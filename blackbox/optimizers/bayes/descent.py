"""How Bayes begins in many dimensions or a mixture: a step along each axis, then down the slope."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array, Batch
from blackbox.formulation import Problem
from blackbox.optimizer import Optimizer, Supports
from blackbox.optimizers.bayes.design import Design
from blackbox.space import Categorical, Integer, Ordinal, Real, Simplex
from blackbox.state import State
from blackbox.surrogates.features import Features

_MANY = 10  # numbers from which on this is measured to be worth its rows
_VALUES = 8  # of a whole number from which on a step of a sixth of the box is one
_STEPS = 20  # along axes at most; of more coordinates several are moved together
_STEP = 1.0 / 6.0  # of the box, at first
_SHARE, _HALF = 2.0, 0.5  # of a mixture of k parts a step adds 2 / k of one, a half at most
_PARTS = (1.0, 0.5, 0.25, 0.125)  # of a step that leads out of what linear constraints allow
_LEAST = 1e-9  # a shorter step is none


class Descent(Optimizer):
    """The centre, a step along each axis from the best row so far, then steps downhill.

    A few points spread over a cube of many dimensions lie far from each other and from the best
    one; as many single steps from its centre show the slope of the whole, and the way down is most
    of what there is to gain at first. COBYLA begins alike (Powell 1994, *A Direct Search
    Optimization Method That Models the Objective and Constraint Functions by Linear
    Interpolation*), to which NGOpt owes its lead over other peers in many dimensions. The slope is
    brought up to date by each row told (the rank-one update of Broyden 1965, *A Class of Methods
    for Solving Nonlinear Simultaneous Equations*, of one equation), so that batches, failed rows
    and rows from outside change nothing in how it goes on.

    Whole numbers are stepped along too, and the shares of a mixture: a step adds to one what all
    give in proportion. Ordinals and categories keep the values of the best row, which at first are
    drawn: they are for the model to find out, which by then knows the rest. A step that linear
    constraints rule out is halved. Under measured ones the best row is a feasible one, or the
    nearest to one, and no step goes downhill: most would lead out of what is feasible, whose slopes
    the model knows by then too.

    Args:
        problem: of one objective, on numbers, mixtures and categories.
        seed: seeds the order and the signs of the steps, and the rows after the last of them.
    """

    supports = Supports(
        parameters=(Real, Integer, Ordinal, Categorical, Simplex), constraints=True, linear=True
    )

    def __init__(self, problem: Problem, *, seed: int | None = None) -> None:
        super().__init__(problem, seed=seed)
        self._features = Features(problem.space)
        d, moved = self._features.width, _moved(self._features)
        self._design = Design(problem, seed=int(self.rng.integers(2**63)))
        groups = np.array_split(self.rng.permutation(moved), np.clip(len(moved), 1, _STEPS))
        sizes = _STEP * self.rng.choice([-1.0, 1.0], d)
        for block in self._features.simplexes:
            sizes[block] = min(_SHARE / (block.stop - block.start), _HALF)
        self._steps = np.zeros((len(groups), d))
        for step, group in zip(self._steps, groups, strict=True):
            step[group] = sizes[group] / np.sqrt(len(group))
        self._rows, self._held = self.rows(problem), np.setdiff1d(np.arange(d), moved)
        self._slope = np.zeros(d)
        self._base = np.full(d, 0.5)  # the best row so far
        self._value, self._wrong = np.inf, np.inf  # of it, and how far it is from feasible
        self._length = _STEP

    @classmethod
    def suits(cls, problem: Problem) -> bool:
        """Whether to begin a problem so: many numbers or a mixture, one outcome, a slope to see.

        Strong noise hides the slope of single steps, so one that is declared rules it out.
        """
        if problem.environment is not None or cls.supports.mismatches(problem):
            return False
        features = Features(problem.space)
        many = len(_moved(features)) >= _MANY or bool(features.simplexes)
        return many and not problem.objectives[0].noise

    @staticmethod
    def rows(problem: Problem) -> int:
        """How many rows it takes; after them it has nothing more to say than ``Design``."""
        steps = min(len(_moved(Features(problem.space))), _STEPS)
        return 1 + steps + (0 if problem.constraints else steps // 3)

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
        features = self._features
        if number == 0 or number >= self._rows:
            row = self._design.ask(1)
            if number == 0 and not np.isfinite(self._value):
                self._base = features.encode(row)[0]
            return row
        step = self._steps[number - 1] if not self._descends(number) else self._down(ahead)
        for part in _PARTS:
            row = self._moved_by(part * step)
            moved = np.abs(features.encode(row)[0] - self._base).max() >= _LEAST
            if moved and self.problem.space.feasible(row)[0]:
                return row
        return self._design.ask(1)  # there is no slope, or it leads out of the space

    def _moved_by(self, step: Array) -> Batch:
        """The row a step away from the best one; what is added to a share, all shares give."""
        row = self._base + step
        for block in self._features.simplexes:
            row[block] -= step[block].sum() * self._base[block]
        return self._features.decode(np.clip(row, 0.0, 1.0)[None])

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
        rows, values = self._features.encode(kept), -self.problem.scores(kept)[:, 0]
        wrong = np.nan_to_num(-self.problem.nearness(kept))
        told = zip(kept["id"].tolist(), rows, values.tolist(), wrong.tolist(), strict=True)
        for number, row, value, far in told:
            better = (far, value) < (self._wrong, self._value)
            self._learn(row, value)
            if better:
                self._base, self._value, self._wrong = row, value, far
            if self._descends(number) and not better:
                self._length /= 2.0

    def _learn(self, row: Array, value: float) -> None:
        """Bring the slope up to date."""
        step = row - self._base
        square = float(step @ step)
        if np.isfinite(self._value) and square > 0 and not step[self._held].any():
            with np.errstate(all="ignore"):  # of values near the largest number it is not known
                missed = value - self._value - self._slope @ step
                self._slope = self._slope + missed / square * step

    def _state(self) -> State:
        return {
            "design": self._design.state_dict(),
            "steps": self._steps,
            "slope": self._slope,
            "base": self._base,
            "value": self._value,
            "wrong": self._wrong,
            "length": self._length,
        }

    def _load_state(self, state: State) -> None:
        self._design = Design.of_state(self.problem, state["design"])
        self._steps = np.asarray(state["steps"])
        self._slope, self._base = np.asarray(state["slope"]), np.asarray(state["base"])
        self._value, self._wrong = float(state["value"]), float(state["wrong"])
        self._length = float(state["length"])


def _moved(features: Features) -> npt.NDArray[np.intp]:
    """Columns of features along which one may step: of shares, and of numbers but of few values."""
    few = [
        level.column
        for level in features.levels
        if not (isinstance(level.parameter, Integer) and level.count >= _VALUES)
    ]
    return np.setdiff1d(features.numbers, few)
