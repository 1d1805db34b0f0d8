"""Linear constraints on inputs, and uniform draws from what they leave.

Draws are rejected while that is cheap; where the feasible part is too thin, they walk inside it
(see ``interior``).

Notation: A (m, d) coefficients, lower and upper (m,), x (n, d) the numeric inputs side by side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from blackbox.arguments import is_bound
from blackbox.batch import Array, Batch
from blackbox.errors import SpaceError
from blackbox.space.choices import Ordinal
from blackbox.space.interior import Interior
from blackbox.space.numbers import Integer, Real
from blackbox.space.parameter import Parameter
from blackbox.space.vectors import Simplex

if TYPE_CHECKING:
    from blackbox.space.space import Space

_PROBE = 65_536
_THIN = 1e-3
_STARTS = 64


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
        named = isinstance(self.coefficients, Mapping)
        if not named or not all(isinstance(key, str) for key in self.coefficients):
            raise SpaceError(
                f"LinearConstraint: coefficients={self.coefficients!r} must be a dict from the "
                "name of an input to a number"
            )
        if not self.coefficients:
            raise SpaceError("LinearConstraint: coefficients are empty; name at least one input")
        for bound in ("lower", "upper"):
            value = getattr(self, bound)
            if not is_bound(value):
                raise SpaceError(f"LinearConstraint: {bound}={value!r} must be a number")
        if self.lower > self.upper:
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
        self._interior = Interior(self._parameters, self._blocks, self._a, self._lower, self._upper)
        self._probed: tuple[float, Array] | None = None

    @property
    def dimension(self) -> int:
        """d, the number of numeric inputs that constraints speak of."""
        return max((b.stop for b in self._blocks.values()), default=0)

    @property
    def blocks(self) -> dict[str, slice]:
        """The parameters that constraints speak of, and their inputs."""
        return dict(self._blocks)

    @property
    def matrix(self) -> tuple[Array, Array, Array]:
        """Coefficients (m, d), lower (m,) and upper (m,)."""
        return self._a, self._lower, self._upper

    def feasible(self, batch: Batch) -> npt.NDArray[np.bool_]:
        """(n,) whether each row satisfies every constraint, within rounding."""
        return self._interior.inside(self._matrix(batch))

    def draw(self, space: Space, n: int, rng: np.random.Generator) -> Batch:
        """n uniform feasible rows: by rejection, else by a walk inside.

        Raises:
            SpaceError: no feasible point was found.
        """
        share, found = self._probe(space)
        if share < _THIN:
            starts = found[rng.integers(0, len(found), n)]
            free = space.decode(rng.random((n, space.width)))
            return self._put(free, self._interior.walk(starts, rng))
        kept: list[Batch] = []
        missing = n
        while missing or not kept:
            block = min(max(int(1.5 * missing / share), 256), _PROBE)
            batch = space.decode(rng.random((block, space.width)))
            kept.append(batch[self.feasible(batch)][:missing])
            missing -= len(kept[-1])
        return Batch.concat(kept)

    def _probe(self, space: Space) -> tuple[float, Array]:
        """The feasible share of the space, roughly, and some feasible points (k, d).

        From a fixed seed: a resumed optimizer has to draw as the uninterrupted one.
        """
        if self._probed is None:
            rng = np.random.default_rng(0)
            x = self._matrix(space.decode(rng.random((_PROBE, space.width))))
            inside = self._interior.inside(x)
            found = x[inside][:_STARTS]
            if len(found) < _STARTS:
                found = np.concatenate([found, self._interior.search(x[:_STARTS], rng)])
            if not len(found):
                raise SpaceError(f"no input satisfies all linear constraints: {self._shown()}")
            self._probed = np.count_nonzero(inside) / _PROBE, found
        return self._probed

    def _shown(self) -> str:
        names = list(self._blocks)
        rows = zip(self._a, self._lower, self._upper, strict=True)
        return "; ".join(
            f"{lo:g} <= {np.round(a, 6).tolist()} . {names} <= {hi:g}" for a, lo, hi in rows
        )

    def _row(self, constraint: LinearConstraint) -> Array:
        row = np.zeros(self.dimension)
        parameters = {p.name: p for p in self._parameters}
        for key, coefficient in constraint.coefficients.items():
            name, label = _split(key)
            parameter, block = parameters[name], self._blocks[name]
            values = np.asarray(coefficient)
            if values.dtype.kind not in "if" or not np.all(np.isfinite(values)):
                raise SpaceError(
                    f"LinearConstraint: coefficient of {key!r} is {coefficient!r}; "
                    "give a finite number, or one for each element"
                )
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

    def _matrix(self, batch: Batch) -> Array:
        columns = [batch[p.name].reshape(len(batch), p.size or 1) for p in self._parameters]
        return np.concatenate(columns, axis=1).astype(np.float64)

    def _put(self, batch: Batch, x: Array) -> Batch:
        columns = {}
        for p in self._parameters:
            values = x[:, self._blocks[p.name]]
            values = values if p.size else values[:, 0]
            columns[p.name] = values.astype(batch[p.name].dtype)
        return batch.with_columns(**columns)


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
