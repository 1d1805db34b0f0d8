"""Points inside a thin feasible region: finding some, then walking to uniform ones.

The walk is a Gibbs sampler: given all other inputs, one input (or what one input gives to another,
at a rate that leaves one constraint's sum as it is) is uniform on an interval that the constraints
give in closed form (Smith 1984, *Efficient Monte Carlo procedures for generating points uniformly
distributed over bounded regions*). Where the values on such a line are not equally likely, or not
all of its points are values, a step is proposed and kept by Metropolis' rule. Chains start from
different feasible points.

Notation: A (m, d) coefficients, lower and upper (m,), x (n, d) numeric inputs side by side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array
from blackbox.space.choices import Ordinal
from blackbox.space.numbers import Integer, Real
from blackbox.space.parameter import Parameter
from blackbox.space.vectors import Simplex

_TOLERANCE = 1e-9
_SHARE = 1e-6  # of its own terms that a sum may miss a bound by
_ROUNDING = 1e-14  # error of a decoded number, relative to its range
_SWEEPS = 64
_PROJECTIONS = 100
_REPAIRS = 30


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
        self._low, self._high = np.zeros(d), np.ones(d)
        self._blocks = [(p, blocks[p.name]) for p in parameters]
        self._of = [(p, blocks[p.name]) for p in parameters for _ in range(p.size or 1)]
        for p, block in self._blocks:
            if isinstance(p, Real | Integer):
                self._low[block], self._high[block] = p.low, p.high
            elif isinstance(p, Ordinal):
                self._low[block], self._high[block] = p.values[0], p.values[-1]
        # Along a line, a number on a log scale would not be uniform, and an Ordinal has no steps.
        self._lines = [isinstance(p, Real | Integer) and not p.log for p, _ in self._of]
        # Rounding error of a sum is relative to the size of its terms.
        terms = np.abs(a) * np.maximum(np.abs(self._low), np.abs(self._high))
        self._size = np.maximum(terms.sum(axis=1), 1e-300)

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
        each input in turn moves to the value that violates the constraints least.
        """
        x = self._snap(self._projected(x))
        for _ in range(_REPAIRS):
            if 2 * np.count_nonzero(self.inside(x)) > len(x):
                break
            for j in rng.permutation(x.shape[1]):
                self._repair(int(j), x)
        return x[self.inside(x)]

    def walk(self, x: Array, rng: np.random.Generator) -> Array:
        """(n, d) uniform points, one chain from each of (n, d) feasible ones."""
        x = x.copy()
        for _ in range(_SWEEPS):
            for j in rng.permutation(x.shape[1]):
                p, block = self._of[j]
                if isinstance(p, Simplex):
                    self._give(int(j), block, x, rng)
                else:
                    self._move(int(j), x, rng)
                    self._exchange(int(j), x, rng)
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
        """To the nearest values that the parameters have."""
        for p, block in self._blocks:
            if isinstance(p, Integer):
                x[:, block] = np.rint(x[:, block])
            elif isinstance(p, Ordinal):
                table = np.asarray(p.values, float)
                x[:, block] = table[np.abs(x[:, block] - table).argmin(axis=1)][:, None]
        return x

    def _repair(self, j: int, x: Array) -> None:
        """Move one input to where the constraints are violated least."""
        p, _ = self._of[j]
        if isinstance(p, Simplex):
            return
        sums = x @ self.a.T
        rest = sums - x[:, [j]] * self.a[:, j]
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = np.hstack(
                [(self.lower - rest) / self.a[:, j], (self.upper - rest) / self.a[:, j]]
            )
        ends = np.where(np.isfinite(ends), np.clip(ends, self._low[j], self._high[j]), x[:, [j]])
        if isinstance(p, Integer):
            ends = np.hstack([np.floor(ends + _TOLERANCE), np.ceil(ends - _TOLERANCE)])
        elif isinstance(p, Ordinal):
            ends = np.broadcast_to(np.asarray(p.values, float), (len(x), len(p.values)))
        values = np.hstack([x[:, [j]], np.clip(ends, self._low[j], self._high[j])])
        tried = rest[:, None, :] + values[:, :, None] * self.a[:, j]
        excess = np.maximum(np.maximum(self.lower - tried, tried - self.upper), 0) / self._size
        best = excess.sum(axis=2).argmin(axis=1)
        x[:, j] = values[np.arange(len(x)), best]

    def _give(self, j: int, block: slice, x: Array, rng: np.random.Generator) -> None:
        """One share gives to another of the same simplex."""
        other = int(rng.integers(block.start, block.stop - 1))
        other += other >= j
        direction = self.a[:, j] - self.a[:, other]
        low, high = self._interval(x, direction, -x[:, j], x[:, other])
        step = low + (high - low) * rng.random(len(x))
        x[:, j] = np.maximum(x[:, j] + step, 0)
        x[:, other] = np.maximum(x[:, other] - step, 0)

    def _move(self, j: int, x: Array, rng: np.random.Generator) -> None:
        """One input moves alone."""
        lowest, highest, now = self._low[j], self._high[j], x[:, j]
        low, high = self._interval(x, self.a[:, j], lowest - now, highest - now)
        # Sums round: a step to a bound may end beside it, on a log scale even at zero.
        low, high = (np.clip(now + step, lowest, highest) for step in (low, high))
        x[:, j] = _between(self._of[j][0], now, low, high, rng)

    def _exchange(self, j: int, x: Array, rng: np.random.Generator) -> None:
        """Two inputs move so that the sum of one constraint stays.

        Between two close bounds nothing else can move, above all no integers.
        """
        i, other = int(rng.integers(len(self.a))), int(rng.integers(x.shape[1]))
        linked = self.a[i, j] != 0 and self.a[i, other] != 0
        if j == other or not linked:
            return
        rate = self.a[i, j] / self.a[i, other]
        whole = [isinstance(self._of[k][0], Integer) for k in (j, other)]
        straight = self._lines[j] and self._lines[other]
        if not straight or (whole[1] and not (whole[0] and abs(rate) == 1)):
            self._answer(j, other, rate, x, rng)
            return
        ends = [(x[:, other] - end) / rate for end in (self._low[other], self._high[other])]
        low = np.maximum(self._low[j] - x[:, j], np.minimum(*ends))
        high = np.minimum(self._high[j] - x[:, j], np.maximum(*ends))
        low, high = self._interval(x, self.a[:, j] - rate * self.a[:, other], low, high)
        u = rng.random(len(x))
        if whole[0]:
            low, high = np.ceil(low - _TOLERANCE), np.floor(high + _TOLERANCE)
            step = np.minimum(low + np.floor(u * (high - low + 1)), high)
        else:
            step = low + u * (high - low)
        for k, moved in ((j, x[:, j] + step), (other, x[:, other] - rate * step)):
            x[:, k] = np.clip(moved, self._low[k], self._high[k])

    def _answer(self, j: int, other: int, rate: float, x: Array, rng: np.random.Generator) -> None:
        """As ``_exchange`` where the steps are not uniform: one input moves, the other answers.

        A Metropolis step. The first takes any of its values, drawn as all draws are, so that only
        the density of the other's decides whether the step is kept.
        """
        p, partner = self._of[j][0], self._of[other][0]
        never = isinstance(p, Real) and not isinstance(partner, Real)  # falls between its values
        if never or isinstance(partner, Simplex):
            return
        now = x[:, other]
        low, high = np.full_like(now, self._low[j]), np.full_like(now, self._high[j])
        drawn = _between(p, x[:, j], low, high, rng)
        wanted = now - rate * (drawn - x[:, j])
        answer = _nearest(partner, np.clip(wanted, self._low[other], self._high[other]))
        moved = x.copy()
        moved[:, j], moved[:, other] = drawn, answer
        kept = np.abs(answer - wanted) <= _spacing(partner) * 1e-6 + np.abs(wanted) * 1e-15
        kept &= rng.random(len(x)) * _density(partner, now) < _density(partner, answer)
        kept &= self.inside(moved)
        x[kept] = moved[kept]

    def _interval(self, x: Array, direction: Array, low: Array, high: Array) -> tuple[Array, Array]:
        """Ends of the step t for which x + t * direction stays feasible."""
        sums = x @ self.a.T
        for i, slope in enumerate(direction):
            if slope == 0:
                continue
            ends = (self.lower[i] - sums[:, i]) / slope, (self.upper[i] - sums[:, i]) / slope
            low = np.maximum(low, np.minimum(*ends))
            high = np.minimum(high, np.maximum(*ends))
        return np.minimum(low, 0.0), np.maximum(high, 0.0)


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
