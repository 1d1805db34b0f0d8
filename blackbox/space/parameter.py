"""What every parameter can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array
from blackbox.errors import SpaceError

Cube: TypeAlias = npt.NDArray[np.float64]

#: Columns that a batch keeps for itself.
RESERVED = ("id", "ok", "cost")


class Parameter(ABC):
    """A named input. Its values are a column (n,), or (n, k) for a vector parameter.

    Every parameter knows its ``width``: how many coordinates of the unit cube it takes. Any point
    of the cube decodes to a valid value, and ``decode(encode(values))`` gives the values back.
    Uniform points of the cube decode to uniform values.
    """

    name: str

    @property
    @abstractmethod
    def width(self) -> int:
        """Number of coordinates in the unit cube."""

    @property
    def size(self) -> int | None:
        """Length k of a vector value, None for a scalar."""
        return None

    @property
    @abstractmethod
    def cardinality(self) -> float:
        """Number of different values; ``inf`` for a continuous parameter."""

    @property
    def discrete(self) -> bool:
        """Whether there are finitely many values."""
        return self.cardinality != float("inf")

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of a vector's k elements; empty for a scalar."""
        return tuple(str(i) for i in range(self.size or 0))

    @abstractmethod
    def encode(self, values: Array) -> Cube:
        """(n, width) points of the unit cube for a column of valid values."""

    @abstractmethod
    def decode(self, cube: Cube) -> Array:
        """A column of valid values for (n, width) points of the unit cube."""

    @abstractmethod
    def check(self, values: Array) -> Array:
        """The column in its canonical type.

        Raises:
            SpaceError: a value is of the wrong type or outside; names the row and the fix.
        """

    def spec(self) -> dict[str, Any]:
        """The declaration as a plain dict, for fingerprints."""
        declared = asdict(self)  # type: ignore[call-overload]
        return {"type": type(self).__name__, **declared}

    def refuse(self, values: Array, bad: npt.NDArray[np.bool_], fix: str) -> None:
        """Raise for the first bad row, if there is one."""
        rows = bad if bad.ndim == 1 else bad.any(axis=1)
        if rows.any():
            i = int(np.flatnonzero(rows)[0])
            value = values[i].tolist() if isinstance(values[i], np.ndarray) else values[i]
            value = value.item() if isinstance(value, np.generic) else value
            raise SpaceError(f"parameter {self.name!r}: row {i} is {value!r}; {fix}")

    def shaped(self, values: Array) -> Array:
        """The column after a check of its number of dimensions and its width."""
        want = () if self.size is None else (self.size,)
        if values.shape[1:] != want:
            raise SpaceError(
                f"parameter {self.name!r}: column of shape {values.shape} where "
                f"{('n', *want)} is needed"
            )
        return values


def finite(base: int, power: int) -> float:
    """``base ** power`` as a float, at most 1e308: large is not infinite."""
    try:
        return min(float(base) ** power, 1e308)
    except OverflowError:
        return 1e308


def check_name(name: object) -> None:
    """Refuse names that a batch or a flat table could not carry."""
    if not isinstance(name, str) or not name:
        raise SpaceError(f"parameter name {name!r} must be a non-empty string")
    if name in RESERVED:
        raise SpaceError(f"parameter name {name!r} is reserved ({', '.join(RESERVED)}); rename it")
    if "[" in name or "]" in name or "\0" in name:
        raise SpaceError(f"parameter name {name!r} must not contain '[', ']' or NUL")
