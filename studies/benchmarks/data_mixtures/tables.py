"""Recorded runs on the Pile and of instruction tuning: regret against cost, target by target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

import blackbox as bb
from studies.benchmarks.common.report import write_table
from studies.benchmarks.common.suites import Algorithm, Results, Suite
from studies.benchmarks.data_mixtures import regressions
from studies.benchmarks.data_mixtures.methods import (
    Confirmed,
    Fixed,
    Method,
    OneShot,
    Ours,
    RandomSearch,
)
from studies.benchmarks.data_mixtures.released import Released
from studies.benchmarks.data_mixtures.sources import BASELINES, OURS, RELEASED
from studies.benchmarks.data_mixtures.suites import Case, line, regrets, work
from studies.data_mixtures.recorded import NATURAL, Recorded, ift, pile

PILE_COSTS, IFT_COSTS = (0.5, 1.0, 2.0, 5.0, 10.0), (2.0, 5.0, 10.0, 20.0)


@cache
def read(table: str, target: str, *, apart: bool) -> Recorded:
    """A problem, read once."""
    return {"Pile": pile, "IFT": ift}[table](target, apart=apart)


def recorded(table: str, target: str) -> Callable[..., Recorded]:
    """A problem whatever the seed."""
    return lambda seed, apart: read(table, target, apart=apart)


CASES = {
    "Pile, Pile-CC": Case(recorded("Pile", "pile_cc"), PILE_COSTS, NATURAL),
    "Pile, mean of 13": Case(recorded("Pile", "avg13"), PILE_COSTS, NATURAL),
    "IFT, mean of 17": Case(recorded("IFT", "mean"), IFT_COSTS),
    "IFT, in distribution": Case(recorded("IFT", "id"), IFT_COSTS),
    "IFT, out of distribution": Case(recorded("IFT", "ood"), IFT_COSTS),
}

Make = Callable[[Case, int], tuple[Any, Method]]


def optimizer(*, apart: bool, target: bool = False) -> Make:
    """``MultiFidelityBayes`` on the table, or on the target's rows alone."""

    def make(case: Case, seed: int) -> tuple[Any, Method]:
        problem = case.build(seed, apart=apart)
        rows = problem.candidates[problem.target] if target else problem.candidates
        return problem, Ours(bb.MultiFidelityBayes(problem, candidates=rows, seed=seed))

    return make


def baseline(kind: Callable[..., Method], **arguments: Any) -> Make:
    """A baseline, with tasks apart."""

    def make(case: Case, seed: int) -> tuple[Any, Method]:
        problem = case.build(seed, apart=True)
        return problem, kind(problem, seed, problem.candidates, **arguments)

    return make


def natural(case: Case, seed: int) -> tuple[Any, Method]:
    """The row nearest to the natural shares."""
    problem = case.build(seed, apart=True)
    return problem, Fixed(problem, seed, problem.candidates, shares=case.natural)


TARGET_ONLY, OF_TASKS = "target-only Bayes", "MultiFidelityBayes, a model a task"
ALGORITHMS: Mapping[str, Algorithm] = {
    "MultiFidelityBayes": Algorithm(optimizer(apart=False), OURS),
    OF_TASKS: Algorithm(optimizer(apart=True), OURS),
    TARGET_ONLY: Algorithm(optimizer(apart=False, target=True), OURS),
    "random": Algorithm(baseline(RandomSearch), BASELINES),
    "natural shares": Algorithm(natural, BASELINES),
    "log-linear": Algorithm(baseline(OneShot, regression=regressions.log_linear), BASELINES),
    "mixing law": Algorithm(baseline(OneShot, regression=regressions.mixing_law), BASELINES),
    "boosted trees": Algorithm(baseline(OneShot, regression=regressions.trees), BASELINES),
    "explore low, confirm high": Algorithm(
        baseline(Confirmed, regression=regressions.log_linear), BASELINES
    ),
    "as released": Algorithm(baseline(Released), RELEASED),
}


def table(results: Results) -> Path:
    """A table for each target."""
    tables = {
        case: [
            line(results, case, name, CASES[case].costs)
            for name in results.names
            if results.runs(case, name)
        ]
        for case in results.cases
    }
    return write_table(
        "mix_tables",
        "Data mixtures: recorded runs",
        {"Against the best baseline": verdicts(results), **tables},
        [
            "Pile: RegMix's runs of 1M, 60M and 1B parameters (768, 256 and 64 runs; cost .001, "
            ".06 and 1). IFT: ADMIRE's runs of 0.5B, 3B and 7B (256, 128 and 76; cost .177, .482 "
            "and 1). Columns: median over seeds of the regret of the recommended mixture at the "
            "target when no more than so many runs at the target were paid for; 0 is the best "
            "recorded one.",
            "Log-linear, mixing law and boosted trees are one-shot: random rows at the smallest "
            "size, tasks apart but for the trees. Explore low, confirm high spends half on those "
            "and half on the mixtures of best expectation at the target. As released: at most 40 "
            "evaluations. Natural shares: the recorded mixture nearest to them; for IFT, where "
            "they are not known, to equal shares.",
            "Against the best baseline: medians at the costs of each target's own table, in order, "
            "and in brackets the least of any other method. Medians of random search over 200 "
            "seeds, of which 20 alone are far from them.",
            *results.notes(),
        ],
        seeds=range(results.suite.seeds),
        libraries=("numpy", "scipy", "scikit-learn", "botorch"),
        command="data_mixtures tables",
    )


def verdicts(results: Results) -> list[dict[str, Any]]:
    """Median regret at each cost beside the least of any baseline."""
    rows = []
    ours = [name for name in results.names if name.startswith("MultiFidelityBayes")]
    others = [name for name in results.names if name not in ours]
    middle = partial(np.median, axis=0)
    for case in results.cases:
        for name in ours:
            theirs = {o: middle(regrets(results, case, o)) for o in others if results.runs(case, o)}
            if not (theirs and results.runs(case, name)):
                continue
            mine = middle(regrets(results, case, name))
            row: dict[str, Any] = {"target": case, "method": name}
            for i, place in enumerate(("1st", "2nd", "3rd", "4th", "5th")):
                if i >= len(mine):
                    continue
                best = min(theirs, key=lambda o: float(theirs[o][i]))
                row[f"{place} cost"] = f"{mine[i]:.4f} ({theirs[best][i]:.4f} {best})"
            rows.append(row)
    return rows


SUITE = Suite(
    "tables",
    CASES,
    ALGORITHMS,
    work,
    table,
    seeds=20,
    fewer={"as released": 3, OF_TASKS: 5, "boosted trees": 10},
)
