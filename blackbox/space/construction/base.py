"""How an object is built step by step: what a GFlowNet walks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.errors import BatchError, SpaceError

_TRIES = 100
_BACK = 3


class Construction(ABC):
    """A graph of partial objects, batched: n of them are the rows of one array of integers.

    Every path starts at the same empty state and takes one *action* after another until the state
    is terminal; each terminal state stands for one object. An action is an integer from 0 to
    ``actions - 1`` and names the last step of the state it leads to: the edge that ``step(s, a)``
    takes is the edge that ``undo(child, a)`` goes back. Every path to a state takes equally many
    steps.

    Write a graph-like object of your own (say, molecules of fragments with attachment points) by
    giving ``width``, ``actions``, ``depth`` and the abstract methods, in NumPy. Methods never
    write into their arguments, and get states of this construction only; ``step`` and ``undo`` get
    only actions that ``allowed`` and ``parents`` permit.

    Attributes:
        width: integers that describe a state.
        actions: number A of actions, a final "stop" included where there is one.
        depth: most steps from the empty state to a terminal one.
        tensors: whether the methods on states take PyTorch tensors too, and answer in kind.
    """

    width: int
    actions: int
    depth: int
    tensors: ClassVar[bool] = False

    @abstractmethod
    def initial(self, n: int) -> Array:
        """(n, width) int64: the empty state, n times."""

    @abstractmethod
    def terminal(self, states: Any) -> Any:
        """(n,) bool: whether each state is a finished object."""

    @abstractmethod
    def allowed(self, states: Any) -> Any:
        """(n, A) bool: the actions that each state permits; none where it is terminal."""

    @abstractmethod
    def step(self, states: Any, actions: Any) -> Any:
        """(n, width) new states after one action (n,) each."""

    @abstractmethod
    def parents(self, states: Any) -> Any:
        """(n, A) bool: the actions that may have led to each state; none at the empty one."""

    @abstractmethod
    def undo(self, states: Any, actions: Any) -> Any:
        """(n, width) the states before one last action (n,) each."""

    @abstractmethod
    def features(self, states: Any) -> Any:
        """(n, k) what a network sees of each state: booleans or numbers of the size of one."""

    @abstractmethod
    def decode(self, states: Array) -> Batch:
        """Candidates, the columns of the space, of (n, width) terminal states."""

    @abstractmethod
    def encode(self, batch: Batch) -> Array:
        """(n, width) terminal states of valid candidates."""

    def mutated(self, states: Array, rng: np.random.Generator) -> Array:
        """At most n objects near n others: some last steps taken back, and others at random."""
        back = rng.integers(1, _BACK + 1, size=len(states))
        for k in range(_BACK):
            mask = self.parents(states)
            moving = (k < back) & mask.any(axis=1)
            states = states.copy()
            states[moving] = self.undo(states[moving], choose(mask[moving], rng))
        return self._walks(states, rng)

    def partial(self, given: Batch) -> tuple[Array, Array]:
        """Where to begin, and what may be done, to complete one row of some columns.

        Args:
            given: one row of some of the space's columns.

        Returns:
            The state (1, width) to begin with, and the actions (A,) that keep to what is given.

        Raises:
            SpaceError: this construction cannot keep to these columns.
        """
        if not given.names:
            return self.initial(1), np.ones(self.actions, dtype=bool)
        try:
            return self.encode(given), np.ones(self.actions, dtype=bool)
        except BatchError as error:
            raise SpaceError(
                f"{type(self).__name__}: only whole candidates can be given, not {given.names}"
            ) from error

    def bounds(self, states: Array) -> dict[str, tuple[Array, Array]]:
        """For parameters of numbers the least and largest (n, k) that completions reach.

        In the user's units; linear constraints are read off these. Empty where there are none.
        """
        del states
        return {}

    def describe(self, state: Array) -> str:
        """One (width,) partial state in words, for messages."""
        return str(state.tolist())

    @property
    def cardinality(self) -> float:
        """Exact number of objects; NaN where only an enumeration can tell."""
        return float("nan")

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        """(n, width) terminal states of random walks, uniform over the allowed actions.

        Raises:
            SpaceError: nearly all walks end where no action is allowed.
        """
        done = [np.empty((0, self.width), dtype=np.int64)]
        missing = n
        for _ in range(_TRIES):
            if not missing:
                break
            done.append(self._walks(self.initial(missing), rng))
            missing -= len(done[-1])
        if missing:
            raise SpaceError(
                f"{type(self).__name__}: random walks end in states without an allowed action; "
                "loosen the constraints or choose another order"
            )
        return np.concatenate(done)

    def _walks(self, states: Array, rng: np.random.Generator) -> Array:
        """At most n terminal states behind n others: walks into dead ends are dropped."""
        done = [states[:0]]
        while len(states):
            finished = self.terminal(states)
            done.append(states[finished])
            states = states[~finished]
            mask = self.allowed(states)
            alive = mask.any(axis=1)
            states, mask = states[alive], mask[alive]
            if len(states):
                states = self.step(states, choose(mask, rng))
        return np.concatenate(done)


def choose(mask: Array, rng: np.random.Generator) -> Array:
    """(n,) one of the true columns of each row of (n, A), uniform; each row has one at least."""
    chosen: Array = np.where(mask, rng.random(mask.shape), -1.0).argmax(axis=1)
    return chosen


def keys(states: Array) -> Array:
    """(n,) uint64, equal for equal rows and different for different ones.

    A random linear map modulo 2**64: two different rows among a million meet with probability
    below 1e-7.
    """
    factors = np.random.default_rng(20230001).integers(2**63, size=states.shape[1], dtype=np.uint64)
    with np.errstate(over="ignore"):
        hashed: Array = (states.astype(np.uint64) * (2 * factors + 1)).sum(axis=1, dtype=np.uint64)
    return hashed
