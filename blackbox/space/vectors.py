"""Parameters whose value is a vector with a structure: shares, an order, a string of tokens."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from blackbox.arguments import is_whole
from blackbox.batch import Array
from blackbox.errors import SpaceError
from blackbox.space.choices import check_values, value_table
from blackbox.space.parameter import Cube, Parameter, check_name, finite

_NAMED = 1_000_000  # parts or items that a number stands for at most, or tokens


@dataclass(frozen=True)
class Simplex(Parameter):
    """Shares of k parts: non-negative numbers that sum to one; one column (n, k).

    A uniform point of the cube decodes to a uniform point of the simplex: ``-log u`` is
    exponential, and independent exponentials over their sum are Dirichlet(1, ..., 1) (Devroye,
    *Non-Uniform Random Variate Generation*, 1986, chapter V.2). The cube has one coordinate a
    part, so a mixture has many encodings; ``encode`` gives the one whose exponentials sum to k.

    Args:
        name: name of the column.
        parts: names of the k >= 2 parts, or their number.

    Raises:
        SpaceError: fewer than two parts, or a name twice.
    """

    name: str
    parts: tuple[str, ...]

    def __init__(self, name: str, parts: Iterable[str] | int) -> None:
        check_name(name)
        made = _names(name, "parts", parts)
        if len(made) < 2:
            raise SpaceError(f"parameter {name!r}: parts={list(made)}; give at least two")
        object.__setattr__(self, "name", name)
        # Compared as text: 1 and "1" would be two parts of one name.
        object.__setattr__(self, "parts", check_values(name, map(str, made)))

    @property
    def size(self) -> int:
        return len(self.parts)

    @property
    def width(self) -> int:
        return len(self.parts)

    @property
    def cardinality(self) -> float:
        return float("inf")

    @property
    def labels(self) -> tuple[str, ...]:
        return self.parts

    def encode(self, values: Array) -> Cube:
        # exp(-e) rather than 1 - exp(-e): large shares of many parts stay exact near zero. Only a
        # share of more than 600 times the average would underflow; its row sums to less than k.
        largest = values.max(axis=1, keepdims=True, initial=1 / self.size)
        cube: Cube = np.exp(-np.minimum(self.size, 600 / largest) * values)
        return cube

    def decode(self, cube: Cube) -> Array:
        exponentials = -np.log(np.clip(cube, 1e-300, 1.0))
        total = exponentials.sum(axis=1, keepdims=True)
        shares: Array = np.where(total > 0, exponentials, 1.0) / np.where(
            total > 0, total, self.size
        )
        return shares

    def check(self, values: Array) -> Array:
        values = self.shaped(values)
        if values.dtype.kind not in "if":
            raise SpaceError(
                f"parameter {self.name!r}: shares of type {values.dtype}; give numbers"
            )
        values = values.astype(np.float64, copy=False)
        self.refuse(values, ~(values >= 0), "give non-negative shares")
        total = values.sum(axis=1)
        self.refuse(values, np.abs(total - 1) > 1e-6, "its shares must sum to 1 (within 1e-6)")
        return values if np.all(np.abs(total - 1) < 1e-12) else values / total[:, None]

    def spec(self) -> dict[str, Any]:
        return {"type": "Simplex", "parts": list(self.parts)}


@dataclass(frozen=True)
class Permutation(Parameter):
    """An order of k items; one column (n, k) that holds each item once.

    Encoded by random keys (Bean 1994): the order is the order of k cube coordinates.

    Args:
        name: name of the column.
        items: the k >= 1 items, or their number for the integers 0 to k-1.

    Raises:
        SpaceError: no items, or an item twice.
    """

    name: str
    items: tuple[Any, ...]

    def __init__(self, name: str, items: Iterable[Any] | int) -> None:
        check_name(name)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "items", _names(name, "items", items))

    @property
    def size(self) -> int:
        return len(self.items)

    @property
    def width(self) -> int:
        return len(self.items)

    @property
    def cardinality(self) -> float:
        # 171! is beyond a float64; large is not infinite.
        return float(math.factorial(self.size)) if self.size <= 170 else 1e308

    @cached_property
    def table(self) -> Array:
        """(k,) the items as a column."""
        return value_table(self.items)

    @cached_property
    def _lookup(self) -> dict[Any, int]:
        return {item: i for i, item in enumerate(self.items)}

    def index(self, values: Array) -> Array:
        """(n, k) positions of the items; -1 where absent."""
        flat = [self._lookup.get(item, -1) for item in values.ravel().tolist()]
        return np.array(flat, dtype=np.int64).reshape(values.shape)

    def encode(self, values: Array) -> Cube:
        keys = np.empty(values.shape)
        ranks = np.broadcast_to((np.arange(self.size) + 0.5) / self.size, values.shape)
        np.put_along_axis(keys, self.index(values), ranks, axis=1)
        return keys

    def decode(self, cube: Cube) -> Array:
        ordered: Array = self.table[np.argsort(cube, axis=1, kind="stable")]
        return ordered

    def check(self, values: Array) -> Array:
        index = self.index(self.shaped(values))
        missing = (np.sort(index, axis=1) != np.arange(self.size)).any(axis=1)
        self.refuse(values, missing, f"give each of {list(self.items)} once")
        checked: Array = self.table[index]
        return checked

    def spec(self) -> dict[str, Any]:
        return {"type": "Permutation", "items": list(self.items)}


@dataclass(frozen=True)
class Sequence(Parameter):
    """A string of tokens, of fixed or variable length; one column (n, longest) of str.

    Shorter strings are padded with empty strings, so ``"".join(value)`` reads any of them. A
    problem's ``evaluate`` gets the tokens without padding. Drawn uniformly by length first, then
    token by token.

    Args:
        name: name of the column.
        alphabet: the tokens: a string of characters or several non-empty strings.
        length: the length, or (shortest, longest), both inclusive; shortest may be 0.

    Raises:
        SpaceError: an empty or repeated token, or lengths that are not in order.
    """

    name: str
    alphabet: tuple[str, ...]
    length: tuple[int, int]

    def __init__(self, name: str, alphabet: Iterable[str], length: int | tuple[int, int]) -> None:
        check_name(name)
        if not isinstance(alphabet, Iterable):
            raise SpaceError(f"parameter {name!r}: alphabet={alphabet!r} is no list; give tokens")
        tokens = check_values(name, list(alphabet))
        if not all(isinstance(token, str) and token for token in tokens):
            raise SpaceError(f"parameter {name!r}: tokens {list(tokens)} must be non-empty strings")
        bounds = length if isinstance(length, tuple | list) else (length, length)
        if (
            len(bounds) != 2
            or not all(is_whole(b, 0, _NAMED) for b in bounds)
            or bounds[0] > bounds[1]
            or bounds[1] < 1
        ):
            raise SpaceError(
                f"parameter {name!r}: length={length!r} must be a positive int, or "
                f"(shortest, longest) with 0 <= shortest <= longest <= {_NAMED}"
            )
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "alphabet", tokens)
        object.__setattr__(self, "length", (int(bounds[0]), int(bounds[1])))

    @property
    def size(self) -> int:
        return self.length[1]

    @property
    def _variable(self) -> bool:
        return self.length[0] < self.length[1]

    @property
    def width(self) -> int:
        return self.length[1] + int(self._variable)

    @property
    def cardinality(self) -> float:
        lengths = range(self.length[0], self.length[1] + 1)
        return min(sum(finite(len(self.alphabet), n) for n in lengths), 1e308)

    @cached_property
    def table(self) -> Array:
        """The tokens, then the padding at position -1."""
        return np.array([*self.alphabet, ""])

    @cached_property
    def _lookup(self) -> dict[str, int]:
        return {**{token: i for i, token in enumerate(self.alphabet)}, "": -1}

    def index(self, values: Array) -> Array:
        """(n, k) positions of the tokens; -1 for padding, -2 where absent."""
        flat = [self._lookup.get(token, -2) for token in values.ravel().tolist()]
        return np.array(flat, dtype=np.int64).reshape(values.shape)

    def encode(self, values: Array) -> Cube:
        index = self.index(values)
        tokens = np.where(index < 0, 0.5, (index + 0.5) / len(self.alphabet))
        if not self._variable:
            return tokens
        low, high = self.length
        lengths = (index >= 0).sum(axis=1)
        return np.column_stack([(lengths - low + 0.5) / (high - low + 1), tokens])

    def decode(self, cube: Cube) -> Array:
        low, high = self.length
        tokens = cube[:, 1:] if self._variable else cube
        k = len(self.alphabet)
        index = np.minimum((tokens * k).astype(np.int64), k - 1)
        if self._variable:
            lengths = low + np.minimum((cube[:, 0] * (high - low + 1)).astype(int), high - low)
            index = np.where(np.arange(high) < lengths[:, None], index, -1)
        decoded: Array = self.table[index]
        return decoded

    def check(self, values: Array) -> Array:
        if values.ndim == 1 and values.dtype.kind == "U":
            values = self._split(values)
        values = self.shaped(values)
        index = self.index(values)
        self.refuse(values, index == -2, f"give tokens of {list(self.alphabet)}, then ''")
        gap = (index[:, :-1] < 0) & (index[:, 1:] >= 0)
        self.refuse(values, gap, "padding '' must come after all tokens")
        short = (index >= 0).sum(axis=1) < self.length[0]
        self.refuse(values, short, f"give at least {self.length[0]} tokens")
        checked: Array = self.table[index]
        return checked

    def _split(self, values: Array) -> Array:
        """(n,) whole strings to (n, longest) tokens, where every token is one character."""
        if any(len(token) > 1 for token in self.alphabet):
            raise SpaceError(
                f"parameter {self.name!r}: row 0 is {str(values[0])!r}; "
                f"give a list of {self.size} tokens, padded with ''"
            )
        self.refuse(values, np.char.str_len(values) > self.size, f"longer than {self.size}")
        padded = [list(v) + [""] * (self.size - len(v)) for v in values.tolist()]
        return np.array(padded, dtype=str).reshape(len(values), self.size)

    def spec(self) -> dict[str, Any]:
        return {"type": "Sequence", "alphabet": list(self.alphabet), "length": list(self.length)}


def _names(name: str, field: str, values: Iterable[Any] | int) -> tuple[Any, ...]:
    if isinstance(values, Iterable):
        return check_values(name, values)
    if not is_whole(values, 1, _NAMED):
        raise SpaceError(
            f"parameter {name!r}: {field}={values!r} must be a positive int of at most {_NAMED} "
            "or a list"
        )
    return tuple(range(int(values)))
