"""Numbers that grow from their lowest values by one step at a time: the hypergrid, and subsets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.space.construction.arrays import Constants, copied, joined, numbered
from blackbox.space.construction.base import Construction
from blackbox.space.construction.fields import Field
from blackbox.space.parameter import Parameter


class Grid(Construction):
    """A hypergrid (Bengio et al. 2021): a step raises one number to its next value, or stops.

    Of numbers from 0 to 1 it is the graph of subsets, to which a step adds an element.

    State: how far each number has risen, then whether it has stopped. Action: the number to raise;
    the last one stops.

    Args:
        parameters: Integer and Ordinal.
    """

    tensors = True

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self._fields = [Field(p) for p in parameters]
        sizes = np.array([field.c for field in self._fields for _ in range(field.k)])
        self._numbers = len(sizes)
        self.width = self.actions = self._numbers + 1
        self.depth = int((sizes - 1).sum()) + 1
        self._constants = Constants(
            top=sizes - 1,
            number=np.repeat(np.arange(len(sizes)), sizes),
            value=np.concatenate([np.arange(size) for size in sizes]),
        )

    def initial(self, n: int) -> Array:
        return np.zeros((n, self.width), dtype=np.int64)

    def terminal(self, states: Any) -> Any:
        return states[:, -1] > 0

    def allowed(self, states: Any) -> Any:
        open_ = states[:, -1:] == 0
        rising = states[:, :-1] < self._constants.on(states)["top"]
        return joined([rising & open_, open_])

    def step(self, states: Any, actions: Any) -> Any:
        made = copied(states)
        made[numbered(states), actions] += 1
        return made

    def parents(self, states: Any) -> Any:
        stopped = states[:, -1:] > 0
        return joined([(states[:, :-1] > 0) & ~stopped, stopped])

    def undo(self, states: Any, actions: Any) -> Any:
        made = copied(states)
        made[numbered(states), actions] -= 1
        return made

    def features(self, states: Any) -> Any:
        c = self._constants.on(states)
        return states[:, c["number"]] == c["value"]

    def decode(self, states: Array) -> Batch:
        columns, start = {}, 0
        for field in self._fields:
            columns[field.name] = field.column(states[:, start : start + field.k])
            start += field.k
        return Batch.of(columns, len(states))

    def encode(self, batch: Batch) -> Array:
        parts = [field.index(batch[field.name]) for field in self._fields]
        return np.column_stack([*parts, np.ones(len(batch), dtype=np.int64)])

    def partial(self, given: Batch) -> tuple[Array, Array]:
        state, permitted, start = self.initial(1), np.ones(self.actions, dtype=bool), 0
        for field in self._fields:
            if field.name in given:
                state[:, start : start + field.k] = field.index(given[field.name])
                permitted[start : start + field.k] = False
            start += field.k
        return state, permitted

    def bounds(self, states: Array) -> dict[str, tuple[Array, Array]]:
        found, start = {}, 0
        top = np.where(states[:, -1:] > 0, states[:, :-1], self._constants.on(states)["top"])
        for field in self._fields:
            span = slice(start, start + field.k)
            if field.numeric:
                low, high = states[:, :-1][:, span], top[:, span]
                found[field.name] = field.number(low), field.number(high)
            start += field.k
        return found

    def describe(self, state: Array) -> str:
        return str(self.decode(state[None])[0])

    @property
    def cardinality(self) -> float:
        return float(math.prod(field.c**field.k for field in self._fields))
