"""Several parameters, each built in its own way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.errors import SpaceError
from blackbox.space.construction.arrays import filled, joined, numbered
from blackbox.space.construction.base import Construction
from blackbox.space.construction.slots import Order


class Composite(Construction):
    """Constructions side by side: their states and actions are blocks, the parts in turn.

    In "any" order a step may go on with any unfinished part, in "fixed" order only with the first.

    Args:
        parts: constructions, each with its columns.
        names: all columns, in order.
        order: "any" or "fixed".
    """

    tensors = True

    def __init__(
        self,
        parts: Sequence[tuple[Construction, list[str]]],
        names: Sequence[str],
        order: Order,
    ) -> None:
        self._parts = [part for part, _ in parts]
        self._own = [own for _, own in parts]
        self._names = list(names)
        self._order = order
        self._columns = _blocks([part.width for part in self._parts])
        self._actions = _blocks([part.actions for part in self._parts])
        self.width = self._columns[-1].stop
        self.actions = self._actions[-1].stop
        self.depth = sum(part.depth for part in self._parts)

    def _split(self, states: Any) -> list[Any]:
        return [states[:, block] for block in self._columns]

    def initial(self, n: int) -> Array:
        return np.concatenate([part.initial(n) for part in self._parts], axis=1)

    def terminal(self, states: Any) -> Any:
        done = filled(states, 1, True)[:, 0]
        for part, own in zip(self._parts, self._split(states), strict=True):
            done = done & part.terminal(own)
        return done

    def allowed(self, states: Any) -> Any:
        masks, turn = [], filled(states, 1, True)
        for part, own in zip(self._parts, self._split(states), strict=True):
            mask = part.allowed(own)
            if self._order == "fixed":
                mask, turn = mask & turn, turn & part.terminal(own)[:, None]
            masks.append(mask)
        return joined(masks)

    def parents(self, states: Any) -> Any:
        masks, turn = [], filled(states, 1, True)
        pairs = list(zip(self._parts, self._split(states), strict=True))
        for part, own in reversed(pairs):
            mask = part.parents(own)
            if self._order == "fixed":  # the last part that has begun
                mask, turn = mask & turn, turn & ~mask.any(1)[:, None]
            masks.append(mask)
        return joined(masks[::-1])

    def step(self, states: Any, actions: Any) -> Any:
        return self._moved("step", states, actions)

    def undo(self, states: Any, actions: Any) -> Any:
        return self._moved("undo", states, actions)

    def _moved(self, move: str, states: Any, actions: Any) -> Any:
        rows, moved = numbered(states), []
        made = states + 0
        for part, columns, block in zip(self._parts, self._columns, self._actions, strict=True):
            own = rows[(actions >= block.start) & (actions < block.stop)]
            if len(own):
                moved = getattr(part, move)(states[own][:, columns], actions[own] - block.start)
                made[own, columns] = moved
        return made

    def features(self, states: Any) -> Any:
        pairs = zip(self._parts, self._split(states), strict=True)
        return joined([part.features(own) for part, own in pairs])

    def decode(self, states: Array) -> Batch:
        columns = {}
        for part, own in zip(self._parts, self._split(states), strict=True):
            columns.update(part.decode(own).columns())
        return Batch.of({name: columns[name] for name in self._names}, len(states))

    def encode(self, batch: Batch) -> Array:
        return np.concatenate([part.encode(batch) for part in self._parts], axis=1)

    def partial(self, given: Batch) -> tuple[Array, Array]:
        states, masks, whole = [], [], True
        for part, names in zip(self._parts, self._own, strict=True):
            state, permitted = part.partial(given.select(n for n in names if n in given))
            begun = bool(part.parents(state).any())
            if self._order == "fixed" and begun and not whole:
                raise SpaceError(
                    f"{names} can be given only after all parameters before them; choose "
                    'order="any"'
                )
            whole = whole and bool(part.terminal(state)[0])
            states.append(state)
            masks.append(permitted)
        return np.concatenate(states, axis=1), np.concatenate(masks)

    def bounds(self, states: Array) -> dict[str, tuple[Array, Array]]:
        found = {}
        for part, own in zip(self._parts, self._split(states), strict=True):
            found.update(part.bounds(own))
        return found

    def describe(self, state: Array) -> str:
        pairs = zip(self._parts, self._columns, strict=True)
        return ", ".join(part.describe(state[block]) for part, block in pairs)

    @property
    def cardinality(self) -> float:
        return math.prod(part.cardinality for part in self._parts)


def _blocks(widths: Sequence[int]) -> list[slice]:
    ends = np.cumsum(widths).tolist()
    return [slice(end - width, end) for width, end in zip(widths, ends, strict=True)]
