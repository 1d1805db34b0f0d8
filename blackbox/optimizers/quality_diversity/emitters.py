"""What proposes rows for an archive in generations, and learns from what became of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from blackbox.archives import Archive
from blackbox.batch import Batch
from blackbox.formulation import Floats
from blackbox.optimizers.quality_diversity.evolution import Strategy
from blackbox.optimizers.quality_diversity.variation import Variation
from blackbox.state import State

#: Starts a strategy at a point of the unit cube.
Begin: TypeAlias = Callable[[Floats], Strategy]

_FLAT = 1e-12


class Emitter(ABC):
    """Proposes rows, and learns once enough rows of a generation are told.

    A generation is ``size`` rows told, of whatever number of rows drawn from one distribution.
    Rows told after it has moved on are not its any more.

    Args:
        archive: the archive that its rows go to.
        size: rows of a generation.

    Attributes:
        generation: number of generations learnt.
        asked: rows given out of the current one.
    """

    def __init__(self, archive: Archive, size: int) -> None:
        self.archive = archive
        self.size = size
        self.generation = 0
        self.asked = 0
        self._told: list[Batch] = []

    def ask(self, k: int, rng: np.random.Generator, *, compiled: bool = False) -> Batch:
        """k rows of the current generation.

        Args:
            k: how many.
            rng: source of every random number.
            compiled: whether to use compiled loops, which change no bit; needs numba.
        """
        self.asked += k
        return self.draw(k, rng, compiled=compiled)

    def tell(self, rows: Batch) -> None:
        """What became of rows of the current generation.

        Args:
            rows: ``point`` (k, width) on the unit cube; ``gain`` and ``status`` as the archive
                gave them; ``excess``, 0 for feasible rows, more the further a row is from
                feasible, inf for failed ones.
        """
        self._told.append(rows)
        if sum(map(len, self._told)) >= self.size:
            told, self._told = Batch.concat(self._told), []
            self.generation += 1
            self.asked = 0
            self.learn(told)

    @abstractmethod
    def draw(self, k: int, rng: np.random.Generator, *, compiled: bool) -> Batch:
        """k rows of the current distribution."""

    @abstractmethod
    def learn(self, rows: Batch) -> None:
        """Learn a generation, of rows as for ``tell``."""

    def state(self) -> State:
        """What ``load_state`` needs."""
        return {
            "generation": self.generation,
            "asked": self.asked,
            "told": Batch.concat(self._told).columns(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state`` was taken."""
        self.generation, self.asked = int(state["generation"]), int(state["asked"])
        self._told = [Batch(state["told"])] if state["told"] else []


class LineEmitter(Emitter):
    """Children of uniform elites, as in MAP-Elites; uniform draws while there are none."""

    def __init__(self, archive: Archive, size: int, variation: Variation) -> None:
        super().__init__(archive, size)
        self._variation = variation

    def draw(self, k: int, rng: np.random.Generator, *, compiled: bool) -> Batch:
        space = self.archive.problem.space
        if not len(self.archive):
            return space.draw(k, rng)
        first, second = self.archive.draw(2 * k, rng).reshape(2, k)
        columns = {name: self.archive.column(name) for name in space.names}
        return self._variation.children(space, columns, first, second, rng, compiled=compiled)

    def learn(self, rows: Batch) -> None:
        """Elites are all it knows."""


class EvolutionEmitter(Emitter):
    """An evolution strategy that starts again from an elite where it comes to an end.

    The first start is the centre of the space, or an elite where there are some. What a strategy
    draws outside its bounds is put on them, and it learns the point that was evaluated.

    Args:
        archive: the archive that its rows go to.
        size: rows of a generation.
        begin: makes the strategy.
        hard: the rules of CMA-ME: rows that filled an empty cell are ranked before all others, and
            a strategy of which nothing entered the archive comes to an end, once there are elites
            to start from. Else, as in CMA-MAE, rows are ranked by gain, and it ends where it has no
            direction left.
    """

    def __init__(self, archive: Archive, size: int, begin: Begin, *, hard: bool = False) -> None:
        super().__init__(archive, size)
        self._begin = begin
        self._hard = hard
        self.strategy: Strategy | None = None
        self.starts = 0

    def draw(self, k: int, rng: np.random.Generator, *, compiled: bool) -> Batch:
        space = self.archive.problem.space
        if self.strategy is None:
            self.strategy = self._begin(start(self.archive, rng, first=self.starts == 0))
            self.starts += 1
        points = self.strategy.ask(k, rng, compiled=compiled)
        return space.decode(np.minimum(np.maximum(points, 0.0, out=points), 1.0, out=points))

    def learn(self, rows: Batch) -> None:
        assert self.strategy is not None  # it drew these rows
        order = ranked(rows, new_first=self._hard)
        self.strategy.tell(rows["point"][order])
        idle = self._hard and len(self.archive) > 0 and not rows["status"].any()
        if idle or flat(rows, self.archive) or self.strategy.degenerate:
            self.strategy = None

    def state(self) -> State:
        strategy = {} if self.strategy is None else self.strategy.state()
        return {**super().state(), "starts": self.starts, "strategy": strategy}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self.starts = int(state["starts"])
        self.strategy = None
        if state["strategy"]:
            self.strategy = self._begin(np.array(state["strategy"]["mean"]))
            self.strategy.load_state(state["strategy"])


def ranked(rows: Batch, *, new_first: bool) -> npt.NDArray[np.intp]:
    """(k,) positions of rows, best first: feasible ones before all others, failed ones last."""
    gain = np.where(np.isnan(rows["gain"]), -np.inf, rows["gain"])
    keys = (-gain, rows["status"] < 2, rows["excess"]) if new_first else (-gain, rows["excess"])
    return np.lexsort(keys)


def flat(rows: Batch, archive: Archive) -> bool:
    """Whether nothing tells rows apart: all entered alike and gained alike, or all failed.

    Where no row is feasible, how far each is from that does tell them apart.
    """
    if (rows["status"] != rows["status"][0]).any():
        return False
    gained = np.isfinite(rows["gain"])
    worth = rows["gain" if gained.any() else "excess"]
    worth = worth[np.isfinite(worth)]
    spread = float(np.ptp(worth)) if len(worth) else 0.0
    if spread >= _FLAT or not gained.any():
        return spread < _FLAT
    # In a small unit all scores are as near to one another.
    return spread <= _FLAT * min(1.0, float(np.abs(archive.scores).max(initial=0.0)))


def start(archive: Archive, rng: np.random.Generator, *, first: bool) -> Floats:
    """(width,) where to begin: a uniform elite; while there is none the centre, then anywhere."""
    space = archive.problem.space
    if len(archive):
        point: Floats = space.encode(archive.sample(1, rng))[0]
        return point
    return np.full(space.width, 0.5) if first else rng.random(space.width)
