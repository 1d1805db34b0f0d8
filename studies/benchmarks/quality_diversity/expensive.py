"""Five hundred evaluations: BOP-Elites, ours and pyribs', beside CMA-ME."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import blackbox as bb
from studies.benchmarks.common.suites import Algorithm, Results, Suite
from studies.benchmarks.quality_diversity import ours, pyribs
from studies.benchmarks.quality_diversity.score import merit
from studies.benchmarks.quality_diversity.settings import Setting, illuminate
from studies.benchmarks.quality_diversity.sources import OURS


def _case(build: Callable[[], bb.Problem], sigma: float) -> Setting:
    return Setting(build, sigma, 500, (25, 25), emitters=1, rows=8, initial=16)


CASES = {
    "arm 4": _case(lambda: bb.problems.PlanarArm(4), 0.5),
    "sphere 4": _case(lambda: bb.problems.SphereProjection(4), 1.0),
    "Rastrigin 4": _case(lambda: bb.problems.RastriginProjection(4), 1.0),
}

ALGORITHMS = {
    "BOPElites": Algorithm(ours.bop_elites, OURS),
    "CMAME": Algorithm(ours.cma_me, OURS),
    "pyribs CMA-ME": Algorithm(pyribs.cma_me, "ribs"),
    "pyribs BOP-Elites": Algorithm(pyribs.bop_elites, "ribs"),
}


def table(results: Results) -> Path:
    """QD score, coverage and seconds of an ask."""
    from studies.benchmarks.common.report import write_table

    return write_table(
        "qd_expensive",
        "Quality diversity with 500 evaluations",
        {
            "QD score per cell": merit(results, lambda run: run["qd"]),
            "Coverage": merit(results, lambda run: run["coverage"]),
            "CPU seconds of an ask and tell, median": merit(results, lambda run: 1 / run["rate"]),
        },
        [
            "25 x 25 cells, 4 numbers. QD score: sum of the objectives of the filled cells above "
            "0, divided by the number of cells; mean and standard deviation over seeds.",
            "CMA-ME with one strategy of 8 rows. BOP-Elites row by row after 16 Sobol points.",
            *results.notes(),
        ],
        seeds=results.seeds,
        libraries=("numpy", "scipy", "ribs", "scikit-learn"),
        command="quality_diversity expensive",
    )


SUITE = Suite(
    "expensive",
    CASES,
    ALGORITHMS,
    illuminate,
    table,
    # An ask takes it some eight seconds.
    only={"pyribs BOP-Elites": ("arm 4",)},
)
