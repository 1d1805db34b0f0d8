"""Mixtures at the target alone: how near is the optimum, how soon?

On a law fitted to recorded runs of seven domains; and on seventeen shares, steep where one is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import blackbox as bb
from blackbox.batch import Array, Batch
from studies.benchmarks.bayes.peers import ENGINE
from studies.benchmarks.common.report import write_table
from studies.benchmarks.common.suites import Algorithm, Results, Suite
from studies.benchmarks.data_mixtures import regressions
from studies.benchmarks.data_mixtures.methods import Fixed, Method, OneShot, Ours, RandomSearch
from studies.benchmarks.data_mixtures.sources import BASELINES, OURS
from studies.benchmarks.data_mixtures.suites import Case, line, work
from studies.data_mixtures.oracle import TARGET, MixingLaw

COSTS = (8.0, 12.0, 16.0, 24.0, 32.0, 40.0)
PARTS = 17


class Coding(bb.Problem):
    """What is lost where symbols are coded for other frequencies than theirs, in nats.

    ``sum_i f_i log(f_i / max(h_i, 1e-6))`` for shares h; frequencies f are a uniform draw.

    Args:
        seed: of the frequencies.
    """

    space = bb.Space(bb.Simplex("mix", PARTS))
    objectives = (bb.Minimize("loss"),)

    def __init__(self, seed: int, *, apart: bool = False) -> None:
        self._frequencies = np.random.default_rng([seed, 2]).dirichlet(np.ones(PARTS))

    def regret(self, batch: Batch) -> Array:
        """(n,) losses; the least is 0."""
        ratio = self._frequencies / np.maximum(batch["mix"], 1e-6)
        return np.asarray(np.log(ratio) @ self._frequencies)

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The loss of every row."""
        return {"loss": self.regret(batch)}


CODING = "coding"
CASES = {
    "avg7": Case(partial(MixingLaw, 0.003, {TARGET: 0.0}), COSTS),
    CODING: Case(Coding, (20.0, 40.0, 60.0)),
}
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
    tables = {
        title: [
            line(results, case, name, CASES[case].costs)
            for name in results.names
            if results.runs(case, name)
        ]
        for case, title in (("avg7", "A law of seven domains"), (CODING, "Seventeen shares"))
    }
    return write_table(
        "mix_oracle",
        "Mixtures at the target alone",
        {title: rows for title, rows in tables.items() if rows},
        [
            "Median over seeds of the true loss of the recommended mixture above the optimum's, "
            "after so many evaluations. The law is fitted to recorded runs of 7 domains "
            "(`studies/data_mixtures/oracle.py`); noise .003.",
            "Seventeen shares: nats lost where symbols are coded for other frequencies, without "
            "noise; each seed has frequencies of its own.",
            "Wanted of the law: at most .005 by 16 and .0015 by 40 evaluations.",
            "Regressions see all 7 validation sets and choose among 4 000 random mixtures after "
            "random rows; random search recommends the best row seen. Bayes begins with equal "
            "shares.",
            *results.notes(),
        ],
        seeds=results.seeds,
        libraries=("numpy", "scipy", "scikit-learn"),
        command="data_mixtures oracle",
    )


SUITE = Suite(
    "oracle",
    CASES,
    ALGORITHMS,
    work,
    table,
    seeds=20,
    only=dict.fromkeys(("log-linear", "mixing law", "boosted trees"), ("avg7",)),
)
