"""Several rows in each cell, so that one lucky measurement does not hold it for ever."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from blackbox.archives._keeping import entry
from blackbox.archives.base import Added, Archive, Ints
from blackbox.archives.cells import CellArchive
from blackbox.archives.grid import GridArchive
from blackbox.arguments import check_count
from blackbox.batch import Array
from blackbox.errors import ProblemError, StateError
from blackbox.formulation import Floats, Problem
from blackbox.state import State, generator_state, restore_generator


class DeepArchive(Archive):
    """Each cell holds several rows, all of them recent (Flageat & Cully 2020, *ALIFE*).

    Under noise the best of many measurements is a lucky one. Here every row enters its cell; where
    the cell is full it takes the place of a member drawn at random, so that what was lucky is
    forgotten, and solutions stay in proportion to how often their children come back. Parents are
    drawn from a uniform cell, in proportion to their score above the least in that cell.

    The elite of a cell is the best member; ``corrected`` tells what it is really worth.

    Args:
        niches: an archive whose cells are taken as they are now; whatever rows it holds are not.
        depth: most members of a cell.
        seed: seeds the draws of members that make room.

    Raises:
        ProblemError: ``niches`` has no fixed cells, or grows; ``depth`` is no int of at least 2, or
            the seed none of at least 0.
    """

    def __init__(self, niches: Archive, depth: int = 10, *, seed: int = 0) -> None:
        if not isinstance(niches, CellArchive):
            raise ProblemError(f"DeepArchive: niches={niches!r}; give a grid or a CVTArchive")
        arguments = niches.arguments()
        if arguments.get("outside") == "grow":
            raise ProblemError(
                f"DeepArchive: niches={niches!r} grow, and members would lose their cells; give "
                "outside='refuse' or 'clip'"
            )
        if isinstance(niches, GridArchive):
            arguments["cells"] = list(niches.dims)  # of a split grid those there are now
        self._depth = check_count("DeepArchive: depth", depth, 2)
        self._seed = check_count("DeepArchive: seed", seed, 0)
        super().__init__(niches.problem)
        self._niches = niches.build(niches.problem, **arguments)
        self._rng = np.random.default_rng(seed)
        self._members: dict[int, list[int]] = {}  # rows of each filled cell
        self._rows_used = 0

    def arguments(self) -> dict[str, Any]:
        return {"niches": self._niches.spec(), "depth": self._depth, "seed": self._seed}

    @classmethod
    def build(cls, problem: Problem, **arguments: Any) -> Archive:
        return cls(**arguments)

    def like(self, **changes: Any) -> Archive:
        return super().like(niches=self._niches.like(), **changes)

    def __len__(self) -> int:
        return len(self._members)

    @property
    def size(self) -> int:
        return self._niches.size

    # Whoever looks at an archive's cells, as plots and comparisons do, asks for these; the one that
    # the niches lack is lacking here too.
    @property
    def dims(self) -> tuple[int, ...]:
        """Cells along each measure, where the niches are a grid."""
        dims: tuple[int, ...] = getattr(self._niches, "dims")  # noqa: B009
        return dims

    @property
    def centroids(self) -> Floats:
        """(k, m) centroids in the measures' units, where the niches are Voronoi cells."""
        centroids: Floats = getattr(self._niches, "centroids")  # noqa: B009
        return centroids

    @property
    def _order(self) -> Array:
        """The best member of each filled cell, by increasing cell."""
        cells = self._own["cell"]
        order = np.lexsort((-self._own["score"], cells))
        return order[np.flatnonzero(np.diff(cells[order], prepend=-1))]

    def _cell_of(self, measures: Floats) -> Ints:
        return self._niches.cell_of(measures)

    def _filled(self, measures: Floats) -> Ints:
        order, cells = self._order, self._cell_of(measures)
        at = np.minimum(np.searchsorted(self._own["cell"][order], cells), len(order) - 1)
        rows: Ints = order[at]
        return np.where(self._own["cell"][rows] == cells, rows, -1)

    def _draw(self, n: int, rng: np.random.Generator) -> Ints:
        order = np.argsort(self._own["cell"], kind="stable")
        cells, scores = self._own["cell"][order], self._own["score"][order]
        starts = np.flatnonzero(np.diff(cells, prepend=-1))
        counts = np.diff(starts, append=len(cells))
        least = np.repeat(np.minimum.reduceat(scores, starts), counts)
        spread = np.repeat(np.maximum.reduceat(scores, starts), counts) - least
        # Equal members, and the least one, keep a chance.
        weight = np.where(spread > 0, (scores - least) / np.where(spread > 0, spread, 1.0), 1.0)
        total = np.cumsum(weight + 1e-3)
        before = np.concatenate([[0.0], total])[starts]
        chosen = (rng.random(n) * len(starts)).astype(np.int64)
        until = total[starts[chosen] + counts[chosen] - 1]
        at = before[chosen] + rng.random(n) * (until - before[chosen])
        rows: Ints = order[np.minimum(np.searchsorted(total, at, side="right"), len(order) - 1)]
        return rows

    def insert(
        self,
        scores: Floats,
        measures: Floats,
        columns: Mapping[str, Array],
        parents: npt.ArrayLike | None = None,
    ) -> Added:
        n = len(scores)
        cell = self._cell_of(measures)
        finite = np.isfinite(scores)
        self.outside += int(np.count_nonzero(finite & (cell < 0)))
        cell[~finite] = -1
        source = np.flatnonzero(cell >= 0)
        status = np.zeros(n, dtype=np.int8)
        status[source] = [1 if c in self._members else 2 for c in cell[source].tolist()]
        gain = np.where(cell >= 0, scores, np.nan)
        ancestors = np.full(n, -1) if parents is None else np.asarray(parents)
        own = {"cell": cell, "score": scores, "threshold": scores, "measures": measures}
        # Of two rows that take the same place the later one stays.
        place = np.array([self._place(c) for c in cell[source].tolist()], dtype=np.int64)
        _, last = np.unique(place[::-1], return_index=True)
        kept = len(place) - 1 - last
        for table, values in ((self._own, {**own, "parent": ancestors}), (self._table, columns)):
            table.extend(max(len(table), int(place.max(initial=-1)) + 1))
            table.put(place[kept], values, source[kept])
        return Added(status, gain, cell)

    def _place(self, cell: int) -> int:
        """The row that a new member of a cell takes."""
        members = self._members.setdefault(cell, [])
        if len(members) == self._depth:
            return members[int(self._rng.integers(self._depth))]
        members.append(self._rows_used)
        self._rows_used += 1
        return members[-1]

    def merge(self, other: Archive) -> Archive:
        """As ``Archive.merge``: the other's members enter after those of this archive."""
        self._need_same(other)
        merged = self.like()
        for part in (self, other):
            own, table = part._own.columns(), part._table.columns()
            merged.insert(own["score"], own["measures"], table)
        merged.outside = self.outside + other.outside
        return merged

    def state(self) -> State:
        return {**super().state(), "rng": generator_state(self._rng)}

    def _cells_in(self, state: State) -> int:
        most = int(np.unique(state["own"]["cell"], return_counts=True)[1].max(initial=0))
        if most > self._depth:
            raise StateError(
                f"load_state: cells of {most} members given to {self!r} of depth {self._depth}; "
                "build it as it was first built"
            )
        return self.size

    def _restore(self, state: State) -> None:
        restore_generator(self._rng, entry(state, "rng"))  # refuses what is none
        super()._restore(state)

    def _rebuild(self, own: Mapping[str, Array], table: Mapping[str, Array]) -> None:
        n = len(own["cell"])
        self._own.fill(own, n)
        self._table.fill(table, n)
        self._members, self._rows_used = {}, n
        for row, cell in enumerate(own["cell"].tolist()):
            self._members.setdefault(cell, []).append(row)
