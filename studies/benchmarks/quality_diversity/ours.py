"""Our optimizers behind the benchmark's ask and tell."""

from __future__ import annotations

import blackbox as bb
from blackbox.batch import Array, Batch
from blackbox.optimizer import Optimizer
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


def me_line(setting: Setting, seed: int) -> Ours:
    """MAP-Elites with Iso+LineDD."""
    raise NotImplementedError


def cma_me(setting: Setting, seed: int) -> Ours:
    raise NotImplementedError


def cma_mae(setting: Setting, seed: int) -> Ours:
    raise NotImplementedError


def multi(setting: Setting, seed: int) -> Ours:
    raise NotImplementedError


def bop_elites(setting: Setting, seed: int) -> Ours:
    """BOP-Elites, row by row."""
    problem = setting.build()
    return Ours(
        bb.BOPElites(problem, cells=setting.cells, floor=0.0, n_init=setting.initial, seed=seed)
    )
