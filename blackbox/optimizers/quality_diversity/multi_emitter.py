"""A bandit that shares out rows among evolution strategies and children of elites."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from blackbox.archives import Archive
from blackbox.batch import Batch
from blackbox.formulation import Problem
from blackbox.optimizers.quality_diversity._elites import need_variation
from blackbox.optimizers.quality_diversity.cma_mae import Annealing, together
from blackbox.optimizers.quality_diversity.emitters import Emitter, EvolutionEmitter, LineEmitter
from blackbox.optimizers.quality_diversity.emitting import check_emitters
from blackbox.optimizers.quality_diversity.evolution import FullCMA
from blackbox.optimizers.quality_diversity.variation import Variation
from blackbox.state import State

_CURIOSITY = 0.5
_MEMORY = 0.99
_VARIATION = Variation(iso=0.0005, exchange=0.5)


class Bandit:
    """UCB1 (Auer, Cesa-Bianchi & Fischer 2002) that forgets: as an archive fills, wins get rare.

    Args:
        arms: number of them.
    """

    def __init__(self, arms: int) -> None:
        self.tried = np.zeros(arms)
        self.won = np.zeros(arms)

    def choose(self) -> int:
        """The arm of the largest upper confidence bound; at first each in turn."""
        if not self.tried.all():
            return int(np.argmin(self.tried))
        width = np.sqrt(2 * math.log(self.tried.sum() + 1) / self.tried)
        return int(np.argmax(self.won / self.tried + _CURIOSITY * width))

    def learn(self, arm: int, won: float) -> None:
        """An arm was tried and won this much, from 0 to 1."""
        self.tried *= _MEMORY
        self.won *= _MEMORY
        self.tried[arm] += 1
        self.won[arm] += won


class _Slot(Emitter):
    """One emitter of each kind, of which the bandit picks one for each generation."""

    def __init__(self, kinds: Sequence[Emitter], bandit: Bandit) -> None:
        super().__init__(kinds[0].archive, kinds[0].size)
        self._kinds = kinds
        self._bandit = bandit
        self._chosen = -1

    def draw(self, k: int, rng: np.random.Generator, *, compiled: bool) -> Batch:
        if self._chosen < 0:
            self._chosen = self._bandit.choose()
        return self._kinds[self._chosen].draw(k, rng, compiled=compiled)

    def learn(self, rows: Batch) -> None:
        self._kinds[self._chosen].learn(rows)
        self._bandit.learn(self._chosen, float(np.mean(rows["status"] == 2)))
        self._chosen = -1

    def state(self) -> State:
        kinds = [kind.state() for kind in self._kinds]
        return {**super().state(), "chosen": self._chosen, "kinds": kinds}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self._chosen = int(state["chosen"])
        for kind, kept in zip(self._kinds, state["kinds"], strict=True):
            kind.load_state(kept)


class MultiEmitter(Annealing):
    """CMA-MAE and MAP-Elites on one archive, with a bandit between them.

    Multi-emitter MAP-Elites (Cully 2021, arXiv 2007.05352) lets a bandit share out the rows among
    kinds of emitters. Here there are two: evolution strategies as in ``CMAMAE`` with
    ``strategy="shared"``, which find new cells and climb in them, and children of two elites as
    in ``MapElites``, which carry what is found over to all other cells. For each generation of
    each emitter UCB1 picks the kind; a kind wins by the share of its rows that filled empty cells,
    and where hardly anything is won any more both are used alike.

    Args:
        problem: one objective, at least one measure; real, integer and ordinal parameters.
        cells: as in ``MapElites``; an archive keeps its own thresholds.
        learning_rate: how fast thresholds follow, from 0 to 1; see ``CMAMAE``.
        threshold_min: threshold of an empty cell; by default just below all scores told so far.
        variation: how children are made; by default half of them by exchange.
        emitters: number of emitters.
        batch_size: rows of a generation of each of them.
        sigma: first standard deviation of a strategy, as a share of each parameter's range.
        seed: seeds the optimizer's only generator.

    Raises:
        UnsupportedError: the problem has no measures, or other parameters.
        ProblemError: an argument is out of range.
        MissingExtraError: SciPy is not installed (extra ``qd``).
    """

    def __init__(
        self,
        problem: Problem,
        *,
        cells: int | Sequence[int] | Archive | None = None,
        learning_rate: float = 0.03,
        threshold_min: float | None = None,
        variation: Variation = _VARIATION,
        emitters: int = 15,
        batch_size: int = 36,
        sigma: float = 0.02,
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, cells, learning_rate, threshold_min, seed)
        check_emitters(self, emitters, batch_size, sigma)
        need_variation("MultiEmitter", variation)
        self._covariance = covariance = together(problem.space.width, emitters)
        self._bandit = bandit = Bandit(2)

        def slot() -> _Slot:
            evolution = EvolutionEmitter(
                self.archive, batch_size, lambda mean: FullCMA(mean, sigma, covariance)
            )
            lines = LineEmitter(self.archive, batch_size, variation)
            return _Slot([evolution, lines], bandit)

        self.emitters = [slot() for _ in range(emitters)]

    def _state(self) -> State:
        return {
            **super()._state(),
            "covariance": self._covariance.state(),
            "tried": self._bandit.tried.copy(),
            "won": self._bandit.won.copy(),
        }

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        self._covariance.load_state(state["covariance"])
        self._bandit.tried, self._bandit.won = np.array(state["tried"]), np.array(state["won"])
