"""A Pareto front in each cell of the space of measures."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from blackbox.archives._fronts import Ints, Place, compiled, place
from blackbox.archives._rows import Rows
from blackbox.archives.base import Added, Archive
from blackbox.batch import Array, Batch
from blackbox.errors import BatchError, ProblemError, StateError
from blackbox.formulation import Floats, Problem, missing, no_inputs
from blackbox.state import State

# Rows after which the compiled loop is used: its start would be all the cost of a short run.
_MANY = 5_000


class FrontArchive:
    """The best compromises between several objectives in each cell.

    A row enters the front of its cell unless a member is at least as good in every objective, and
    drives out those it dominates (Pierrot et al. 2022, *Multi-Objective Quality Diversity
    Optimization*). Where a front is full the member in the most crowded place makes room
    (Janmohamed, Pierrot and Cully 2023), so its ends are kept.

    Args:
        niches: an archive whose cells are taken; whatever rows it holds are not.
        front: most members of a front.

    Raises:
        ProblemError: ``front`` is no int of at least 2, the problem has no objectives, or there
            are more cells than memory.
    """

    def __init__(self, niches: Archive, front: int = 20) -> None:
        problem = niches.problem
        if isinstance(front, bool) or not isinstance(front, int) or front < 2:
            raise ProblemError(f"FrontArchive: front={front!r} must be an int of at least 2")
        if not problem.objectives:
            raise ProblemError(f"FrontArchive: {problem.name} has no objectives; declare some")
        self.problem: Problem = problem
        self.front = front
        self.low, self.high, self.size = niches.low, niches.high, niches.size
        self._niches = niches
        self._compiles = find_spec("numba") is not None
        ids = np.zeros(0, dtype=np.int64)
        inputs = no_inputs(problem).columns()
        self._table = Rows({"id": ids, **inputs, **missing(problem, 0)})
        self._own = Rows({"parent": ids, "measures": np.zeros((0, len(self.low)))})
        self._clear()

    def _clear(self) -> None:
        """Forget every member."""
        shape = (self.size, self.front + 1)  # one place more than members, to work in
        try:
            self._values = np.zeros((*shape, len(self.problem.objectives)))
            self._members = np.zeros(shape, dtype=np.int64)
        except (MemoryError, ValueError):
            raise ProblemError(
                f"FrontArchive: fronts of {self.front} in {self.size} cells are more than memory; "
                "take fewer cells or a smaller front"
            ) from None
        self._count = np.zeros(self.size, dtype=np.int64)
        self._free = np.zeros(0, dtype=np.int64)
        self._seen = 0
        self._table.n = self._own.n = 0

    def __len__(self) -> int:
        return int(self._count.sum())

    @property
    def coverage(self) -> float:
        """Share of cells that are filled."""
        return float(np.count_nonzero(self._count) / self.size)

    @property
    def elites(self) -> Batch:
        """Members of all fronts by increasing cell: ``id``, the inputs, every outcome."""
        return self._rows(self._order)

    @property
    def cells(self) -> Ints:
        """(k,) cell of each member."""
        filled = np.flatnonzero(self._count)
        return np.repeat(filled, self._count[filled])

    @property
    def scores(self) -> Floats:
        """(k, m) scores of the members, larger is better."""
        return self._values[self._places]

    @property
    def measures(self) -> Floats:
        """(k, d) measures of the members."""
        return self._own["measures"][self._order]

    @property
    def parents(self) -> Ints:
        """(k,) id of the row that each was varied from, -1 where it has no parent."""
        return self._own["parent"][self._order]

    @property
    def _places(self) -> tuple[Ints, Ints]:
        """Cell, and place in its front, of every member."""
        cells = self.cells
        counts = self._count[self._count > 0]
        return cells, np.arange(len(cells)) - np.repeat(np.cumsum(counts) - counts, counts)

    @property
    def _order(self) -> Ints:
        return self._members[self._places]

    def cell_of(self, measures: npt.ArrayLike) -> Ints:
        """(n,) cells of (n, d) measures; -1 where there is none."""
        return self._niches.cell_of(measures)

    def sample(self, n: int, rng: np.random.Generator) -> Batch:
        """n members with replacement: uniform among cells, then within the front.

        Raises:
            BatchError: no members yet.
        """
        return self._rows(self.draw(n, rng))

    def draw(self, n: int, rng: np.random.Generator) -> Ints:
        """(n,) positions in ``column`` of members drawn as ``sample`` does.

        Raises:
            BatchError: no members yet.
        """
        filled = np.flatnonzero(self._count)
        if not len(filled):
            raise BatchError("sample: the archive is empty; tell some rows first")
        cells = filled[rng.integers(len(filled), size=n)]
        return self._members[cells, (rng.random(n) * self._count[cells]).astype(np.int64)]

    def column(self, name: str) -> Array:
        """(r, ...) ``id``, an input or an outcome by position; among them are former members.

        A view for looking at fast, not for keeping: the next insertion may change it.
        """
        return self._table[name]

    def _rows(self, rows: Ints) -> Batch:
        return Batch.of({name: self._table[name][rows] for name in self._table.arrays}, len(rows))

    def add(self, batch: Batch, parents: npt.ArrayLike | None = None) -> Added:
        """Take the rows that belong to the fronts of their cells, one after another.

        A row that failed (``ok`` False, or an outcome that is not finite) or breaks a constraint is
        refused and costs no other.

        Args:
            batch: (n) rows with valid inputs and every outcome; ``id`` and ``ok`` if they have any.
            parents: (n,) ids of the rows that they were varied from, -1 for none.

        Returns:
            Status 1 for a row that is in its front after the batch, 2 where the cell was empty
            before, else 0. The gain is 1 or 0 accordingly, NaN for a row without a cell.

        Raises:
            BatchError: a column is missing.
        """
        if "id" not in batch:
            batch = batch.with_columns(id=np.full(len(batch), -1))
        columns = batch.select(self._table.arrays).columns()
        scores = self.problem.scores(batch)
        if "ok" in batch or self.problem.constraints:
            scores[~self.problem.feasible(batch)] = np.nan
        measures = np.column_stack([columns[m.name] for m in self.problem.measures])
        return self.insert(scores, measures, columns, parents)

    def insert(
        self,
        scores: Floats,
        measures: Floats,
        columns: Mapping[str, Array],
        parents: npt.ArrayLike | None = None,
    ) -> Added:
        """The fast way in: ``add`` without checks.

        Args:
            scores: (n, m) scores, larger is better; a row with one that is not finite is refused.
            measures: (n, d) measures.
            columns: ``id``, the inputs and every outcome, each (n, ...) in its canonical type.
            parents: (n,) ids of parents, -1 for none.
        """
        cells = self._niches.cell_of(measures)
        cells[~np.isfinite(scores).all(axis=1)] = -1
        touched = np.unique(cells[cells >= 0])
        empty = self._count[cells] == 0
        before = self._members[touched][self._inside(touched)]
        self._seen += len(cells)
        run: Place = compiled() if self._compiles and self._seen >= _MANY else place
        run(cells, scores, self._values, self._members, self._count)
        inside = self._inside(touched)
        members = self._members[touched]
        fresh = inside & (members < -1)
        winners = -2 - members[fresh]
        rows = self._room(len(winners), np.setdiff1d(before, members[inside & ~fresh]))
        members[fresh] = rows
        self._members[touched] = members
        self._table.put(rows, {name: columns[name] for name in self._table.arrays}, winners)
        ancestors = np.full(len(cells), -1) if parents is None else np.asarray(parents)
        self._own.put(rows, {"parent": ancestors, "measures": measures}, winners)
        status = np.zeros(len(cells), dtype=np.int8)
        status[winners] = np.where(empty[winners], 2, 1)
        return Added(status, np.where(cells < 0, np.nan, status > 0), cells)

    def _inside(self, cells: Ints) -> npt.NDArray[np.bool_]:
        """(c, F + 1) which places of some cells' fronts hold a member."""
        return np.arange(self.front + 1) < self._count[cells, None]

    def _room(self, n: int, left: Ints) -> Ints:
        """n rows of the tables that no member is in; those of members that left come first."""
        free = np.concatenate([left, self._free])
        self._free = free[n:]
        missing_rows = max(0, n - len(free))
        first = len(self._table)
        for table in (self._table, self._own):
            table.extend(first + missing_rows)
        return np.concatenate([free[:n], np.arange(first, first + missing_rows)])

    def merge(self, other: FrontArchive) -> FrontArchive:
        """A new archive with the fronts of both, cut to their size where they are larger.

        Raises:
            ProblemError: the other is of another shape.
        """
        same = np.array_equal(self.low, other.low) and np.array_equal(self.high, other.high)
        if not same or (self.size, self.front) != (other.size, other.front):
            raise ProblemError(f"merge: {self!r} and {other!r} differ in cells, ranges or front")
        merged = FrontArchive(self._niches, self.front)
        for archive in (self, other):
            merged.add(archive.elites, archive.parents)
        return merged

    def state(self) -> State:
        """What ``load_state`` needs in an archive that was built the same way."""
        return {
            "elites": self.elites.columns(),
            "parents": self.parents,
            "count": self._count.copy(),
            "seen": self._seen,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state`` was taken.

        Raises:
            StateError: it was taken from an archive of another shape.
        """
        count = np.asarray(state["count"])
        if len(count) != self.size or count.max(initial=0) > self.front:
            raise StateError(
                f"load_state: {len(count)} cells with fronts of {count.max(initial=0)} given to "
                f"{self!r}; build it as it was first built"
            )
        self._clear()
        elites = Batch(state["elites"])
        self._count[:], self._seen = count, int(state["seen"])
        self._table.fill(elites.columns(), len(elites))
        measures = np.column_stack([elites[m.name] for m in self.problem.measures])
        self._own.fill({"parent": state["parents"], "measures": measures}, len(elites))
        places = self._places
        self._members[places] = np.arange(len(elites))
        self._values[places] = self.problem.scores(elites)

    def __repr__(self) -> str:
        return f"FrontArchive({self.size} cells, fronts of {self.front}, {len(self)} elites)"
