"""Strings and orders: one more token, or one more item, a step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.space.construction.arrays import Constants, copied, filled, joined, numbered
from blackbox.space.construction.base import Construction
from blackbox.space.vectors import Permutation, Sequence

_RECENT = 4  # last tokens that a network sees wherever they stand


class Strings(Construction):
    """A sequence that grows by a token at its end, or at both ends, until it stops.

    Growing at the end alone there is one path to each string; at both ends a string of L tokens
    has 2**(L - 1) paths.

    State: tokens, -1 after the last one, then whether the string has stopped. Actions: append each
    token, prepend each token (at both ends), stop.

    Args:
        parameter: the sequence.
        both_ends: whether tokens may be put before the string too.
    """

    tensors = True

    def __init__(self, parameter: Sequence, *, both_ends: bool = False) -> None:
        self._parameter = parameter
        self._both = both_ends
        self._least, self._most = parameter.length
        self._c = len(parameter.alphabet)
        self.width = self._most + 1
        self.actions = self._c * (1 + both_ends) + 1
        self.depth = self._most + 1
        token = np.arange(self._c)
        self._constants = Constants(
            token=token,
            place=np.repeat(np.arange(self._most), self._c),
            value=np.tile(token, self._most),
            shift=np.maximum(np.arange(self._most) - 1, 0),
            unshift=np.minimum(np.arange(self._most) + 1, self._most - 1),
            back=np.repeat(np.arange(_RECENT), self._c),
            recent=np.tile(token, _RECENT),
        )

    def initial(self, n: int) -> Array:
        states = np.full((n, self.width), -1, dtype=np.int64)
        states[:, -1] = 0
        return states

    def terminal(self, states: Any) -> Any:
        return states[:, -1] > 0

    def allowed(self, states: Any) -> Any:
        length, going = _length(states), states[:, -1:] == 0
        grows = (length < self._most) & going
        parts = [grows & filled(states, self._c, True)]
        if self._both:  # before an empty string a token stands where it does after it
            parts.append(parts[0] & (length > 0))
        return joined([*parts, (length >= self._least) & going])

    def step(self, states: Any, actions: Any) -> Any:
        c, rows = self._constants.on(states), numbered(states)
        made = copied(states)
        stops = actions == self.actions - 1
        made[rows[stops], -1] = 1
        appends = actions < self._c
        made[rows[appends], _length(states)[appends, 0]] = actions[appends]
        if self._both:
            front = ~(stops | appends)
            made[front, :-1] = states[front, :-1][:, c["shift"]]
            made[rows[front], 0] = actions[front] - self._c
        return made

    def parents(self, states: Any) -> Any:
        c, rows = self._constants.on(states), numbered(states)
        length, going = _length(states), states[:, -1:] == 0
        last = states[rows, length[:, 0] - 1][:, None]  # of an empty string: the flag, masked below
        parts = [(last == c["token"]) & (length > 0) & going]
        if self._both:
            parts.append((states[:, :1] == c["token"]) & (length > 1) & going)
        return joined([*parts, ~going])

    def undo(self, states: Any, actions: Any) -> Any:
        c, rows = self._constants.on(states), numbered(states)
        made = copied(states)
        stops = actions == self.actions - 1
        made[rows[stops], -1] = 0
        appended = actions < self._c
        made[rows[appended], _length(states)[appended, 0] - 1] = -1
        if self._both:
            front = ~(stops | appended)
            made[front, :-1] = states[front, :-1][:, c["unshift"]]
            # Where the string was full, its last token has no neighbour to take over from.
            made[rows[front], _length(states)[front, 0] - 1] = -1
        return made

    def features(self, states: Any) -> Any:
        c, rows = self._constants.on(states), numbered(states)
        # Before the first token the flag stands for one: it is 0 or 1, so masked.
        at = _length(states) - 1 - c["back"]
        last = (states[rows[:, None], at.clip(0)] == c["recent"]) & (at >= 0)
        return joined([states[:, c["place"]] == c["value"], last, states[:, -1:] > 0])

    def mutated(self, states: Array, rng: np.random.Generator) -> Array:
        """Near others: one token replaced, or the last ones chosen anew."""
        length = (states[:, :-1] >= 0).sum(axis=1)
        replaced = (rng.random(len(states)) < 0.5) & (length > 0)
        place = (rng.random(len(states)) * length).astype(np.intp)[replaced]
        made = states[replaced]
        made[np.arange(len(made)), place] = rng.integers(self._c, size=len(made))
        return np.concatenate([made, super().mutated(states[~replaced], rng)])

    def decode(self, states: Array) -> Batch:
        column = self._parameter.table[states[:, :-1]]
        return Batch.of({self._parameter.name: column}, len(states))

    def encode(self, batch: Batch) -> Array:
        tokens = self._parameter.index(batch[self._parameter.name])
        return np.column_stack([tokens, np.ones(len(tokens), dtype=np.int64)])

    def describe(self, state: Array) -> str:
        return f"{self._parameter.name}={''.join(self._parameter.table[state[:-1]])!r}"

    @property
    def cardinality(self) -> float:
        return float(sum(self._c**k for k in range(self._least, self._most + 1)))


class Orders(Construction):
    """A permutation: a step puts one of the unused items behind the others.

    State: positions of the items in order, -1 after the last one. Action: the next item.

    Args:
        parameter: the permutation.
    """

    tensors = True

    def __init__(self, parameter: Permutation) -> None:
        self._parameter = parameter
        self.width = self.actions = self.depth = parameter.size
        k = parameter.size
        self._constants = Constants(
            item=np.arange(k), place=np.repeat(np.arange(k), k), value=np.tile(np.arange(k), k)
        )

    def initial(self, n: int) -> Array:
        return np.full((n, self.width), -1, dtype=np.int64)

    def terminal(self, states: Any) -> Any:
        return states[:, -1] >= 0

    def allowed(self, states: Any) -> Any:
        item = self._constants.on(states)["item"]
        return (states[:, :, None] != item).all(1)

    def step(self, states: Any, actions: Any) -> Any:
        made = copied(states)
        made[numbered(states), (states >= 0).sum(1)] = actions
        return made

    def parents(self, states: Any) -> Any:
        length = (states >= 0).sum(1)
        last = states[numbered(states), length - 1]  # -1, which is no item, where there is none
        return last[:, None] == self._constants.on(states)["item"]

    def undo(self, states: Any, actions: Any) -> Any:
        made = copied(states)
        made[numbered(states), (states >= 0).sum(1) - 1] = -1
        return made

    def features(self, states: Any) -> Any:
        c = self._constants.on(states)
        return states[:, c["place"]] == c["value"]

    def decode(self, states: Array) -> Batch:
        return Batch.of({self._parameter.name: self._parameter.table[states]}, len(states))

    def encode(self, batch: Batch) -> Array:
        return self._parameter.index(batch[self._parameter.name])

    def describe(self, state: Array) -> str:
        return f"{self._parameter.name}={self._parameter.table[state[state >= 0]].tolist()}"

    @property
    def cardinality(self) -> float:
        return float(math.factorial(self.width)) if self.width <= 170 else math.inf


def _length(states: Any) -> Any:
    """(n, 1) tokens so far."""
    return (states[:, :-1] >= 0).sum(1)[:, None]
