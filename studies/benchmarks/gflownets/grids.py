"""Several objectives on 32 x 32 cells: does the law that is learnt lie on the Pareto front?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch

import blackbox as bb
from blackbox.gflownets.training import alone
from blackbox.problems import HyperGridObjectives
from studies.benchmarks.gflownets.runner import Algorithm, Results, Suite
from studies.benchmarks.report import write_table
from studies.gflownets.training import OnGrid, OrderPreserving, Preferring, Setting

NAMES = ("branin", "currin", "shubert", "beale")
SAMPLES = 1_280


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


@cache
def known(names: tuple[str, ...]) -> HyperGridObjectives:
    """The problem, evaluated once."""
    return HyperGridObjectives(names)


def work(case: Case, algorithm: Algorithm, seed: int) -> dict[str, Any]:
    """Train, and compare the law and samples of it with the front."""
    problem = known(case.names)
    with alone():
        begun = time.process_time()
        trained: OnGrid = algorithm.make(problem, seed)
        for _ in range(case.steps):
            trained.step()  # type: ignore[attr-defined]
        seconds = time.process_time() - begun
        law, wanted = _law(trained)
        rows = trained.samples(SAMPLES, wanted)
    scores, everything = problem.scores(rows), problem.scores(problem.table)
    front, best = bb.metrics.is_nondominated(everything), problem.scores(problem.front())
    zero = problem.scores(problem.reference)[0]
    positive = law[law > 0]
    return {
        "mass": bb.metrics.pareto_mass(law, everything),
        "distance": bb.metrics.l1_distance(law, front / front.sum()),
        "entropy": float(-(positive * np.log(positive)).sum()),
        "points": len(np.unique(problem.positions(rows[front[problem.positions(rows)]]))),
        "front": int(front.sum()),
        "igd": bb.metrics.igd_plus(scores, best),
        "gd": bb.metrics.gd_plus(scores, best),
        "volume": bb.metrics.hypervolume(scores, zero) / bb.metrics.hypervolume(best, zero),
        "seen": int(trained.seen.sum()),
        "cpu": round(seconds, 2),
    }


def _law(trained: OnGrid) -> tuple[Any, torch.Tensor | None]:
    """The law, over 32 preferences where there are any, and what samples are wanted for."""
    if not isinstance(trained, Preferring):
        return trained.law(), None
    several = trained.encoded(trained.preferences(32))
    law = np.mean([trained.law(one) for one in several], axis=0)
    return law, trained.encoded(trained.preferences(SAMPLES))


def _order(problem: HyperGridObjectives, seed: int) -> OnGrid:
    return OrderPreserving(problem, Setting(), seed=seed)


def _preference(problem: HyperGridObjectives, seed: int) -> OnGrid:
    return Preferring(problem, Setting(), seed=seed)


ALGORITHMS: Mapping[str, Algorithm] = {
    "order-preserving": Algorithm(_order),
    "preference-conditional": Algorithm(_preference),
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
            "weight decay 1e-4, 1 % random actions, uniform backward policy, label the Pareto "
            "front of the batch. Other than there, every cell may be the last one.",
            "Pareto mass: probability of a sample on the true front, computed from all states. L1: "
            "to the uniform law on the front. Points: of the front among 1 280 samples. IGD+ and "
            "GD+ of these samples; HV: their hypervolume as a share of the front's.",
            "Preference-conditional: weighted sum to the power of 16, Dirichlet(1.5); the law is "
            "the mean of those of 32 preferences.",
            "± standard deviation over seeds.",
            *results.notes(),
        ],
        seeds=range(results.suite.seeds),
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
        "cells seen": f"{column['seen'].mean():.0f}",
        "CPU s": f"{column['cpu'].mean():.1f}",
    }


SUITE = Suite("grids", CASES, ALGORITHMS, work, table)
