"""Problems of the benchmark with the settings that every library gets, and the judge of all.

Settings are those of the published comparisons on these problems (Fontaine et al. 2020; Fontaine
and Nikolaidis 2023, *Covariance matrix adaptation MAP-annealing*): a batch of 540, which is 15
evolution strategies with 36 rows each.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

import blackbox as bb
from blackbox.batch import Array, Batch
from studies.benchmarks.common.suites import Algorithm

CELLS = (100, 100)
LINE = 0.2  # spread along the line between two elites
ALPHA = 0.01  # learning rate of the thresholds of CMA-MAE
CURVE = 20  # points of the curve of a run


@dataclass(frozen=True)
class Setting:
    """A problem as it is illuminated.

    Args:
        build: makes the problem, with a single vector of real parameters.
        sigma: first step of every algorithm, in the problem's units.
        evaluations: how many.
        cells: of the map, for each measure.
        emitters: evolution strategies of CMA-ME and CMA-MAE.
        rows: of each of them in an iteration.
        initial: rows of the initial design of algorithms with a model.
    """

    build: Callable[[], bb.Problem]
    sigma: float = 0.5
    evaluations: int = 1_080_000
    cells: tuple[int, ...] = CELLS
    emitters: int = 15
    rows: int = 36
    initial: int = 0

    @property
    def bounds(self) -> tuple[float, float]:
        """Of every number of the vector."""
        (parameter,) = self.build().space
        assert isinstance(parameter, bb.Real)
        return parameter.low, parameter.high

    @property
    def batch(self) -> int:
        """Rows of an iteration."""
        return self.emitters * self.rows


class Illumination(Protocol):
    """An algorithm of any library, as the benchmark drives it."""

    def ask(self) -> Array:
        """(n, d) solutions to evaluate."""

    def tell(self, objective: Array, measures: Array) -> None:
        """(n,) objectives, larger is better, and (n, m) measures of the solutions asked for."""


class Judge:
    """The best objective of every cell over all rows evaluated, the same for every library.

    Rows outside the measures' ranges count for the nearest cell.

    Args:
        problem: whose measures.
        cells: for each measure.
    """

    def __init__(self, problem: bb.Problem, cells: tuple[int, ...]) -> None:
        self._low = np.array([m.low for m in problem.measures])
        self._high = np.array([m.high for m in problem.measures])
        self._cells = np.array(cells)
        self.best = np.full(int(np.prod(cells)), -np.inf)

    def cell_of(self, measures: Array) -> Array:
        """(n,) numbers of cells of (n, m) measures."""
        share = (measures - self._low) / (self._high - self._low)
        index = np.clip((share * self._cells).astype(np.int64), 0, self._cells - 1)
        cells: Array = np.ravel_multi_index(tuple(index.T), tuple(self._cells))
        return cells

    def see(self, objective: Array, measures: Array) -> None:
        """Take note of evaluated rows."""
        np.maximum.at(self.best, self.cell_of(measures), objective)

    def report(self) -> dict[str, float]:
        """QD score in the mean over all cells, coverage, and the best objective.

        Elites below 0 add nothing, as empty cells do.
        """
        filled = np.isfinite(self.best)
        return {
            "qd": float(np.maximum(self.best, 0.0).mean()),
            "coverage": float(filled.mean()),
            "best": float(self.best.max()),
        }


def outcomes(problem: bb.Problem, solutions: Array) -> tuple[Array, Array]:
    """(n,) scores and (n, m) measures of (n, d) solutions of a problem with one vector."""
    found = problem.measure(Batch({problem.space.names[0]: solutions}))
    return problem.scores(Batch(found))[:, 0], np.column_stack(
        [found[m.name] for m in problem.measures]
    )


def illuminate(setting: Setting, algorithm: Algorithm, seed: int) -> dict[str, Any]:
    """One run to the setting's budget: what the judge saw, and the rate of ask and tell.

    The rate is that of the median round, so that imports and compilation do not count.
    """
    problem = setting.build()
    judge = Judge(problem, setting.cells)
    searching: Illumination = algorithm.make(setting, seed)
    seconds, evaluated = [], 0
    curve: list[list[float]] = []
    marks = np.linspace(0, setting.evaluations, CURVE + 1)[1:]
    while evaluated < setting.evaluations:
        start = time.process_time()
        solutions = searching.ask()
        asking = time.process_time() - start
        objective, measures = outcomes(problem, solutions)
        judge.see(objective, measures)
        evaluated += len(solutions)
        start = time.process_time()
        searching.tell(objective, measures)
        seconds.append((asking + time.process_time() - start) / len(solutions))
        if evaluated >= marks[len(curve)]:
            curve.append([evaluated, judge.report()["qd"]])
    rate = 1.0 / float(np.median(seconds))
    return {**judge.report(), "rate": rate, "evaluations": evaluated, "curve": curve}
