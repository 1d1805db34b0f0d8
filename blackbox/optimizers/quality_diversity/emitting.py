"""Optimizers that are made of emitters and one archive."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from blackbox.archives import Archive
from blackbox.archives._placing import worth_compiling
from blackbox.arguments import check_count, is_number
from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError
from blackbox.formulation import Problem
from blackbox.optimizer import Optimizer, Supports
from blackbox.optimizers.quality_diversity._lineage import Lineage
from blackbox.optimizers.quality_diversity.emitters import Emitter
from blackbox.space import Integer, Ordinal, Real
from blackbox.state import State

#: More are a mistake: each is an object with a strategy.
MOST_EMITTERS = 1_000_000


class EmitterOptimizer(Optimizer):
    """Shares out rows among emitters, shows what is told to the archive, then to them.

    A subclass makes both.

    Args:
        problem: the problem.
        seed: seeds the optimizer's only generator.

    Attributes:
        archive: the elites.
        emitters: what proposes rows.
    """

    supports = Supports(parameters=(Real, Integer, Ordinal), constraints=True, measures=True)

    archive: Archive
    emitters: Sequence[Emitter]

    def __init__(self, problem: Problem, seed: int | None) -> None:
        super().__init__(problem, seed=seed)
        self._owners = Lineage()  # of each row that is out, its emitter and generation

    @property
    def batch_size(self) -> int:
        """Rows that complete the generation of every emitter."""
        left = sum(max(e.size - e.asked, 0) for e in self.emitters)
        return left or sum(e.size for e in self.emitters)

    def _ask(self, n: int) -> Batch:
        parts: list[Batch] = []
        owners: list[Array] = []
        compiled = worth_compiling(self.asked)
        turns = [_turn(emitter) for emitter in self.emitters]
        while n:
            # What is begun is completed, none is left out.
            j = turns.index(min(turns))
            emitter = self.emitters[j]
            k = min(n, emitter.size - emitter.asked % emitter.size)
            tag = emitter.generation * len(self.emitters) + j
            parts.append(emitter.ask(k, self.rng, compiled=compiled))
            owners.append(np.full(k, tag))
            turns[j] = _turn(emitter)
            n -= k
        self._owners.add(self.asked, np.concatenate(owners))
        return Batch.concat(parts)

    def _tell(self, batch: Batch) -> None:
        tags = self._owners.take(batch["id"])
        rows = self._rows(batch)
        if (tags[1:] < tags[:-1]).any():  # told in another order than asked
            order = np.argsort(tags, kind="stable")
            tags, rows = tags[order], rows.take(order)
        for first, last in pairwise([0, *np.flatnonzero(np.diff(tags)) + 1, len(tags)]):
            generation, j = divmod(int(tags[first]), len(self.emitters))
            if tags[first] >= 0 and generation == self.emitters[j].generation:
                self.emitters[j].tell(rows[first:last])

    def _rows(self, batch: Batch) -> Batch:
        """Put rows into the archive; what became of them, as emitters are told."""
        added = self.archive.learn(batch)
        excess = np.where(batch["ok"], 0.0, np.inf)
        if self.problem.constraints:
            near = self.problem.nearness(batch)
            excess = np.where(np.isnan(near), excess, -near)
        columns: dict[str, Array] = {
            "point": self.problem.space.encode(batch),
            "gain": added.gain,
            "status": added.status,
            "excess": excess,
        }
        return Batch.of(columns, len(batch))

    def _state(self) -> State:
        return {
            "archive": self.archive.state(),
            "owners": self._owners.state(),
            "emitters": [emitter.state() for emitter in self.emitters],
        }

    def _load_state(self, state: State) -> None:
        self.archive.load_state(state["archive"])
        self._owners.load(state["owners"])
        for emitter, kept in zip(self.emitters, state["emitters"], strict=True):
            emitter.load_state(kept)


def _turn(emitter: Emitter) -> tuple[int, int]:
    """The emitter of the least turn goes next."""
    times, rest = divmod(emitter.asked, emitter.size)
    return times, -rest


def check_emitters(owner: Optimizer, emitters: object, batch_size: object, sigma: object) -> None:
    """Refuse arguments that no emitters can be made of.

    Raises:
        ProblemError: an argument is out of range.
    """
    name = type(owner).__name__
    check_count(f"{name}: emitters", emitters, 1, MOST_EMITTERS)
    check_count(f"{name}: batch_size", batch_size, 2)
    if not (is_number(sigma) and 0 < sigma <= 1):
        raise ProblemError(f"{name}: sigma={sigma!r} must lie in (0, 1]: a share of the range")
