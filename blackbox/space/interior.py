"""Points inside a thin feasible region: finding some, then walking to uniform ones.

The walk is a Gibbs sampler: given all other inputs, one input is uniform on an interval that the
constraints give in closed form, and so is a step along any other line (Smith 1984, *Efficient
Monte Carlo procedures for generating points uniformly distributed over bounded regions*; see
``directions`` for the lines). Where the values on a line are not equally likely, or not all of its
points are values, a step is proposed and kept by Metropolis' rule. Chains start from different
feasible points.

Notation: A (m, d) coefficients, lower and upper (m,), x (n, d) numeric inputs side by side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array
from blackbox.space.choices import Ordinal
from blackbox.space.directions import Directions
from blackbox.space.numbers import Integer, Real
from blackbox.space.parameter import Parameter
from blackbox.space.vectors import Simplex

_TOLERANCE = 1e-9
_SHARE = 1e-6  # of its own terms that a sum may miss a bound by
_ROUNDING = 1e-14  # error of a decoded number, relative to its range
_SWEEPS = 32
_PROJECTIONS = 100
_REPAIRS = 30
_NOISE = 1e-12  # of its terms, what a slope of zero may round to


class Interior:
    """The points x with ``lower <= A x <= upper``, within the parameters' own values.

    Args:
        parameters: the d inputs' parameters.
        blocks: each parameter's columns of x.
        a: (m, d) coefficients.
        lower: (m,) smallest sums.
        upper: (m,) largest sums.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        blocks: Mapping[str, slice],
        a: Array,
        lower: Array,
        upper: Array,
    ) -> None:
        self.a, self.lower, self.upper = a, lower, upper
        d = a.shape[1]
        self._axes = np.eye(d)
        self._low, self._high = np.zeros(d), np.ones(d)
        self._blocks = [(p, blocks[p.name]) for p in parameters]
        self._of = [(p, blocks[p.name]) for p in parameters for _ in range(p.size or 1)]
        for p, block in self._blocks:
            if isinstance(p, Real | Integer):
                self._low[block], self._high[block] = p.low, p.high
            elif isinstance(p, Ordinal):
                self._low[block], self._high[block] = p.values[0], p.values[-1]
        # Along a line, a number on a log scale would not be uniform, and an Ordinal has no steps.
        self._lines = [
            isinstance(p, Simplex) or (isinstance(p, Real | Integer) and not p.log)
            for p, _ in self._of
        ]
        # Rounding error of a sum is relative to the size of its terms.
        terms = np.abs(a) * np.maximum(np.abs(self._low), np.abs(self._high))
        self._size = np.maximum(terms.sum(axis=1), 1e-300)
        free = np.flatnonzero(self._high > self._low).tolist()
        simplices = [block for p, block in self._blocks if isinstance(p, Simplex)]
        real = [j for j in free if isinstance(self._of[j][0], Real) and self._lines[j]]
        self._whole = [j for j in free if isinstance(self._of[j][0], Integer)]
        shares = [j for block in simplices for j in range(block.start, block.stop)]
        self._straight = np.array(real + shares, dtype=np.intp)
        # The first and the number of the shares that each input may give to.
        self._partners = np.zeros((2, d), dtype=np.intp)
        for block in simplices:
            self._partners[:, block] = [[block.start], [block.stop - block.start - 1]]
        self._directions = Directions(
            *(a, lower, upper, self._low, self._high),
            real=real,
            whole=self._whole,
            simplices=simplices,
        )
        # What moves a sum most has to answer most of the others, which move it by little each.
        ranges = self._high - self._low
        for block in simplices:
            ranges[block] /= block.stop - block.start
        moved = np.abs(a[:, self._straight]) * ranges[self._straight]
        parts = moved / np.maximum(moved.sum(axis=1, keepdims=True), 1e-300)
        self._often = parts.mean(axis=0) + 1 / max(len(self._straight), 1)

    def inside(self, x: Array) -> npt.NDArray[np.bool_]:
        """(n,) whether each point satisfies every constraint, within rounding."""
        # What a wide range may lose by rounding must not excuse small terms that miss the bound.
        terms = np.abs(x) @ np.abs(self.a).T
        slack = np.minimum(_TOLERANCE * self._size, _SHARE * terms + _ROUNDING * self._size)
        sums = x @ self.a.T
        low = sums >= self.lower - slack
        inside: npt.NDArray[np.bool_] = (low & (sums <= self.upper + slack)).all(axis=1)
        return inside

    def search(self, x: Array, rng: np.random.Generator) -> Array:
        """(k, d) feasible points, found from (n, d) others; k is 0 where none was found.

        Alternating projections on half-spaces and bounds, which suffice for real numbers; then
        each input in turn, and each direction, moves to where the constraints are violated least.
        """
        x = self._snap(self._projected(x))
        for _ in range(_REPAIRS):
            if 2 * np.count_nonzero(self.inside(x)) > len(x):
                break
            for j in rng.permutation(x.shape[1]):
                self._adjust(int(j), x)
            for step in self._together(rng):
                self._repair(x, step, self._ends(x, step))
            for step in self._directions.whole:
                self._repair(x, step, self._ends(x, step, whole=True))
        return x[self.inside(x)]

    def walk(self, x: Array, rng: np.random.Generator) -> Array:
        """(n, d) uniform points, one chain from each of (n, d) feasible ones."""
        x = x.copy()
        whole = self._directions.whole
        for _ in range(_SWEEPS):
            order = rng.permutation(x.shape[1])
            for j, step in zip(order.tolist(), self._movers(order, rng), strict=True):
                if isinstance(self._of[j][0], Simplex):
                    self._slide(x, step, rng)
                else:
                    self._move(j, x, rng)
                    self._answer(j, x, rng)
            for step in self._together(rng):
                self._slide(x, step, rng)
            order = rng.permutation(len(whole))
            for i, other in zip(order, np.roll(order, 1), strict=True):
                # Neighbours may lie across two directions.
                times = rng.integers(-1, 2) if i != other else 0
                self._slide(x, whole[i] + times * whole[other], rng, whole=True)
        return x

    def _projected(self, x: Array) -> Array:
        scale = np.where(self._high > self._low, self._high - self._low, 1.0)
        for _ in range(_PROJECTIONS):
            if self.inside(x).all():
                break
            for row, lower, upper in zip(self.a, self.lower, self.upper, strict=True):
                scaled = row * scale  # in units of each input's range
                norm = max(float((scaled**2).sum()), 1e-300)
                margin = min(1e-6 * math.sqrt(norm), (upper - lower) / 4)
                sums = x @ row
                short = np.maximum(lower + margin - sums, 0) - np.maximum(sums - upper + margin, 0)
                x = x + (short / norm)[:, None] * scaled * scale
            x = self._shared(np.clip(x, self._low, self._high))
        return x

    def _shared(self, x: Array) -> Array:
        for p, block in self._blocks:
            if isinstance(p, Simplex):
                x[:, block] = onto_simplex(x[:, block])
        return x

    def _snap(self, x: Array) -> Array:
        """To values that the parameters have, near in the constraints' sums too."""
        whole = self._directions.whole
        # Rounding in a reduced basis (Babai 1986) comes nearer than rounding each integer.
        times = x[:, self._whole] @ np.linalg.pinv(whole[:, self._whole])
        x = self._clipped(x + (np.rint(times) - times) @ whole)
        for j, (p, _) in enumerate(self._of):
            x[:, j] = _nearest(p, x[:, j])
        return x

    def _clipped(self, x: Array) -> Array:
        return self._shared(np.clip(x, self._low, self._high))

    def _adjust(self, j: int, x: Array) -> None:
        """Move one number to where the constraints are violated least."""
        p, step = self._of[j][0], self._axes[j]
        if isinstance(p, Ordinal):
            self._repair(x, step, np.asarray(p.values, float) - x[:, [j]])
        elif not isinstance(p, Simplex):
            self._repair(x, step, self._ends(x, step, whole=isinstance(p, Integer)))

    def _repair(self, x: Array, step: Array, times: Array) -> None:
        """Move along a line, by one of (n, k) times the step, to the least violation."""
        times = np.hstack([np.zeros((len(x), 1)), times])
        tried = (x @ self.a.T)[:, None, :] + times[:, :, None] * (self.a @ step)
        excess = np.maximum(np.maximum(self.lower - tried, tried - self.upper), 0) / self._size
        best = times[np.arange(len(x)), excess.sum(axis=2).argmin(axis=1)]
        x[:] = np.clip(x + best[:, None] * step, self._low, self._high)

    def _ends(self, x: Array, step: Array, *, whole: bool = False) -> Array:
        """(n, k) multiples of a step at which a sum reaches a bound, within the inputs' bounds."""
        low, high = _multiples(self._low, self._high, x, step)
        slopes, sums = self.a @ step, x @ self.a.T
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = np.hstack([(self.lower - sums) / slopes, (self.upper - sums) / slopes])
        ends = np.where(np.isfinite(ends), ends, 0)
        if whole:
            low, high = np.ceil(low - _TOLERANCE), np.floor(high + _TOLERANCE)
            ends = np.hstack([np.floor(ends + _TOLERANCE), np.ceil(ends - _TOLERANCE)])
        clipped: Array = np.clip(ends, low[:, None], high[:, None])
        return clipped

    def _movers(self, inputs: Array, rng: np.random.Generator) -> Array:
        """(..., d) steps of single inputs: a number moves alone, a share to another one."""
        steps: Array = self._axes[inputs]
        first, others = self._partners[:, inputs]
        partner = first + (rng.random(inputs.shape) * others).astype(np.intp)
        partner += partner >= inputs
        gives = np.nonzero(others)
        steps[(*gives, partner[gives])] = -1
        return steps

    def _together(self, rng: np.random.Generator) -> Array:
        """(k, d) steps of a real number or share and as many more as hold all sums in place."""
        k = len(self._straight)
        if not k:
            return np.empty((0, self.a.shape[1]))
        # The smallest of exponential draws: some of unequal weights, none twice.
        chosen = rng.exponential(size=(k, k)) / self._often
        np.fill_diagonal(chosen, -1)  # each is the first of one step
        movers = self._straight[chosen.argsort(axis=1)[:, : len(self.a) + 1]]
        return self._directions.among(self._movers(movers, rng), rng)

    def _move(self, j: int, x: Array, rng: np.random.Generator) -> None:
        """One input moves alone."""
        lowest, highest, now = self._low[j], self._high[j], x[:, j]
        low, high = self._interval(x, self._axes[j])
        # Sums round: a step to a bound may end beside it, on a log scale even at zero.
        low, high = (np.clip(now + step, lowest, highest) for step in (low, high))
        x[:, j] = _between(self._of[j][0], now, low, high, rng)

    def _slide(
        self, x: Array, step: Array, rng: np.random.Generator, *, whole: bool = False
    ) -> None:
        """Move along a line to any of its points: all, or a whole number of steps away."""
        low, high = self._interval(x, step)
        u = rng.random(len(x))
        if whole:
            low, high = np.ceil(low - _TOLERANCE), np.floor(high + _TOLERANCE)
            times = np.minimum(low + np.floor(u * (high - low + 1)), high)
        else:
            times = low + u * (high - low)
        along = np.flatnonzero(step).tolist()
        now = x[:, along]
        moved = np.clip(now + times[:, None] * step[along], self._low[along], self._high[along])
        kept = np.ones(len(x), bool)
        for j, before, after in zip(along, now.T, moved.T, strict=True):
            if not self._lines[j]:
                p = self._of[j][0]
                kept &= rng.random(len(x)) * _density(p, before) < _density(p, after)
        x[:, along] = np.where(kept[:, None], moved, now)

    def _answer(self, j: int, x: Array, rng: np.random.Generator) -> None:
        """One input moves and another answers, so that the sum of one constraint stays.

        A Metropolis step where values are not equally likely or spaced. The first takes any of
        its values, drawn as all draws are, so that only the density of the other's decides
        whether the step is kept.
        """
        i, other = int(rng.integers(len(self.a))), int(rng.integers(x.shape[1]))
        straight = self._lines[j] and self._lines[other]  # then it is a slide
        if j == other or straight or not self.a[i, j]:
            return
        step = self._movers(np.array([other]), rng)[0]
        slope = float(self.a[i] @ step)
        if not slope:
            return
        p, partner = self._of[j][0], self._of[other][0]
        if isinstance(p, Real) and isinstance(partner, Integer | Ordinal):
            return  # falls between its values
        now = x[:, other]
        low, high = np.full_like(now, self._low[j]), np.full_like(now, self._high[j])
        drawn = _between(p, x[:, j], low, high, rng)
        moved = x - (self.a[i, j] / slope * (drawn - x[:, j]))[:, None] * step
        moved[:, j], wanted = drawn, moved[:, other].copy()
        answer = _nearest(partner, np.clip(wanted, self._low[other], self._high[other]))
        moved[:, other] = answer
        kept = np.abs(answer - wanted) <= _spacing(partner) * 1e-6 + np.abs(wanted) * 1e-15
        kept &= ((moved >= self._low) & (moved <= self._high)).all(axis=1)
        kept &= rng.random(len(x)) * _density(partner, now) < _density(partner, answer)
        kept &= self.inside(moved)
        x[kept] = moved[kept]

    def _interval(self, x: Array, step: Array) -> tuple[Array, Array]:
        """(n,) least and most of the multiples of a (d,) step that stay feasible."""
        slopes = self.a @ step
        slopes[np.abs(slopes) <= _NOISE * (np.abs(self.a) @ np.abs(step))] = 0
        sums = x @ self.a.T
        inputs = _multiples(self._low, self._high, x, step)
        linear = _multiples(self.lower, self.upper, sums, slopes)
        low, high = np.maximum(inputs[0], linear[0]), np.minimum(inputs[1], linear[1])
        return np.minimum(low, 0.0), np.maximum(high, 0.0)


def _multiples(low: Array, high: Array, x: Array, step: Array) -> tuple[Array, Array]:
    """(n,) least and most of the t for which (n, k) ``low <= x + t * step <= high``."""
    along = np.flatnonzero(step)
    ends = [(bound[along] - x[:, along]) / step[along] for bound in (low, high)]
    least: Array = np.minimum(*ends).max(axis=1, initial=-np.inf)
    most: Array = np.maximum(*ends).min(axis=1, initial=np.inf)
    return least, most


def onto_simplex(x: Array) -> Array:
    """The nearest points that are shares (Duchi et al. 2008, *ICML*, figure 1)."""
    k = x.shape[1]
    falling = -np.sort(-x, axis=1)
    excess = (falling.cumsum(axis=1) - 1) / np.arange(1, k + 1)
    last = np.count_nonzero(falling > excess, axis=1) - 1
    shares = np.maximum(x - excess[np.arange(len(x)), last][:, None], 0)
    onto: Array = shares / shares.sum(axis=1, keepdims=True)
    return onto


def _nearest(p: Parameter, values: Array) -> Array:
    """The value of a number next to each of some within its bounds."""
    if isinstance(p, Integer):
        return np.rint(values)
    if not isinstance(p, Ordinal):
        return values
    table = np.asarray(p.values, float)
    above = np.minimum(np.searchsorted(table, values), len(table) - 1)
    below = np.maximum(above - 1, 0)
    nearer: Array = np.where(
        values - table[below] < table[above] - values, table[below], table[above]
    )
    return nearer


def _spacing(p: Parameter) -> float:
    """The least difference between two values of a number."""
    if isinstance(p, Ordinal):
        return float(np.diff(np.asarray(p.values, float)).min(initial=np.inf))
    return float(isinstance(p, Integer))


def _density(p: Parameter, values: Array) -> Array:
    """How often a draw gives each value of a number, up to a factor."""
    if isinstance(p, Real) and p.log:
        return 1 / values
    if isinstance(p, Integer) and p.log:
        return np.log((values + 0.5) / (values - 0.5))
    return np.ones_like(values)


def _between(p: Parameter, now: Array, low: Array, high: Array, rng: np.random.Generator) -> Array:
    """A uniform value of the parameter from each interval, on the parameter's own scale."""
    u = rng.random(len(now))
    if isinstance(p, Ordinal):
        table = np.asarray(p.values, float)
        first = np.searchsorted(table, low - _TOLERANCE)
        last = np.searchsorted(table, high + _TOLERANCE, side="right") - 1
        index = first + np.minimum((u * (last - first + 1)).astype(int), last - first)
        return np.where(last >= first, table[np.clip(index, 0, len(table) - 1)], now)
    if isinstance(p, Integer):
        low, high = np.ceil(low - _TOLERANCE), np.floor(high + _TOLERANCE)
        low, high = np.minimum(low, now), np.maximum(high, now)
        edges = (np.log(low - 0.5), np.log(high + 0.5)) if p.log else (low - 0.5, high + 0.5)
        value = edges[0] + u * (edges[1] - edges[0])
        return np.clip(np.rint(np.exp(value) if p.log else value), low, high)
    if isinstance(p, Real) and p.log:
        return np.clip(np.exp(np.log(low) + u * np.log(high / low)), low, high)
    drawn: Array = low + u * (high - low)
    return drawn
