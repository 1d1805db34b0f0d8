"""Simple regret after 100 evaluations on 29 problems."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from studies.benchmarks.bayes.peers import OURS
from studies.benchmarks.bayes.problems import bbob, classics, optimum
from studies.benchmarks.bayes.runner import Results, Suite
from studies.benchmarks.report import write_table

#: What the slow peers are run on.
SUBSET = (
    "Branin 2",
    "Hartmann 6",
    "Ackley 10",
    "f6 5-D",
    "f10 5-D",
    "f15 5-D",
    "f21 5-D",
    "f6 20-D",
    "f21 20-D",
)
SIGNIFICANCE = 0.05

Floats = npt.NDArray[np.float64]


def regrets(results: Results, problem: str, optimizer: str) -> dict[int, float]:
    """Simple regret at the end of each seed's run."""
    best = results.suite.cases[problem].best
    if best is None:
        number, d = problem.removesuffix("-D").removeprefix("f").split()
        best = optimum(int(number), int(d))
    return {
        seed: float(np.nanmin(data["values"])) - best
        for seed, data in results.seeds(problem, optimizer).items()
    }


def ranks(medians: Floats) -> Floats:
    """(k,) mean rank of each optimizer over the rows of (n, k) median regrets; ties share."""
    mean: Floats = stats.rankdata(medians, axis=1).mean(axis=0)
    return mean


def compare(ours: dict[int, float], theirs: dict[int, float]) -> int:
    """1 where the peer is significantly better, -1 where it is worse, else 0.

    Wilcoxon's signed-rank test of the seeds that both ran, two-sided.
    """
    shared = sorted(ours.keys() & theirs.keys())
    differences = np.array([theirs[seed] - ours[seed] for seed in shared])
    if not np.any(differences):
        return 0
    p = float(stats.wilcoxon(differences).pvalue)
    return 0 if p >= SIGNIFICANCE else -int(np.sign(np.median(differences)))


Found = dict[tuple[str, str], dict[int, float]]


def table(results: Results) -> Path:
    """Median regret of every problem, mean ranks, and the peers that are better than Bayes."""
    names = results.optimizers
    cases = [c for c in results.suite.cases if any(results.seeds(c, o) for o in names)]
    found = {(c, o): regrets(results, c, o) for c in cases for o in names}
    medians = [
        {"problem": case}
        | {
            o: float(np.median([*found[case, o].values()])) if found[case, o] else None
            for o in names
        }
        for case in cases
    ]
    return write_table(
        "bayes_regret",
        "Simple regret after 100 evaluations",
        {"Over all problems": _overview(results, found, cases), "Median regret": medians},
        [
            "Simple regret: least value seen minus the least possible; one evaluation at a time.",
            "Mean rank: rank of the median regret on each problem, averaged; 1 is best. An "
            "optimizer that ran on fewer problems is ranked on those, beside the ones that ran on "
            "all.",
            "Better and worse: problems on which the optimizer's regret is significantly smaller "
            "or larger than that of Bayes (Wilcoxon's signed-rank test over the seeds both ran, "
            "two-sided, 5 %; with fewer than six seeds it cannot be significant).",
            "CPU seconds of a round of ask and tell: mean of the last ten of each run, median over "
            "runs, one thread.",
            "Ackley, Levy and Rosenbrock are moved so that in every coordinate the optimum lies "
            "0.1 to 0.3 of the box's width from its centre. BBOB functions are instance 1 on "
            "[-5, 5].",
            "CMA-ES starts at the centre with sigma 0.3 of the box. BoTorch is SingleTaskGP with "
            "qLogEI after 2 (d + 1) Sobol points. GPSampler is told that values are exact. SMAC3 "
            "is its facade for hyperparameters (a random forest). All else are defaults.",
            *results.notes(),
        ],
        seeds=range(results.suite.seeds),
        libraries=("numpy", "scipy", "torch"),
        command="bayes regret",
    )


def _overview(results: Results, found: Found, cases: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each optimizer, over the problems that it ran on."""
    names = results.optimizers
    whole = [o for o in names if all(found[c, o] for c in cases)]
    rows = []
    for name in names:
        ran = [c for c in cases if found[c, name]]
        beside = whole if name in whole else [*whole, name]
        medians = np.array([[np.median([*found[c, o].values()]) for o in beside] for c in ran])
        row: dict[str, Any] = {"optimizer": name, "problems": len(ran)}
        row["mean rank"] = float(ranks(medians)[beside.index(name)]) if ran else None
        row["ranked among"] = len(beside)
        judged = [compare(found[c, OURS], found[c, name]) for c in ran if found.get((c, OURS))]
        compared = judged and name != OURS
        row["better than Bayes"] = judged.count(1) if compared else None
        row["worse than Bayes"] = judged.count(-1) if compared else None
        costs = [np.mean(d["cpu"][-10:]) for c in ran for d in results.seeds(c, name).values()]
        row["CPU s per ask"] = float(np.median(costs)) if costs else None
        rows.append(row)
    return rows


SUITE = Suite(
    "regret",
    classics() | bbob(),
    (
        OURS,
        "Sobol",
        "CMA-ES",
        "NGOpt",
        "TPE",
        "GPSampler",
        "SMAC3",
        "BoTorch",
        "Ax",
        "HEBO",
        "Vizier",
    ),
    table,
    only=dict.fromkeys(("BoTorch", "Ax", "HEBO", "Vizier"), SUBSET),
)
