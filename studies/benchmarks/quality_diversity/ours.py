"""Our optimizers behind the benchmark's ask and tell."""

from __future__ import annotations

from typing import Any

import numpy as np

import blackbox as bb
from blackbox.batch import Array, Batch
from blackbox.optimizer import Optimizer
from blackbox.optimizers.quality_diversity.variation import Variation
from studies.benchmarks.quality_diversity.settings import ALPHA, LINE, Setting


class Ours:
    """An optimizer that is told every row it asked for.

    Args:
        optimizer: on a problem with one vector and one objective to maximize.
        rows: of each ask; by default its natural batch.
    """

    def __init__(self, optimizer: Optimizer, rows: int | None = None) -> None:
        problem = optimizer.problem
        self.optimizer = optimizer
        self._rows = rows
        self._input, self._objective = problem.space.names[0], problem.objectives[0].name
        self._measures = [m.name for m in problem.measures]
        self._asked = Batch({})

    def ask(self) -> Array:
        self._asked = self.optimizer.ask(self._rows)
        return self._asked[self._input]

    def tell(self, objective: Array, measures: Array) -> None:
        columns = dict(zip(self._measures, measures.T, strict=True))
        self.optimizer.tell(self._asked.with_columns(**{self._objective: objective}, **columns))


def map_elites(setting: Setting, seed: int, **options: Any) -> Ours:
    """MAP-Elites with the setting's steps.

    Args:
        setting: the problem and its settings.
        seed: of the optimizer.
        options: more of ``Variation``.
    """
    problem = setting.build()
    optimizer = bb.MapElites(
        problem,
        cells=setting.cells,
        batch_size=setting.batch,
        n_init=1,
        variation=Variation(iso=_share(setting), line=LINE, **options),
        seed=seed,
    )
    return Ours(begun(optimizer))


def me_line(setting: Setting, seed: int) -> Ours:
    """MAP-Elites with Iso+LineDD alone."""
    return map_elites(setting, seed, exchange=0)


def _share(setting: Setting) -> float:
    """The setting's step as a share of the range, as ours take it."""
    low, high = setting.bounds
    return setting.sigma / (high - low)


def begun(optimizer: Optimizer) -> Optimizer:
    """An optimizer that was told the origin, from where every algorithm starts."""
    problem = optimizer.problem
    row = Batch({problem.space.names[0]: np.zeros((1, problem.space.width))})
    optimizer.tell(row.with_columns(**problem.measure(row)))
    return optimizer


def cma_me(setting: Setting, seed: int) -> Ours:
    """CMA-ME: improvement emitters."""
    return _evolution(bb.CMAME, setting, seed)


def cma_mae(setting: Setting, seed: int, **options: Any) -> Ours:
    """CMA-MAE, by itself with full CMA-ES as in the paper."""
    return _evolution(bb.CMAMAE, setting, seed, learning_rate=ALPHA, threshold_min=0.0, **options)


def multi(setting: Setting, seed: int) -> Ours:
    """Evolution strategies and lines between elites on one archive."""
    return _evolution(bb.MultiEmitter, setting, seed, threshold_min=0.0)


def _evolution(kind: Any, setting: Setting, seed: int, **options: Any) -> Ours:
    optimizer = kind(
        setting.build(),
        cells=setting.cells,
        emitters=setting.emitters,
        batch_size=setting.rows,
        sigma=_share(setting),
        seed=seed,
        **options,
    )
    return Ours(optimizer, setting.batch)  # the first starts are the centre, which is the origin


def bop_elites(setting: Setting, seed: int) -> Ours:
    """BOP-Elites, row by row."""
    problem = setting.build()
    return Ours(
        bb.BOPElites(problem, cells=setting.cells, floor=0.0, n_init=setting.initial, seed=seed)
    )


class Fronts:
    """MOME that is told every row it asked for.

    Args:
        optimizer: on a problem with one vector.
    """

    def __init__(self, optimizer: bb.MOME) -> None:
        problem = optimizer.problem
        self._optimizer = optimizer
        self._objectives = {o.name: o.sign for o in problem.objectives}
        self._measures = [m.name for m in problem.measures]
        self._asked = Batch({})

    def ask(self) -> Array:
        """(n, d) solutions to evaluate."""
        self._asked = self._optimizer.ask()
        return self._asked[self._optimizer.problem.space.names[0]]

    def tell(self, scores: Array, measures: Array) -> None:
        """(n, m) scores and measures of the solutions asked for."""
        signed = zip(self._objectives.items(), scores.T, strict=True)
        columns = {name: sign * column for (name, sign), column in signed}
        columns |= dict(zip(self._measures, measures.T, strict=True))
        self._optimizer.tell(self._asked.with_columns(**columns))

    def fronts(self) -> tuple[Array, Array]:
        """Scores and measures of the members of all fronts."""
        return self._optimizer.archive.scores, self._optimizer.archive.measures


def mome(setting: Any, seed: int, **options: Any) -> Fronts:
    """MOME with the setting's steps.

    Args:
        setting: the problem and its settings.
        seed: of the optimizer.
        options: more of ``Variation``.
    """
    problem = setting.build()
    return Fronts(
        bb.MOME(
            problem,
            cells=setting.cells,
            front=setting.front,
            batch_size=setting.batch,
            n_init=setting.batch,
            variation=Variation(iso=_share(setting), line=LINE, **options),
            seed=seed,
        )
    )
