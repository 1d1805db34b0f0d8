"""How a child is made of two elites: each kind of parameter varies in its own way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from blackbox.arguments import check_number, check_range, is_number
from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError
from blackbox.optimizers.quality_diversity._draws import addresses, loops
from blackbox.optimizers.quality_diversity._orders import (
    changed_order,
    changed_tokens,
    crossed_order,
    crossed_tokens,
)
from blackbox.space import (
    Categorical,
    Integer,
    Ordinal,
    Parameter,
    Permutation,
    Real,
    Sequence,
    Simplex,
    Space,
)
from blackbox.space.interior import onto_simplex

Mask = npt.NDArray[np.bool_]

_HALVINGS = 10
_TAKEN = 0.05  # of the numbers, by children that take some from the second parent
_CONTINUOUS = (Real, Simplex)


@dataclass(frozen=True)
class Variation:
    """A child of two elites, in the user's values.

    Numbers move by Iso+LineDD (Vassiliades & Mouret 2018, arXiv 1804.03906): with parents x and y
    and range r, on the logarithmic scale of a parameter that has one,

        x + iso * r * N(0, I) + line * N(0, 1) * (y - x),

    and the shares of a simplex likewise. What leaves the range is put on its bound, so that an
    elite on a bound stays within reach; shares are projected onto the simplex.

    Some children do not move but take numbers from the second parent as they are, about one in
    twenty and at least one (discrete recombination: Muehlenbein & Schlierkamp-Voosen 1993,
    *Predictive models for the breeder genetic algorithm*), so that what is good in one place alone
    spreads over the archive.

    Discrete values are exchanged with the second parent one by one in some children (uniform
    crossover), and some are changed: whole numbers and ranks also move as numbers do, and by a
    step at least; a category becomes another. Permutations are crossed in order, and changed by
    a swap or an insertion; sequences are crossed at one point, and a token is substituted, inserted
    or deleted.

    Under linear constraints a child outside is drawn back towards its first parent.

    Args:
        iso: standard deviation of the isotropic step, as a share of the range.
        line: standard deviation of the step along the line between two elites; 0 is plain Gaussian
            mutation.
        crossover: share of children that exchange discrete values with the second parent.
        exchange: share of children that take real numbers from the second parent instead of moving.
        rate: probability that a discrete value changes; None for one value in a row.

    Raises:
        ProblemError: a number is out of range.
    """

    iso: float = 0.01
    line: float = 0.2
    crossover: float = 0.5
    exchange: float = 0.25
    rate: float | None = None

    def __post_init__(self) -> None:
        check_number("Variation: iso", self.iso, 0)
        check_number("Variation: line", self.line, 0)
        check_range("Variation: crossover", self.crossover, 0, 1)
        check_range("Variation: exchange", self.exchange, 0, 1)
        if self.rate is not None and not (is_number(self.rate) and 0 < self.rate <= 1):
            raise ProblemError(f"Variation: rate={self.rate!r} must lie in (0, 1] or be None")

    def children(
        self,
        space: Space,
        elites: Mapping[str, Array],
        first: Array,
        second: Array,
        rng: np.random.Generator,
        *,
        compiled: bool = False,
    ) -> Batch:
        """One child for each pair of parents.

        Args:
            space: the parameters.
            elites: a column of each of them, (k, ...).
            first: (n,) positions of the first parents.
            second: (n,) positions of the second.
            rng: source of every random number.
            compiled: whether to use compiled loops, which change no bit; needs numba.
        """
        made = _Litter(self, space, first, second, rng, compiled).made(elites)
        children = Batch.of(made, len(first))
        if space.polytope is not None:
            children = _drawn_back(space, children, Batch(_parents(space, elites, first)))
        return children


class _Litter:
    """The children of one ask: what all their parameters have in common."""

    def __init__(
        self,
        variation: Variation,
        space: Space,
        first: Array,
        second: Array,
        rng: np.random.Generator,
        compiled: bool,
    ) -> None:
        self.iso, self.first, self.second, self.rng = variation.iso, first, second, rng
        self.n, self.space, self.compiled = len(first), space, compiled
        self.along = variation.line * rng.standard_normal(self.n)
        self.exchanging = np.zeros(0, dtype=np.int64)
        if variation.exchange:
            self._exchange(variation.exchange)
        discrete = [p for p in space if not isinstance(p, _CONTINUOUS)]
        self.changes: dict[str, Mask] = {}
        if discrete:
            self.crossed = rng.random(self.n) < variation.crossover
            rate = variation.rate or 1 / sum(p.size or 1 for p in space)
            self.changes = self._changes({p.name: _count(p) for p in discrete}, rate)

    def _exchange(self, share: float) -> None:
        """Choose children that take real numbers from the second parent, and which numbers."""
        counts = {p.name: p.dim or 1 for p in self.space if isinstance(p, Real)}
        self.starts = dict(zip(counts, accumulate(counts.values(), initial=0), strict=False))
        total = sum(counts.values())
        if total:
            wanted = (self.rng.random(self.n) < share) & (self.first != self.second)
            self.exchanging = np.flatnonzero(wanted)
            size = len(self.exchanging), max(1, round(_TAKEN * total))
            self.places = self.rng.integers(0, total, size)

    def _changes(self, counts: Mapping[str, int], rate: float) -> dict[str, Mask]:
        """For each discrete parameter (n, count) which of its values change."""
        total = sum(counts.values())
        change = self.rng.random((self.n, total)) < rate
        if len(counts) == len(self.space):  # else numbers make the child differ
            still = np.flatnonzero(~change.any(axis=1))
            change[still, self.rng.integers(0, total, len(still))] = True
        ends = np.cumsum(list(counts.values()))[:-1]
        return dict(zip(counts, np.split(change, ends, axis=1), strict=True))

    def made(self, elites: Mapping[str, Array]) -> dict[str, Array]:
        return {p.name: self._child(p, elites[p.name]) for p in self.space}

    def _child(self, p: Parameter, column: Array) -> Array:
        if isinstance(p, Real):
            return self._real(p, column)
        x, y = column[self.first], column[self.second]
        if isinstance(p, Simplex):
            return onto_simplex(self._moved(x, y, 1.0))
        change = self.changes[p.name]
        if isinstance(p, Permutation | Sequence):
            return self._vector(p, x, y, change[:, 0])
        if isinstance(p, Integer):
            return self._integer(p, x, y, change)
        assert isinstance(p, Ordinal | Categorical)
        return _looked_up(p, self._choice(p, p.index(x), p.index(y), change))

    def _choice(self, p: Ordinal | Categorical, x: Array, y: Array, change: Mask) -> Array:
        k = len(p.values)
        if isinstance(p, Ordinal):
            return self._integer(Integer(p.name, 0, k - 1), x, y, change)
        x = self._exchanged(x, y)
        other = (x + self.rng.integers(1, max(k, 2), self.n)) % k
        return np.where(change[:, 0], other, x)

    def _vector(self, p: Permutation | Sequence, x: Array, y: Array, change: Mask) -> Array:
        made, at, rows = x.copy(), np.flatnonzero(self.crossed), np.flatnonzero(change)
        if isinstance(p, Permutation):
            made[at] = crossed_order(p, x[at], y[at], self.rng)
            made[rows] = changed_order(made[rows], self.rng)
        else:
            made[at] = crossed_tokens(x[at], y[at], self.rng)
            made[rows] = changed_tokens(p, made[rows], self.rng)
        return made

    def _real(self, p: Real, column: Array) -> Array:
        made, rows = self._number(p, column), self.exchanging
        if len(rows):
            made[rows] = column[self.first[rows]]
            places = self.places - self.starts[p.name]
            child, which = np.nonzero((places >= 0) & (places < (p.dim or 1)))
            taking, at = rows[child], (places[child, which],) if p.dim else ()
            made[taking, *at] = column[self.second[taking], *at]
        return made

    def _number(self, p: Real, column: Array) -> Array:
        start, span = p.scale()
        if self.compiled and p.dim and not p.log:
            scale = self.iso * span, p.low, p.high
            pairs = column, self.first, self.second
            made: Array = loops().iso_line(*pairs, self.along, scale, addresses(self.rng))
            return made
        x, y = column[self.first], column[self.second]
        if not p.log:
            moved = self._moved(x, y, span)
        else:
            inside = np.clip(self._moved(np.log(x), np.log(y), span), start, start + span)
            moved = np.exp(inside)
        bounded: Array = np.minimum(np.maximum(moved, p.low), p.high)
        return bounded

    def _moved(self, x: Array, y: Array, span: float) -> Array:
        along = self.along if x.ndim == 1 else self.along[:, None]
        moved: Array = x + along * (y - x) + self.iso * span * self.rng.standard_normal(x.shape)
        return moved

    def _integer(self, p: Integer, x: Array, y: Array, change: Mask) -> Array:
        start, span = p.scale()
        x = self._exchanged(x, y)
        u, v = (np.log(x), np.log(y)) if p.log else (x, y)
        moved = np.clip(self._moved(u, v, span), start, start + span)
        whole = np.clip(np.rint(np.exp(moved) if p.log else moved), p.low, p.high).astype(np.int64)
        change = change if p.dim else change[:, 0]
        step = np.where(self.rng.random(x.shape) < 0.5, -1, 1)
        beyond = (x + step < p.low) | (x + step > p.high)
        stepped = np.clip(x + np.where(beyond, -step, step), p.low, p.high)
        changed: Array = np.where(change & (whole == x), stepped, whole)
        return changed

    def _exchanged(self, x: Array, y: Array) -> Array:
        """Each value that of either parent, in the rows that are crossed."""
        crossed = self.crossed if x.ndim == 1 else self.crossed[:, None]
        taken = crossed & (self.rng.random(x.shape) < 0.5)
        return np.where(taken, y, x)


def _count(p: Parameter) -> int:
    """Number of values that change one by one; a string or an order changes as a whole."""
    return p.dim or 1 if isinstance(p, Integer) else 1


def _looked_up(p: Ordinal | Categorical, index: Array) -> Array:
    values: Array = p.table[index]
    return values


def _parents(space: Space, elites: Mapping[str, Array], first: Array) -> dict[str, Array]:
    return {name: elites[name][first] for name in space.names}


def _drawn_back(space: Space, children: Batch, parents: Batch) -> Batch:
    """Children with those that break a linear constraint halved towards their first parents.

    The feasible part is convex, and a parent lies in it: only whole numbers and ranks may need the
    parent's own values in the end.
    """
    made = {name: column.copy() for name, column in children.columns().items()}
    for halving in range(_HALVINGS + 1):
        bad = np.flatnonzero(~space.feasible(Batch.of(dict(made), len(children))))
        if not len(bad):
            break
        made = {name: column.copy() for name, column in made.items()}
        for p in space:
            if not isinstance(p, Real | Integer | Ordinal | Simplex):
                continue
            x, y = parents[p.name][bad], made[p.name][bad]
            if halving < _HALVINGS and not isinstance(p, Ordinal):
                middle = x + (y - x) / 2
                x = np.rint(middle).astype(np.int64) if isinstance(p, Integer) else middle
            made[p.name][bad] = x
    return Batch.of(made, len(children))
