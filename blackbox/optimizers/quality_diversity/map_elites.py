"""MAP-Elites: the best row found in each cell of the space of measures."""

from __future__ import annotations

from collections.abc import Sequence

from blackbox.archives import Archive, CVTArchive, GridArchive
from blackbox.archives._placing import worth_compiling
from blackbox.batch import Batch
from blackbox.errors import ProblemError
from blackbox.formulation import Problem
from blackbox.optimizer import Optimizer, Supports
from blackbox.optimizers.quality_diversity._lineage import Lineage
from blackbox.optimizers.quality_diversity._start import Start
from blackbox.optimizers.quality_diversity.constraints import add_infeasible
from blackbox.optimizers.quality_diversity.variation import Variation
from blackbox.state import State

_DEFAULT = Variation()


class MapElites(Optimizer):
    """Illuminates a space of measures (Mouret & Clune 2015, arXiv 1504.04909).

    An archive keeps the best row of each cell. After the first rows each proposal is a child of two
    uniform elites; it enters if its cell is empty or holds less. Any parameter can vary: see
    ``Variation``. A row that failed costs no other.

    Under constraints an archive of infeasible rows stands beside that of the elites; it prefers
    rows that break fewer constraints by less, and gives half of the parents (feasible-infeasible
    two-population search: Kimbrough et al. 2008). Elites are feasible.

    Args:
        problem: measures, and an objective (or none, to fill the cells alone); any parameters.
        cells: cells along each measure for a grid, a number of cells for a Voronoi tessellation, or
            an archive, which is filled where it stands. By default 100 along each of one or two
            measures, else 10 000 Voronoi cells.
        batch_size: rows that ``ask()`` gives.
        n_init: first rows, which are not varied; rows told from outside count. By default a batch,
            and 100 at least.
        init: optimizer of the same problem that proposes the first rows; by default uniform draws.
        variation: how children are made.
        splits: rows told after which each cell of a grid is divided into two along each measure, as
            in all experiments of the paper, such as ``(10_000, 40_000)``.
        seed: seeds the optimizer's only generator.

    Raises:
        UnsupportedError: the problem has no measures, or several objectives.
        ProblemError: an argument is out of range, or ``init`` was built for another problem.
    """

    supports = Supports(objectives=(0, 1), constraints=True, linear=True, measures=True)

    def __init__(
        self,
        problem: Problem,
        *,
        cells: int | Sequence[int] | Archive | None = None,
        batch_size: int = 100,
        n_init: int | None = None,
        init: Optimizer | None = None,
        variation: Variation = _DEFAULT,
        splits: Sequence[int] = (),
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, seed=seed)
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ProblemError(f"MapElites: batch_size={batch_size!r} must be a positive int")
        self.archive = archive_of(problem, cells)
        if splits and not isinstance(self.archive, GridArchive):
            raise ProblemError(f"MapElites: splits={splits!r} need a grid; give cells for one")
        self._splits = [int(s) for s in splits]
        if self._splits != sorted(self._splits):
            raise ProblemError(f"MapElites: splits={splits!r} must increase")
        self._batch_size = batch_size
        self._variation = variation
        self._start = Start(self, init, max(batch_size, 100) if n_init is None else n_init)
        self._infeasible = self.archive.like() if problem.constraints else None
        self._lineage = Lineage()
        self._told = 0

    @property
    def batch_size(self) -> int:
        return self._batch_size

    def _ask(self, n: int) -> Batch:
        rows = self._start.ask(n)
        parts = [rows] if len(rows) else []
        asked = self.asked + len(rows)
        for archive, share in self._shares(n - len(rows)):
            parts.append(self._children(archive, share, asked))
            asked += share
        return Batch.concat(parts)

    def _shares(self, n: int) -> list[tuple[Archive, int]]:
        """The archives that give parents, and how many children each."""
        filled = [a for a in (self.archive, self._infeasible) if a is not None and len(a)]
        if len(filled) < 2:
            return [((filled or [self.archive])[0], n)] if n else []
        first = int(self.rng.binomial(n, 0.5))
        return [(a, share) for a, share in zip(filled, (first, n - first), strict=True) if share]

    def _children(self, archive: Archive, n: int, asked: int) -> Batch:
        """n children, whose ids begin with ``asked``; uniform draws while there are no elites."""
        space = self.problem.space
        if not len(archive):
            return space.draw(n, self.rng)
        first, second = archive.draw(n, self.rng), archive.draw(n, self.rng)
        self._lineage.add(asked, archive.column("id")[first])
        columns = {name: archive.column(name) for name in space.names}
        return self._variation.children(
            space, columns, first, second, self.rng, compiled=worth_compiling(asked)
        )

    def _tell(self, batch: Batch) -> None:
        self._start.tell(batch)
        self.archive.add(batch, self._lineage.take(batch["id"]))
        if self._infeasible is not None:
            add_infeasible(self._infeasible, batch)
        self._told += len(batch)
        while self._splits and self._told >= self._splits[0]:
            del self._splits[0]
            self._split()

    def _split(self) -> None:
        for archive in (self.archive, self._infeasible):
            if isinstance(archive, GridArchive):
                archive.split()

    def _state(self) -> State:
        infeasible = {} if self._infeasible is None else self._infeasible.state()
        return {
            "archive": self.archive.state(),
            "infeasible": infeasible,
            "start": self._start.state(),
            "lineage": self._lineage.state(),
            "told": self._told,
            "splits": list(self._splits),
        }

    def _load_state(self, state: State) -> None:
        self.archive.load_state(state["archive"])
        if self._infeasible is not None:
            self._infeasible.load_state(state["infeasible"])
        self._start.load(state["start"])
        self._lineage.load(state["lineage"])
        self._told = int(state["told"])
        self._splits = [int(s) for s in state["splits"]]


def archive_of(problem: Problem, cells: int | Sequence[int] | Archive | None) -> Archive:
    """The archive that ``cells`` stands for.

    Args:
        problem: declares the measures.
        cells: cells along each measure for a grid; their number for a Voronoi tessellation; an
            archive of the same problem; None for 100 along each of at most two measures, else
            10 000 Voronoi cells.

    Raises:
        UnsupportedError: the problem has no measures.
        ProblemError: cells are no such thing.
    """
    if isinstance(cells, Archive):
        if cells.problem.spec() != problem.spec():
            raise ProblemError(f"cells={cells!r} is of another problem; build it for this one")
        return cells
    if cells is None:
        cells = 10_000 if len(problem.measures) > 2 else [100] * len(problem.measures)
    if isinstance(cells, int):
        return CVTArchive(problem, cells)
    return GridArchive(problem, cells)
