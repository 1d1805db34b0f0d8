"""The search for the candidate worth most, the same for every kind of space.

Score many feasible draws and neighbours of the best rows at once; take the best few; polish their
continuous coordinates by gradient ascent and their discrete ones by trying every single step, in
turn, until nothing improves. Rounding a relaxed search would propose the same rows again and again,
so discrete coordinates are never relaxed. A small finite space is scored whole.
"""

from __future__ import annotations

import numpy as np

from blackbox.acquisitions.polish import Acquisition, polish
from blackbox.batch import Array
from blackbox.surrogates.features import Features

_ENUMERATED = 2**16  # finite spaces up to this size are listed, so that no row is missed
_SCORED = 2**12  # and up to this many rows of them are scored
_DRAWS = 512
_NEIGHBOURS = 256
_POLISHED = 4
_ROUNDS = 4
_STEPS = 16
_SAME = 1e-9  # features nearer than this in every coordinate are the same row
_TRIES = 16


class Search:
    """Maximises acquisitions over a space.

    Args:
        features: the space's coordinates.
    """

    def __init__(self, features: Features) -> None:
        self.features = features
        small = features.space.cardinality <= _ENUMERATED
        self._all = features.everything() if small else None

    @property
    def finite(self) -> bool:
        """Whether the space is listed, so that a row is proposed once only."""
        return self._all is not None

    def fresh(self, rows: Array, taken: Array) -> Array:
        """(n,) whether each row is neither taken nor a repetition of an earlier one."""
        fresh = ~_contained(rows, taken)
        for i in range(1, len(rows)):
            fresh[i] &= not _contained(rows[i : i + 1], rows[:i])[0]
        return fresh

    def best(
        self,
        acquisition: Acquisition,
        taken: Array,
        incumbents: Array,
        rng: np.random.Generator,
    ) -> Array | None:
        """(d,) features of the row worth most, or None where none is left.

        Args:
            acquisition: what a row is worth.
            taken: (m, d) rows that must not be proposed again.
            incumbents: (k, d) rows near which to look more closely.
            rng: draws the candidates.
        """
        pool = self.pool(taken, incumbents, rng)
        if not len(pool):
            return None
        values = acquisition.values(pool)
        order = np.argsort(-values, kind="stable")
        if self._all is not None and len(pool) < _SCORED:
            return np.asarray(pool[order[0]])  # of all rows that are left
        polished = self._climb(acquisition, pool[order[:_POLISHED]])
        pool = np.concatenate([polished, pool])
        values = np.concatenate([acquisition.values(polished), values])
        for row in pool[np.argsort(-values, kind="stable")]:
            if not _contained(row[None], taken)[0]:
                return np.asarray(row)
        return None

    def spread(self, taken: Array, rng: np.random.Generator) -> Array | None:
        """(d,) features of a draw far from all taken rows; None where no row is left.

        The proposal for when there is nothing to learn from, or the model cannot be computed.
        """
        pool = self.pool(taken, taken[:0], rng)
        if not len(pool):
            return None
        nearest = np.full(len(pool), np.inf)
        for row in taken:
            nearest = np.minimum(nearest, self._distances(pool, row))
        return np.asarray(pool[int(np.argmax(nearest))])

    def pool(self, taken: Array, incumbents: Array, rng: np.random.Generator) -> Array:
        """(n, d) feasible rows to score, none of them taken; empty where no row is left."""
        if self._all is not None:
            left = self._left(taken)
            if len(left) > _SCORED:
                left = left[np.sort(rng.choice(len(left), _SCORED, replace=False))]
            return left
        for _ in range(_TRIES):
            drawn = self.features.draw(_DRAWS, rng)
            rows = np.concatenate([drawn, self._neighbours(drawn, incumbents, rng)])
            fresh = rows[~_contained(rows, taken) & self.features.feasible(rows)]
            if len(fresh):
                return fresh
        return taken[:0]

    def _left(self, taken: Array) -> Array:
        """Rows of a listed space that are not taken."""
        if self._all is None:
            return taken[:0]
        left: Array = self._all[~_contained(self._all, taken)]
        return left

    def _neighbours(self, drawn: Array, incumbents: Array, rng: np.random.Generator) -> Array:
        """Rows near incumbents: a little of the way to a draw, some discrete values of it.

        The feasible part is convex in everything but logarithms, so most stay feasible.
        """
        if not len(incumbents):
            return drawn[:0]
        n = min(_NEIGHBOURS, len(drawn))
        near = incumbents[rng.integers(len(incumbents), size=n)]
        step = 10.0 ** -rng.uniform(0.3, 3.0, size=(n, 1))
        rows: Array = near + step * (drawn[:n] - near)
        for level in self.features.levels:
            swap = rng.random(n) < 1.5 / self.features.width
            rows[:, level.column] = np.where(swap, drawn[:n, level.column], near[:, level.column])
        return rows

    def _climb(self, acquisition: Acquisition, starts: Array) -> Array:
        """(k, d) rows after continuous ascent and single discrete steps in turn."""
        points = starts
        for _ in range(_ROUNDS):
            if self.features.continuous.size:
                points = polish(self.features, acquisition, points)
            if not self.features.levels:
                break
            stepped = np.array([self._walk(acquisition, point) for point in points])
            if np.array_equal(stepped, points):
                break
            points = stepped
        return points

    def _walk(self, acquisition: Acquisition, point: Array) -> Array:
        """(d,) where single discrete steps lead, each the best of all, while they improve."""
        for _ in range(_STEPS):
            rows = np.concatenate([point[None], self._steps(point)])
            winner = int(np.argmax(acquisition.values(rows)))
            if winner == 0:
                break
            point = rows[winner]
        return point

    def _steps(self, point: Array) -> Array:
        """(m, d) feasible rows that differ from the point in one discrete coordinate."""
        made = [point[None][:0]]
        for level in self.features.levels:
            others = level.others(point[level.column])
            rows = np.repeat(point[None], len(others), axis=0)
            rows[:, level.column] = others
            made.append(rows)
        steps = np.concatenate(made)
        feasible: Array = steps[self.features.feasible(steps)]
        return feasible

    def _distances(self, rows: Array, row: Array) -> Array:
        """(n,) distances; two different categories are one apart."""
        gap = np.abs(rows - row)
        categorical = list(self.features.categorical)
        gap[:, categorical] = np.minimum(gap[:, categorical], 1.0)
        distances: Array = np.sqrt((gap**2).sum(axis=1))
        return distances


def _contained(rows: Array, taken: Array) -> Array:
    """(n,) whether each row is among the taken ones, within rounding."""
    found = np.zeros(len(rows), dtype=bool)
    for row in taken:
        found |= (np.abs(rows - row) <= _SAME).all(axis=1)
    return found
