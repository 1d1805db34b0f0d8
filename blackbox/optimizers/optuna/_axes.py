"""A space as Optuna sees it: scalar parameters, each a float, an int or a choice."""

from __future__ import annotations

from collections.abc import Sequence as Rows
from typing import TYPE_CHECKING, Any

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.errors import require
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

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


class Axes:
    """Translates rows of a space to Optuna's parameters and back.

    Real and Integer keep their scale, an Ordinal is the int of its rank, a Categorical a choice;
    vectors go element by element (``x[0]``). The shares of a Simplex and the order of a
    Permutation are floats of the unit cube, which the space decodes; a Sequence is a choice for
    each place, and the int of its length where that varies.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._names = {p.name: _names(p) for p in space}
        self.distributions: dict[str, BaseDistribution] = {
            name: distribution
            for p in space
            for name, distribution in zip(self._names[p.name], _distributions(p), strict=True)
        }

    def rows(self, params: Rows[dict[str, Any]]) -> Batch:
        """The space's columns for Optuna's parameters."""
        columns = {
            p.name: _column(p, [[row[name] for name in self._names[p.name]] for row in params])
            for p in self._space
        }
        return Batch(columns)

    def params(self, batch: Batch) -> list[dict[str, Any]]:
        """Optuna's parameters for each row."""
        made: list[dict[str, Any]] = [{} for _ in range(len(batch))]
        for p in self._space:
            for row, values in zip(made, _values(p, batch[p.name]), strict=True):
                row.update(zip(self._names[p.name], values, strict=True))
        return made


def _names(p: Parameter) -> list[str]:
    if p.size is None:
        return [p.name]
    names = [f"{p.name}[{label}]" for label in p.labels]
    return [f"{p.name}[length]", *names] if p.width > p.size else names


def _distributions(p: Parameter) -> list[BaseDistribution]:
    optuna = require("optuna.distributions", "optuna")
    made: list[BaseDistribution]
    if isinstance(p, Real):
        made = [optuna.FloatDistribution(p.low, p.high, log=p.log) for _ in range(p.width)]
    elif isinstance(p, Integer):
        made = [optuna.IntDistribution(p.low, p.high, log=p.log) for _ in range(p.width)]
    elif isinstance(p, Ordinal):
        made = [optuna.IntDistribution(0, len(p.values) - 1)]
    elif isinstance(p, Categorical):
        made = [optuna.CategoricalDistribution(p.values)]
    elif isinstance(p, Sequence):
        made = [optuna.CategoricalDistribution(p.alphabet) for _ in range(p.size)]
        if p.width > p.size:
            made = [optuna.IntDistribution(*p.length), *made]
    else:
        made = [optuna.FloatDistribution(0.0, 1.0) for _ in range(p.width)]
    return made


def _column(p: Parameter, values: list[list[Any]]) -> Array:
    """A parameter's column for n lists of Optuna's values."""
    if isinstance(p, Real | Integer):
        table = np.array(values, np.float64 if isinstance(p, Real) else np.int64)
        table = np.clip(table, p.low, p.high)
        return table if p.dim else table[:, 0]
    if isinstance(p, Ordinal):
        chosen: Array = p.table[np.array(values, dtype=np.int64)[:, 0]]
    elif isinstance(p, Categorical):
        place = {value: i for i, value in enumerate(p.values)}
        chosen = p.table[np.array([place[value] for (value,) in values], dtype=np.int64)]
    elif isinstance(p, Sequence):
        chosen = p.decode(_sequence_cube(p, values))
    else:
        chosen = p.decode(np.array(values, dtype=np.float64))
    return chosen


def _values(p: Parameter, column: Array) -> list[list[Any]]:
    """The inverse of ``_column``."""
    values: list[list[Any]]
    if isinstance(p, Real | Integer):
        values = column.reshape(len(column), p.width).tolist()
    elif isinstance(p, Ordinal):
        values = p.index(column)[:, None].tolist()
    elif isinstance(p, Categorical):
        values = [[value] for value in column.tolist()]
    elif isinstance(p, Simplex | Permutation):
        values = p.encode(column).tolist()
    elif isinstance(p, Sequence):
        # A place behind the end may hold any token: it is not read.
        values = [[token or p.alphabet[0] for token in row] for row in column.tolist()]
        if p.width > p.size:
            lengths = (column != "").sum(axis=1).tolist()
            values = [[length, *row] for length, row in zip(lengths, values, strict=True)]
    return values


def _sequence_cube(p: Sequence, values: list[list[Any]]) -> Array:
    """(n, width) points of the unit cube: a length where it varies, then tokens."""
    place = {token: i for i, token in enumerate(p.alphabet)}
    varies = p.width > p.size
    tokens = [[place[token] for token in (row[1:] if varies else row)] for row in values]
    cube = (np.array(tokens) + 0.5) / len(p.alphabet)
    if not varies:
        return cube
    low, high = p.length
    lengths = np.array([row[0] for row in values])
    return np.column_stack([(lengths - low + 0.5) / (high - low + 1), cube])
