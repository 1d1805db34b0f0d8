"""MOME: a Pareto front in each cell of the space of measures."""

from __future__ import annotations

import math
from collections.abc import Sequence

from blackbox.archives import FrontArchive
from blackbox.archives._placing import worth_compiling
from blackbox.batch import Batch
from blackbox.errors import ProblemError
from blackbox.formulation import Problem
from blackbox.optimizer import Optimizer, Supports
from blackbox.optimizers.quality_diversity._lineage import Lineage
from blackbox.optimizers.quality_diversity._start import Start
from blackbox.optimizers.quality_diversity.variation import Variation
from blackbox.state import State

_DEFAULT = Variation()


class MOME(Optimizer):
    """Multi-objective MAP-Elites (Pierrot et al. 2022, arXiv 2202.03057).

    MAP-Elites whose cells hold the best compromises between several objectives instead of one
    elite: ``archive`` is a ``FrontArchive``. Each proposal is a child of two members, drawn
    uniformly among cells and then within their fronts. Rows that fail or break a constraint enter
    no front and cost no other.

    Args:
        problem: two objectives or more, and measures; any parameters.
        cells: of the grid along each measure, such as ``(50, 50)``; by default 32 along each.
        front: most members of a cell's front.
        batch_size: rows that ``ask()`` gives.
        n_init: first rows, which are not varied; rows told from outside count. By default a batch,
            and 100 at least.
        init: optimizer of the same problem that proposes the first rows; by default uniform draws.
        variation: how children are made.
        seed: seeds the optimizer's only generator.

    Raises:
        UnsupportedError: the problem has fewer than two objectives, or no measures.
        ProblemError: an argument is out of range, or ``init`` was built for another problem.
    """

    supports = Supports(objectives=(2, math.inf), constraints=True, linear=True, measures=True)

    def __init__(
        self,
        problem: Problem,
        *,
        cells: Sequence[int] | None = None,
        front: int = 20,
        batch_size: int = 100,
        n_init: int | None = None,
        init: Optimizer | None = None,
        variation: Variation = _DEFAULT,
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, seed=seed)
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ProblemError(f"MOME: batch_size={batch_size!r} must be a positive int")
        if isinstance(cells, int):
            raise ProblemError(f"MOME: cells={cells!r}; give their number along each measure")
        #: The fronts of everything told so far.
        self.archive = FrontArchive(problem, 32 if cells is None else cells, front=front)
        self._batch_size = batch_size
        self._variation = variation
        self._start = Start(self, init, max(batch_size, 100) if n_init is None else n_init)
        self._lineage = Lineage()

    @property
    def batch_size(self) -> int:
        return self._batch_size

    def _ask(self, n: int) -> Batch:
        rows = self._start.ask(n)
        if len(rows) == n:
            return rows
        children = self._children(n - len(rows), self.asked + len(rows))
        return Batch.concat([rows, children]) if len(rows) else children

    def _children(self, n: int, first_id: int) -> Batch:
        """n children; uniform draws while there are no elites."""
        space, archive = self.problem.space, self.archive
        if not len(archive):
            return space.draw(n, self.rng)
        first, second = archive.draw(n, self.rng), archive.draw(n, self.rng)
        self._lineage.add(first_id, archive.column("id")[first])
        return self._variation.children(
            space,
            {name: archive.column(name) for name in space.names},
            first,
            second,
            self.rng,
            compiled=worth_compiling(first_id),
        )

    def _tell(self, batch: Batch) -> None:
        self._start.tell(batch)
        self.archive.add(batch, self._lineage.take(batch["id"]))

    def _state(self) -> State:
        return {
            "archive": self.archive.state(),
            "start": self._start.state(),
            "lineage": self._lineage.state(),
        }

    def _load_state(self, state: State) -> None:
        self.archive.load_state(state["archive"])
        self._start.load(state["start"])
        self._lineage.load(state["lineage"])
