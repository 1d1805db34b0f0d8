"""The coordinates in which surrogates and acquisitions see a space.

They differ from the unit cube in two places. The cube's code of a simplex is made for drawing: a
mixture has many codes, and near ones may be far apart; a kernel takes the shares themselves. (Their
square roots predict power laws of small shares better, by a factor of 2, and smooth functions worse
by as much; shares keep the search linear.) A category has no place on a line; it is kept as its
position in the list and compared for equality.

Notation: n rows, d columns of features; ``positions`` count the values of a discrete parameter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array, Batch
from blackbox.errors import SpaceError
from blackbox.space import Categorical, Integer, Ordinal, Parameter, Real, Simplex, Space

#: Up to this many values every one is a neighbour; ordered ones beyond are reached by doubling.
_ALL_VALUES = 16


@dataclass(frozen=True)
class Levels:
    """The finitely many values of one column of features.

    Args:
        column: index of the column.
        parameter: the scalar parameter whose values they are.
    """

    column: int
    parameter: Real | Integer | Ordinal | Categorical

    @property
    def count(self) -> int:
        """Number of values."""
        return int(self.parameter.cardinality)

    def features(self, positions: npt.NDArray[np.int64]) -> Array:
        """(k,) features of the values at these positions."""
        p = self.parameter
        if isinstance(p, Categorical):
            return positions.astype(np.float64)
        if isinstance(p, Ordinal):
            return p.encode(p.table[positions])[:, 0]
        values = p.low + positions if isinstance(p, Integer) else np.full(len(positions), p.low)
        return p.encode(values)[:, 0]

    def position(self, feature: float) -> int:
        """Position of the value that has this feature."""
        p = self.parameter
        if isinstance(p, Categorical):
            return int(feature)
        value = p.decode(np.array([[feature]]))
        if isinstance(p, Ordinal):
            return int(p.index(value)[0])
        return int(value[0]) - p.low if isinstance(p, Integer) else 0

    def others(self, feature: float) -> Array:
        """(k,) features one step away: of every other value, or 1, 2, 4, ... values away."""
        here = self.position(feature)
        if self.count <= _ALL_VALUES or isinstance(self.parameter, Categorical):
            there = np.arange(self.count)
        else:
            steps = 2 ** np.arange(self.count.bit_length())
            there = np.concatenate([here - steps, here + steps])
            there = there[(there >= 0) & (there < self.count)]
        return self.features(there[there != here])


class Features:
    """Rows of a space as (n, d) float64, and back.

    Args:
        space: of Real, Integer, Ordinal, Categorical and Simplex parameters.

    Raises:
        SpaceError: the space has a parameter of another kind.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self._blocks: dict[str, slice] = {}
        start = 0
        for p in space:
            if not isinstance(p, Real | Integer | Ordinal | Categorical | Simplex):
                raise SpaceError(
                    f"parameter {p.name!r} is a {type(p).__name__}; features exist of Real, "
                    "Integer, Ordinal, Categorical and Simplex parameters"
                )
            self._blocks[p.name] = slice(start, start + p.width)
            start += p.width
        self.width = start
        self.levels = tuple(level for p in space for level in self._levels(p))
        discrete = {level.column for level in self.levels}
        self.continuous = np.array([j for j in range(start) if j not in discrete], dtype=np.intp)
        self.categorical = tuple(
            level.column for level in self.levels if isinstance(level.parameter, Categorical)
        )

    @property
    def blocks(self) -> dict[str, slice]:
        """Each parameter's columns."""
        return dict(self._blocks)

    @cached_property
    def simplexes(self) -> tuple[slice, ...]:
        """Columns of each simplex."""
        return tuple(self._blocks[p.name] for p in self.space if isinstance(p, Simplex))

    def encode(self, batch: Batch) -> Array:
        """(n, d) features of valid rows."""
        features = np.empty((len(batch), self.width))
        for p in self.space:
            features[:, self._blocks[p.name]] = _encode(p, batch[p.name])
        return features

    def decode(self, features: Array) -> Batch:
        """Valid rows for (n, d) features, rounded to what exists; constraints are not applied."""
        columns = {p.name: _decode(p, features[:, self._blocks[p.name]]) for p in self.space}
        return Batch.of(columns, len(features))

    def feasible(self, features: Array) -> npt.NDArray[np.bool_]:
        """(n,) whether the decoded rows satisfy the linear constraints."""
        return self.space.feasible(self.decode(features))

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        """(n, d) features of uniform feasible rows."""
        return self.encode(self.space.draw(n, rng))

    def everything(self) -> Array:
        """(n, d) features of every feasible row of a finite space."""
        axes = [level.features(np.arange(level.count)) for level in self.levels]
        grid = np.meshgrid(*axes, indexing="ij")
        rows = np.stack([axis.ravel() for axis in grid], axis=1)
        feasible: Array = rows[self.feasible(rows)]
        return feasible

    def _levels(self, p: Parameter) -> list[Levels]:
        if isinstance(p, Simplex) or not p.discrete:
            return []
        scalar = p
        if isinstance(p, Integer):
            scalar = Integer(p.name, p.low, p.high, log=p.log)
        elif isinstance(p, Real):
            scalar = Real(p.name, p.low, p.high, log=p.log)
        block = self._blocks[p.name]
        return [Levels(j, scalar) for j in range(block.start, block.stop)]  # type: ignore[arg-type]


def _encode(p: Parameter, values: Array) -> Array:
    if isinstance(p, Simplex):
        return values
    if isinstance(p, Categorical):
        return p.index(values)[:, None].astype(np.float64)
    return p.encode(values)


def _decode(p: Parameter, features: Array) -> Array:
    if isinstance(p, Categorical):
        chosen: Array = p.table[np.rint(features[:, 0]).astype(np.intp)]
        return chosen
    clipped = np.clip(features, 0.0, 1.0)
    if isinstance(p, Simplex):
        total = clipped.sum(axis=1, keepdims=True)
        return np.where(total > 0, clipped, 1.0) / np.where(total > 0, total, p.size)
    return p.decode(clipped)
