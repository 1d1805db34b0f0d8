"""What optimizers share that vary elites of an archive."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

from blackbox.archives import Archive, CVTArchive, GridArchive
from blackbox.archives._placing import worth_compiling
from blackbox.arguments import check_count
from blackbox.batch import Batch
from blackbox.errors import ProblemError
from blackbox.formulation import Problem, need_problem
from blackbox.optimizer import Optimizer, Supports
from blackbox.optimizers.quality_diversity._lineage import Lineage
from blackbox.optimizers.quality_diversity._start import Start
from blackbox.optimizers.quality_diversity.constraints import add_infeasible, infeasible_archive
from blackbox.optimizers.quality_diversity.variation import Variation
from blackbox.state import State

DEFAULT = Variation()


class ElitesOptimizer(Optimizer):
    """First rows, then children of elites; every row told is shown to the archive.

    Under constraints an archive of infeasible rows stands beside that of the elites; it prefers
    rows that break fewer constraints by less, and gives half of the parents (feasible-infeasible
    two-population search: Kimbrough et al. 2008). Elites are feasible.

    Args:
        problem: the problem.
        archive: where elites are kept.
        batch_size: rows that ``ask()`` gives.
        n_init: first rows, which are not varied; by default a batch, and 100 at least.
        init: proposes the first rows; None for uniform draws.
        variation: how children are made.
        seed: seeds the optimizer's only generator.
    """

    supports = Supports(objectives=(0, 1), constraints=True, linear=True, measures=True)

    def __init__(
        self,
        problem: Problem,
        archive: Archive,
        *,
        batch_size: int,
        n_init: int | None,
        init: Optimizer | None,
        variation: Variation,
        seed: int | None,
    ) -> None:
        super().__init__(problem, seed=seed)
        name = type(self).__name__
        self._batch_size = check_count(f"{name}: batch_size", batch_size, 1)
        need_variation(name, variation)
        self.archive = archive
        self._variation = variation
        self._start = Start(self, init, max(self._batch_size, 100) if n_init is None else n_init)
        self._infeasible = infeasible_archive(archive) if problem.constraints else None
        self._lineage = Lineage()

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

    @property
    def _varied(self) -> Archive:
        """Where feasible parents come from."""
        return self.archive

    def _shares(self, n: int) -> list[tuple[Archive, int]]:
        """The archives that give parents, and how many children each."""
        elites, others = self._varied, self._infeasible
        if others is None or not len(others):
            shares = [(elites, n)]
        elif not len(elites):
            shares = [(others, n)]
        else:
            first = int(self.rng.binomial(n, 0.5))
            shares = [(elites, first), (others, n - first)]
        return [(archive, share) for archive, share in shares if share]

    def _children(self, archive: Archive, n: int, asked: int) -> Batch:
        """n children, whose ids begin with ``asked``; uniform draws while there are no elites."""
        space = self.problem.space
        if not len(archive):
            return space.draw(n, self.rng)
        first, second = archive.draw(2 * n, self.rng).reshape(2, n)
        self._lineage.add(asked, archive.column("id")[first])
        columns = {name: archive.column(name) for name in space.names}
        return self._variation.children(
            space, columns, first, second, self.rng, compiled=worth_compiling(asked)
        )

    def _tell(self, batch: Batch) -> None:
        self._start.tell(batch)
        self.archive.learn(batch, self._lineage.take(batch["id"]))
        if self._infeasible is not None:
            add_infeasible(self._infeasible, batch)

    def _state(self) -> State:
        infeasible = {} if self._infeasible is None else self._infeasible.state()
        return {
            "archive": self.archive.state(),
            "infeasible": infeasible,
            "start": self._start.state(),
            "lineage": self._lineage.state(),
        }

    def _load_state(self, state: State) -> None:
        self.archive.load_state(state["archive"])
        if self._infeasible is not None:
            self._infeasible.load_state(state["infeasible"])
        self._start.load(state["start"])
        self._lineage.load(state["lineage"])


def need_variation(owner: str, variation: object) -> None:
    """Refuse what makes no children.

    Raises:
        ProblemError: it is no ``Variation``.
    """
    if not isinstance(variation, Variation):
        raise ProblemError(f"{owner}: variation={variation!r}; give a Variation")


def begun(problem: Problem, cells: int | Sequence[int] | Archive | None) -> Archive:
    """The archive that an optimizer fills, of whose elites none has an id among its rows.

    Raises:
        UnsupportedError, ProblemError: as ``archive_of``.
    """
    archive = archive_of(problem, cells)
    archive.forget_ids()
    return archive


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
    need_problem(problem)
    if isinstance(cells, Archive):
        if cells.problem.spec() != problem.spec():
            raise ProblemError(f"cells={cells!r} is of another problem; build it for this one")
        return cells
    if cells is None:
        cells = 10_000 if len(problem.measures) > 2 else [100] * len(problem.measures)
    if isinstance(cells, Integral):
        return CVTArchive(problem, cells)
    return GridArchive(problem, cells)
