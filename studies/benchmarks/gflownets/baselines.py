"""Evolution on spaces of choices, as small optimizers: what a GFlowNet has to beat.

All of them start from random rows, and a row that was proposed before is drawn again.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import numpy.typing as npt

from blackbox.batch import Batch
from blackbox.formulation import Floats, Problem
from blackbox.metrics import nondominated_ranks
from blackbox.optimizer import Optimizer, Supports
from blackbox.space import Categorical, Integer, Ordinal, Sequence
from blackbox.state import State

Ints = npt.NDArray[np.int64]

# A space nearly used up has no new neighbours; then a random row has to do.
_TRIES = 100


class Evolution(Optimizer):
    """Rows as vectors of choices, one for each coordinate of the unit cube.

    Several objectives are ranked by repeated non-dominated sorting.

    Args:
        problem: Categorical, Ordinal, Integer and Sequence parameters.
        start: random rows before the first child.
        seed: seeds the optimizer's only generator.
    """

    supports = Supports(
        parameters=(Categorical, Integer, Ordinal, Sequence), objectives=(1, float("inf"))
    )

    def __init__(self, problem: Problem, *, start: int, seed: int | None = None) -> None:
        super().__init__(problem, seed=seed)
        self._start = start
        self.sizes = _sizes(problem)
        self.rows = np.empty((0, len(self.sizes)), dtype=np.int64)
        self._scores = np.empty((0, len(problem.objectives)))
        self._known: set[bytes] = set()

    @property
    def merit(self) -> Floats:
        """(N,) how good the rows told so far are, larger is better."""
        if self._scores.shape[1] == 1:
            return self._scores[:, 0]
        return -nondominated_ranks(self._scores).astype(np.float64)

    @abstractmethod
    def child(self, merit: Floats) -> Ints:
        """(L,) a new row from the rows told so far."""

    def mutated(self, row: Ints) -> Ints:
        """One choice changed to another value."""
        made, j = row.copy(), int(self.rng.integers(len(row)))
        made[j] = (made[j] + self.rng.integers(1, self.sizes[j])) % self.sizes[j]
        return made

    def _ask(self, n: int) -> Batch:
        merit = self.merit
        rows = np.array([self._fresh(merit) for _ in range(n)])
        return self.problem.space.decode((rows + 0.5) / self.sizes)

    def _fresh(self, merit: Floats) -> Ints:
        for attempt in range(2 * _TRIES):
            young = len(self.rows) < self._start or attempt >= _TRIES
            row = self.rng.integers(self.sizes) if young else self.child(merit)
            if row.tobytes() not in self._known:
                break
        self._known.add(row.tobytes())
        return row

    def _tell(self, batch: Batch) -> None:
        good = batch[batch["ok"]]
        cube = self.problem.space.encode(good)
        rows = np.minimum((cube * self.sizes).astype(np.int64), self.sizes - 1)
        self._known.update(row.tobytes() for row in rows)
        self.rows = np.concatenate([self.rows, rows])
        self._scores = np.concatenate([self._scores, self.problem.scores(good)])

    def _state(self) -> State:
        known = np.frombuffer(b"".join(sorted(self._known)), dtype=np.int64)
        return {"rows": self.rows, "scores": self._scores, "known": known}

    def _load_state(self, state: State) -> None:
        self.rows, self._scores = state["rows"], state["scores"]
        known = state["known"].reshape(-1, len(self.sizes))
        self._known = {row.tobytes() for row in known}


class RegularizedEvolution(Evolution):
    """Aging evolution: the best of a sample of the youngest rows is mutated (Real et al. 2019).

    Args:
        problem: choices.
        population: youngest rows that may have children.
        tournament: rows that a parent is the best of.
        seed: seeds the optimizer's only generator.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        population: int = 50,
        tournament: int = 10,
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, start=population, seed=seed)
        self._population, self._tournament = population, tournament

    def child(self, merit: Floats) -> Ints:
        young = np.arange(max(0, len(merit) - self._population), len(merit))
        drawn = self.rng.choice(young, min(self._tournament, len(young)), replace=False)
        return self.mutated(self.rows[drawn[np.argmax(merit[drawn])]])


class Genetic(Evolution):
    """The mu best rows are crossed uniformly and mutated with 1 / L a choice.

    Args:
        problem: choices.
        mu: parents.
        seed: seeds the optimizer's only generator.
    """

    def __init__(self, problem: Problem, *, mu: int = 30, seed: int | None = None) -> None:
        super().__init__(problem, start=mu, seed=seed)
        self._mu = mu

    def child(self, merit: Floats) -> Ints:
        best = np.argsort(-merit, kind="stable")[: self._mu]
        one, other = self.rows[self.rng.choice(best, 2)]
        made = np.where(self.rng.random(len(one)) < 0.5, one, other)
        change = self.rng.random(len(one)) < 1 / len(one)
        redrawn: Ints = np.where(change, self.rng.integers(self.sizes), made)
        return redrawn


class Illumination(Evolution):
    """MAP-Elites whose cells count how often the first two values occur (Mouret, Clune 2015).

    Args:
        problem: choices; the same values in every place.
        start: random rows before the first child.
        seed: seeds the optimizer's only generator.
    """

    def __init__(self, problem: Problem, *, start: int = 30, seed: int | None = None) -> None:
        super().__init__(problem, start=start, seed=seed)

    def child(self, merit: Floats) -> Ints:
        cells = (self.rows == 0).sum(axis=1) * (len(self.sizes) + 1) + (self.rows == 1).sum(axis=1)
        order = np.argsort(-merit, kind="stable")
        _, first = np.unique(cells[order], return_index=True)
        return self.mutated(self.rows[self.rng.choice(order[first])])


def _sizes(problem: Problem) -> Ints:
    """(L,) number of values that each coordinate of the unit cube chooses from."""
    sizes: list[int] = []
    for p in problem.space:
        if isinstance(p, Sequence):
            shortest, longest = p.length
            sizes += [longest - shortest + 1] * (shortest < longest) + [len(p.alphabet)] * longest
        else:
            sizes += [round(p.cardinality ** (1 / p.width))] * p.width
    return np.array(sizes, dtype=np.int64)
