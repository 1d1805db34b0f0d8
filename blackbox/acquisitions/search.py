"""The search for the candidate worth most, the same for every kind of space.

Score many feasible draws and neighbours of the best rows at once; take the best few; polish their
continuous coordinates by gradient ascent and their discrete ones by trying every single step, in
turn, until nothing improves. Rounding a relaxed search would propose the same rows again and again,
so discrete coordinates are never relaxed. A small finite space is scored whole.

A product of which any factor may fall to nothing, as under constraints or for several objectives,
is a narrow ridge where the models are nearly certain: of a thousand rows none may lie on it but
those next to rows told, and the search would crawl from these in steps that gain nothing. There a
few draws climb too, of a worth with more uncertainty than there is, which is taken away by and by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from blackbox.acquisitions.polish import polish
from blackbox.batch import Array
from blackbox.surrogates.features import Features

if TYPE_CHECKING:
    from blackbox.acquisitions.base import AcquisitionFunction

_ENUMERATED = 2**16  # finite spaces up to this size are listed, so that no row is missed
_SCORED = 2**12  # and up to this many rows of them are scored
_DRAWS = 512
_NEIGHBOURS = 256
_POLISHED = 4
_ROUNDS = 4
_STEPS = 16
_SAME = 1e-9  # rows that agree to this many decimals in every coordinate are the same
_TRIES = 16
_STRAYS = 8  # draws that climb a sharp worth
_WIDTHS = (0.1, 0.01, 0.001)  # deviations added, of standardised outcomes
_MOVED = 20  # coordinates that a sparse neighbour moves, about


@dataclass(frozen=True)
class Box:
    """A part of the space around a row: bounds of the numbers, a Hamming ball of the categories.

    Shares, permutations and strings are not bounded.

    Args:
        lower: (d,) features, of which those of numbers are looked at.
        upper: (d,) features.
        center: (d,) features of the row.
        changes: how many categories may differ from the row's.
    """

    lower: Array
    upper: Array
    center: Array
    changes: int


class Search:
    """Maximises acquisitions over a space.

    Args:
        features: the space's coordinates.
    """

    def __init__(self, features: Features) -> None:
        self.features = features
        small = features.space.cardinality <= _ENUMERATED
        self._all = features.everything() if small else None
        self._boxed = np.setdiff1d(features.numbers, _shares(features))
        self._ordered = [level for level in features.levels if level.column in set(self._boxed)]

    @property
    def finite(self) -> bool:
        """Whether the space is listed, so that a row is proposed once only."""
        return self._all is not None

    def fresh(self, rows: Array, taken: Array) -> Array:
        """(n,) whether each row is neither taken nor a repetition of an earlier one."""
        own = keys(rows)
        fresh = ~np.isin(own, keys(taken))
        first = np.zeros(len(rows), dtype=bool)
        first[np.unique(own, return_index=True)[1]] = True
        return fresh & first

    def inside(self, rows: Array, box: Box) -> Array:
        """(n,) whether rows lie in the box."""
        numbers = rows[:, self._boxed]
        lower, upper = box.lower[self._boxed] - _SAME, box.upper[self._boxed] + _SAME
        names = list(self.features.categorical)
        changed = (rows[:, names] != box.center[names]).sum(axis=1)
        inside = ((numbers >= lower) & (numbers <= upper)).all(axis=1)
        return np.asarray(inside & (changed <= box.changes))

    def best(
        self,
        function: AcquisitionFunction,
        taken: Array,
        incumbents: Array,
        rng: np.random.Generator,
        box: Box | None = None,
        *,
        sharp: bool = False,
    ) -> Array | None:
        """(d,) features of the row worth most, or None where none is left.

        Args:
            function: what a row is worth.
            taken: (m, d) rows that must not be proposed again.
            incumbents: (k, d) rows near which to look more closely.
            rng: draws the candidates.
            box: where real numbers are looked for, the whole cube where None.
            sharp: whether the worth is a product of which any factor may fall to nothing.
        """
        pool = self.pool(taken, incumbents, rng, box)
        if not len(pool):
            return None
        values = function.values(pool)
        order = np.argsort(-values, kind="stable")
        if self._all is not None and len(pool) < _SCORED:
            return np.asarray(pool[order[0]])  # of all rows that are left
        starts = pool[order[:_POLISHED]]
        if sharp and self.features.continuous.size:
            starts = np.concatenate([starts, self._strays(function, pool[:_DRAWS], rng, box)])
        polished = self._climb(function, starts, box)
        best = polished[[int(np.argmax(function.values(polished)))]]
        # The joint ascent ends with the sum of all; the best one goes on alone.
        polished = np.concatenate([self._climb(function, best, box), polished])
        pool = np.concatenate([polished, pool])
        values = np.concatenate([function.values(polished), values])
        pool = pool[np.argsort(-values, kind="stable")]
        return np.asarray(pool[int(np.argmax(self.fresh(pool, taken)))])

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

    def pool(
        self, taken: Array, incumbents: Array, rng: np.random.Generator, box: Box | None = None
    ) -> Array:
        """(n, d) feasible rows to score, none of them taken; empty where no row is left."""
        if self._all is not None:
            left = self._all[self.fresh(self._all, taken)]
            if box is not None:
                near = left[self.inside(left, box)]
                left = near if len(near) else left
            if len(left) > _SCORED:
                left = left[np.sort(rng.choice(len(left), _SCORED, replace=False))]
            return np.asarray(left)
        for _ in range(_TRIES):
            drawn = self.features.draw(_DRAWS, rng)
            if box is not None:
                self._move_inside(drawn, box, rng)
            rows = np.concatenate([drawn, self._neighbours(drawn, incumbents, rng)])
            rows = rows[self.fresh(rows, taken)]
            if box is not None:
                rows = rows[self.inside(rows, box)]
            rows = rows[self.features.feasible(rows)]
            if len(rows):
                return np.asarray(rows)
        return taken[:0]

    def _move_inside(self, rows: Array, box: Box, rng: np.random.Generator) -> None:
        """Turn (n, d) uniform rows, in place, into rows within a box.

        They are uniform along each number, and differ from the centre in 1 to ``changes``
        categories, each number of them as often.
        """
        lower, upper = box.lower, box.upper
        walked = np.setdiff1d(self._boxed, [level.column for level in self._ordered])
        rows[:, walked] = lower[walked] + rows[:, walked] * (upper - lower)[walked]
        for level in self._ordered:
            j = level.column
            values = level.features(np.arange(level.count))
            values = values[(values >= lower[j] - _SAME) & (values <= upper[j] + _SAME)]
            rows[:, j] = rng.choice(values, len(rows)) if len(values) else box.center[j]
        names = list(self.features.categorical)
        if names:
            left = rng.integers(1, box.changes + 1, len(rows))
            rank = rng.random((len(rows), len(names))).argsort(axis=1).argsort(axis=1)
            rows[:, names] = np.where(rank < left[:, None], rows[:, names], box.center[names])

    def _neighbours(self, drawn: Array, incumbents: Array, rng: np.random.Generator) -> Array:
        """Rows near incumbents: a little of the way to a draw, and every single discrete step.

        Half of them move in a few coordinates only where there are many (Regis and Shoemaker 2013,
        *Combining Radial Basis Function Surrogates and Dynamic Coordinate Search*). The feasible
        part is convex in everything but logarithms, so most of the others stay feasible.
        """
        if not len(incumbents):
            return drawn[:0]
        n, d = min(_NEIGHBOURS, len(drawn)), self.features.width
        near = incumbents[rng.integers(len(incumbents), size=n)]
        step = 10.0 ** -rng.uniform(0.3, 3.0, size=(n, 1))
        moved = rng.random((n, d)) < _MOVED / d
        moved[: n // 2] = True
        for block in self.features.simplexes:
            moved[:, block] = True  # its shares sum to one only together
        rows: Array = near + step * np.where(moved, drawn[:n] - near, 0.0)
        for level in self.features.levels:
            swap = rng.random(n) < 1.5 / d
            rows[:, level.column] = np.where(swap, drawn[:n, level.column], near[:, level.column])
        for p in self.features.structured:
            rows[:, self.features.blocks[p.name]] = near[:, self.features.blocks[p.name]]
        return np.concatenate([rows, *[self.features.steps(row) for row in incumbents]])

    def _strays(
        self, function: AcquisitionFunction, drawn: Array, rng: np.random.Generator, box: Box | None
    ) -> Array:
        """(k, d) where a few of (n, d) draws climb to while uncertainty is taken away by and by.

        No row where the function cannot be had with more of it.
        """
        from blackbox.acquisitions.base import Widening

        if not isinstance(function, Widening):
            return drawn[:0]
        rows = drawn[rng.choice(len(drawn), min(_STRAYS, len(drawn)), replace=False)]
        for width in _WIDTHS:
            rows = self._climb(function.widened(width), rows, box)
        return rows

    def _climb(self, function: AcquisitionFunction, starts: Array, box: Box | None) -> Array:
        """(k, d) rows after continuous ascent and single discrete steps in turn."""
        points, moving = starts.copy(), np.arange(len(starts))
        for _ in range(_ROUNDS):
            if self.features.continuous.size:
                points[moving] = polish(self.features, function, points[moving], self._bounds(box))
            if not (self.features.levels or self.features.structured):
                break
            stepped = np.array([self._walk(function, point, box) for point in points[moving]])
            moved = (stepped != points[moving]).any(axis=1)
            points[moving] = stepped
            moving = moving[moved]
            if not moving.size:
                break
        return points

    def _bounds(self, box: Box | None) -> Array:
        """(c, 2) bounds of the continuous features."""
        lower, upper = np.zeros(self.features.width), np.ones(self.features.width)
        if box is not None:
            lower[self._boxed], upper[self._boxed] = box.lower[self._boxed], box.upper[self._boxed]
        return np.stack([lower, upper], axis=1)[self.features.continuous]

    def _walk(self, function: AcquisitionFunction, point: Array, box: Box | None) -> Array:
        """(d,) where single discrete steps lead, each the best of all, while they improve."""
        for _ in range(_STEPS):
            steps = self.features.steps(point)
            if box is not None:
                steps = steps[self.inside(steps, box)]
            rows = np.concatenate([point[None], steps[self.features.feasible(steps)]])
            winner = int(np.argmax(function.values(rows)))
            if winner == 0:
                break
            point = rows[winner]
        return point

    def _distances(self, rows: Array, row: Array) -> Array:
        """(n,) distances; two different categories are one apart."""
        gap = np.abs(rows - row)
        categorical = list(self.features.categorical)
        gap[:, categorical] = np.minimum(gap[:, categorical], 1.0)
        distances: Array = np.sqrt((gap**2).sum(axis=1))
        return distances


def _shares(features: Features) -> list[int]:
    """Columns of simplexes."""
    return [j for block in features.simplexes for j in range(block.start, block.stop)]


def keys(rows: Array) -> Array:
    """(n,) one opaque value for each row, equal where rows are the same."""
    whole = np.rint(rows / _SAME).astype(np.int64)
    return np.ascontiguousarray(whole).view(np.dtype((np.void, 8 * rows.shape[1]))).ravel()
