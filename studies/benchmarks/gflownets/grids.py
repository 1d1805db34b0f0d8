"""Several objectives on 32 x 32 cells: does the law that is learnt lie on the Pareto front?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from studies.benchmarks.common.report import write_table
from studies.benchmarks.common.suites import Algorithm, Results, Suite
from studies.benchmarks.gflownets.sources import GFLOWNETS
from studies.gflownets.grids import OP, PC, known, learnt

NAMES = ("branin", "currin", "shubert", "beale")


@dataclass(frozen=True)
class Case:
    """A set of objectives.

    Args:
        names: of the objectives.
        steps: gradient steps.
    """

    names: tuple[str, ...]
    steps: int = 1_000


CASES = {
    "branin-currin": Case(("branin", "currin")),
    "currin-beale": Case(("currin", "beale"), 500),
    "branin-shubert": Case(("branin", "shubert"), 500),
    **{"-".join(names): Case(names) for names in combinations(NAMES, 3)},
    "-".join(NAMES): Case(NAMES),
}


def work(case: Case, method: Algorithm, seed: int) -> dict[str, Any]:
    """Train, and compare the law and samples of it with the front."""
    measured = learnt(known(case.names), method.make(), case.steps, seed)
    del measured["law"]  # a thousand numbers
    return measured


ALGORITHMS: Mapping[str, Algorithm] = {
    OP: Algorithm(lambda: OP, GFLOWNETS),
    PC: Algorithm(lambda: PC, GFLOWNETS),
}


def table(results: Results) -> Path:
    """A line for each case and method."""
    rows = [
        row(case, name, results.runs(case, name))
        for case in results.cases
        for name in results.names
        if results.runs(case, name)
    ]
    return write_table(
        "gfn_grids",
        "Multi-objective GFlowNets on 32 x 32 cells",
        rows,
        [
            "The hypergrids of order-preserving GFlowNets (Chen and Mauch 2023) at the settings of "
            "its public code, on-policy: 128 new samples a step, 3 layers of 64, Adam 1e-2, "
            "1 % random actions, uniform backward policy, label the Pareto front of the batch. "
            "Other than there, every cell may be the last one, and weights do not decay.",
            "Pareto mass: probability of a sample on the true front, computed from all states. L1: "
            "to the uniform law on the front. Points: of the front among 1 280 samples. IGD+ and "
            "GD+ of these samples; HV: their hypervolume as a share of the front's.",
            "Preference-conditional: weighted sum to the power of 16, Dirichlet(1.5); the law is "
            "the mean of those of 32 preferences.",
            "± standard deviation over seeds.",
            *results.notes(),
        ],
        seeds=results.seeds,
        libraries=("numpy", "torch", "moocore"),
        command="gflownets grids",
    )


def row(case: str, name: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """A line of the table."""
    column = {key: np.array([run[key] for run in runs], dtype=np.float64) for key in runs[0]}
    spread = partial(np.std, ddof=1) if len(runs) > 1 else np.ptp
    return {
        "objectives": case,
        "steps": CASES[case].steps,
        "method": name,
        "seeds": len(runs),
        "Pareto mass": f"{column['mass'].mean():.3f} ± {float(spread(column['mass'])):.3f}",
        "least": f"{column['mass'].min():.3f}",
        "points": f"{column['points'].mean():.1f} of {column['front'][0]:.0f}",
        "fewest": f"{column['points'].min():.0f}",
        "L1": f"{column['distance'].mean():.3f}",
        "entropy": f"{column['entropy'].mean():.2f} (front {np.log(column['front'][0]):.2f})",
        "IGD+": f"{column['igd'].mean():.4f}",
        "GD+": f"{column['gd'].mean():.4f}",
        "HV": f"{column['volume'].mean():.4f}",
        "CPU s": f"{column['cpu'].mean():.1f}",
    }


SUITE = Suite("grids", CASES, ALGORITHMS, work, table)
