"""QD score after 1 080 000 evaluations: ours, pyribs and QDax on linear projections and the arm."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import blackbox as bb
from studies.benchmarks.common.suites import Algorithm, Results, Suite
from studies.benchmarks.quality_diversity import ours, pyribs, qdax
from studies.benchmarks.quality_diversity.settings import CELLS, LINE, Setting, illuminate
from studies.benchmarks.quality_diversity.sources import OURS

CASES = {
    "sphere 20": Setting(lambda: bb.problems.SphereProjection(20)),
    "sphere 100": Setting(lambda: bb.problems.SphereProjection(100)),
    "Rastrigin 20": Setting(lambda: bb.problems.RastriginProjection(20)),
    "Rastrigin 100": Setting(lambda: bb.problems.RastriginProjection(100)),
    "arm 100": Setting(lambda: bb.problems.PlanarArm(100), sigma=0.1),
}

ALGORITHMS = {
    "MapElites": Algorithm(ours.map_elites, OURS),
    "MapElites line": Algorithm(ours.me_line, OURS),
    "CMAME": Algorithm(ours.cma_me, OURS),
    "CMAMAE": Algorithm(ours.cma_mae, OURS),
    "CMAMAE shared": Algorithm(partial(ours.cma_mae, strategy="shared"), OURS),
    "MultiEmitter": Algorithm(ours.multi, OURS),
    "pyribs ME-line": Algorithm(pyribs.me_line, "ribs"),
    "pyribs CMA-ME": Algorithm(pyribs.cma_me, "ribs"),
    "pyribs CMA-MAE": Algorithm(pyribs.cma_mae, "ribs"),
    "QDax ME-line": Algorithm(qdax.me_line, environment="qdax"),
}


def table(results: Results) -> Path:
    """QD score, coverage and speed by algorithm and problem."""
    from studies.benchmarks.common.report import write_table

    return write_table(
        f"qd_{results.suite.name}",
        "Quality diversity: score of the map",
        {
            "QD score per cell": merit(results, lambda run: run["qd"]),
            "Coverage": merit(results, lambda run: run["coverage"]),
            "Best objective": merit(results, lambda run: run["best"]),
            "Thousand evaluations a CPU second": merit(results, lambda run: run["rate"] / 1000),
        },
        [
            "QD score: sum of the objectives of the filled cells above 0, divided by the number of "
            f"cells, {CELLS[0]} x {CELLS[1]}. Mean and standard deviation over seeds. A map that "
            "the benchmark keeps of every row evaluated judges all alike.",
            f"Same settings for all: a batch of 540, for CMA 15 strategies with 36 rows each, "
            f"first step 0.5 (0.1 on the arm), line {LINE}, rate of the thresholds 0.01.",
            "MapElites exchanges numbers between elites in a quarter of the children, and "
            "MultiEmitter in half of those that are no strategy's; MapElites line and the other "
            "libraries' ME-line move by Iso+LineDD alone.",
            "Our spaces are boxes: twice the range that counts for the projections, one turn for "
            "each joint of the arm. QDax clips to the same; pyribs is unbounded, as in its "
            "examples.",
            "Evaluations a CPU second: of ask and tell in the median round, one thread, the "
            "evaluation excluded.",
            *results.notes(),
        ],
        seeds=results.seeds,
        libraries=("numpy", "numba", "ribs"),
        command=f"quality_diversity {results.suite.name}",
    )


def merit(results: Results, figure: Callable[[dict[str, Any]], float]) -> list[dict[str, Any]]:
    """A figure of merit: a row for each case, a column for each algorithm."""
    return [
        {"problem": case}
        | {name: _spread([*map(figure, results.runs(case, name))]) for name in results.names}
        for case in results.suite.cases
    ]


def _spread(values: list[float]) -> str | None:
    if not values:
        return None
    mean = float(np.mean(values))
    shown = f"{mean:,.0f}" if mean >= 1000 else f"{mean:.3g}"
    return f"{shown} ± {np.std(values, ddof=1):.2g}" if len(values) > 1 else shown


SUITE = Suite(
    "score",
    CASES,
    ALGORITHMS,
    illuminate,
    table,
    fewer={"QDax ME-line": 3},  # seven to ten times as long as the slowest other
)
