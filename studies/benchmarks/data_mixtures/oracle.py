"""A law fitted to recorded runs, at the target alone: how near is the optimum, how soon?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import blackbox as bb
from studies.benchmarks.bayes.peers import ENGINE
from studies.benchmarks.common.report import write_table
from studies.benchmarks.common.suites import Algorithm, Results, Suite
from studies.benchmarks.data_mixtures import regressions
from studies.benchmarks.data_mixtures.methods import Fixed, Method, OneShot, Ours, RandomSearch
from studies.benchmarks.data_mixtures.sources import BASELINES, OURS
from studies.benchmarks.data_mixtures.suites import Case, line, work
from studies.data_mixtures.oracle import TARGET, MixingLaw

COSTS = (8.0, 12.0, 16.0, 24.0, 32.0, 40.0)
CASES = {"avg7": Case(partial(MixingLaw, 0.003, {TARGET: 0.0}), COSTS)}
WANTED = {16.0: 0.005, 40.0: 0.0015}


def on_simplex(
    kind: Callable[[Any, int], Method], *, apart: bool = False
) -> Callable[[Case, int], tuple[Any, Method]]:
    """A method that may choose any mixture; apart, it sees every validation set."""

    def make(case: Case, seed: int) -> tuple[Any, Method]:
        problem = case.build(seed=seed, apart=apart)
        return problem, kind(problem, seed)

    return make


def one_shot(regression: regressions.Regression) -> Callable[[Case, int], tuple[Any, Method]]:
    """Random rows and a regression of every validation set."""
    return on_simplex(lambda p, seed: OneShot(p, seed, regression=regression), apart=True)


ALGORITHMS: Mapping[str, Algorithm] = {
    "MultiFidelityBayes": Algorithm(
        on_simplex(lambda p, seed: Ours(bb.MultiFidelityBayes(p, seed=seed))), OURS
    ),
    "Bayes": Algorithm(on_simplex(lambda p, seed: Ours(bb.Bayes(p, seed=seed))), ENGINE),
    "random": Algorithm(on_simplex(RandomSearch), BASELINES),
    "equal shares": Algorithm(on_simplex(Fixed), BASELINES),
    "log-linear": Algorithm(one_shot(regressions.log_linear), BASELINES),
    "mixing law": Algorithm(one_shot(regressions.mixing_law), BASELINES),
    "boosted trees": Algorithm(one_shot(regressions.trees), BASELINES),
}


def table(results: Results) -> Path:
    """A line for each method."""
    rows = [line(results, "avg7", name, COSTS) for name in results.names]
    return write_table(
        "mix_oracle",
        "Data mixtures: a fitted law at the target alone",
        rows,
        [
            "Median over seeds of the true loss of the recommended mixture above the optimum's, "
            "after so many evaluations. The law is fitted to recorded runs of 7 domains "
            "(`studies/data_mixtures/oracle.py`); noise .003.",
            "Wanted: at most .005 by 16 and .0015 by 40 evaluations.",
            "Regressions see all 7 validation sets and choose among 4 000 random mixtures after "
            "random rows; random search recommends the best row seen. Bayes begins with equal "
            "shares.",
            *results.notes(),
        ],
        seeds=results.seeds,
        libraries=("numpy", "scipy", "scikit-learn"),
        command="data_mixtures oracle",
    )


SUITE = Suite("oracle", CASES, ALGORITHMS, work, table, seeds=20)
