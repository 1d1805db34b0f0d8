"""Rows of a space as a language model reads and writes them.

A model reads each row as one short JSON array, below a description of the parameters that is given
once, and writes rows as JSON objects by name. What it writes is data: it is parsed by ``json``,
compared with what the space allows, and never evaluated.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from blackbox.batch import Array, Batch, as_column
from blackbox.space import (
    Categorical,
    Integer,
    Ordinal,
    Parameter,
    Permutation,
    Real,
    Simplex,
    Space,
)
from blackbox.space import Sequence as SequenceParameter

_LONGEST = 200_000  # characters of a reply that are looked at
_BRACES = 32  # places at which an object may begin inside prose
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_SHARES = 0.02  # error of the sum of shares that is put right


class Misfit(Exception):  # noqa: N818 - a finding that is counted, never an error of a caller
    """A part of a reply that cannot be used.

    Args:
        kind: a few words by which it is counted, such as ``"out of range"``.
        message: what is wrong, for the model.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def number(value: float, digits: int = 6) -> str:
    """A number in few characters: whole numbers in full, others with so many digits."""
    if isinstance(value, bool) or not math.isfinite(value):
        return "null"
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e6):
        return str(int(value))
    return f"{value:.{digits}g}"


def digits_for(values: Array) -> int:
    """Digits that tell apart finite values that differ by little of their size."""
    spread = float(np.ptp(values / 2)) * 2 if len(values) else 0.0
    size = float(np.abs(values).max(initial=0.0))
    if not 0 < spread < math.inf or size <= spread:
        return 6
    return min(6 + math.floor(math.log10(size / spread)), 15)


def parsed(text: str, key: str) -> tuple[Mapping[str, Any], bool]:
    """The JSON object with a key in a text, and whether there was anything else around it.

    Raises:
        Misfit: there is none.
    """
    text = text[:_LONGEST].strip()
    try:
        value = json.loads(text, parse_constant=_constant)
    except (ValueError, RecursionError):
        pass
    else:
        if isinstance(value, dict) and key in value:
            return value, False
        raise Misfit("missing key", f"there is no object with the key {key!r}")
    decoder = json.JSONDecoder(parse_constant=_constant)
    at = -1
    for _ in range(_BRACES):
        at = text.find("{", at + 1)
        if at < 0:
            break
        try:
            value, _ = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            continue
        if key in value:
            return value, True
    kind = "truncated JSON" if f'"{key}"' in text else "no JSON"
    raise Misfit(kind, f"it is not one whole JSON object with the key {key!r}")


def listed(reply: Mapping[str, Any], key: str) -> list[Any]:
    """The list under a key of a reply.

    Raises:
        Misfit: it is no list.
    """
    if not isinstance(reply[key], list):
        raise Misfit("wrong type", f"{key!r} must be a list")
    values: list[Any] = reply[key]
    return values


class Fields:
    """How the rows of a space are described, written and read.

    Args:
        space: of any parameters.
        anonymous: whether parameters are called X1, X2, ... instead of by their names.
    """

    def __init__(self, space: Space, *, anonymous: bool = False) -> None:
        self.space = space
        self._digits = {p.name: _digits(p) for p in space}
        self.names = {
            p.name: f"X{i}" if anonymous else p.name for i, p in enumerate(space, start=1)
        }

    @property
    def description(self) -> list[str]:
        """A line for each parameter and linear constraint."""
        lines = [f"{self.names[p.name]}: {_described(p)}" for p in self.space]
        for c in self.space.constraints:
            terms = " + ".join(
                f"{_json(a)}*{self._shown(name)}" for name, a in c.spec()["coefficients"].items()
            )
            low = "" if math.isinf(c.lower) else f"{number(c.lower)} <= "
            high = "" if math.isinf(c.upper) else f" <= {number(c.upper)}"
            lines.append(f"constraint: {low}{terms}{high}")
        return lines

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of one row."""
        properties = {self.names[p.name]: _schema(p) for p in self.space}
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    @property
    def length(self) -> int:
        """Characters that one row has at most, about."""
        row = self.space.decode(np.full((1, self.space.width), 0.37))
        arrays = self.write(row)[0]
        return 4 + 2 * len(arrays) + sum(len(name) + 6 for name in self.names.values())

    def write(self, batch: Batch) -> list[str]:
        """A JSON array for each row, values in the order of the parameters."""
        rows = self.space.rows(batch.select(self.space.names))
        return ["[" + ",".join(self._written(p, row) for p in self.space) + "]" for row in rows]

    def read(self, value: Any) -> dict[str, Any]:
        """The values of one row that a model wrote as an object by name.

        Raises:
            Misfit: it is no object, a name is missing, or a value is not allowed.
        """
        if not isinstance(value, Mapping):
            raise Misfit("wrong type", "a configuration must be an object")
        row = {}
        for p in self.space:
            name = self.names[p.name]
            if name not in value:
                raise Misfit("missing key", f"{name!r} is missing")
            try:
                row[p.name] = _read(p, value[name])
            except Misfit as wrong:
                raise Misfit(wrong.kind, f"{name!r}: {wrong}") from None
        return row

    def batch(self, rows: Sequence[Mapping[str, Any]]) -> Batch:
        """Rows that ``read`` gave, as a batch of the space; linear constraints are not checked."""
        if not rows:
            return self.space.decode(np.empty((0, self.space.width)))
        return Batch({p.name: p.check(as_column(p.name, _column(p, rows))) for p in self.space})

    def _written(self, p: Parameter, row: Mapping[str, Any]) -> str:
        return _written(p, row[p.name], self._digits[p.name])

    def _shown(self, name: str) -> str:
        name, bracket, rest = name.partition("[")
        return self.names.get(name, name) + bracket + rest


def _described(p: Parameter) -> str:
    if isinstance(p, Real | Integer):
        kind = "integer" if isinstance(p, Integer) else "number"
        scale = ", log scale" if p.log else ""
        each = f"{number(p.low, 15)} to {number(p.high, 15)}{scale}"
        return f"{kind} {each}" if p.dim is None else f"array of {p.dim}, each {kind} {each}"
    if isinstance(p, Categorical | Ordinal):
        order = " in order" if isinstance(p, Ordinal) else ""
        return f"one of{order} {_json(list(p.values))}"
    if isinstance(p, Simplex):
        return f"array of {p.size} shares that sum to 1, of {_json(list(p.parts))}"
    if isinstance(p, Permutation):
        return f"array with each once of {_json(list(p.items))}"
    assert isinstance(p, SequenceParameter)
    kind = "string" if _plain(p) else "array"
    return f"{kind} of {p.length[0]} to {p.length[1]} of {_json(list(p.alphabet))}"


def _schema(p: Parameter) -> dict[str, Any]:
    if isinstance(p, Real | Integer):
        kind = "integer" if isinstance(p, Integer) else "number"
        one: dict[str, Any] = {"type": kind, "minimum": p.low, "maximum": p.high}
        return one if p.dim is None else _array(one, p.dim, p.dim)
    if isinstance(p, Categorical | Ordinal):
        return _enum(p.values)
    if isinstance(p, Simplex):
        return _array({"type": "number", "minimum": 0, "maximum": 1}, p.size, p.size)
    if isinstance(p, Permutation):
        return _array(_enum(p.items), p.size, p.size)
    assert isinstance(p, SequenceParameter)
    if _plain(p):
        return {"type": "string"}
    return _array(_enum(p.alphabet), *p.length)


def _enum(values: Sequence[Any]) -> dict[str, Any]:
    """One of some values; servers that are strict want their types, too."""
    types = sorted({_TYPES[type(value)] for value in values})
    return {"type": types[0] if len(types) == 1 else types, "enum": list(values)}


def _array(items: Mapping[str, Any], least: int, most: int) -> dict[str, Any]:
    return {"type": "array", "items": dict(items), "minItems": least, "maxItems": most}


def _digits(p: Parameter) -> int:
    """Of the numbers of a row: five, more where a range is narrow for the size of its numbers."""
    return digits_for(np.array([p.low, p.high])) - 1 if isinstance(p, Real) else 5


def _written(p: Parameter, value: Any, digits: int) -> str:
    if isinstance(p, SequenceParameter):
        tokens = [str(token) for token in value]
        return _json("".join(tokens) if _plain(p) else tokens)
    values = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(p, Categorical | Ordinal | Permutation):
        return _json(values)
    if isinstance(values, list):
        return "[" + ",".join(number(v, digits) for v in values) + "]"
    return number(values, digits)


def _read(p: Parameter, value: Any) -> Any:
    if isinstance(p, Real | Integer):
        if p.dim is None:
            return _number_in(p, value)
        return [_number_in(p, v) for v in _items(value, p.dim, p.dim)]
    if isinstance(p, Categorical | Ordinal):
        return _choice(p.values, value)
    if isinstance(p, Simplex):
        shares = np.array([_float(v) for v in _items(value, p.size, p.size)])
        if shares.min() < 0 or abs(shares.sum() - 1) > _SHARES:
            raise Misfit("out of range", "shares must be at least 0 and sum to 1")
        return shares / shares.sum()
    if isinstance(p, Permutation):
        order = [_choice(p.items, v) for v in _items(value, p.size, p.size)]
        if len(set(order)) < p.size:
            raise Misfit("out of range", "each item must stand once")
        return order
    assert isinstance(p, SequenceParameter)
    if _plain(p) and isinstance(value, str):
        value = list(value)
    tokens = [_choice(p.alphabet, token) for token in _items(value, *p.length)]
    return tokens + [""] * (p.length[1] - len(tokens))


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Misfit("wrong type", f"{str(value)[:40]!r} is no number")
    try:
        made = float(value)
    except OverflowError:
        made = math.inf
    if not math.isfinite(made):
        raise Misfit("out of range", "a number is too large")
    return made


def _number_in(p: Real | Integer, value: Any) -> float | int:
    made = _float(value)
    # What was printed with few digits may come back a little outside.
    slack = 1e-4 if isinstance(p, Real) else 0.0
    if not p.low - slack * abs(p.low) <= made <= p.high + slack * abs(p.high):
        raise Misfit("out of range", f"{number(made)} is not from {p.low} to {p.high}")
    if isinstance(p, Integer):
        if made != int(made):
            raise Misfit("wrong type", f"{number(made)} is no whole number")
        return int(value)
    return min(max(made, p.low), p.high)


def _choice(values: Sequence[Any], value: Any) -> Any:
    if isinstance(value, list | dict):
        raise Misfit("wrong type", f"{str(value)[:40]!r} is no single value")
    for known in values:
        if isinstance(value, bool) == isinstance(known, bool) and value == known:
            return known
    raise Misfit("unknown category", f"{str(value)[:40]!r} is none of those allowed")


def _items(value: Any, least: int, most: int) -> list[Any]:
    if not isinstance(value, list):
        raise Misfit("wrong type", "an array is needed")
    if not least <= len(value) <= most:
        raise Misfit("out of range", f"an array of {len(value)} instead of {least} to {most}")
    return value


def _column(p: Parameter, rows: Iterable[Mapping[str, Any]]) -> Array:
    values = [row[p.name] for row in rows]
    if isinstance(p, Real):
        return np.array(values, dtype=np.float64)
    if isinstance(p, Integer):
        return np.array(values, dtype=np.int64)
    if isinstance(p, Categorical | Ordinal):
        chosen: Array = p.table[[p.values.index(v) for v in values]]
        return chosen
    if isinstance(p, Permutation):
        made = np.empty((len(values), p.size), dtype=object)
        made[:] = values
        return made
    return np.array(values)


def _plain(p: SequenceParameter) -> bool:
    """Whether its strings can be written without separators."""
    return all(len(token) == 1 for token in p.alphabet)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _constant(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are no JSON
