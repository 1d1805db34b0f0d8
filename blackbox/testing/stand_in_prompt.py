"""A prompt of this package as the stand-in reads it: parameters, observations and the task.

Only the text counts, as for a language model; nothing else of the package is looked at.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from blackbox.batch import Array

_NUMBER = re.compile(
    r"(?:array of (\d+), each )?(number|integer) (\S+) to ([^\s,]+)(, log scale)?$"
)
_ONE_OF = re.compile(r"one of( in order)? (\[.*\])$")
_SHARES = re.compile(r"array of (\d+) shares that sum to 1, of (\[.*\])$")
_ORDER = re.compile(r"array with each once of (\[.*\])$")
_TOKENS = re.compile(r"(string|array) of (\d+) to (\d+) of (\[.*\])$")
_HEAD = re.compile(r"^(.+?): ((?:number|integer|array|one of|string) .*)$")


@dataclass(frozen=True)
class Axis:
    """One parameter as the prompt describes it.

    Args:
        name: as the prompt calls it.
        kind: ``number``, ``integer``, ``choice``, ``shares``, ``order`` or ``tokens``.
        size: entries of a vector, None for a scalar.
        low: least number, or least length.
        high: greatest number, or greatest length.
        log: whether the scale is logarithmic.
        values: what is chosen from.
        ordered: whether the choices have an order.
        joined: whether tokens are written as one string.
    """

    name: str
    kind: str
    size: int | None = None
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    values: tuple[Any, ...] = ()
    ordered: bool = False
    joined: bool = False

    def draw(self, rng: np.random.Generator, low: float = 0.0, high: float = 1.0) -> Any:
        """A random value; of numbers one from a part of the range."""
        return self._made(low + (high - low) * rng.random(self._draws()), rng)

    def near(self, value: Any, step: float, rng: np.random.Generator) -> Any:
        """A value near another one."""
        if self.kind in ("number", "integer"):
            u = np.clip(self.code(value) + step * rng.standard_normal(self._draws()), 0.0, 1.0)
            return self._made(u, rng)
        if self.kind == "shares":
            shares = np.clip(np.array(value) + 0.3 * step * rng.standard_normal(self.size), 0, None)
            return _rounded(shares / max(shares.sum(), 1e-9))
        if self.kind == "order":
            order, (i, j) = list(value), rng.integers(len(value), size=2)
            order[i], order[j] = order[j], order[i]
            return order
        if self.kind == "tokens" and len(value):
            tokens, i = list(value), int(rng.integers(len(value)))
            tokens[i] = self.values[int(rng.integers(len(self.values)))]
            return "".join(tokens) if self.joined else tokens
        return self.draw(rng)

    def code(self, value: Any) -> Array:
        """(k,) coordinates, such that near values have near ones."""
        if self.kind in ("number", "integer"):
            numbers = np.atleast_1d(np.asarray(value, dtype=float))
            low, high = self.low, self.high
            if self.log:
                numbers, low, high = np.log(numbers), math.log(low), math.log(high)
            return (numbers - low) / (high - low) if high > low else np.full(len(numbers), 0.5)
        if self.kind == "choice" and self.ordered:
            return np.array([self.values.index(value) / max(1, len(self.values) - 1)])
        if self.kind == "choice":
            return np.array([float(value == v) for v in self.values]) / math.sqrt(2)
        if self.kind == "shares":
            return np.asarray(value, dtype=float)
        if self.kind == "order":
            return np.array([list(value).index(v) for v in self.values]) / len(self.values)
        code = np.zeros((int(self.high), len(self.values)))
        for i, token in enumerate(value):
            code[i, self.values.index(token)] = 1 / math.sqrt(2)
        return code.ravel()

    def _draws(self) -> int:
        return self.size or 1

    def _made(self, u: Array, rng: np.random.Generator) -> Any:
        if self.kind in ("number", "integer"):
            low, high = (
                (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
            )
            x = low + u * (high - low)
            x = np.clip(np.exp(x) if self.log else x, self.low, self.high)
            made = [round(v) if self.kind == "integer" else float(f"{v:.6g}") for v in x.tolist()]
            return made if self.size else made[0]
        if self.kind == "choice":
            return self.values[int(u[0] * len(self.values))]
        if self.kind == "shares":
            shares = -np.log(np.clip(u, 1e-12, 1))
            return _rounded(shares / shares.sum())
        if self.kind == "order":
            return [self.values[i] for i in rng.permutation(len(self.values))]
        length = int(rng.integers(int(self.low), int(self.high) + 1))
        tokens = [self.values[i] for i in rng.integers(len(self.values), size=length)]
        return "".join(tokens) if self.joined else tokens


@dataclass(frozen=True)
class Prompt:
    """A prompt as it is understood.

    Args:
        axes: the parameters.
        signs: of each outcome that is to be maximized +1, minimized -1, else 0.
        rows: values of each observed row.
        outcomes: (n, q) observed outcomes, NaN for failed rows; for a request of labels (n, 1).
        candidates: values of each candidate.
        target: wanted outcomes, empty where none are named.
        count: how many configurations, predictions or labels are wanted.
        key: ``configurations``, ``predictions`` or ``labels``.
        reasoning: whether reasons are wanted.
    """

    axes: tuple[Axis, ...]
    signs: tuple[float, ...]
    rows: tuple[list[Any], ...]
    outcomes: Array
    candidates: tuple[list[Any], ...]
    target: tuple[float, ...]
    count: int
    key: str
    reasoning: bool


@lru_cache(maxsize=64)
def understood(text: str) -> Prompt:
    """A prompt of this package, taken apart."""
    sections: dict[str, list[str]] = {}
    for block in text.split("\n\n"):
        head, *lines = block.split("\n")
        sections[head] = lines
    axes = tuple(axis for line in sections.get("Parameters:", []) if (axis := _axis(line)))
    said = [line.rpartition(": ")[2] for line in sections.get("Outcomes:", [])]
    signs = tuple({"maximize": 1.0, "minimize": -1.0}.get(word, 0.0) for word in said)
    task = next(head for head in sections if head.startswith("Task: "))
    rows, outcomes = _observed(sections, len(signs))
    candidates = tuple(json.loads(line) for line in sections.get("Candidates:", []))
    count = re.search(r"(\d+) (?:different new configurations|candidates)", task)
    target = re.search(r"come to the outcomes (\[[^\]]*\])", task)
    key = next(k for k in ("configurations", "predictions", "labels") if f'"{k}"' in task)
    return Prompt(
        axes,
        signs,
        rows,
        outcomes,
        candidates,
        tuple(json.loads(target.group(1))) if target else (),
        int(count.group(1)) if count else 1,
        key,
        '"reasoning"' in task,
    )


def _observed(sections: Mapping[str, Sequence[str]], q: int) -> tuple[tuple[list[Any], ...], Array]:
    head = next((head for head in sections if head.startswith("Observations, ")), None)
    if head is None:
        return (), np.empty((0, q))
    rows, outcomes = [], []
    for line in sections[head]:
        left, arrow, right = line.partition(" <- ") if " <- " in head else line.partition(" -> ")
        row, outcome = (right, left) if arrow == " <- " else (left, right)
        values = json.loads(outcome)
        values = values if isinstance(values, list) else [values]
        rows.append(json.loads(row))
        outcomes.append([np.nan if v is None else float(v) for v in values])
    return tuple(rows), np.array(outcomes)


def _axis(line: str) -> Axis | None:
    head = _HEAD.match(line)
    if head is None or line.startswith("constraint: "):
        return None
    name, text = head.groups()
    axis = None
    if match := _NUMBER.match(text):
        size, kind, low, high, log = match.groups()
        axis = Axis(name, kind, int(size) if size else None, float(low), float(high), bool(log))
    elif match := _ONE_OF.match(text):
        values = tuple(json.loads(match.group(2)))
        axis = Axis(name, "choice", values=values, ordered=bool(match.group(1)))
    elif match := _SHARES.match(text):
        axis = Axis(name, "shares", int(match.group(1)))
    elif match := _ORDER.match(text):
        items = tuple(json.loads(match.group(1)))
        axis = Axis(name, "order", len(items), values=items)
    elif match := _TOKENS.match(text):
        kind, low, high, listed = match.groups()
        tokens, joined = tuple(json.loads(listed)), kind == "string"
        axis = Axis(name, "tokens", None, float(low), float(high), values=tokens, joined=joined)
    return axis


def _rounded(shares: Array) -> list[float]:
    return [float(f"{v:.5g}") for v in shares.tolist()]
