"""Parameters whose values are numbers on a scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from blackbox.arguments import MOST, is_number, is_whole
from blackbox.batch import Array
from blackbox.errors import SpaceError
from blackbox.space.parameter import Cube, Parameter, check_name, finite

# Beyond these a float64 coordinate could not tell neighbouring integers apart.
_MAX_COUNT = 2**50
_MAX_SIZE = 2**51  # the halves between integers are exact
_MAX_LOG = 2**40


@dataclass(frozen=True)
class Real(Parameter):
    """A number, or a vector of ``k`` numbers, between two bounds.

    Args:
        name: name of the column.
        low: smallest value (inclusive).
        high: largest value (inclusive).
        log: search on a logarithmic scale; needs ``low > 0``.
        size: None for a scalar; k makes one column (n, k), kept as ``dim``.

    Raises:
        SpaceError: bounds that are not finite numbers, in the wrong order, or not positive
            on a log scale.
    """

    name: str
    low: float
    high: float
    log: bool
    dim: int | None

    def __init__(
        self, name: str, low: float, high: float, *, log: bool = False, size: int | None = None
    ) -> None:
        check_name(name)
        _check_log(name, log)
        low, high = _bound(name, "low", low), _bound(name, "high", high)
        if not math.isfinite(high - low):
            raise SpaceError(f"parameter {name!r}: the range {low} to {high} overflows a float64")
        _freeze(self, name, low, high, log, size)

    @property
    def size(self) -> int | None:
        return self.dim

    @property
    def width(self) -> int:
        return self.dim or 1

    @property
    def cardinality(self) -> float:
        return float("inf") if self.high > self.low else 1.0

    def scale(self) -> tuple[float, float]:
        """Start and span of the scale that the unit interval stands for."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        return low, high - low

    def encode(self, values: Array) -> Cube:
        start, span = self.scale()
        scaled = np.log(values) if self.log else values
        if span > 0:
            cube = scaled - start
            cube /= span
        else:
            cube = np.full(np.shape(values), 0.5)
        return np.clip(cube, 0.0, 1.0, out=cube).reshape(len(values), self.width)

    def decode(self, cube: Cube) -> Array:
        start, span = self.scale()
        scaled = start + span * cube
        values = np.clip(np.exp(scaled) if self.log else scaled, self.low, self.high)
        return values if self.dim else values[:, 0]

    def check(self, values: Array) -> Array:
        values = _numeric(self, self.shaped(values)).astype(np.float64, copy=False)
        inside = (values >= self.low) & (values <= self.high)
        self.refuse(values, ~inside, f"give a number from {self.low} to {self.high}")
        return values

    def spec(self) -> dict[str, Any]:
        return _spec(self)


@dataclass(frozen=True)
class Integer(Parameter):
    """A whole number, or a vector of ``k`` whole numbers, between two bounds.

    Each integer owns an interval of the unit cube; all are equally long, or equal in ratio on a
    log scale.

    Args:
        name: name of the column.
        low: smallest value (inclusive).
        high: largest value (inclusive); at most 2**50 values and 2**51 in size, 2**40 on a log
            scale.
        log: search on a logarithmic scale; needs ``low >= 1``.
        size: None for a scalar; k makes one column (n, k), kept as ``dim``.

    Raises:
        SpaceError: bounds that are not integers, in the wrong order, or too far apart.
    """

    name: str
    low: int
    high: int
    log: bool
    dim: int | None

    def __init__(
        self, name: str, low: int, high: int, *, log: bool = False, size: int | None = None
    ) -> None:
        check_name(name)
        _check_log(name, log)
        for field, value in (("low", low), ("high", high)):
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise SpaceError(f"parameter {name!r}: {field}={value!r} must be an int")
        limit = _MAX_LOG if log else _MAX_COUNT
        furthest = _MAX_LOG if log else _MAX_SIZE
        if int(high) - int(low) >= limit or max(abs(int(low)), abs(int(high))) > furthest:
            raise SpaceError(
                f"parameter {name!r}: {low} to {high} is more than {limit} integers, or beyond "
                f"{furthest}; use a Real or coarser steps"
            )
        _freeze(self, name, int(low), int(high), log, size)

    @property
    def size(self) -> int | None:
        return self.dim

    @property
    def width(self) -> int:
        return self.dim or 1

    @property
    def cardinality(self) -> float:
        return finite(self.high - self.low + 1, self.width)

    def scale(self) -> tuple[float, float]:
        """Start and span of the scale that the unit interval stands for."""
        low, high = self.low - 0.5, self.high + 0.5
        if self.log:
            low, high = math.log(low), math.log(high)
        return low, high - low

    def encode(self, values: Array) -> Cube:
        start, span = self.scale()
        scaled = np.log(values) if self.log else np.asarray(values, np.float64)
        return ((scaled - start) / span).reshape(len(values), self.width)

    def decode(self, cube: Cube) -> Array:
        start, span = self.scale()
        scaled = start + span * cube
        rounded = np.rint(np.exp(scaled) if self.log else scaled)
        values = np.clip(rounded, self.low, self.high).astype(np.int64)
        return values if self.dim else values[:, 0]

    def check(self, values: Array) -> Array:
        values = _numeric(self, self.shaped(values))
        inside = (values >= self.low) & (values <= self.high) & (values == np.rint(values))
        self.refuse(values, ~inside, f"give a whole number from {self.low} to {self.high}")
        return values.astype(np.int64, copy=False)

    def spec(self) -> dict[str, Any]:
        return _spec(self)


def _freeze(
    parameter: Real | Integer, name: str, low: float, high: float, log: bool, size: int | None
) -> None:
    if low > high:
        raise SpaceError(f"parameter {name!r}: low={low} is above high={high}; swap them")
    if log and low <= 0:
        raise SpaceError(f"parameter {name!r}: low={low} must be positive on a log scale")
    if size is not None and not is_whole(size, 1, MOST):
        raise SpaceError(
            f"parameter {name!r}: size={size!r} must be a positive int of at most {MOST} or None"
        )
    fields = {"name": name, "low": low, "high": high, "log": bool(log)}
    for field, value in {**fields, "dim": None if size is None else int(size)}.items():
        object.__setattr__(parameter, field, value)


def _check_log(name: str, log: object) -> None:
    if not isinstance(log, bool | np.bool_):
        raise SpaceError(f"parameter {name!r}: log={log!r} must be True or False")


def _bound(name: str, field: str, value: object) -> float:
    if not is_number(value):
        raise SpaceError(f"parameter {name!r}: {field}={value!r} must be a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise SpaceError(f"parameter {name!r}: {field}={value!r} must be finite")
    return number


def _numeric(parameter: Parameter, values: Array) -> Array:
    if values.dtype.kind not in "if":
        raise SpaceError(
            f"parameter {parameter.name!r}: values of type {values.dtype}, first "
            f"{values[:1].tolist()}; give numbers"
        )
    return values


def _spec(parameter: Real | Integer) -> dict[str, Any]:
    return {
        "type": type(parameter).__name__,
        "low": parameter.low,
        "high": parameter.high,
        "log": parameter.log,
        "size": parameter.dim,
    }
