"""The coordinates in which surrogates and acquisitions see a space.

They differ from the unit cube in two places. The cube's code of a simplex is made for drawing: a
mixture has many codes, and near ones may be far apart; a kernel takes the shares themselves. (Their
square roots predict power laws of small shares better, by a factor of 2, and smooth functions worse
by as much; shares keep the search linear.) A category has no place on a line; it is kept as its
position in the list. Permutations and strings keep their code. ``rows`` turns features into what
the kernel compares: numbers, and codes of everything that has no place on a line.

Notation: n rows, d columns of features; ``positions`` count the values of a discrete parameter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array, Batch
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
from blackbox.surrogates import codes
from blackbox.surrogates.kernel import Rows

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
        space: of any parameters.

    Attributes:
        width: number d of columns.
        levels: the columns that hold one of finitely many values each.
        continuous: the columns along which one may walk.
        numbers: the columns whose differences mean something; constants are left out.
        structured: the permutations and strings.
        groups: (q,) which group each column of codes is of.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self._blocks: dict[str, slice] = {}
        start = 0
        for p in space:
            # Of a category the one column holds its position; of others, their code in the cube.
            width = 1 if isinstance(p, Categorical) else p.width
            self._blocks[p.name] = slice(start, start + width)
            start += width
        self.width = start
        self.levels = tuple(level for p in space for level in self._levels(p))
        self.structured = tuple(p for p in space if isinstance(p, codes.Structured))
        self.continuous = self._columns(
            p for p in space if isinstance(p, Simplex) or not p.discrete
        )
        self.numbers = self._columns(
            p
            for p in space
            if isinstance(p, Real | Integer | Ordinal | Simplex) and p.cardinality > 1
        )
        self.categorical = tuple(
            level.column for level in self.levels if isinstance(level.parameter, Categorical)
        )
        parts = self._codes(np.zeros((1, self.width)))
        self.groups = np.repeat(
            np.arange(len(parts), dtype=np.intp), [part.shape[1] for part in parts]
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

    def rows(self, features: Array) -> Rows:
        """What a kernel compares, of (n, d) features."""
        parts = self._codes(features)
        empty = np.empty((len(features), 0))
        return Rows(features[:, self.numbers], np.concatenate([empty, *parts], axis=1))

    def steps(self, point: Array) -> Array:
        """(m, d) features that differ from (d,) in one discrete coordinate by one step."""
        made = [point[None][:0]]
        for level in self.levels:
            others = level.others(point[level.column])
            rows = np.repeat(point[None], len(others), axis=0)
            rows[:, level.column] = others
            made.append(rows)
        for p in self.structured:
            block = self._blocks[p.name]
            there = codes.steps(p, point[block])
            rows = np.repeat(point[None], len(there), axis=0)
            rows[:, block] = there
            made.append(rows)
        return np.concatenate(made)

    def everything(self) -> Array:
        """(n, d) features of every feasible row of a finite space."""
        axes = [level.features(np.arange(level.count))[:, None] for level in self.levels]
        columns = [[level.column] for level in self.levels]
        for p in self.structured:
            axes.append(codes.everything(p))
            columns.append([*range(*self._blocks[p.name].indices(self.width))])
        grid = np.meshgrid(*[np.arange(len(axis)) for axis in axes], indexing="ij")
        rows = np.empty((grid[0].size, self.width))
        for axis, column, index in zip(axes, columns, grid, strict=True):
            rows[:, column] = axis[index.ravel()]
        feasible: Array = rows[self.feasible(rows)]
        return feasible

    def _columns(self, parameters: Iterable[Parameter]) -> npt.NDArray[np.intp]:
        blocks = [self._blocks[p.name] for p in parameters]
        return np.array([j for b in blocks for j in range(b.start, b.stop)], dtype=np.intp)

    def _codes(self, features: Array) -> list[Array]:
        """(n, q) codes of each group."""
        return [
            part
            for p in self.space
            if isinstance(p, Categorical | codes.Structured)
            for part in codes.embed(p, features[:, self._blocks[p.name]])
        ]

    def _levels(self, p: Parameter) -> list[Levels]:
        if isinstance(p, Simplex | Permutation | Sequence) or not p.discrete:
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
