"""Linear constraints on inputs, and uniform draws from what they leave.

Draws are rejected while that is cheap. Where the feasible part is too thin, a Gibbs sampler walks
inside it: given all other inputs, one input (or, for shares of a simplex, what one gives to
another) is uniform on an interval that the constraints give in closed form (Smith 1984, *Efficient
Monte Carlo procedures for generating points uniformly distributed over bounded regions*).

Notation: A (m, d) coefficients, lower and upper (m,), x (n, d) the numeric inputs side by side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array, Batch
from blackbox.errors import SpaceError
from blackbox.space.choices import Ordinal
from blackbox.space.numbers import Integer, Real
from blackbox.space.parameter import Cube, Parameter
from blackbox.space.vectors import Simplex

if TYPE_CHECKING:
    from blackbox.space.space import Space

_TOLERANCE = 1e-9
_REJECTION_TRIES = 64
_SWEEPS = 64


@dataclass(frozen=True)
class LinearConstraint:
    """``lower <= sum of coefficient * input <= upper``, in the user's units.

    Args:
        coefficients: input to coefficient. An input is a parameter's name, or ``"mix[web]"`` for
            one element of a vector; a vector's name takes one coefficient for each element, or
            one for all. Real, Integer, Ordinal with numbers, and Simplex parameters can be used.
        lower: smallest value of the sum.
        upper: largest value of the sum.

    Raises:
        SpaceError: no coefficients, no bound, bounds in the wrong order, or an equality.
    """

    coefficients: Mapping[str, float | Sequence[float]]
    lower: float = field(default=-math.inf)
    upper: float = field(default=math.inf)

    def __post_init__(self) -> None:
        if not self.coefficients:
            raise SpaceError("LinearConstraint: coefficients are empty; name at least one input")
        if math.isnan(self.lower) or math.isnan(self.upper) or self.lower > self.upper:
            raise SpaceError(
                f"LinearConstraint: lower={self.lower} must not be above upper={self.upper}"
            )
        if self.lower == self.upper:
            raise SpaceError(
                f"LinearConstraint: lower and upper are both {self.lower}; for shares that sum to "
                "one use a Simplex, else drop one input and compute it from the others"
            )
        if math.isinf(self.lower) and math.isinf(self.upper):
            raise SpaceError("LinearConstraint: give lower=, upper= or both")

    def spec(self) -> dict[str, Any]:
        """The declaration as a plain dict, for fingerprints."""
        coefficients = {
            name: [float(x) for x in np.atleast_1d(np.asarray(c, float))]
            for name, c in self.coefficients.items()
        }
        return {"coefficients": coefficients, "lower": self.lower, "upper": self.upper}


class Polytope:
    """The feasible part of a space under its linear constraints."""

    def __init__(self, space: Space, constraints: Sequence[LinearConstraint]) -> None:
        used = {_split(key)[0] for c in constraints for key in c.coefficients}
        for name in used - set(space.names):
            raise SpaceError(f"LinearConstraint names {name!r}; the space has {list(space.names)}")
        self._parameters = [_numeric(p) for p in space if p.name in used]
        self._blocks: dict[str, slice] = {}
        for p in self._parameters:
            start = self.dimension
            self._blocks[p.name] = slice(start, start + (p.size or 1))
        self._a = np.array([self._row(c) for c in constraints])
        self._lower = np.array([c.lower for c in constraints], float)
        self._upper = np.array([c.upper for c in constraints], float)
        # Rounding error of a sum is relative to the size of its terms.
        terms = np.abs(self._a) * np.maximum(*map(np.abs, self._bounds()))
        self._slack = _TOLERANCE * np.maximum(terms.sum(axis=1), 1e-300)

    @property
    def dimension(self) -> int:
        """d, the number of numeric inputs that constraints speak of."""
        return max((b.stop for b in self._blocks.values()), default=0)

    @property
    def matrix(self) -> tuple[Array, Array, Array]:
        """Coefficients (m, d), lower (m,) and upper (m,)."""
        return self._a, self._lower, self._upper

    def feasible(self, batch: Batch) -> npt.NDArray[np.bool_]:
        """(n,) whether each row satisfies every constraint, within rounding."""
        return self._inside(self._matrix(batch))

    def draw(self, space: Space, n: int, rng: np.random.Generator) -> Batch:
        """n uniform feasible rows: by rejection, else by a walk inside.

        Raises:
            SpaceError: no feasible point was found.
        """
        kept: list[Batch] = []
        found = 0
        block = max(4 * n, 256)
        for _ in range(_REJECTION_TRIES):
            batch = space.decode(rng.random((block, space.width)))
            batch = batch[self.feasible(batch)]
            kept.append(batch[: n - found])
            found += len(kept[-1])
            if found >= n:
                return Batch.concat(kept)
            if block < 65_536:
                block *= 2
        start = Batch.concat(kept)[:1] if found else self._search(space, rng)
        return self._walk(space, start, n, rng)

    def _row(self, constraint: LinearConstraint) -> Array:
        row = np.zeros(self.dimension)
        parameters = {p.name: p for p in self._parameters}
        for key, coefficient in constraint.coefficients.items():
            name, label = _split(key)
            parameter, block = parameters[name], self._blocks[name]
            values = np.asarray(coefficient, float)
            if not np.all(np.isfinite(values)):
                raise SpaceError(f"LinearConstraint: coefficient of {key!r} is {coefficient!r}")
            if label is None:
                width = block.stop - block.start
                if values.ndim > 1 or values.size not in (1, width):
                    raise SpaceError(
                        f"LinearConstraint: {values.size} coefficients for {key!r}, "
                        f"which has {width} elements"
                    )
                row[block] += values
            elif label in parameter.labels and values.ndim == 0:
                row[block.start + parameter.labels.index(label)] += float(values)
            else:
                raise SpaceError(
                    f"LinearConstraint: {key!r} is no single element of {name!r}; "
                    f"its elements are {list(parameter.labels)}"
                )
        return row

    def _bounds(self) -> tuple[Array, Array]:
        low, high = np.zeros(self.dimension), np.ones(self.dimension)
        for p in self._parameters:
            if isinstance(p, Real | Integer):
                low[self._blocks[p.name]], high[self._blocks[p.name]] = p.low, p.high
            elif isinstance(p, Ordinal):
                low[self._blocks[p.name]], high[self._blocks[p.name]] = p.values[0], p.values[-1]
        return low, high

    def _matrix(self, batch: Batch) -> Array:
        columns = [batch[p.name].reshape(len(batch), -1) for p in self._parameters]
        return np.concatenate(columns, axis=1).astype(np.float64)

    def _inside(self, x: Array) -> npt.NDArray[np.bool_]:
        sums = x @ self._a.T
        low = sums >= self._lower - self._slack
        inside: npt.NDArray[np.bool_] = (low & (sums <= self._upper + self._slack)).all(axis=1)
        return inside

    def _search(self, space: Space, rng: np.random.Generator) -> Batch:
        """One feasible row: alternating projections on half-spaces and bounds from random rows."""
        batch = space.decode(rng.random((64, space.width)))
        x = self._matrix(batch)
        low, high = self._bounds()
        scale = np.where(high > low, high - low, 1.0)
        scaled = self._a * scale  # rows in units of each input's range
        norms = np.maximum((scaled**2).sum(axis=1), 1e-300)
        for _ in range(500):
            for a, lo, hi, norm, raw in zip(
                scaled, self._lower, self._upper, norms, self._a, strict=True
            ):
                sums = x @ raw
                margin = 1e-6 * math.sqrt(norm)
                short = np.maximum(lo + margin - sums, 0) - np.maximum(sums - hi + margin, 0)
                x = x + (short / norm)[:, None] * a * scale
            x = self._snap(np.clip(x, low, high))
            inside = self._inside(x)
            if inside.any():
                return self._put(batch[:1], x[inside][:1])
        raise SpaceError(
            "no input satisfies all linear constraints: "
            + "; ".join(
                f"{lo:g} <= {np.round(a, 6).tolist()} . {list(self._blocks)} <= {hi:g}"
                for a, lo, hi in zip(self._a, self._lower, self._upper, strict=True)
            )
        )

    def _snap(self, x: Array) -> Array:
        x = x.copy()
        for p in self._parameters:
            block = self._blocks[p.name]
            if isinstance(p, Integer):
                x[:, block] = np.rint(x[:, block])
            elif isinstance(p, Ordinal):
                table = np.asarray(p.values, float)
                x[:, block] = table[np.abs(x[:, block] - table).argmin(axis=1)][:, None]
            elif isinstance(p, Simplex):
                x[:, block] /= np.maximum(x[:, block].sum(axis=1, keepdims=True), 1e-300)
        return x

    def _put(self, batch: Batch, x: Array) -> Batch:
        columns = {}
        for p in self._parameters:
            values = x[:, self._blocks[p.name]]
            values = values if p.size else values[:, 0]
            columns[p.name] = values.astype(batch[p.name].dtype)
        return batch.with_columns(**columns)

    def _walk(self, space: Space, start: Batch, n: int, rng: np.random.Generator) -> Batch:
        """n Gibbs chains from one feasible row, ``_SWEEPS`` sweeps over all inputs each."""
        free = space.decode(rng.random((n, space.width)))
        x = np.repeat(self._matrix(start), n, axis=0)
        for _ in range(_SWEEPS):
            for p in self._parameters:
                block = self._blocks[p.name]
                for j in rng.permutation(np.arange(block.start, block.stop)):
                    self._move(p, int(j), block, x, rng)
        return self._put(free, x)

    def _move(self, p: Parameter, j: int, block: slice, x: Array, rng: np.random.Generator) -> None:
        if isinstance(p, Simplex):
            other = int(rng.integers(block.start, block.stop - 1))
            other += other >= j
            direction = self._a[:, j] - self._a[:, other]
            low, high = self._interval(x, direction, -x[:, j], x[:, other])
            step = low + (high - low) * rng.random(len(x))
            x[:, j] = np.maximum(x[:, j] + step, 0)
            x[:, other] = np.maximum(x[:, other] - step, 0)
            return
        lowest, highest = (f[j] for f in self._bounds())
        low, high = self._interval(x, self._a[:, j], lowest - x[:, j], highest - x[:, j])
        x[:, j] = _between(p, x[:, j], x[:, j] + low, x[:, j] + high, rng)

    def _interval(self, x: Array, direction: Array, low: Array, high: Array) -> tuple[Array, Array]:
        """Ends of the step t for which x + t * direction stays feasible."""
        sums = x @ self._a.T
        for i, slope in enumerate(direction):
            if slope == 0:
                continue
            ends = (
                (self._lower[i] - sums[:, i]) / slope,
                (self._upper[i] - sums[:, i]) / slope,
            )
            low = np.maximum(low, np.minimum(*ends))
            high = np.minimum(high, np.maximum(*ends))
        return np.minimum(low, 0.0), np.maximum(high, 0.0)


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
    drawn: Cube = low + u * (high - low)
    return drawn


def _split(key: str) -> tuple[str, str | None]:
    name, bracket, label = key.partition("[")
    return (name, label[:-1]) if bracket and label.endswith("]") else (key, None)


def _numeric(parameter: Parameter) -> Parameter:
    numbers = isinstance(parameter, Ordinal) and parameter.table.dtype.kind in "if"
    if not numbers and not isinstance(parameter, Real | Integer | Simplex):
        raise SpaceError(
            f"LinearConstraint names {parameter.name!r}, a {type(parameter).__name__}; only Real, "
            "Integer, Ordinal with numbers and Simplex parameters can be constrained"
        )
    return parameter
