"""Choices made one at a time, in any order or from left to right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.space.construction.arrays import Constants, copied, numbered
from blackbox.space.construction.base import Construction
from blackbox.space.construction.fields import Field
from blackbox.space.parameter import Parameter

Order = Literal["any", "fixed"]


class Slots(Construction):
    """Parameters that are vectors of choices: a step fills one slot with one value.

    In "any" order every unfilled slot may come next, so an object of L slots has L! paths; in
    "fixed" order there is one path. A parameter of many values has a slot for each digit of its
    value, and these are filled coarse to fine.

    State: the value of each slot, -1 where it is unfilled. Action (slot, value), slots in turn.

    Args:
        parameters: Categorical, Ordinal, Integer, and (in "any" order) Sequence of one length.
        order: "any" or "fixed".
    """

    tensors = True

    def __init__(self, parameters: Sequence[Parameter], order: Order) -> None:
        self._fields = [Field(p) for p in parameters]
        self._order = order
        sizes: list[int] = []
        reach: list[int] = []  # largest number of the digits so far, times the weight of this one
        weights: list[int] = []
        before: list[int] = []  # the slot of the next coarser digit, -1 where there is none
        ordered: list[bool] = []
        self._spans: dict[str, slice] = {}
        for field in self._fields:
            start = len(sizes)
            for _ in range(field.k):
                for j, weight in enumerate(field.digits.tolist()):
                    top = field.c - 1
                    coarser = int(field.digits[j - 1]) if j else top + 1
                    sizes.append(min((coarser - 1) // weight, top // weight) + 1)
                    reach.append(top)
                    weights.append(weight)
                    before.append(len(sizes) - 2 if j else -1)
                    ordered.append(field.ordered)
            self._spans[field.name] = slice(start, len(sizes))
        self.width = self.depth = len(sizes)
        self.actions = sum(sizes)
        self._digits = any(b >= 0 for b in before)
        slot = np.repeat(np.arange(len(sizes)), sizes)
        coarse = np.array(before)
        after = np.full(len(sizes), -1)
        after[coarse[coarse >= 0]] = np.flatnonzero(coarse >= 0)
        self._constants = Constants(
            slot=slot,
            value=np.concatenate([np.arange(size) for size in sizes]),
            ordered=np.array(ordered)[slot],
            before=coarse,
            after=after,
            weight=np.array(weights),
            top=np.array(reach),
            coarser=_coarser(coarse, np.array(weights)),
        )
        self._kinds = set(ordered)

    def initial(self, n: int) -> Array:
        return np.full((n, self.width), -1, dtype=np.int64)

    def terminal(self, states: Any) -> Any:
        return (states >= 0).all(1)

    def allowed(self, states: Any) -> Any:
        c = self._constants.on(states)
        filled = states >= 0
        if self._order == "fixed":
            mask = c["slot"] == filled.sum(1)[:, None]
        else:
            mask = ~filled[:, c["slot"]]
        return mask & self._within(states, filled) if self._digits else mask

    def _within(self, states: Any, filled: Any) -> Any:
        """(n, A) whether the coarser digit is chosen, and the value stays below its top."""
        c = self._constants.on(states)
        ready = (c["before"] < 0) | filled[:, c["before"]]
        prefix = ((states * filled)[:, :, None] * c["coarser"]).sum(1)
        left = c["top"] - prefix
        fits = c["value"] * c["weight"][c["slot"]] <= left[:, c["slot"]]
        return ready[:, c["slot"]] & fits

    def step(self, states: Any, actions: Any) -> Any:
        c = self._constants.on(states)
        made = copied(states)
        made[numbered(states), c["slot"][actions]] = c["value"][actions]
        return made

    def parents(self, states: Any) -> Any:
        c = self._constants.on(states)
        mask = states[:, c["slot"]] == c["value"]
        if self._order == "fixed":
            mask = mask & (c["slot"] == (states >= 0).sum(1)[:, None] - 1)
        elif self._digits:
            last = (c["after"] < 0) | (states[:, c["after"]] < 0)
            mask = mask & last[:, c["slot"]]
        return mask

    def undo(self, states: Any, actions: Any) -> Any:
        made = copied(states)
        made[numbered(states), self._constants.on(states)["slot"][actions]] = -1
        return made

    def features(self, states: Any) -> Any:
        """One-hot values; for ordered ones thermometers, so that neighbours look alike."""
        c = self._constants.on(states)
        chosen = states[:, c["slot"]]
        if self._kinds == {False}:
            return chosen == c["value"]
        reached = chosen >= c["value"]
        return (
            reached if self._kinds == {True} else reached & (c["ordered"] | (chosen == c["value"]))
        )

    def mutated(self, states: Array, rng: np.random.Generator) -> Array:
        """Near others: one slot chosen anew."""
        if self._digits:
            return super().mutated(states, rng)
        actions = rng.integers(self.actions, size=len(states))
        made: Array = self.step(states, actions)
        return made

    def decode(self, states: Array) -> Batch:
        columns = {}
        for field in self._fields:
            digits = self._digits_of(states, field)
            columns[field.name] = field.column((digits * field.digits).sum(axis=2))
        return Batch.of(columns, len(states))

    def encode(self, batch: Batch) -> Array:
        return self._filled(batch, self._fields)

    def partial(self, given: Batch) -> tuple[Array, Array]:
        chosen = self._filled(given, [field for field in self._fields if field.name in given])
        if self._order == "any":
            return chosen, np.ones(self.actions, dtype=bool)
        c = self._constants.on(chosen)
        value = chosen[0, c["slot"]]
        return self.initial(1), (value < 0) | (value == c["value"])

    def _filled(self, batch: Batch, fields: Sequence[Field]) -> Array:
        states = self.initial(len(batch))
        for field in fields:
            left = field.index(batch[field.name])
            digits = []
            for weight in field.digits:
                digits.append(left // weight)
                left = left % weight
            block = states[:, self._spans[field.name]]
            block[:] = np.stack(digits, axis=2).reshape(block.shape)
        return states

    def _digits_of(self, states: Array, field: Field) -> Array:
        """(n, k, m) the m digits of each of the k values of a parameter."""
        shape = len(states), field.k, len(field.digits)
        return states[:, self._spans[field.name]].reshape(shape)

    def bounds(self, states: Array) -> dict[str, tuple[Array, Array]]:
        found = {}
        for field in (f for f in self._fields if f.numeric):
            digits = self._digits_of(states, field)
            filled = digits >= 0
            low = (np.maximum(digits, 0) * field.digits).sum(axis=2)
            # What the unfilled digits can still add: less than the weight of the last filled one.
            finest = np.where(filled, field.digits, field.c).min(axis=2)
            high = np.minimum(low + finest - 1, field.c - 1)
            found[field.name] = field.number(low), field.number(high)
        return found

    def describe(self, state: Array) -> str:
        words = []
        for field in self._fields:
            digits = state[self._spans[field.name]].reshape(field.k, -1)
            filled = digits.min(axis=1) >= 0
            if filled.any():
                column = field.column((digits * field.digits).sum(axis=1)[None].clip(0))
                values = np.where(filled, column.reshape(-1).astype(str), "?")
                words.append(f"{field.name}={' '.join(values)}")
        return ", ".join(words) or "nothing chosen"

    @property
    def cardinality(self) -> float:
        return float(math.prod(field.c**field.k for field in self._fields))


def _coarser(before: Array, weights: Array) -> Array:
    """(k, k) weight of slot i where it is a coarser digit of the same number as slot j, else 0."""
    made = np.zeros((len(before), len(before)), dtype=np.int64)
    for j in range(len(before)):
        i = before[j]
        while i >= 0:
            made[i, j] = weights[i]
            i = before[i]
    return made
