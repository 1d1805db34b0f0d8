"""MOEA/D: one subproblem for each direction, solved together with its neighbours."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from blackbox.arguments import check_count, check_range
from blackbox.batch import Batch
from blackbox.formulation import Floats, Problem
from blackbox.optimizer import Supports
from blackbox.optimizers._replay import Peer, Told
from blackbox.optimizers.pymoo._generations import operators

# What a failed row of the first population counts as; its square is still finite.
_WORST = 1e100


class MOEAD(Peer):
    """MOEA/D (Zhang & Li 2007, IEEE TEC 11): Tchebycheff for two objectives, else PBI.

    Proposes one row at a time, each for one direction, and takes results one by one in any order;
    told in order, the rows are those of pymoo's own loop. Data from outside enters at the direction
    it improves most. Categories and tokens come whole from a parent or are redrawn.

    Args:
        problem: two or more objectives; no constraints (measured or linear) and no measures.
        partitions: steps of the simplex lattice of directions along each edge; by default as many
            as give at most 100 directions, one for each member of the population.
        n_neighbors: neighbours of a direction, itself included.
        prob_neighbor_mating: probability of taking both parents from the neighbours.
        seed: seeds the algorithm.

    Raises:
        ProblemError: an argument is out of its range.
        MissingExtraError: pymoo is not installed (extra ``pymoo``).
    """

    supports = Supports(objectives=(2, float("inf")))

    def __init__(
        self,
        problem: Problem,
        *,
        partitions: int | None = None,
        n_neighbors: int = 20,
        prob_neighbor_mating: float = 0.9,
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, seed=seed)
        if partitions is not None:
            check_count("partitions", partitions, 1)
        self._directions: Floats = operators().reference_directions(
            len(problem.objectives), partitions
        )
        self._n_neighbors = check_count("n_neighbors", n_neighbors, 2)
        check_range("prob_neighbor_mating", prob_neighbor_mating, 0, 1)
        self._prob = float(prob_neighbor_mating)
        self._start()

    @property
    def batch_size(self) -> int:
        """Rows left of the first population; 1 once that is told."""
        if self._ready:
            return 1
        return len(self._queue) or len(self._first)

    def _start(self) -> None:
        ops = operators()
        from pymoo.algorithms.moo import moead

        space = self.problem.space
        with ops.quiet():
            self._algorithm: Any = moead.MOEAD(
                self._directions,
                n_neighbors=self._n_neighbors,
                prob_neighbor_mating=self._prob,
                crossover=ops.crossover(space, prob=1.0, eta=20),
                mutation=ops.mutation(space, prob_var=None, eta=20),
                seed=self._key,
            )
            self._algorithm.setup(ops.cube_problem(space, len(self.problem.objectives), 0))
            first = self._algorithm.infill()
        self._first: Any = first
        self._queue = deque(enumerate(first))
        self._order: deque[int] = deque()
        # By id: members of the first population, later offspring with their direction if any.
        self._members: dict[int, int] = {}
        self._offspring: dict[int, tuple[int | None, Any]] = {}
        self._early: list[tuple[int | None, Any]] = []
        self._failed: set[int] = set()
        self._ready = False

    def _propose(self, ids: range) -> Batch:
        points = np.empty((len(ids), self.problem.space.width))
        with operators().quiet():
            for row, i in enumerate(ids):
                points[row] = self._proposal(i).X
        return self.problem.space.decode(np.clip(points, 0.0, 1.0))

    def _proposal(self, i: int) -> Any:
        if self._queue:
            self._members[i], individual = self._queue.popleft()
            return individual
        if self._ready:
            k, individual = self._bred()
            self._offspring[i] = (k, individual)
            return individual
        individual = _individual(self._algorithm.random_state.random(self.problem.space.width))
        self._offspring[i] = (None, individual)
        return individual

    def _bred(self) -> tuple[int, Any]:
        """The next direction and an offspring for it, as in pymoo's own loop."""
        algorithm = self._algorithm
        random = algorithm.random_state
        if not self._order:
            self._order.extend(random.permutation(len(algorithm.pop)).tolist())
        k = self._order.popleft()
        parents = algorithm.selection.do(
            algorithm.problem,
            algorithm.pop,
            1,
            algorithm.mating.crossover.n_parents,
            neighbors=[algorithm.neighbors[k]],
            random_state=random,
        )
        bred = algorithm.mating.do(
            algorithm.problem,
            algorithm.pop,
            1,
            parents=parents,
            n_max_iterations=1,
            random_state=random,
        )
        return k, random.choice(bred)

    def _learn(self, told: Told) -> None:
        n = len(told.ids)
        with operators().quiet():
            for i, ok, scores, _ in told.asked_rows():
                if i in self._members:
                    self._enroll(self._members.pop(i), ok, scores)
                    continue
                k, individual = self._offspring.pop(i)
                if ok:
                    self._place(k, individual, scores)
            if len(told.outside):
                points = self.problem.space.encode(told.outside)
                for point, scores in zip(points, told.scores[n:], strict=True):
                    self._place(None, _individual(point), scores)
            if not self._ready and not self._queue and not self._members:
                self._begin()

    def _enroll(self, member: int, ok: bool, scores: Floats) -> None:
        """Note the outcome of a row of the first population."""
        self._first[member].F = -scores if ok else np.full(len(scores), _WORST)
        if not ok:
            self._failed.add(member)

    def _begin(self) -> None:
        """The first population is complete."""
        algorithm, self._ready = self._algorithm, True
        algorithm.pop = self._first
        kept = [i.F for k, i in enumerate(self._first) if k not in self._failed]
        algorithm.ideal = (
            np.min(kept, axis=0) if kept else np.full(self._directions.shape[1], np.inf)
        )
        early, self._early = self._early, []
        for k, individual in early:
            self._place(k, individual, -individual.F)

    def _place(self, k: int | None, individual: Any, scores: Floats) -> None:
        """Let a row replace the members that it beats near its direction."""
        algorithm = self._algorithm
        individual.F = -scores
        if not self._ready:
            self._early.append((k, individual))
            return
        algorithm.ideal = np.minimum(algorithm.ideal, individual.F)
        algorithm._replace(self._direction(individual) if k is None else k, individual)

    def _direction(self, individual: Any) -> int:
        """The direction along which a row improves most."""
        algorithm = self._algorithm
        members, new = (
            algorithm.decomposition.do(F, weights=self._directions, ideal_point=algorithm.ideal)
            for F in (algorithm.pop.get("F"), individual.F[None, :])
        )
        return int(np.argmax(np.ravel(members) - np.ravel(new)))


def _individual(point: Floats) -> Any:
    from pymoo.core.individual import Individual

    return Individual(X=np.array(point))
