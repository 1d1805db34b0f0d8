"""Looking at elites: columns, the best, those near wanted measures, tables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from blackbox.archives._rows import Rows
from blackbox.batch import Array, Batch, Row
from blackbox.errors import BatchError, ProblemError, require
from blackbox.formulation import Floats, Problem, missing, no_inputs
from blackbox.metrics.quality_diversity import qd_score

if TYPE_CHECKING:
    import pandas as pd

Ints = npt.NDArray[np.int64]


class Elites:
    """Rows of a problem that were worth keeping, each with its cell, score and measures.

    Rows are kept in the user's units, and room is taken for those there are.

    Attributes:
        problem: the problem.
        low: (m,) least measures of interest.
        high: (m,) largest.

    Raises:
        ProblemError: the problem declares no measures.
    """

    def __init__(self, problem: Problem) -> None:
        if not problem.measures:
            raise ProblemError(
                f"{type(self).__name__}: {problem.name} declares no measures; declare some"
            )
        self.problem = problem
        self.low = np.array([m.low for m in problem.measures], dtype=np.float64)
        self.high = np.array([m.high for m in problem.measures], dtype=np.float64)
        ids, reals = np.zeros(0, dtype=np.int64), np.zeros(0)
        inputs = no_inputs(problem).columns()
        self._table = Rows({"id": ids, **inputs, **missing(problem, 0)})
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
        """(k,) id of the row that each elite was varied from, -1 where there is none."""
        return self._own["parent"][self._order]

    @property
    def best(self) -> Row | None:
        """The elite of the best score as a dict of inputs and outcomes; None if there is none."""
        return self._at(np.array([np.argmax(self._own["score"])]))[0] if len(self) else None

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
        """
        return self._at(self.draw(n, rng))

    def draw(self, n: int, rng: np.random.Generator) -> Ints:
        """(n,) uniform positions of elites in ``column``.

        Raises:
            BatchError: there are no elites yet.
        """
        self._need_elites("sample")
        return rng.integers(0, len(self), n)

    def column(self, name: str) -> Array:
        """(k, ...) ``id``, an input or an outcome of the elites, in the order of first filling.

        A view for looking at fast, not for keeping: the next insertion may change it.
        """
        return self._table[name]

    def nearest(self, measures: Floats) -> Ints:
        """(q,) positions of the elites nearest to (q, m) measures, in units of the ranges."""
        span = self.high - self.low
        own = self._own["measures"] / span
        return np.array([np.argmin(((own - at) ** 2).sum(axis=1)) for at in measures / span], int)

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
        """Write ``to_dataframe`` to a Parquet file.

        Raises:
            MissingExtraError: pandas or pyarrow is not installed (extra ``data``).
        """
        require("pyarrow", "data")
        self.to_dataframe().to_parquet(path)

    def _need_elites(self, what: str) -> None:
        if not len(self):
            raise BatchError(f"{what}: the archive is empty; tell some rows first")

    def _at(self, rows: Array) -> Batch:
        columns = {name: array[rows] for name, array in self._table.arrays.items()}
        return Batch.of(columns, len(rows))

    def _shaped(self, measures: npt.ArrayLike) -> Floats:
        array = np.asarray(measures, dtype=np.float64)
        if array.ndim != 2 or array.shape[1] != len(self.low):
            names = [m.name for m in self.problem.measures]
            raise BatchError(
                f"measures have shape {array.shape}; give (n, {len(names)}): {', '.join(names)}"
            )
        return array
