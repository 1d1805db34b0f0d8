"""MAP-Elites: the best row found in each cell of the space of measures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from blackbox.archives import Archive, GridArchive
from blackbox.arguments import is_whole
from blackbox.batch import Batch
from blackbox.errors import ProblemError
from blackbox.formulation import Problem
from blackbox.optimizer import Optimizer
from blackbox.optimizers.quality_diversity._elites import DEFAULT, ElitesOptimizer, begun
from blackbox.optimizers.quality_diversity.variation import Variation
from blackbox.state import State


class MapElites(ElitesOptimizer):
    """Illuminates a space of measures (Mouret & Clune 2015, arXiv 1504.04909).

    An archive keeps the best row of each cell. After the first rows each proposal is a child of two
    uniform elites; it enters if its cell is empty or holds less. Any parameter can vary: see
    ``Variation``. A row that failed costs no other.

    Under constraints elites are feasible, and an archive of infeasible rows that come near gives
    half of the parents.

    Args:
        problem: measures, and an objective (or none, to fill the cells alone); any parameters.
        cells: cells along each measure for a grid, a number of cells for a Voronoi tessellation, or
            an archive, which is filled where it stands; whoever resumes gives it with the elites
            it had at first. By default 100 along each of one or two measures, else 10 000 Voronoi
            cells.
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
        ProblemError: an argument is out of range, ``init`` was built for another problem, or a grid
            has more cells than memory once it is split.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        cells: int | Sequence[int] | Archive | None = None,
        batch_size: int = 100,
        n_init: int | None = None,
        init: Optimizer | None = None,
        variation: Variation = DEFAULT,
        splits: Sequence[int] = (),
        seed: int | None = None,
    ) -> None:
        super().__init__(
            problem,
            begun(problem, cells),
            batch_size=batch_size,
            n_init=n_init,
            init=init,
            variation=variation,
            seed=seed,
        )
        listed = list(splits) if isinstance(splits, Iterable) else [splits]
        if not all(is_whole(s, 1) for s in listed):
            raise ProblemError(f"MapElites: splits={splits!r}; give positive ints")
        if listed and not isinstance(self.archive, GridArchive):
            raise ProblemError(f"MapElites: splits={splits!r} need a grid; give cells for one")
        self._splits = [int(s) for s in listed]
        if self._splits != sorted(self._splits):
            raise ProblemError(f"MapElites: splits={splits!r} must increase")
        if self._splits and isinstance(self.archive, GridArchive):
            # More cells than memory in the end are refused now.
            self.archive.like().split(2 ** len(self._splits))
        self._told = 0

    def _tell(self, batch: Batch) -> None:
        super()._tell(batch)
        self._told += len(batch)
        while self._splits and self._told >= self._splits[0]:
            del self._splits[0]
            for archive in (self.archive, self._infeasible):
                if isinstance(archive, GridArchive):
                    archive.split()

    def _state(self) -> State:
        return {**super()._state(), "told": self._told, "splits": list(self._splits)}

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        self._told = int(state["told"])
        self._splits = [int(s) for s in state["splits"]]
