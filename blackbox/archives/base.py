"""What every archive is: the best row found in each cell of the space of measures."""

from __future__ import annotations

import math
import os
from abc import abstractmethod
from collections.abc import Mapping
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from blackbox.archives._placing import Placed, place
from blackbox.archives.elites import Elites, Ints
from blackbox.batch import Array, Batch
from blackbox.errors import BatchError, ProblemError, StateError
from blackbox.formulation import Floats, Problem
from blackbox.state import State, load, pack, save, unpack

_SCHEMA = 1
#: Rows after which compiled loops are used: their start would be all the cost of a short run.
COMPILE_AFTER = 20_000


class Added(NamedTuple):
    """What became of n rows, each against the archive as it was before them.

    Attributes:
        status: (n,) int8: 0 refused, 1 above the threshold of a filled cell, 2 of an empty one. Of
            several rows for one cell the best is kept, the first of equals.
        gain: (n,) score above the cell's threshold (above 0 in an empty cell that has none); NaN
            for a row that failed or has no cell.
        cell: (n,) int64 cell, -1 for a row that failed or has none.
    """

    status: npt.NDArray[np.int8]
    gain: Floats
    cell: Ints


class Archive(Elites):
    """The elites of a problem: in each cell of the space of measures the best row found there.

    **Thresholds** (CMA-MAE: Fontaine & Nikolaidis 2023, arXiv 2205.10752). A row is accepted where
    its score is above its cell's threshold. By itself that is the elite's score. With a finite
    ``threshold_min`` it starts there and follows slowly: k accepted rows of mean score f move it
    from t to ``(1-a)^k t + (1 - (1-a)^k) f``, a being the ``learning_rate``. The elite of a cell is
    the best row in either case: what is accepted below it teaches an emitter and replaces nothing.

    Args:
        problem: declares measures; the first objective is the score.
        size: number of cells; an empty one costs four bytes at most.
        learning_rate: from 0 to 1, how fast thresholds follow the scores of accepted rows.
        threshold_min: threshold of an empty cell: rows that score no more are refused. -inf lets
            any row into an empty cell, and needs ``learning_rate=1``.

    Attributes:
        low: (m,) least measures of the range that is divided into cells.
        high: (m,) largest.
        outside: number of rows so far whose measures lay outside that range and were refused.

    Raises:
        ProblemError: no measures, more cells than memory, or an argument out of range.
    """

    def __init__(
        self,
        problem: Problem,
        size: int,
        *,
        learning_rate: float = 1.0,
        threshold_min: float = -math.inf,
    ) -> None:
        super().__init__(problem)
        name = type(self).__name__
        if not 0 <= learning_rate <= 1:
            raise ProblemError(f"{name}: learning_rate={learning_rate!r} must lie in [0, 1]")
        if math.isnan(threshold_min) or threshold_min == math.inf:
            raise ProblemError(f"{name}: threshold_min={threshold_min!r} must be finite or -inf")
        if threshold_min == -math.inf and learning_rate < 1:
            raise ProblemError(
                f"{name}: learning_rate={learning_rate} needs a finite threshold_min; give the "
                "least score worth keeping"
            )
        self.size = size
        self.learning_rate = float(learning_rate)
        self.threshold_min = float(threshold_min)
        self.outside = 0
        self._index = self._no_elites(size)
        self._group_of = np.zeros(0, dtype=np.int64)
        self._seen = 0
        self._loops: ModuleType | None = None
        self._compiles = find_spec("numba") is not None

    def _no_elites(self, size: int) -> npt.NDArray[np.int32]:
        """For each cell 1 + the row of its elite, 0 for none: untouched zeros cost no memory."""
        try:
            return np.zeros(size, dtype=np.int32)
        except (MemoryError, ValueError):
            raise ProblemError(
                f"{type(self).__name__}: {size} cells need {4 * size / 2**30:.3g} GiB, more than "
                "there is; take fewer along each measure, or a CVTArchive"
            ) from None

    @property
    def thresholds(self) -> Floats:
        """(k,) what a row has to beat in each filled cell."""
        return self._own["threshold"][self._order]

    @property
    def coverage(self) -> float:
        """Share of cells that are filled."""
        return len(self) / self.size

    def cell_of(self, measures: npt.ArrayLike) -> Ints:
        """(n,) cells of (n, m) measures; -1 where one is NaN or outside the range.

        Raises:
            BatchError: measures of another shape.
        """
        return self._cell_of(self._shaped(measures))

    def best_near(self, measures: npt.ArrayLike) -> Batch:
        """The elite to use for each of (q, m) wanted measures, or for one of (m,).

        It is the elite of that cell, or, where the cell is empty, the elite whose measures are
        nearest in units of the ranges.

        Raises:
            BatchError: there are no elites yet, or the measures are of another number.
        """
        wanted = self._shaped(np.atleast_2d(np.asarray(measures, dtype=np.float64)))
        self._need_elites("best_near")
        cells = self._cell_of(wanted)
        rows = np.where(cells >= 0, self._index[cells], 0).astype(np.int64) - 1
        empty = rows < 0
        rows[empty] = self.nearest(wanted[empty])
        return self._at(rows)

    def add(self, batch: Batch, parents: npt.ArrayLike | None = None) -> Added:
        """Take the rows that are above their cells' thresholds.

        A row that failed (``ok`` False, or an outcome that is not finite) or breaks a constraint is
        refused and costs no other.

        Args:
            batch: (n) rows with valid inputs and every outcome; ``id`` and ``ok`` if they have any.
            parents: (n,) ids of the rows that they were varied from, -1 for none.

        Raises:
            BatchError: a column is missing or of another width.
        """
        n = len(batch)
        columns = {"id": np.full(n, -1), **batch.columns()}
        for name, array in self._table.arrays.items():
            if name not in columns or columns[name].shape[1:] != array.shape[1:]:
                raise BatchError(
                    f"add: column {name!r} of shape {('n', *array.shape[1:])} is missing; the "
                    f"batch has {batch!r}"
                )
        scores = np.zeros(n)
        if self.problem.objectives:
            scores = self.problem.scores(batch)[:, 0]
        if "ok" in batch or self.problem.constraints:
            scores = np.where(self.problem.feasible(batch), scores, np.nan)
        measures = np.empty((n, len(self.low)))
        for j, m in enumerate(self.problem.measures):
            measures[:, j] = columns[m.name]
        return self.insert(scores, measures, columns, parents)

    def insert(
        self,
        scores: Floats,
        measures: Floats,
        columns: Mapping[str, Array],
        parents: npt.ArrayLike | None = None,
    ) -> Added:
        """The fast way in: ``add`` without checks, with scores of the caller's own.

        Args:
            scores: (n,) scores, larger is better; a row whose score is not finite is refused.
            measures: (n, m) measures.
            columns: ``id``, the inputs and every outcome, each (n, ...) in its canonical type.
            parents: (n,) ids of parents, -1 for none.
        """
        self._seen += len(scores)
        cells = self._cell_of(measures)
        placed = self._placed(cells, scores)
        self.outside += placed.outside
        rows, winner = placed.rows, placed.winner
        if len(rows):
            self._fill_cells(placed, scores)
            if self.threshold_min > -math.inf:
                best = scores[winner] > self._own.arrays["score"][rows]
                rows, winner = rows[best], winner[best]
            parents = np.full(len(scores), -1) if parents is None else np.asarray(parents)
            own = {"cell": cells, "score": scores, "measures": measures, "parent": parents}
            self._own.put(rows, own, winner, self._compiled)
            self._table.put(rows, columns, winner, self._compiled)
        return Added(placed.status, placed.gain, cells)

    @abstractmethod
    def _cell_of(self, measures: Floats) -> Ints:
        """``cell_of`` without a check; a new array."""

    @property
    def _compiled(self) -> ModuleType | None:
        """The compiled loops, None while or where they are not worth it."""
        if self._loops is None and self._compiles and self._seen >= COMPILE_AFTER:
            from blackbox.archives import _compiled

            self._loops = _compiled
        return self._loops

    def _placed(self, cells: Ints, scores: Floats) -> Placed:
        k, n = len(self), len(cells)
        thresholds = self._own.arrays["threshold"]
        arguments = (cells, scores, self._index, thresholds, k, self.threshold_min)
        compiled = self._compiled
        if compiled is None:
            return place(*arguments)
        if len(self._group_of) < k + n:
            self._group_of = np.full(k + n, -1, dtype=np.int64)
        return Placed(*compiled.place(*arguments, self._group_of))

    def _fill_cells(self, placed: Placed, scores: Floats) -> None:
        """Make rows for newly filled cells, and move the thresholds."""
        k, rows = len(self), placed.rows
        if placed.n > k:
            self._own.extend(placed.n)
            self._table.extend(placed.n)
        thresholds = self._own.arrays["threshold"]
        if self.threshold_min == -math.inf:
            thresholds[rows] = scores[placed.winner]
            return
        self._own["score"][k:] = -np.inf
        thresholds[k : placed.n] = self.threshold_min
        stay = (1.0 - self.learning_rate) ** placed.count
        thresholds[rows] = stay * thresholds[rows] + (placed.total / placed.count) * (1 - stay)

    def merge(self, other: Archive) -> Archive:
        """A new archive with the better elite and the higher threshold of each cell.

        Associative, and commutative but for equal scores, of which those of ``self`` are kept.
        Ids and parents stay those that each elite was given by its own optimizer.

        Raises:
            ProblemError: the other archive is of another kind, problem or shape.
        """
        mine, others = (unpack(pack(a._description())) for a in (self, other))
        wrong = [key for key in mine if mine[key] != others.get(key)]
        if wrong:
            raise ProblemError(f"merge: {self!r} and {other!r} differ in {', '.join(wrong)}")
        merged = self._like()
        merged._span(self, other)
        own = self._own.joined(other._own)
        own["cell"] = merged._cell_of(own["measures"])
        merged._rebuild(own, self._table.joined(other._table))
        merged.outside = self.outside + other.outside
        return merged

    def _span(self, one: Archive, other: Archive) -> None:
        """Take on a range that holds those of both."""

    @abstractmethod
    def arguments(self) -> dict[str, Any]:
        """The constructor's keyword arguments, as plain data."""

    def _description(self) -> dict[str, Any]:
        named = {"kind": type(self).__name__, "problem": self.problem.spec()}
        return {**named, "arguments": self.arguments()}

    def _like(self) -> Archive:
        """An empty archive built as this one was."""
        made: Archive = type(self)(self.problem, **self.arguments())
        return made

    def _rebuild(self, own: Mapping[str, Array], table: Mapping[str, Array]) -> None:
        """Fill anew from rows that may share cells: the best and the highest threshold stay."""
        cells = own["cell"]
        order = np.lexsort((-own["score"], cells))
        first = np.flatnonzero(np.diff(cells[order], prepend=-1))
        kept = np.sort(order[first])
        self._own.fill({name: column[kept] for name, column in own.items()}, len(kept))
        self._table.fill({name: column[kept] for name, column in table.items()}, len(kept))
        self._index = self._no_elites(self.size)
        self._index[cells[kept]] = np.arange(1, len(kept) + 1)
        if len(kept):
            highest = np.maximum.reduceat(own["threshold"][order], first)
            self._own["threshold"][self._index[cells[order[first]]] - 1] = highest

    def state(self) -> State:
        """What ``load_state`` needs in an archive that was built the same way."""
        ranges = {"low": self.low.copy(), "high": self.high.copy()}
        rows = {"own": self._own.columns(), "table": self._table.columns()}
        return {"size": self.size, "outside": self.outside, **ranges, **rows}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state`` was taken.

        Raises:
            StateError: it was taken from an archive of another shape or problem.
        """
        if set(state["table"]) != set(self._table.arrays) or state["size"] != self.size:
            raise StateError(
                f"load_state: {state['size']} cells with columns {sorted(state['table'])} given "
                f"to {self!r} with {sorted(self._table.arrays)}; build it as it was first built"
            )
        self.low, self.high = np.array(state["low"]), np.array(state["high"])
        self.outside = int(state["outside"])
        self._rebuild(state["own"], state["table"])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one file, whole or not at all, without pickle. ``Archive.load`` reads it."""
        save({"schema": _SCHEMA, "archive": self._description(), "state": self.state()}, path)

    @staticmethod
    def load(path: str | os.PathLike[str], problem: Problem) -> Archive:
        """The archive that ``save`` wrote, of whichever kind.

        Raises:
            StateError: the file is damaged, of another problem, or of a newer version.
        """
        saved = load(path)
        if saved.get("schema") != _SCHEMA:
            raise StateError(
                f"{os.fspath(path)} has schema {saved.get('schema')!r} where {_SCHEMA} is read: "
                "it is no archive, or one of a newer blackbox"
            )
        told = saved["archive"]
        spec = unpack(pack(problem.spec()))
        wrong = [key for key in spec | told["problem"] if told["problem"].get(key) != spec.get(key)]
        if wrong:
            raise StateError(
                f"{os.fspath(path)} is of another problem than {problem.name}: they differ in "
                f"{', '.join(wrong)}"
            )
        kinds = {kind.__name__: kind for kind in Archive.__subclasses__()}
        archive: Archive = kinds[told["kind"]](problem, **told["arguments"])
        archive.load_state(saved["state"])
        return archive

    def __repr__(self) -> str:
        shape = f"{self.size} cells, {len(self)} elites"
        return f"{type(self).__name__}({shape}, {self.outside} rows outside)"
