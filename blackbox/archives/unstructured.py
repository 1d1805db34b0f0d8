"""No cells but those that elites make: rows that differ enough from all others are kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from blackbox.archives._neighbours import Neighbours
from blackbox.archives.base import Added, Archive, Ints
from blackbox.arguments import check_count, check_flag, is_finite
from blackbox.batch import Array
from blackbox.errors import ProblemError
from blackbox.formulation import Floats, Problem
from blackbox.state import State


class UnstructuredArchive(Archive):
    """Rows whose measures are new enough (Lehman & Stanley 2011, *Abandoning objectives*).

    The novelty of a row is its mean distance to the k nearest elites, in units of the measures'
    ranges; it enters from ``threshold`` on. A row that is less novel takes the place of the elite
    nearest to it if it scores more (Cully & Demiris 2018, arXiv 1708.09251). Rows of a batch enter
    one after another, so batches do not matter. Each elite is a cell; the measures need no bounds.

    Args:
        problem: declares measures and their ranges, which are only units here.
        threshold: least novelty of a row that enters.
        neighbours: the number k.
        compete: whether better rows replace their nearest elite; without, the archive only grows.

    Raises:
        UnsupportedError: the problem declares no measures.
        ProblemError: an argument is out of range.
        MissingExtraError: SciPy is not installed (extra ``qd``).
    """

    elites_are_cells = True

    def __init__(
        self,
        problem: Problem,
        threshold: float = 0.02,
        *,
        neighbours: int = 15,
        compete: bool = True,
    ) -> None:
        super().__init__(problem)
        if not (is_finite(threshold) and threshold > 0):
            raise ProblemError(
                f"UnstructuredArchive: threshold={threshold!r} must be positive and finite"
            )
        check_flag("UnstructuredArchive: compete", compete)
        self.threshold = float(threshold)
        self.neighbours = check_count("UnstructuredArchive: neighbours", neighbours, 1)
        self._compete = bool(compete)
        self._near: Neighbours | None = None

    def arguments(self) -> dict[str, Any]:
        return {
            "threshold": self.threshold,
            "neighbours": self.neighbours,
            "compete": self._compete,
        }

    @property
    def size(self) -> int:
        return len(self)

    def _cell_of(self, measures: Floats) -> Ints:
        """The nearest elite's cell, -1 where that is farther than the threshold."""
        cells = np.full(len(measures), -1)
        good = np.flatnonzero(np.isfinite(measures).all(axis=1))
        if len(self) and len(good):
            distances, at = self._nearest(measures[good], 1)
            cells[good] = np.where(distances[:, 0] < self.threshold, at[:, 0], -1)
        return cells

    def _filled(self, measures: Floats) -> Ints:
        return self._cell_of(measures)

    def novelty(self, measures: npt.ArrayLike) -> Floats:
        """(n,) mean distances of (n, m) measures to the k nearest elites; inf without elites.

        Raises:
            BatchError: measures of another shape, or NaN.
        """
        wanted = self._wanted("novelty", measures)
        if not len(self):
            return np.full(len(wanted), np.inf)
        distances, _ = self._nearest(wanted, self.neighbours)
        mean: Floats = distances.mean(axis=1)
        return mean

    def _nearest(self, measures: Floats, k: int) -> tuple[Floats, Ints]:
        """(n, k) distances and positions of the nearest elites, fewer where there are fewer."""
        near = self._neighbourhood()
        assert near is not None
        return near.several(self._unit(measures), min(k, len(self)))

    def _neighbourhood(self) -> Neighbours | None:
        if self._near is None and len(self):
            self._near = Neighbours(self._unit(self._own["measures"]))
        return self._near

    def insert(
        self,
        scores: Floats,
        measures: Floats,
        columns: Mapping[str, Array],
        parents: npt.ArrayLike | None = None,
    ) -> Added:
        n = len(scores)
        status, gain, cell = np.zeros(n, dtype=np.int8), np.full(n, np.nan), np.full(n, -1)
        ancestors = np.full(n, -1) if parents is None else np.asarray(parents)
        good = np.flatnonzero(np.isfinite(scores) & np.isfinite(measures).all(axis=1))
        given = {"cell": cell, "parent": ancestors, "score": scores, "threshold": scores}
        own = {**given, "measures": measures}
        crowd = _Crowd(self._neighbourhood(), self._unit(measures[good]), self.neighbours)
        for i, source in enumerate(good.tolist()):
            novelty, row = crowd.look(i)
            new = novelty >= self.threshold
            if new:
                row, gain[source] = len(self), scores[source]
            else:
                gain[source] = float(scores[source]) - float(self._own["score"][row])
            cell[source] = row
            if not new and not (self._compete and gain[source] > 0):
                continue
            status[source] = 2 if new else 1
            for table, values in ((self._own, own), (self._table, columns)):
                table.extend(max(len(table), row + 1))
                table.put(np.array([row]), values, np.array([source]))
            crowd.move(row, crowd.points[i])
        self._near = None
        return Added(status, gain, cell)

    def merge(self, other: Archive) -> Archive:
        """As ``Archive.merge``: the other's elites are added to those of this archive."""
        self._need_same(other)
        merged = self.like()
        for part in (self, other):
            own = part._own.columns()
            merged.insert(own["score"], own["measures"], part._table.columns())
        return merged

    def _cells_in(self, state: State) -> int:
        return len(state["own"]["cell"])

    def _rebuild(self, own: Mapping[str, Array], table: Mapping[str, Array]) -> None:
        n = len(own["cell"])
        self._own.fill({**own, "cell": np.arange(n)}, n)
        self._table.fill(table, n)
        self._near = None


class _Crowd:
    """Elites while a batch enters: those before it are indexed, those that came or moved are not.

    Args:
        near: the elites before the batch, None where there are none.
        points: (n, m) the batch, scaled as these.
        k: number of neighbours that novelty is about.
    """

    def __init__(self, near: Neighbours | None, points: Floats, k: int) -> None:
        self.points = points
        self._k = k
        self._elites = np.zeros((0, points.shape[1])) if near is None else near.points.copy()
        before = len(self._elites)
        self._stale = np.zeros(before, dtype=bool)
        self._moved: dict[int, Floats] = {}
        if near is None:
            self._distances, self._at = np.zeros((len(points), 0)), np.zeros((len(points), 0), int)
        else:
            self._distances, self._at = near.several(points, min(k, before))

    def look(self, i: int) -> tuple[float, int]:
        """Novelty of a point of the batch, and the row nearest to it (-1 for none)."""
        rows, distances = self._at[i], self._distances[i]
        if self._stale[rows].any():  # an elite that has moved away may have hidden another
            rows = np.flatnonzero(~self._stale)
            distances = np.linalg.norm(self._elites[rows] - self.points[i], axis=1)
        if self._moved:
            rows = np.append(rows, list(self._moved))
            away = np.array(list(self._moved.values())) - self.points[i]
            distances = np.append(distances, np.linalg.norm(away, axis=1))
        if not len(rows):
            return math.inf, -1
        nearest = np.sort(distances)[: self._k]
        return float(nearest.mean()), int(rows[np.argmin(distances)])

    def move(self, row: int, to: Floats) -> None:
        """A row is now at another point, or new."""
        if row < len(self._stale):
            self._stale[row] = True
        self._moved[row] = to
