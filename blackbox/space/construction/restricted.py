"""Constraints as masks, and the dead ends they leave."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.errors import SpaceError
from blackbox.space.construction.base import Construction, choose, keys
from blackbox.space.construction.graph import Graph, enumerated
from blackbox.space.linear import Polytope

_TOLERANCE = 1e-9
_WALKS = 512


class Restricted(Construction):
    """A construction without the steps that lead to impossible states.

    Where the states can be enumerated, those from which no object can be finished are left out
    too, so that there are no dead ends. Elsewhere random walks look for dead ends, and a warning
    names one; a walk that ends in one gives no object.

    Args:
        inner: the construction without constraints.
        possible: functions that give (n,) bool for (n, width) states: whether some completion may
            satisfy a constraint; exact for terminal states.

    Raises:
        SpaceError: no object satisfies the constraints, or no random walk finds one, or
            ``possible`` is true behind a state where it is false.
    """

    def __init__(self, inner: Construction, possible: Sequence[Callable[[Array], Array]]) -> None:
        self._inner = inner
        self._rules = possible
        self._table: tuple[Array, Array, Array] | None = None
        self._count = float("nan")
        self.width, self.actions, self.depth = inner.width, inner.actions, inner.depth
        graph = enumerated(self)
        if graph is None:
            self._look_for_dead_ends()
        else:
            self._tabulate(graph)

    def allowed(self, states: Array) -> Array:
        if self._table is not None:
            return self._looked_up(states, 1)
        mask: Array = self._inner.allowed(states)
        rows, actions = np.nonzero(mask)
        if len(rows):
            mask[rows, actions] = self._possible(self._inner.step(states[rows], actions))
        return mask

    def _possible(self, states: Array) -> Array:
        possible: Array = np.ones(len(states), dtype=bool)
        for rule in self._rules:
            possible &= rule(states)
        return possible

    def parents(self, states: Array) -> Array:
        if self._table is not None:
            return self._looked_up(states, 2)
        mask: Array = self._inner.parents(states)
        return mask

    def _looked_up(self, states: Array, which: int) -> Array:
        assert self._table is not None
        known = self._table[0]
        at = np.minimum(np.searchsorted(known, keys(states)), len(known) - 1)
        mask: Array = self._table[which][at]
        return mask

    def _tabulate(self, graph: Graph) -> None:
        alive = graph.completable
        if not alive[0]:
            raise SpaceError("no candidate satisfies the constraints; loosen them")
        self._count = float(np.sum(graph.terminal & alive))
        allowed = np.zeros((len(graph.states), self.actions), dtype=bool)
        parents = allowed.copy()
        kept = alive[graph.child]
        allowed[graph.parent[kept], graph.action[kept]] = True
        parents[graph.child[kept], graph.action[kept]] = True
        self._check_hereditary(graph.states[alive], parents[alive])
        hashed = keys(graph.states)
        order = np.argsort(hashed)
        self._table = hashed[order], allowed[order], parents[order]

    def _check_hereditary(self, states: Array, parents: Array) -> None:
        wrong = np.flatnonzero((self._inner.parents(states) & ~parents).any(axis=1))
        if len(wrong):
            raise SpaceError(
                "possible is true for a partial state and false for one that leads to it: "
                f"{self._inner.describe(states[wrong[0]])}; make it false for both or for neither"
            )

    def _look_for_dead_ends(self) -> None:
        rng = np.random.default_rng(0)
        states, ends = self.initial(_WALKS), []
        while len(states):
            states = states[~self.terminal(states)]
            mask = self.allowed(states)
            alive = mask.any(axis=1)
            ends += list(states[~alive][:1])
            states = self.step(states[alive], choose(mask[alive], rng))
        if ends:
            warnings.warn(
                f"the constraints leave dead ends, for instance {self._inner.describe(ends[0])}: "
                "walks that end there are dropped; declare the constrained parameters first, or "
                "choose another order",
                stacklevel=4,
            )
        self.draw(1, rng)

    def initial(self, n: int) -> Array:
        return self._inner.initial(n)

    def terminal(self, states: Any) -> Any:
        return self._inner.terminal(states)

    def step(self, states: Any, actions: Any) -> Any:
        return self._inner.step(states, actions)

    def undo(self, states: Any, actions: Any) -> Any:
        return self._inner.undo(states, actions)

    def features(self, states: Any) -> Any:
        return self._inner.features(states)

    def mutated(self, states: Array, rng: np.random.Generator) -> Array:
        made = self._inner.mutated(states, rng)
        return made[self._possible(made)]

    def decode(self, states: Array) -> Batch:
        return self._inner.decode(states)

    def encode(self, batch: Batch) -> Array:
        return self._inner.encode(batch)

    def partial(self, given: Batch) -> tuple[Array, Array]:
        state, permitted = self._inner.partial(given)
        if not self._possible(state)[0]:
            raise SpaceError(f"what is given breaks a constraint: {self._inner.describe(state[0])}")
        return state, permitted

    def bounds(self, states: Array) -> dict[str, tuple[Array, Array]]:
        return self._inner.bounds(states)

    def describe(self, state: Array) -> str:
        return self._inner.describe(state)

    @property
    def cardinality(self) -> float:
        return self._count


class WithinBounds:
    """Whether the sums of linear constraints can still end between their bounds.

    Exact for terminal states; for partial ones every number is taken to reach its own extremes, so
    that states may pass of which no completion is feasible.

    Args:
        construction: gives the extremes.
        polytope: the constraints.
    """

    def __init__(self, construction: Construction, polytope: Polytope) -> None:
        self._bounds = construction.bounds
        self._names = list(polytope.blocks)
        a, self._lower, self._upper = polytope.matrix
        self._up, self._down = np.maximum(a, 0).T, np.minimum(a, 0).T

    def __call__(self, states: Array) -> Array:
        bounds = self._bounds(states)
        low, high = (np.concatenate([bounds[n][i] for n in self._names], axis=1) for i in (0, 1))
        least = low @ self._up + high @ self._down
        most = high @ self._up + low @ self._down
        slack = _TOLERANCE * (np.maximum(abs(low), abs(high)) @ (self._up - self._down))
        possible: Array = ((least <= self._upper + slack) & (most >= self._lower - slack)).all(
            axis=1
        )
        return possible
