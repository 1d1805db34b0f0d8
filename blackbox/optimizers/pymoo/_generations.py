"""A generational algorithm of pymoo, asked and told in pieces."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from types import ModuleType
from typing import Any

import numpy as np

from blackbox.batch import Batch
from blackbox.errors import require
from blackbox.formulation import Floats
from blackbox.optimizers._replay import Peer, Told


def operators() -> ModuleType:
    """The module that imports pymoo.

    Raises:
        MissingExtraError: pymoo is not installed.
    """
    require("pymoo", "pymoo")
    from blackbox.optimizers.pymoo import _operators

    return _operators


class Generational(Peer):
    """Queues the rows of a generation, collects their results by id, and then breeds the next.

    A failed row is worse than every other. Spare rows, handed out while a generation is incomplete,
    and data from outside wait for the generation to be complete and then compete with it. Where an
    algorithm stops by itself, a fresh one goes on with the next seed.
    """

    _algorithm: Any

    def _start(self) -> None:
        self._runs = 0
        self._outstanding: dict[int, Any] = {}
        self._spares: dict[int, Floats] = {}
        self._extras: list[Any] = []
        self._algorithm = self._fresh()
        self._breed()

    @property
    def batch_size(self) -> int:
        """Rows left of the current generation."""
        return len(self._queue) or len(self._generation)

    @abstractmethod
    def _build(self, seed: int) -> Any:
        """pymoo's algorithm, seeded and not set up."""

    def _spare(self, k: int) -> Floats:
        """(k, width) points beyond the current generation."""
        drawn: Floats = self._algorithm.random_state.random((k, self.problem.space.width))
        return drawn

    def _rate(self, generation: Any) -> None:
        """Finish a generation's outcomes before the algorithm sees them."""

    def _merge(self, extras: Any) -> None:
        """Let results from beyond the generation compete with it."""

    def _constraints(self) -> int:
        """Constraints told to pymoo: one more than the problem's, which failed rows break."""
        return len(self.problem.constraints) + 1

    def _fresh(self) -> Any:
        ops = operators()
        from pymoo.core.termination import NoTermination

        problem = ops.cube_problem(
            self.problem.space, len(self.problem.objectives), self._constraints()
        )
        with ops.quiet():
            algorithm = self._build(self._key + self._runs)
            algorithm.setup(problem, termination=NoTermination())
        return algorithm

    def _breed(self) -> None:
        with operators().quiet():
            stopped = self._algorithm.termination.force_termination
            bred = None if stopped else self._algorithm.infill()
            if bred is None or len(bred) == 0:
                self._runs += 1
                self._algorithm = self._fresh()
                bred = self._algorithm.infill()
        self._generation = bred
        self._queue = deque(bred)

    def _propose(self, ids: range) -> Batch:
        points = np.empty((len(ids), self.problem.space.width))
        queued = min(len(ids), len(self._queue))
        for row in range(queued):
            individual = self._queue.popleft()
            self._outstanding[ids[row]] = individual
            points[row] = individual.X
        if queued < len(ids):
            with operators().quiet():
                points[queued:] = self._spare(len(ids) - queued)
            self._spares.update(zip(ids[queued:], points[queued:], strict=True))
        return self.problem.space.decode(np.clip(points, 0.0, 1.0))

    def _learn(self, told: Told) -> None:
        for i, ok, scores, slack in told.asked_rows():
            if i in self._outstanding:
                self._judge(self._outstanding.pop(i), ok, scores, slack)
                continue
            point = self._spares.pop(i)
            if ok:
                self._extras.append(self._judged(point, scores, slack))
        n = len(told.ids)
        if len(told.outside):
            points = self.problem.space.encode(told.outside)
            for point, scores, slack in zip(points, told.scores[n:], told.slack[n:], strict=True):
                self._extras.append(self._judged(point, scores, slack))
        if not self._queue and not self._outstanding:
            self._advance()

    def _judged(self, point: Floats, scores: Floats, slack: Floats) -> Any:
        from pymoo.core.individual import Individual

        individual = Individual(X=np.array(point))
        self._judge(individual, True, scores, slack)
        return individual

    def _judge(self, individual: Any, ok: bool, scores: Floats, slack: Floats) -> None:
        individual.set("ok", ok)
        individual.F = -scores if ok else np.zeros_like(scores)
        if self._constraints():
            individual.G = np.append(slack, 0.0 if ok else np.inf)
        individual.evaluated.update(("F", "G", "H"))

    def _advance(self) -> None:
        from pymoo.core.population import Population

        with operators().quiet():
            self._rate(self._generation)
            self._algorithm.advance(infills=self._generation)
            if self._extras:
                self._merge(Population.create(*self._extras))
                self._extras = []
        self._breed()
