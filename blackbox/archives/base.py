"""What every archive is: rows worth keeping, by their measures."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from blackbox.archives import _keeping
from blackbox.archives._rows import Rows, entering, ids
from blackbox.arguments import check_count
from blackbox.batch import Array, Batch, Row, alike
from blackbox.errors import BatchError, ProblemError, UnsupportedError, require
from blackbox.formulation import Floats, Problem, missing, need_problem, no_inputs
from blackbox.metrics.quality_diversity import qd_score
from blackbox.state import State

if TYPE_CHECKING:
    import pandas as pd

Ints = npt.NDArray[np.int64]


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


class Archive(ABC):
    """The elites of a problem: in each cell of the space of measures the best row found there.

    Rows are kept in the user's units, and room is taken for those there are.

    Attributes:
        problem: declares the measures; its first objective is the score.
        low: (m,) least measures of interest.
        high: (m,) largest.
        outside: number of rows so far that were refused because they lay outside that range.
        elites_are_cells: whether there are no cells but the elites, so that a cell's number means
            nothing in another archive.

    Raises:
        UnsupportedError: the problem declares no measures.
        ProblemError: the problem is declared wrongly.
    """

    elites_are_cells: ClassVar[bool] = False

    def __init__(self, problem: Problem) -> None:
        need_problem(problem)
        problem.check()
        if not problem.measures:
            raise UnsupportedError(
                f"{type(self).__name__} cannot take {problem.name}: no measures; declare some"
            )
        self.problem = problem
        self.low = np.array([m.low for m in problem.measures], dtype=np.float64)
        self.high = np.array([m.high for m in problem.measures], dtype=np.float64)
        self.outside = 0
        ids, reals = np.zeros(0, dtype=np.int64), np.zeros(0)
        inputs = no_inputs(problem).columns()
        self._table = Rows({"id": ids, **inputs, **missing(problem, 0)})
        self._layout = {name: array[:0] for name, array in self._table.arrays.items()}
        own = {"cell": ids, "parent": ids, "score": reals, "threshold": reals}
        self._own = Rows({**own, "measures": np.zeros((0, len(self.low)))})

    def __len__(self) -> int:
        return len(self._own)

    @property
    def _order(self) -> Array:
        return np.argsort(self._own["cell"], kind="stable")

    @property
    def elites(self) -> Batch:
        """The elites by increasing cell: ``id``, the inputs, every outcome."""
        return self._at(self._order)

    @property
    def cells(self) -> Ints:
        """(k,) the elites' cells, increasing."""
        return self._own["cell"][self._order]

    @property
    def scores(self) -> Floats:
        """(k,) the elites' scores, larger is better; 0 where the problem has no objective."""
        return self._own["score"][self._order]

    @property
    def measures(self) -> Floats:
        """(k, m) the elites' measures."""
        return self._own["measures"][self._order]

    @property
    def parents(self) -> Ints:
        """(k,) id of the row that each elite was varied from, -1 where none is known."""
        return self._own["parent"][self._order]

    @property
    def best(self) -> Row | None:
        """The elite of the best score as a dict of inputs and outcomes; None if there is none."""
        return self._at(np.array([np.argmax(self._own["score"])]))[0] if len(self) else None

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of cells."""

    @property
    def coverage(self) -> float:
        """Share of cells that are filled."""
        return len(self) / self.size if self.size else 0.0

    def qd_score(self, offset: float = 0.0) -> float:
        """Sum of the elites' scores above ``offset``, the least possible score.

        Raises:
            BatchError: an elite scores less.
        """
        return qd_score(self._own["score"], self._own["cell"], offset=offset)

    def sample(self, n: int, rng: np.random.Generator) -> Batch:
        """n uniform elites, with replacement.

        Raises:
            BatchError: there are no elites yet.
            ProblemError: n is no int of at least 0, or ``rng`` no generator.
        """
        return self._at(self.draw(n, rng))

    def draw(self, n: int, rng: np.random.Generator) -> Ints:
        """(n,) positions in ``column`` of elites drawn at random, uniform but where noted.

        Raises:
            BatchError: there are no elites yet.
            ProblemError: n is no int of at least 0, or ``rng`` no generator.
        """
        n = check_count("sample: n", n, 0)
        if not isinstance(rng, np.random.Generator):
            raise ProblemError(f"sample: rng={rng!r}; give a numpy.random.Generator")
        self._need_elites("sample")
        return self._draw(n, rng)

    def _draw(self, n: int, rng: np.random.Generator) -> Ints:
        """``draw`` without checks."""
        # As uniform as can be for fewer than 2**53 elites, and quicker than ``integers``.
        drawn = rng.random(n)
        drawn *= len(self)
        return drawn.astype(np.int64)

    def column(self, name: str) -> Array:
        """(k, ...) ``id``, an input or an outcome of the elites, in the order of first filling.

        A view for looking at fast, not for keeping: the next insertion may change it.

        Raises:
            BatchError: there is no such column.
        """
        try:
            return self._table[name]
        except (KeyError, TypeError):
            raise BatchError(f"no column {name!r}; the archive has {[*self._layout]}") from None

    def nearest(self, measures: npt.ArrayLike) -> Ints:
        """(q,) positions of the elites nearest to (q, m) measures, in units of the ranges.

        Of equally near ones that of the least cell, however the rows lie in memory.

        Raises:
            BatchError: there are no elites yet, or the measures are NaN or of another shape.
        """
        measures = self._wanted("nearest", measures)
        self._need_elites("nearest")
        order = self._order
        own, wanted = self._unit(self._own["measures"][order]), self._unit(measures)
        least = [np.argmin(((own - at) ** 2).sum(axis=1)) for at in wanted]
        nearest: Ints = order[np.array(least, dtype=int)]
        return nearest

    def best_near(self, measures: npt.ArrayLike) -> Batch:
        """The elite to use for each of (q, m) wanted measures, or for one of (m,).

        It is the elite of that cell, or, where the cell is empty, the elite whose measures are
        nearest in units of the ranges.

        Raises:
            BatchError: there are no elites yet, or the measures are NaN or of another number.
        """
        wanted = self._wanted("best_near", measures, one=True)
        self._need_elites("best_near")
        rows = self._filled(wanted)
        empty = rows < 0
        rows[empty] = self.nearest(wanted[empty])
        return self._at(rows)

    def _filled(self, measures: Floats) -> Ints:
        """(n,) positions of the elites of the cells of (n, m) measures, -1 where there is none."""
        return np.full(len(measures), -1)

    def cell_of(self, measures: npt.ArrayLike) -> Ints:
        """(n,) cells of (n, m) measures; -1 where one is NaN or outside the range.

        Raises:
            BatchError: measures of another shape.
        """
        return self._cell_of(self._shaped(measures))

    @abstractmethod
    def _cell_of(self, measures: Floats) -> Ints:
        """``cell_of`` without a check; a new array."""

    def add(self, batch: Batch, parents: npt.ArrayLike | None = None) -> Added:
        """Take the rows that are above their cells' thresholds.

        A row that failed (``ok`` False, or an objective, measure or constraint that is not finite),
        breaks a constraint or is not at the target fidelity is refused and costs no other.

        Args:
            batch: (n) rows with valid inputs and every outcome; ``id`` and ``ok`` if they have any.
            parents: (n,) ids of the rows that they were varied from, -1 for none.

        Raises:
            BatchError: a column is missing or of another width or type, or parents are no ids or
                of another number. Nothing was added.
        """
        batch = self._judged(entering(batch, self._layout))
        return self.learn(batch, None if parents is None else ids(parents, len(batch)))

    def _judged(self, batch: Batch) -> Batch:
        """The batch with an ``ok`` where a row fails that was not said to."""
        p, good = self.problem, np.ones(len(batch), dtype=bool)
        names = [o.name for o in p.objectives] + [m.name for m in p.measures]
        for name in names + [c.name for c in p.constraints]:
            good &= np.isfinite(batch[name])
        if p.fidelity is not None:
            good &= batch[p.fidelity.name] == p.fidelity.target
        if good.all():
            return batch
        return batch.with_columns(ok=good & batch["ok"] if "ok" in batch else good)

    def learn(self, batch: Batch, parents: Ints | None = None) -> Added:
        """The second half of ``add``: rows that were checked, as an optimizer's ``tell`` has them.

        Args:
            batch: (n) rows with ``id``, inputs and every outcome, each (n, ...) in its canonical
                type; ``ok`` if they have it.
            parents: (n,) ids of the rows that they were varied from, -1 for none.
        """
        n, columns = len(batch), batch.columns()
        scores = self.problem.scores(batch)[:, 0] if self.problem.objectives else np.zeros(n)
        good = columns.get("ok")
        if self.problem.constraints:
            good = self.problem.feasible(batch)
        if good is not None:
            scores = np.where(good, scores, np.nan)
        measures = np.array([columns[m.name] for m in self.problem.measures], dtype=np.float64).T
        return self.insert(scores, measures, columns, parents)

    @abstractmethod
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

    @abstractmethod
    def arguments(self) -> dict[str, Any]:
        """The constructor's keyword arguments, as plain data."""

    def forget_ids(self) -> None:
        """Take every elite for a row from outside: without an id, and without a parent.

        For elites of an earlier run: the next one numbers its rows anew, and would give their ids
        and those of their parents to other rows.
        """
        self._table["id"][:] = -1
        self._own["parent"][:] = -1

    @abstractmethod
    def merge(self, other: Archive) -> Archive:
        """A new archive with the better elite of each cell.

        Each elite keeps the id that its own optimizer gave it. Parents are forgotten: rows of
        several runs share ids, so that a parent's would name the row of another run.

        Raises:
            ProblemError: the other archive is of another kind, problem or shape.
        """

    def spec(self) -> dict[str, Any]:
        """Kind and arguments as a plain dict, for fingerprints."""
        return {"type": type(self).__name__, "arguments": self.arguments()}

    def _kin(self) -> dict[str, Any]:
        """What archives have in common that can be merged."""
        return {"type": type(self).__name__, **self.arguments(), "problem": self.problem.spec()}

    def _need_same(self, other: Archive) -> None:
        if not isinstance(other, Archive):
            raise ProblemError(f"merge: {other!r:.80} is no archive; give one like {self!r}")
        wrong = _keeping.differences(self._kin(), other._kin())
        if wrong:
            raise ProblemError(f"merge: {self!r} and {other!r} differ in {', '.join(wrong)}")

    @classmethod
    def build(cls, problem: Problem, **arguments: Any) -> Archive:
        """An empty archive from its ``arguments()``."""
        return cls(problem, **arguments)

    def like(self, **changes: Any) -> Archive:
        """An empty archive of the same shape, but for some of its ``arguments()``."""
        return self.build(self.problem, **{**self.arguments(), **changes})

    def state(self) -> State:
        """What ``load_state`` needs in an archive that was built the same way."""
        ranges = {"low": self.low.copy(), "high": self.high.copy()}
        rows = {"own": self._own.columns(), "table": self._table.columns()}
        return {"outside": self.outside, **ranges, **rows}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state`` was taken.

        Raises:
            StateError: it is no state, or was taken from an archive of another shape or problem.
                The archive is as it was.
        """
        sound = _keeping.checked(state, self._own.arrays, self._layout)
        _keeping.check_cells(sound["own"]["cell"], self._cells_in(sound))
        self._restore(sound)

    def _cells_in(self, state: State) -> int:
        """Number of cells of the archive that a state was taken from.

        Raises:
            StateError: this archive cannot go on from there.
        """
        return self.size

    def _restore(self, state: State) -> None:
        """Take a state that is sound."""
        self.low, self.high = np.array(state["low"]), np.array(state["high"])
        self.outside = int(state["outside"])
        self._rebuild(state["own"], state["table"])

    @abstractmethod
    def _rebuild(self, own: Mapping[str, Array], table: Mapping[str, Array]) -> None:
        """Fill anew from rows that may share cells."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one file, whole or not at all, without pickle. ``Archive.load`` reads it.

        Raises:
            StateError: it cannot be written there.
        """
        made = {"problem": self.problem.spec(), "archive": self.spec(), "state": self.state()}
        _keeping.write(made, path)

    @staticmethod
    def load(path: str | os.PathLike[str], problem: Problem) -> Archive:
        """The archive that ``save`` wrote, of whichever kind.

        Raises:
            StateError: there is no such file, or it is damaged, of another problem, or of a newer
                version.
        """
        need_problem(problem)
        saved = _keeping.read(path, problem)
        archive: Archive = _keeping.built(Archive, problem, saved["archive"])
        archive.load_state(saved["state"])
        return archive

    def to_dataframe(self) -> pd.DataFrame:
        """The elites as a pandas table, with ``cell`` and ``parent``.

        Raises:
            MissingExtraError: pandas is not installed (extra ``data``).
        """
        elites = self.elites
        own = {"cell": self.cells, "parent": self.parents}
        extra = {name: values for name, values in own.items() if name not in elites}
        return elites.with_columns(**extra).to_dataframe(self.problem.labels)

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write ``to_dataframe`` to a Parquet file; mixed int and float become float, else text.

        Raises:
            StateError: the path names no file.
            MissingExtraError: pandas or pyarrow is not installed (extra ``data``).
        """
        _keeping.check_path("to_parquet", path)
        require("pyarrow", "data")
        frame = self.to_dataframe()
        for name, column in frame.items():
            if column.dtype == object:
                frame[name] = alike(column.where(column.notna(), None).tolist())
        frame.to_parquet(path)

    def _need_elites(self, what: str) -> None:
        if not len(self):
            raise BatchError(f"{what}: the archive is empty; tell some rows first")

    def _at(self, rows: Array) -> Batch:
        columns = {name: array[rows] for name, array in self._table.arrays.items()}
        return Batch.of(columns, len(rows))

    def _unit(self, measures: Floats) -> Floats:
        """(n, m) measures in units of their ranges; so far outside that a square overflows: 1e9."""
        with np.errstate(over="ignore"):
            return np.clip((measures - self.low) / (self.high - self.low), -1e9, 1e9)

    def _shaped(self, measures: npt.ArrayLike, *, one: bool = False) -> Floats:
        """(n, m) measures; those of ``one`` row may be (m,)."""
        names = ", ".join(m.name for m in self.problem.measures)
        wanted = f"give (n, {len(self.low)}): {names}"
        try:
            array = np.asarray(measures, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            raise BatchError(f"measures={measures!r:.80} are no numbers; {wanted}") from None
        array = np.atleast_2d(array) if one else array
        if array.ndim != 2 or array.shape[1] != len(self.low):
            raise BatchError(f"measures have shape {array.shape}; {wanted}")
        return array

    def _wanted(self, what: str, measures: npt.ArrayLike, *, one: bool = False) -> Floats:
        """``_shaped`` measures, none of them NaN."""
        wanted = self._shaped(measures, one=one)
        if np.isnan(wanted).any():
            raise BatchError(f"{what}: measures {measures!r:.80} hold NaN; give numbers")
        return wanted

    def __repr__(self) -> str:
        shape = f"{self.size} cells, {len(self)} elites"
        return f"{type(self).__name__}({shape}, {self.outside} rows outside)"
