"""Simple regret after 100 evaluations on 29 problems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from studies.benchmarks.bayes.peers import OURS
from studies.benchmarks.bayes.problems import BBOB, bbob, classics
from studies.benchmarks.bayes.runner import Case, Loop, Results, Suite
from studies.benchmarks.bayes.tables import NOTES, medians, overview
from studies.benchmarks.common.report import write_table

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
#: Where Bayes begins with a descent.
MANY = ("Ackley 10", "Levy 20", "Rosenbrock 20", *(f"f{number} 20-D" for number in BBOB))


def measure(case: Case, optimizer: str, seed: int) -> dict[str, Any]:
    """A run, and the least value there is."""
    loop = Loop(case, optimizer, seed)
    problem: Any = loop.problem
    return {**loop.run(), "least": float(problem.optimum)}


def digest(problem: str, data: dict[str, Any]) -> dict[str, Any]:
    """Simple regret at the end of a run, and CPU seconds of a round: mean of the last ten."""
    regret = float(np.nanmin(data["values"])) - data["least"]
    return {"regret": regret, "cpu": round(float(np.mean(data["cpu"][-10:])), 6)}


def table(results: Results) -> Path:
    """Mean ranks, the peers that are better than Bayes, and the median regret of every problem."""
    names = results.optimizers
    cases = [c for c in results.suite.cases if any(results.seeds(c, o) for o in names)]
    found = {
        (c, o): {s: run["regret"] for s, run in results.seeds(c, o).items()}
        for c in cases
        for o in names
    }
    rows = overview(found, cases, names)
    for row in rows:
        runs = [run for c in cases for run in results.seeds(c, row["optimizer"]).values()]
        costs = [run["cpu"] for run in runs]
        row["CPU s per ask"] = float(np.median(costs)) if costs else None
    return write_table(
        "bayes_regret",
        "Simple regret after 100 evaluations",
        {"Over all problems": rows, "Median regret": medians(found, cases, names)},
        [
            "Simple regret: least value seen minus the least possible; one evaluation at a time.",
            *NOTES,
            "CPU seconds of a round of ask and tell: mean of the last ten of each run, median over "
            "runs, one thread.",
            "Ackley, Levy and Rosenbrock are moved so that in every coordinate the optimum lies "
            "0.1 to 0.3 of the box's width from its centre. BBOB functions are on [-5, 5].",
            "Every seed has an instance of its own: of BBOB the one of its number plus one, of "
            "those three a place of the optimum. NGOpt begins at the centre and draws nothing "
            "here, so that ten seeds on one instance would be one run of it counted ten times.",
            "Bayes from Sobol is Bayes with the initial design that it takes in fewer than ten "
            "dimensions.",
            "CMA-ES starts at the centre with sigma 0.3 of the box. BoTorch is SingleTaskGP with "
            "qLogEI after 2 (d + 1) Sobol points. GPSampler is told that values are exact. SMAC3 "
            "is its facade for hyperparameters (a random forest). All else are defaults.",
            *results.notes(),
        ],
        seeds=results.ran,
        libraries=("numpy", "scipy", "torch"),
        command="bayes regret",
    )


SUITE = Suite(
    "regret",
    classics() | bbob(),
    (
        OURS,
        "Bayes from Sobol",
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
    digest,
    work=measure,
    only=dict.fromkeys(("BoTorch", "Ax", "HEBO", "Vizier"), SUBSET) | {"Bayes from Sobol": MANY},
)
