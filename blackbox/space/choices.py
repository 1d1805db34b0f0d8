"""Parameters whose values come from a list."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array
from blackbox.errors import SpaceError
from blackbox.space.parameter import Cube, Parameter, check_name

_SCALARS = (bool, int, float, str, type(None))


class _Choice(Parameter):
    """One of a list of values; each owns an equal interval of one cube coordinate."""

    values: tuple[Any, ...]

    @property
    def width(self) -> int:
        return 1

    @property
    def cardinality(self) -> float:
        return float(len(self.values))

    @cached_property
    def table(self) -> Array:
        """(k,) the values as a column: str, bool, int64 or float64, object when mixed."""
        return value_table(self.values)

    @cached_property
    def _lookup(self) -> dict[Any, int]:
        return {value: i for i, value in enumerate(self.values)}

    def index(self, values: Array) -> npt.NDArray[np.int64]:
        """(n,) positions of the values in the list; -1 where absent."""
        found = [self._lookup.get(value, -1) for value in values.tolist()]
        return np.array(found, dtype=np.int64)

    def encode(self, values: Array) -> Cube:
        return ((self.index(values) + 0.5) / len(self.values))[:, None]

    def decode(self, cube: Cube) -> Array:
        k = len(self.values)
        index = np.minimum((cube[:, 0] * k).astype(np.int64), k - 1)
        chosen: Array = self.table[index]
        return chosen

    def check(self, values: Array) -> Array:
        index = self.index(self.shaped(values))
        shown = list(self.values[:8]) + (["..."] if len(self.values) > 8 else [])
        self.refuse(values, index < 0, f"give one of {shown}")
        checked: Array = self.table[index]
        return checked

    def spec(self) -> dict[str, Any]:
        return {"type": type(self).__name__, "values": list(self.values)}


@dataclass(frozen=True)
class Categorical(_Choice):
    """One of several values without an order.

    Args:
        name: name of the column.
        values: at least one; different str, int, float, bool or None values.

    Raises:
        SpaceError: no values, a value twice, or a value of another type.
    """

    name: str
    values: tuple[Any, ...]

    def __init__(self, name: str, values: Iterable[Any]) -> None:
        check_name(name)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "values", check_values(name, values))


@dataclass(frozen=True)
class Ordinal(_Choice):
    """One of several values in a meaningful order, evenly spaced by rank.

    Args:
        name: name of the column.
        values: at least one, in order; numbers must increase.

    Raises:
        SpaceError: no values, a value twice, numbers that do not increase, or another type.
    """

    name: str
    values: tuple[Any, ...]

    def __init__(self, name: str, values: Iterable[Any]) -> None:
        check_name(name)
        checked = check_values(name, values)
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in checked)
        if numbers and list(checked) != sorted(checked):
            raise SpaceError(f"parameter {name!r}: values {list(checked)} must increase; sort them")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "values", checked)


def check_values(name: str, values: Iterable[Any]) -> tuple[Any, ...]:
    """The values as a tuple of plain Python scalars, all different.

    Raises:
        SpaceError: a bare string, no values, a value twice, or of a type no column holds.
    """
    if isinstance(values, str):
        raise SpaceError(f"parameter {name!r}: values={values!r} is a string; give a list")
    if not isinstance(values, Iterable):
        raise SpaceError(f"parameter {name!r}: values={values!r} is no list; give one")
    plain = tuple(v.item() if isinstance(v, np.generic) else v for v in values)
    if not plain:
        raise SpaceError(f"parameter {name!r}: values are empty; give at least one")
    seen: set[Any] = set()
    for value in plain:
        if not isinstance(value, _SCALARS) or (isinstance(value, float) and math.isnan(value)):
            raise SpaceError(
                f"parameter {name!r}: value {value!r} must be a str, int, float, bool or None"
            )
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise SpaceError(f"parameter {name!r}: value {value} does not fit int64; give a float")
        if isinstance(value, str) and "\0" in value:
            raise SpaceError(f"parameter {name!r}: value {value!r} must not contain NUL")
        if value in seen:
            raise SpaceError(f"parameter {name!r}: value {value!r} is given twice")
        seen.add(value)
    return plain


def value_table(values: tuple[Any, ...]) -> Array:
    """(k,) array of the values in the narrowest column type that keeps each as it is."""
    kinds = {type(value) for value in values}
    if len(kinds) == 1 and kinds <= {str, bool, int, float}:
        table = np.array(values)
    else:
        # Mixed types stay Python objects: 1 must not come back as 1.0, nor None as "None".
        table = np.empty(len(values), dtype=object)
        table[:] = values
    table.flags.writeable = False
    return table
