"""CMA-MAE: evolution strategies on soft thresholds."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

from blackbox.archives import Archive, CellArchive
from blackbox.arguments import check_choice, check_range, is_finite
from blackbox.batch import Batch
from blackbox.errors import ProblemError
from blackbox.formulation import Floats, Problem
from blackbox.optimizers.quality_diversity._elites import begun
from blackbox.optimizers.quality_diversity.emitters import Begin, EvolutionEmitter
from blackbox.optimizers.quality_diversity.emitting import EmitterOptimizer, check_emitters
from blackbox.optimizers.quality_diversity.evolution import (
    Covariance,
    FullCMA,
    LowMemoryMA,
    SeparableCMA,
)
from blackbox.state import State

StrategyName: TypeAlias = Literal["full", "shared", "separable", "low-memory"]

# Strategies that share a covariance renew at most this share of it in one round of all.
_RENEWED = 0.1
# How far below all scores a floor is put, as a share of their range.
_MARGIN = 0.01


class Annealing(EmitterOptimizer):
    """An archive with soft thresholds.

    Args:
        problem: the problem.
        cells: as in ``MapElites``; an archive keeps its own thresholds.
        learning_rate: of the thresholds.
        threshold_min: threshold of an empty cell; None for one just below all scores told so far,
            which sinks as worse ones are told.
        seed: seeds the optimizer's only generator.

    Raises:
        ProblemError: an argument is out of range, or the archive has no finite thresholds.
    """

    archive: CellArchive

    def __init__(
        self,
        problem: Problem,
        cells: int | Sequence[int] | Archive | None,
        learning_rate: float,
        threshold_min: float | None,
        seed: int | None,
    ) -> None:
        super().__init__(problem, seed)
        name = type(self).__name__
        check_range(f"{name}: learning_rate", learning_rate, 0, 1)
        if threshold_min is not None and not is_finite(threshold_min):
            raise ProblemError(f"{name}: threshold_min={threshold_min!r} must be finite or None")
        given = begun(problem, cells)
        if not isinstance(given, CellArchive):
            raise ProblemError(f"{name}: {given!r} has no thresholds; give a grid or CVT archive")
        if given is cells and not math.isfinite(given.threshold_min):
            raise ProblemError(
                f"{name}: {given!r} has threshold_min=-inf; give the least score worth having"
            )
        if given is not cells:
            soft = {"learning_rate": learning_rate, "threshold_min": threshold_min or 0.0}
            made = given.build(problem, **{**given.arguments(), **soft})
            assert isinstance(made, CellArchive)
            given = made
        self.archive = given
        self._sinks = threshold_min is None and given is not cells
        self._told = (math.inf, -math.inf)  # least and largest score

    def _tell(self, batch: Batch) -> None:
        if self._sinks:
            self._sink(self.problem.scores(batch)[self.problem.feasible(batch), 0])
        super()._tell(batch)

    def _sink(self, scores: Floats) -> None:
        """Set the floor a little below all scores, so that the worst may enter an empty cell."""
        if len(scores):
            least = min(self._told[0], float(scores.min()))
            most = max(self._told[1], float(scores.max()))
            self._told = (least, most)
            margin = _MARGIN * (most - least) or max(abs(least), 1.0) * 1e-6
            # Below the least even where the margin is less than float64 can tell.
            floor = min(least - margin, math.nextafter(least, -math.inf))
            self.archive.threshold_min = max(floor, -sys.float_info.max)

    def _state(self) -> State:
        return {**super()._state(), "told": list(self._told), "floor": self.archive.threshold_min}

    def _load_state(self, state: State) -> None:
        self._told = (float(state["told"][0]), float(state["told"][1]))
        self.archive.threshold_min = float(state["floor"])
        super()._load_state(state)


class CMAMAE(Annealing):
    """CMA-MAE (Fontaine & Nikolaidis 2023, *CMA-MAP-annealing*, arXiv 2205.10752).

    As CMA-ME, but each cell has a threshold that follows the scores found there slowly, and rows
    are ranked by how far they exceed it. With a learning rate of 1 a cell is worth no second visit
    once its optimum is found; with 0 the objective alone counts; in between a strategy
    climbs where it is, and moves on as the thresholds rise under it.

    The archive keeps the best row of each cell whatever its threshold.

    Args:
        problem: one objective, at least one measure; real, integer and ordinal parameters.
        cells: as in ``MapElites``; an archive keeps its own thresholds.
        learning_rate: how fast thresholds follow, from 0 to 1. The paper's 0.01 is for a hundred
            evaluations a cell and more; 0.1 does better with fewer.
        threshold_min: threshold of an empty cell, the least score worth having (a score is the
            negative of what is minimized). By default just below all scores told so far; give it
            where some scores are so bad that no cell should hold them.
        strategy: ``"full"`` for CMA-ES as in the paper; ``"shared"`` for the same with one
            covariance that all strategies learn together, which pays where the cells' neighbours
            lie in similar directions, and in many dimensions; ``"separable"`` or
            ``"low-memory"`` for hundreds and thousands of dimensions.
        emitters: number of evolution strategies.
        batch_size: rows of a generation of each of them.
        sigma: first standard deviation, as a share of each parameter's range.
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
        learning_rate: float = 0.01,
        threshold_min: float | None = None,
        strategy: StrategyName = "full",
        emitters: int = 15,
        batch_size: int = 36,
        sigma: float = 0.02,
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, cells, learning_rate, threshold_min, seed)
        check_emitters(self, emitters, batch_size, sigma)
        check_choice("CMAMAE: strategy", strategy, get_args(StrategyName))
        # Of n^2 numbers: the strategies for many dimensions could not pay for one unused.
        self._covariance = together(problem.space.width, emitters) if strategy == "shared" else None
        kinds: dict[str, Begin] = {
            "full": lambda mean: FullCMA(mean, sigma),
            "shared": lambda mean: FullCMA(mean, sigma, self._covariance),
            "separable": lambda mean: SeparableCMA(mean, sigma),
            "low-memory": lambda mean: LowMemoryMA(mean, sigma),
        }
        self.emitters = [
            EvolutionEmitter(self.archive, batch_size, kinds[strategy]) for _ in range(emitters)
        ]

    def _state(self) -> State:
        shared = {} if self._covariance is None else self._covariance.state()
        return {**super()._state(), "covariance": shared}

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        if self._covariance is not None:
            self._covariance.load_state(state["covariance"])


def together(n: int, strategies: int) -> Covariance:
    """A covariance of n coordinates that so many strategies learn."""
    return Covariance(n, _RENEWED / strategies if strategies > 1 else 1.0)
