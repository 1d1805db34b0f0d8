"""Columns of a batch as vectors of small integers, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from blackbox.batch import Array
from blackbox.errors import SpaceError
from blackbox.space.choices import Categorical, Ordinal
from blackbox.space.numbers import Integer, Real
from blackbox.space.parameter import Parameter
from blackbox.space.vectors import Sequence

#: A parameter with more values than this is chosen digit by digit, coarse to fine.
MOST_VALUES = 32
_BASE = 16


@dataclass(frozen=True)
class Field:
    """A parameter whose value is a vector of k independent choices of one of c values each.

    Args:
        parameter: Categorical, Ordinal, Integer, Sequence of one length, or Real of one value.
        name: of the column.
        k: number of choices.
        c: values to choose from.
        ordered: whether neighbouring values are alike.
    """

    parameter: Parameter
    name: str = field(init=False)
    k: int = field(init=False)
    c: int = field(init=False)
    ordered: bool = field(init=False)

    def __post_init__(self) -> None:
        p = self.parameter
        if isinstance(p, Sequence):
            c = len(p.alphabet)
        elif isinstance(p, Integer):
            c = p.high - p.low + 1
        elif isinstance(p, Categorical | Ordinal):
            c = len(p.values)
        elif isinstance(p, Real) and p.discrete:
            c = 1
        else:
            raise SpaceError(f"parameter {p.name!r}: a {type(p).__name__} is no vector of choices")
        made = {"name": p.name, "k": p.size or 1, "c": c}
        for name, value in (made | {"ordered": isinstance(p, Integer | Ordinal)}).items():
            object.__setattr__(self, name, value)

    @property
    def digits(self) -> Array:
        """(m,) weights of the digits that a value is chosen by: 1 alone where c is small."""
        if self.c <= MOST_VALUES:
            return np.ones(1, dtype=np.int64)
        m = math.ceil(math.log(self.c) / math.log(_BASE))
        base = 2
        while base**m < self.c:
            base += 1
        return base ** np.arange(m - 1, -1, -1, dtype=np.int64)

    @property
    def numeric(self) -> bool:
        """Whether linear constraints may speak of the values."""
        p = self.parameter
        return isinstance(p, Integer | Real) or (
            isinstance(p, Ordinal) and p.table.dtype.kind in "if"
        )

    def number(self, index: Array) -> Array:
        """(n, k) float64: the numbers that are chosen, in the user's units."""
        p = self.parameter
        if isinstance(p, Integer | Real):
            return index.astype(np.float64) + p.low
        assert isinstance(p, Ordinal)
        return p.table[index].astype(np.float64)

    def column(self, index: Array) -> Array:
        """The column of (n, k) choices."""
        p = self.parameter
        if isinstance(p, Integer):
            values = index + p.low
        elif isinstance(p, Real):
            values = np.full(index.shape, p.low)
        else:
            assert isinstance(p, Categorical | Ordinal | Sequence)
            values = p.table[index]
        made: Array = values if p.size is not None else values[:, 0]
        return made

    def index(self, column: Array) -> Array:
        """(n, k) choices of a column of valid values."""
        p = self.parameter
        if isinstance(p, Integer):
            return (column - p.low).reshape(len(column), self.k)
        if isinstance(p, Real):
            return np.zeros((len(column), self.k), dtype=np.int64)
        assert isinstance(p, Categorical | Ordinal | Sequence)
        return p.index(column).reshape(len(column), self.k)
