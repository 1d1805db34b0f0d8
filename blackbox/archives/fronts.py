"""A Pareto front in each cell of the space of measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from blackbox.archives._fronts import Place, compiled, place
from blackbox.archives.base import Added, Archive, Ints
from blackbox.archives.grid import GridArchive
from blackbox.arguments import check_count, is_whole
from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError, StateError
from blackbox.formulation import Floats, Problem
from blackbox.metrics.quality_diversity import moqd_score
from blackbox.state import State

# Rows after which the compiled loop is used: its start would be all the cost of a short run.
_COMPILE_AFTER = 5_000


class FrontArchive(Archive):
    """The best compromises between several objectives in each cell of a grid.

    A row enters the front of its cell unless a member is at least as good in every objective, and
    drives out those it dominates (Pierrot et al. 2022, *Multi-Objective Quality Diversity
    Optimization*). Rows of a batch enter one after another. Where a front is full the member in the
    most crowded place makes room (Janmohamed, Pierrot and Cully 2023, *Improving the Data
    Efficiency of Multi-Objective Quality-Diversity through Gradient Assistance and Crowding
    Exploration*), so its ends are kept.

    Args:
        problem: declares objectives and measures.
        cells: number of cells along each measure, or one number for all.
        front: most members of a front.

    Raises:
        ProblemError: ``front`` is no int of at least 2, or there is more than memory can hold.
    """

    def __init__(
        self, problem: Problem, cells: int | Sequence[int] = 100, *, front: int = 20
    ) -> None:
        super().__init__(problem)
        self.front = check_count("FrontArchive: front", front, 2)
        if not problem.objectives:
            raise ProblemError(f"FrontArchive: {problem.name} declares no objectives; declare some")
        self._grid = GridArchive(problem, cells)
        self._compiles = find_spec("numba") is not None
        self._seen = 0
        self._clear()

    def _clear(self) -> None:
        shape = (self.size, self.front + 1)  # one place more than members, to work in
        try:
            self._values = np.zeros((*shape, len(self.problem.objectives)))
            self._members = np.zeros(shape, dtype=np.int64)  # their rows in the tables
        except (MemoryError, ValueError):
            raise ProblemError(
                f"FrontArchive: fronts of {self.front} in {self.size} cells are more than memory; "
                "take fewer cells or smaller fronts"
            ) from None
        self._count = np.zeros(self.size, dtype=np.int64)

    def arguments(self) -> dict[str, Any]:
        return {"cells": list(self._grid.dims), "front": self.front}

    @property
    def size(self) -> int:
        return self._grid.size

    @property
    def dims(self) -> tuple[int, ...]:
        """Cells along each measure."""
        return self._grid.dims

    @property
    def coverage(self) -> float:
        return float(np.count_nonzero(self._count) / self.size)

    @property
    def scores(self) -> Floats:
        """(k, m) scores of the members, by increasing cell; larger is better."""
        return self.problem.scores(self.elites)

    @property
    def _order(self) -> Ints:
        """Rows of all members by increasing cell, then by place in its front."""
        return self._members[np.nonzero(self._inside(np.arange(self.size)))]

    def moqd_score(self, reference: npt.ArrayLike) -> float:
        """Sum over cells of the hypervolume of their fronts above (m,) reference scores."""
        return moqd_score(self.scores, self.cells, reference)

    def _draw(self, n: int, rng: np.random.Generator) -> Ints:
        """A uniform cell, and of two members there the lonelier.

        So the ends of fronts and their thin places are varied more often (binary tournaments by
        crowding distance, as in NSGA-II: Deb et al. 2002).
        """
        filled = np.flatnonzero(self._count)
        cells = filled[rng.integers(len(filled), size=n)]
        one, other = (rng.random((2, n)) * self._count[cells]).astype(np.int64)
        drawn, at = np.unique(cells, return_inverse=True)
        room = self._crowding(drawn)
        lonelier = np.where(room[at, one] >= room[at, other], one, other)
        return np.asarray(self._members[cells, lonelier])

    def _crowding(self, cells: Ints) -> Floats:
        """(c, F + 1) crowding distances of the members of some cells, infinite for the ends."""
        room = np.zeros((len(cells), self.front + 1))
        absent = ~self._inside(cells)
        for values in np.moveaxis(self._values[cells], 2, 0):
            values[absent] = np.nan  # sorted last
            order = np.argsort(values, axis=1, kind="stable")
            ranked = np.take_along_axis(values, order, axis=1)
            gap = np.full(room.shape, np.inf)
            with np.errstate(over="ignore", invalid="ignore"):  # of scores as large as floats
                span = np.nanmax(ranked, axis=1, keepdims=True) - ranked[:, :1]
                gap[:, 1:-1] = (ranked[:, 2:] - ranked[:, :-2]) / np.maximum(span, 1e-300)
            gap[np.isnan(gap)] = np.inf
            room += np.take_along_axis(gap, np.argsort(order, axis=1), axis=1)
        return room

    def _cell_of(self, measures: Floats) -> Ints:
        return self._grid.cell_of(measures)

    def _filled(self, measures: Floats) -> Ints:
        """Of several members the first."""
        cells = self._cell_of(measures)
        filled = (cells >= 0) & (self._count[cells] > 0)
        return np.where(filled, self._members[cells, 0], -1)

    def insert(
        self,
        scores: Floats,
        measures: Floats,
        columns: Mapping[str, Array],
        parents: npt.ArrayLike | None = None,
    ) -> Added:
        """The fast way in: ``add`` without checks.

        Args:
            scores: (n,); a row where it is not finite is refused. All scores that count are those
                of ``columns``.
            measures: (n, m) measures.
            columns: ``id``, the inputs and every outcome, each (n, ...) in its canonical type.
            parents: (n,) ids of parents, -1 for none.

        Returns:
            Status 1 for a row that is in its front after the batch, 2 where the cell was empty
            before, else 0. The gain is 1 or 0 accordingly, NaN for a row without a cell.
        """
        n = len(scores)
        values = self.problem.scores(Batch.of(dict(columns), n))
        cells = self._cell_of(measures)
        good = np.isfinite(values).all(axis=1) & np.isfinite(scores)
        self.outside += int(np.count_nonzero(good & (cells < 0)))
        cells[~good] = -1
        touched = np.unique(cells[cells >= 0])
        before = self._members[touched][self._inside(touched)]
        empty = self._count[cells] == 0
        self._place(cells, values)
        inside, members = self._inside(touched), self._members[touched]
        fresh = inside & (members < -1)
        winners = -2 - members[fresh]
        left = np.setdiff1d(before, members[inside & ~fresh])
        members[fresh] = rows = self._room(len(winners), left)
        self._members[touched] = members
        ancestors = np.full(n, -1) if parents is None else np.asarray(parents)
        own = {"cell": cells, "parent": ancestors, "score": values[:, 0], "measures": measures}
        self._own.put(rows, {**own, "threshold": values[:, 0]}, winners)
        self._table.put(rows, columns, winners)
        self._close(left[len(winners) :])
        status = np.zeros(n, dtype=np.int8)
        status[winners] = np.where(empty[winners], 2, 1)
        return Added(status, np.where(cells < 0, np.nan, status > 0), cells)

    def _place(self, cells: Ints, values: Floats) -> None:
        self._seen += len(cells)
        fast = self._compiles and self._seen >= _COMPILE_AFTER
        run: Place = compiled() if fast else place
        run(cells, values, self._values, self._members, self._count)

    def _inside(self, cells: Ints) -> npt.NDArray[np.bool_]:
        """(c, F + 1) which places of some cells' fronts hold a member."""
        inside: npt.NDArray[np.bool_] = np.arange(self.front + 1) < self._count[cells, None]
        return inside

    def _room(self, n: int, left: Ints) -> Ints:
        """Rows of the tables for n new members: those of members that left, then further ones."""
        first, more = len(self), max(0, n - len(left))
        self._resize(first + more)
        return np.concatenate([left[:n], np.arange(first, first + more)])

    def _close(self, gaps: Ints) -> None:
        """Move the last rows into rows that nobody is in."""
        n = len(self) - len(gaps)
        last = np.setdiff1d(np.arange(n, len(self)), gaps)
        gaps = gaps[gaps < n]
        for table in (self._own, self._table):
            table.put(gaps, table.arrays, last)
        cells = self._own["cell"][gaps]
        self._members[cells, np.argmax(self._members[cells] == last[:, None], axis=1)] = gaps
        self._resize(n)

    def _resize(self, n: int) -> None:
        self._own.extend(n)
        self._table.extend(n)

    def merge(self, other: Archive) -> Archive:
        """A new archive with the fronts of both, cut to their size where they are larger.

        Ids are kept and parents forgotten, as in ``Archive.merge``.

        Raises:
            ProblemError: the other archive is of another kind, problem or shape.
        """
        self._need_same(other)
        merged = FrontArchive(self.problem, **self.arguments())
        for part in (self, other):
            merged.add(part.elites)
        merged.outside = self.outside + other.outside
        return merged

    def state(self) -> State:
        order = self._order  # by place, so that the fronts come back as they were
        tables = {"own": self._own, "table": self._table}
        rows = {k: {name: c[order] for name, c in t.arrays.items()} for k, t in tables.items()}
        return {**super().state(), **rows, "size": self.size}

    def _cells_in(self, state: State) -> int:
        most = int(np.unique(state["own"]["cell"], return_counts=True)[1].max(initial=0))
        size = state.get("size")
        if not is_whole(size, 1) or size != self.size or most > self.front:
            raise StateError(
                f"load_state: {size!r} cells with fronts of {most} given to {self!r} "
                f"with fronts of {self.front}; build it as it was first built"
            )
        return self.size

    def _rebuild(self, own: Mapping[str, Array], table: Mapping[str, Array]) -> None:
        n = len(own["cell"])
        self._own.fill(own, n)
        self._table.fill(table, n)
        self._clear()
        order = np.argsort(own["cell"], kind="stable")
        self._count = np.bincount(own["cell"], minlength=self.size).astype(np.int64)
        places = np.nonzero(self._inside(np.arange(self.size)))
        self._members[places] = order
        self._values[places] = self.problem.scores(self._at(order))
