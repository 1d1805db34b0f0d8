"""A fixed number of rows that compete with each other, without cells and without bounds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from blackbox.archives.base import Added, Archive, Ints
from blackbox.arguments import check_count
from blackbox.batch import Array
from blackbox.errors import StateError
from blackbox.formulation import Floats, Problem
from blackbox.state import State

_BLOCK = 256


class Population(Archive):
    """The rows of most worth; what a row is worth depends on the others.

    Each row is a cell of its own, numbered anew when rows enter. ``Added.gain`` is the worth.

    Args:
        problem: declares measures and their ranges, which are only units here.
        capacity: largest number of rows.

    Raises:
        UnsupportedError: the problem declares no measures.
        ProblemError: the capacity is no positive int.
    """

    elites_are_cells = True

    def __init__(self, problem: Problem, capacity: int) -> None:
        super().__init__(problem)
        self._capacity = check_count(f"{type(self).__name__}: capacity", capacity, 1)

    @property
    def size(self) -> int:
        return self._capacity

    @abstractmethod
    def _worth(self, measures: Floats, scores: Floats, ids: Ints) -> Floats:
        """(n,) what each of these rows is worth among them; measures in units of their ranges.

        Ids tell which row is which, but -1 is that of every row from outside.
        """

    def _cell_of(self, measures: Floats) -> Ints:
        good = np.isfinite(measures).all(axis=1)
        cells = np.full(len(measures), -1)
        if len(self):
            cells[good] = self.nearest(measures[good])
        return cells

    def insert(
        self,
        scores: Floats,
        measures: Floats,
        columns: Mapping[str, Array],
        parents: npt.ArrayLike | None = None,
    ) -> Added:
        n, k = len(scores), len(self)
        status, gain, cell = np.zeros(n, dtype=np.int8), np.full(n, np.nan), np.full(n, -1)
        good = np.flatnonzero(np.isfinite(scores) & np.isfinite(measures).all(axis=1))
        ancestors = np.full(n, -1) if parents is None else np.asarray(parents)
        own = {"cell": cell, "parent": ancestors, "score": scores, "threshold": scores}
        own["measures"] = measures
        given = {name: self._table[name] for name in self._table.arrays}
        table = {c: np.concatenate([old, columns[c][good]]) for c, old in given.items()}
        own = {c: np.concatenate([self._own[c], own[c][good]]) for c in own}
        if not len(own["score"]):
            return Added(status, gain, cell)
        worth = self._worth(self._unit(own["measures"]), own["score"], table["id"])
        kept = np.sort(np.argsort(-worth, kind="stable")[: self._capacity])
        entered = np.flatnonzero(kept >= k)
        gain[good] = worth[k:]
        status[good[kept[entered] - k]] = 2
        cell[good[kept[entered] - k]] = entered
        self._rebuild({c: v[kept] for c, v in own.items()}, {c: v[kept] for c, v in table.items()})
        return Added(status, gain, cell)

    def merge(self, other: Archive) -> Archive:
        """As ``Archive.merge``: the rows of most worth among those of both."""
        self._need_same(other)
        merged = self.like()
        own = self._own.joined(other._own)
        table = self._table.joined(other._table)
        merged.insert(own["score"], own["measures"], table)
        return merged

    def _cells_in(self, state: State) -> int:
        n = len(state["own"]["cell"])
        if n > self._capacity:
            raise StateError(
                f"load_state: {n} rows given to {self!r}; build it as it was first built"
            )
        return self._capacity

    def _rebuild(self, own: Mapping[str, Array], table: Mapping[str, Array]) -> None:
        n = len(own["score"])
        self._own.fill({**own, "cell": np.arange(n)}, n)
        self._table.fill(table, n)


class DominatedArchive(Population):
    """Rows that are far from all better ones (Bahlous-Boldi et al. 2025, arXiv 2502.00593).

    A row is worth its mean distance to the k nearest rows that score more, in units of the
    measures' ranges; the best is worth infinitely much. Of rows that score the same the earlier
    counts as better, so a copy is worth nothing.

    Args:
        problem: see ``Population``.
        capacity: see ``Population``.
        neighbours: the number k.

    Raises:
        UnsupportedError: the problem declares no measures.
        ProblemError: an argument is no positive int.
    """

    def __init__(self, problem: Problem, capacity: int = 1000, *, neighbours: int = 3) -> None:
        super().__init__(problem, capacity)
        self._neighbours = check_count("DominatedArchive: neighbours", neighbours, 1)

    def arguments(self) -> dict[str, Any]:
        return {"capacity": self._capacity, "neighbours": self._neighbours}

    def _worth(self, measures: Floats, scores: Floats, ids: Ints) -> Floats:
        order = np.argsort(-scores, kind="stable")
        points = measures[order]
        worth = np.full(len(scores), np.inf)
        for start in range(0, len(order), _BLOCK):
            rows = np.arange(start, min(start + _BLOCK, len(order)))
            better = points[: rows[-1]]
            # Differences rather than products: near neighbours decide, and these must be exact.
            squares = np.zeros((len(rows), len(better)))
            for j in range(points.shape[1]):
                squares += np.subtract.outer(points[rows, j], better[:, j]) ** 2
            squares[np.arange(len(better)) >= rows[:, None]] = np.inf
            k = self._neighbours
            if k < len(better):
                squares = np.partition(squares, k - 1, axis=1)[:, :k]
            near = np.sqrt(squares)
            counts = np.isfinite(near).sum(axis=1)
            sums = np.where(np.isfinite(near), near, 0.0).sum(axis=1)
            some = counts > 0
            worth[order[rows[some]]] = sums[some] / counts[some]
        return worth
