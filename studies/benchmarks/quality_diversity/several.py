"""Several objectives: MOME, ours and QDax', at equal evaluations."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import blackbox as bb
from blackbox.batch import Array, Batch
from studies.benchmarks.common.suites import Algorithm, Results, Suite
from studies.benchmarks.quality_diversity import ours, qdax
from studies.benchmarks.quality_diversity.score import merit
from studies.benchmarks.quality_diversity.settings import Setting
from studies.benchmarks.quality_diversity.sources import OURS

FRONT = 50
_BOUND = 5.12
_SHIFTS = (0.0, 2.2)


class Shifted(bb.Problem):
    """A function with its optimum in two places, one an objective each.

    The measures are the first two numbers. Objectives are scaled so that 100 is the best and 0
    the mean over the space. (The benchmark of Pierrot et al. 2022, section 5.)

    Args:
        terms: what a coordinate loses at its distance from the optimum.
        n: number of inputs.
    """

    objectives = (bb.Maximize("f1"), bb.Maximize("f2"))
    measures = (bb.Measure("m1", -_BOUND, _BOUND), bb.Measure("m2", -_BOUND, _BOUND))

    def __init__(self, terms: Callable[[Array], Array], n: int) -> None:
        self.space = bb.Space(bb.Real("x", -_BOUND, _BOUND, size=n))
        self._terms = terms
        line = np.linspace(-_BOUND, _BOUND, 100_001)
        self._typical = [n * float(terms(line - shift).mean()) for shift in _SHIFTS]

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """Both objectives and both measures of every row."""
        x = batch["x"]
        lost = [self._terms(x - shift).sum(axis=1) for shift in _SHIFTS]
        f1, f2 = (100 - 100 * a / b for a, b in zip(lost, self._typical, strict=True))
        return {"f1": f1, "f2": f2, "m1": x[:, 0], "m2": x[:, 1]}


def _sphere(d: Array) -> Array:
    squares: Array = d**2
    return squares


def _rastrigin(d: Array) -> Array:
    terms: Array = 10 + d**2 - 10 * np.cos(2 * np.pi * d)
    return terms


@dataclass(frozen=True)
class Front(Setting):
    """A setting whose cells hold fronts."""

    front: int = FRONT


def _case(terms: Callable[[Array], Array], n: int) -> Front:
    return Front(lambda: Shifted(terms, n), 0.1, 200_000, cells=(16, 16), emitters=1, rows=200)


CASES = {
    "sphere 10": _case(_sphere, 10),
    "sphere 100": _case(_sphere, 100),
    "Rastrigin 10": _case(_rastrigin, 10),
    "Rastrigin 100": _case(_rastrigin, 100),
}
ALGORITHMS = {
    "MOME": Algorithm(ours.mome, OURS),
    "MOME line": Algorithm(partial(ours.mome, exchange=0.0), OURS),
    "QDax MOME": Algorithm(qdax.mome, environment="qdax"),
}


def illuminate(setting: Front, algorithm: Algorithm, seed: int) -> dict[str, Any]:
    """One run: the score of the algorithm's own fronts, and of all rows that it evaluated."""
    problem = setting.build()
    judge = bb.archives.FrontArchive(problem, setting.cells, front=4 * setting.front)
    searching = algorithm.make(setting, seed)
    evaluated, seconds = 0, []
    while evaluated < setting.evaluations:
        start = time.process_time()
        solutions = searching.ask()
        asking = time.process_time() - start
        batch = Batch({"x": solutions})
        batch = batch.with_columns(**problem.measure(batch))
        judge.add(batch)
        evaluated += len(solutions)
        scores = problem.scores(batch)
        measures = np.column_stack([batch[m.name] for m in problem.measures])
        start = time.process_time()
        searching.tell(scores, measures)
        seconds.append((asking + time.process_time() - start) / len(solutions))
    scores, measures = searching.fronts()
    return {
        "moqd": _share(problem, judge.cell_of(measures), scores, judge.size),
        "all": _share(problem, judge.cells, judge.scores, judge.size),
        "members": len(scores),
        "coverage": len(np.unique(judge.cell_of(measures))) / judge.size,
        "rate": 1.0 / float(np.median(seconds)),
    }


def _share(problem: bb.Problem, cells: Array, scores: Array, size: int) -> float:
    """Hypervolume of the cells' fronts, as a percentage of all that there could be."""
    total = 0.0
    for cell in np.unique(cells):
        total += _area(scores[cells == cell])
    return 100.0 * total / size / 100.0**2


def _area(scores: Array) -> float:
    """Hypervolume above (0, 0) of two scores; in NumPy, which every environment has."""
    order = np.argsort(-scores[:, 0], kind="stable")
    first, second = np.maximum(scores[order], 0.0).T
    height = np.maximum.accumulate(second)
    return float((np.diff(height, prepend=0.0) * first).sum())


def table(results: Results) -> Path:
    """MOQD score, members and speed."""
    from studies.benchmarks.common.report import write_table

    return write_table(
        "qd_several",
        "Quality diversity with two objectives: MOME",
        {
            "MOQD score, per cent": merit(results, lambda run: run["moqd"]),
            "MOQD score of every row evaluated, per cent": merit(results, lambda run: run["all"]),
            "Members of all fronts": merit(results, lambda run: run["members"]),
            "Thousand evaluations a CPU second": merit(results, lambda run: run["rate"] / 1000),
        },
        [
            "MOQD score: sum over cells of the hypervolume of the front, divided by what it would "
            "be if both objectives were at their best in every cell; 0 is their mean over the "
            "space. Mean and standard deviation over seeds.",
            "200 000 evaluations in batches of 200, 16 x 16 cells, fronts of 50 at most, "
            "Iso+LineDD with steps of 0.1 and 0.2 along the line for all; MOME also exchanges "
            "numbers between elites in a quarter of the children, MOME line does not.",
            "Evaluations a CPU second: of ask and tell in the median round, one thread.",
            *results.notes(),
        ],
        seeds=results.seeds,
        libraries=("numpy", "numba"),
        command="quality_diversity several",
    )


SUITE = Suite("several", CASES, ALGORITHMS, illuminate, table)
