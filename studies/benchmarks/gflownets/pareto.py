"""Two objectives on tables whose Pareto fronts are known."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import blackbox as bb
from blackbox.formulation import Floats
from blackbox.problems.exhaustive import Exhaustive
from studies.benchmarks.common.report import write_table
from studies.benchmarks.common.suites import Algorithm, Results, Suite
from studies.benchmarks.gflownets.loop import Table, optimize
from studies.benchmarks.gflownets.sources import GFLOWNETS

CASES = {
    "NATS-Bench CIFAR-10, accuracy and MACs": Table(
        lambda: bb.problems.NatsBench(objectives=("accuracy", "macs")), 300, 10
    ),
    "TFBind8, SIX6 and PAX4": Table(
        lambda: bb.problems.TFBind8("SIX6_REF_R1", "PAX4_REF_R1"), 500, 20
    ),
}

ALGORITHMS: Mapping[str, Algorithm] = {
    "OrderPreservingGFN": Algorithm(lambda p, seed: bb.OrderPreservingGFN(p, seed=seed), GFLOWNETS),
    "OrderPreservingGFN, batch front": Algorithm(
        lambda p, seed: bb.OrderPreservingGFN(p, labels="front", seed=seed), GFLOWNETS
    ),
    "PreferenceGFN": Algorithm(lambda p, seed: bb.PreferenceGFN(p, seed=seed), GFLOWNETS),
    "NSGA-II": Algorithm(lambda p, seed: bb.pymoo.NSGA2(p, population_size=40, seed=seed), "pymoo"),
    "Random": Algorithm(lambda p, seed: bb.Random(p, seed=seed), "numpy"),
}


@cache
def known(case: Table) -> Exhaustive:
    """The problem, read once."""
    return case.build()


@cache
def front(case: Table) -> Floats:
    """(r, m) scores of the front."""
    problem = known(case)
    return problem.scores(problem.front())


def work(case: Table, algorithm: Algorithm, seed: int) -> dict[str, Any]:
    """Hypervolume, distance from the front and points of it, after the budget."""
    problem = known(case)
    told, seconds = optimize(algorithm.make(problem, seed), case.evaluations, case.batch)
    scores = problem.scores(told)
    return {**found(case, scores), "cpu": round(seconds, 3)}


def found(case: Table, scores: Floats) -> dict[str, float]:
    """How much of the front a set reaches."""
    problem, best = known(case), front(case)
    zero = problem.scores(problem.reference)[0]
    span = np.ptp(best, axis=0)
    reached = (scores[:, None, :] == best).all(axis=2).any(axis=0)
    share = bb.metrics.hypervolume(scores, zero) / bb.metrics.hypervolume(best, zero)
    return {
        "hypervolume": share,
        "igd": bb.metrics.igd_plus(scores / span, best / span),
        "points": float(reached.sum()),
    }


def table(results: Results) -> Path:
    """A table for each case."""
    tables = {}
    for case in results.cases:
        setting = results.suite.cases[case]
        heading = f"{case}: {len(front(setting))} points, {setting.evaluations} evaluations"
        tables[heading] = [
            row(name, results.runs(case, name), setting.evaluations)
            for name in results.names
            if results.runs(case, name)
        ]
    return write_table(
        "gfn_pareto",
        "GFlowNets on two objectives whose Pareto front is known",
        tables,
        [
            "Hypervolume: of everything evaluated, as a fraction of that of the true front; "
            "reference (80 %, 220.2 M) on NATS-Bench, 0 on TFBind8; mean ± standard deviation.",
            "IGD+: mean shortfall of the true front's points, each objective scaled by the "
            "front's range. Points: how many points of the front (no two alike) were evaluated.",
            "OrderPreservingGFN ranks everything seen (its default); batch front is the label of "
            "the paper. NSGA-II has a population of 40. Batches of 10 on NATS-Bench, 20 on "
            "TFBind8. All GFlowNets with their defaults.",
            *results.notes(),
        ],
        seeds=results.seeds,
        libraries=("numpy", "torch", "pymoo", "moocore"),
        command="gflownets pareto",
    )


def row(name: str, runs: list[dict[str, float]], evaluations: int) -> dict[str, Any]:
    """A line of a table."""
    column = {key: np.array([run[key] for run in runs]) for key in runs[0]}
    spread = column["hypervolume"].std(ddof=1) if len(runs) > 1 else 0.0
    return {
        "optimizer": name,
        "seeds": len(runs),
        "hypervolume": f"{column['hypervolume'].mean():.4f} ± {spread:.4f}",
        "least": f"{column['hypervolume'].min():.4f}",
        "IGD+": f"{column['igd'].mean():.4f}",
        "points": f"{column['points'].mean():.1f}",
        "CPU ms": f"{1000 * column['cpu'].mean() / evaluations:.1f}",
    }


SUITE = Suite("pareto", CASES, ALGORITHMS, work, table, seeds=10)
