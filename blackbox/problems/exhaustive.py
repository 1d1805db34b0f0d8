"""Problems so small that every candidate is known: their best answers and fronts are exact."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from blackbox.arguments import check_count
from blackbox.batch import Batch, Row
from blackbox.errors import ProblemError
from blackbox.formulation import Problem
from blackbox.metrics import is_nondominated
from blackbox.space import Space


class Exhaustive(Problem):
    """A problem that can be asked for everything it holds.

    Its parameters are Categorical, Ordinal, Integer, or Sequence of one length, so that every
    coordinate of the unit cube is one choice of several values.
    """

    reference: Batch

    @cached_property
    def table(self) -> Batch:
        """Every candidate with its outcomes, (N,) rows; the last choice varies fastest."""
        sizes = choices(self.space)
        picked = np.indices(sizes.tolist()).reshape(len(sizes), -1).T
        rows = self.space.decode((picked + 0.5) / sizes)
        return rows.with_columns(**self.measure(rows))

    def positions(self, batch: Batch) -> npt.NDArray[np.int64]:
        """(n,) where each row of valid candidates stands in ``table``."""
        sizes = choices(self.space)
        picked = np.floor(self.space.encode(batch) * sizes).astype(np.int64)
        found: npt.NDArray[np.int64] = np.ravel_multi_index(tuple(picked.T), tuple(sizes))
        return found

    @property
    def optimum(self) -> float:
        """The best value of the only objective.

        Raises:
            ProblemError: there are several objectives.
        """
        return float(self._best[self.objectives[0].name])

    @property
    def solution(self) -> Row:
        """A row that attains ``optimum``.

        Raises:
            ProblemError: there are several objectives.
        """
        return {name: self._best[name] for name in self.space.names}

    @cached_property
    def _best(self) -> Row:
        if len(self.objectives) > 1:
            raise ProblemError(f"{self.name} has several objectives and no optimum; use front()")
        return self.table[int(np.argmax(self.scores(self.table)))]

    def front(self, n: int | None = None) -> Batch:
        """Outcomes of the Pareto front, no two alike, by the first objective from worst to best.

        Args:
            n: at most so many, evenly taken; by default all.

        Raises:
            ProblemError: ``n`` is no int of at least 1.
        """
        size = len(self._front)
        most = size if n is None else min(check_count("front: n", n, 1), size)
        some = np.linspace(0, size - 1, most)
        return self._front[some.round().astype(np.int64)]

    @cached_property
    def _front(self) -> Batch:
        scores = self.scores(self.table)
        best = np.flatnonzero(is_nondominated(scores))
        _, first = np.unique(scores[best], axis=0, return_index=True)
        return self.table.select(self.outcomes)[best[first]]


def choices(space: Space) -> npt.NDArray[np.int64]:
    """(width,) number of values that each coordinate of the unit cube chooses from."""
    sizes = [round(p.cardinality ** (1 / p.width)) for p in space for _ in range(p.width)]
    return np.array(sizes, dtype=np.int64)


def distinct(owner: str, argument: str, given: Sequence[str], known: Collection[str]) -> list[str]:
    """Names that are known and not given twice.

    Raises:
        ProblemError: none, an unknown one, or one twice.
    """
    listed = [given] if isinstance(given, str) else given
    names = isinstance(listed, list | tuple) and all(isinstance(name, str) for name in listed)
    if not names or not listed or not set(listed) <= set(known) or len(set(listed)) < len(listed):
        raise ProblemError(f"{owner}({argument}={given!r}): give different names of {[*known]}")
    return list(listed)
