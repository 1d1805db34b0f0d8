"""Strings that should hold two to four motifs: hypervolume at equal evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import blackbox as bb
from blackbox.problems import NGrams
from studies.benchmarks.common.report import write_table
from studies.benchmarks.common.suites import Algorithm, Results, Suite
from studies.benchmarks.gflownets.baselines import RegularizedEvolution
from studies.benchmarks.gflownets.loop import optimize
from studies.benchmarks.gflownets.sources import BASELINES, GFLOWNETS

EVALUATIONS, BATCH = 1_000, 100

CASES = {
    "2 motifs": ("AV", "VC"),
    "3 motifs": ("AV", "VC", "CA"),
    # The fourth of the published run, "AB", is no word of amino acids.
    "4 motifs": ("AV", "VC", "CA", "AW"),
}

ALGORITHMS: Mapping[str, Algorithm] = {
    "OrderPreservingGFN": Algorithm(lambda p, seed: bb.OrderPreservingGFN(p, seed=seed), GFLOWNETS),
    "PreferenceGFN": Algorithm(lambda p, seed: bb.PreferenceGFN(p, seed=seed), GFLOWNETS),
    "NSGA-II": Algorithm(lambda p, seed: bb.pymoo.NSGA2(p, seed=seed), "pymoo"),
    "regularized evolution": Algorithm(
        lambda p, seed: RegularizedEvolution(p, seed=seed), BASELINES
    ),
    "Random": Algorithm(lambda p, seed: bb.Random(p, seed=seed), "numpy"),
}


def work(case: tuple[str, ...], algorithm: Algorithm, seed: int) -> dict[str, Any]:
    """Hypervolume after each quarter of the budget, and how different the front's strings are."""
    problem = NGrams(case)
    told, seconds = optimize(algorithm.make(problem, seed), EVALUATIONS, BATCH)
    scores = problem.scores(told)
    trace = bb.metrics.hypervolume_trace(scores, 0.0)
    best = told[bb.metrics.is_nondominated(scores)]
    return {
        "hypervolume": trace[np.arange(1, 5) * len(told) // 4 - 1].tolist(),
        "front": len(np.unique(problem.scores(best), axis=0)),
        "diversity": bb.metrics.edit_diversity(best["text"][:100]),
        "cpu": round(seconds, 3),
    }


def table(results: Results) -> Path:
    """A table for each number of motifs."""
    tables = {
        f"{case}: {', '.join(CASES[case])}": [
            row(name, results.runs(case, name))
            for name in results.names
            if results.runs(case, name)
        ]
        for case in results.cases
    }
    return write_table(
        "gfn_ngrams",
        "GFlowNets on strings of motifs: hypervolume",
        tables,
        [
            f"{EVALUATIONS} evaluations in batches of {BATCH}; strings of 32 to 36 of 20 letters. "
            "Hypervolume of everything evaluated, reference 0; mean over seeds, ± standard "
            "deviation at the end. Diversity: mean edit distance within the front.",
            "All GFlowNets with their defaults. NSGA-II: population 100. Regularized evolution: "
            "population 50, tournament 10, fronts ranked by non-dominated sorting.",
            *results.notes(),
        ],
        seeds=results.seeds,
        libraries=("numpy", "torch", "pymoo", "moocore"),
        command="gflownets ngrams",
    )


def row(name: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """A line of a table."""
    volumes = np.array([run["hypervolume"] for run in runs])
    early, half, late, end = volumes.mean(axis=0)
    spread = volumes[:, -1].std(ddof=1) if len(runs) > 1 else 0.0
    return {
        "optimizer": name,
        "seeds": len(runs),
        "1/4": f"{early:.4f}",
        "1/2": f"{half:.4f}",
        "3/4": f"{late:.4f}",
        "end": f"{end:.4f} ± {spread:.4f}",
        "front": f"{np.mean([run['front'] for run in runs]):.1f}",
        "diversity": f"{np.mean([run['diversity'] for run in runs]):.1f}",
        "CPU ms": f"{1000 * np.mean([run['cpu'] for run in runs]) / EVALUATIONS:.1f}",
    }


SUITE = Suite("ngrams", CASES, ALGORITHMS, work, table, seeds=5)
