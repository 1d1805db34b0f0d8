"""Algorithms of pyribs, put together as in its examples."""

from __future__ import annotations

from typing import Any

import numpy as np

from blackbox.batch import Array
from studies.benchmarks.quality_diversity.settings import ALPHA, LINE, Setting


class Pyribs:
    """A scheduler behind the benchmark's ask and tell.

    Args:
        scheduler: of pyribs.
    """

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler

    def ask(self) -> Array:
        solutions: Array = self._scheduler.ask()
        return solutions

    def tell(self, objective: Array, measures: Array) -> None:
        self._scheduler.tell(objective, measures)


def archive(setting: Setting, seed: int, **options: Any) -> Any:
    """A grid of the setting's cells."""
    from ribs.archives import GridArchive

    problem = setting.build()
    return GridArchive(
        solution_dim=problem.space.width,
        dims=setting.cells,
        ranges=[(m.low, m.high) for m in problem.measures],
        seed=seed,
        **options,
    )


def me_line(setting: Setting, seed: int) -> Pyribs:
    """MAP-Elites with Iso+LineDD."""
    from ribs.emitters import IsoLineEmitter
    from ribs.schedulers import Scheduler

    grid = archive(setting, seed)
    emitter = IsoLineEmitter(
        grid,
        iso_sigma=setting.sigma,
        line_sigma=LINE,
        x0=np.zeros(grid.solution_dim),
        batch_size=setting.batch,
        seed=seed,
    )
    return Pyribs(Scheduler(grid, [emitter]))


def cma_me(setting: Setting, seed: int) -> Pyribs:
    """CMA-ME: improvement emitters."""
    return _evolution(setting, seed, archive(setting, seed), {})


def cma_mae(setting: Setting, seed: int) -> Pyribs:
    """CMA-MAE: thresholds with a learning rate, ranked by how far they are exceeded."""
    grid = archive(setting, seed, learning_rate=ALPHA, threshold_min=0.0)
    options = {"ranker": "imp", "selection_rule": "mu", "restart_rule": "basic"}
    return _evolution(setting, seed, grid, options, archive(setting, seed))


def _evolution(
    setting: Setting, seed: int, grid: Any, options: dict[str, Any], result: Any = None
) -> Pyribs:
    from ribs.emitters import EvolutionStrategyEmitter
    from ribs.schedulers import Scheduler

    emitters = [
        EvolutionStrategyEmitter(
            grid,
            x0=np.zeros(grid.solution_dim),
            sigma0=setting.sigma,
            batch_size=setting.rows,
            seed=seed * setting.emitters + i,
            **options,
        )
        for i in range(setting.emitters)
    ]
    return Pyribs(Scheduler(grid, emitters, result_archive=result))


def bop_elites(setting: Setting, seed: int) -> Pyribs:
    """BOP-Elites, row by row."""
    from ribs.emitters import BayesianOptimizationEmitter
    from ribs.schedulers import BayesianOptimizationScheduler

    grid = archive(setting, seed)
    emitter = BayesianOptimizationEmitter(
        grid,
        bounds=[setting.bounds] * grid.solution_dim,
        num_initial_samples=setting.initial,
        seed=seed,
    )
    return Pyribs(BayesianOptimizationScheduler(grid, [emitter]))
