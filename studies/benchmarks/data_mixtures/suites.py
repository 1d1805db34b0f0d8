"""What the suites share: a case, how it is run, a line of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from blackbox.batch import Array
from studies.benchmarks.common.suites import Algorithm, Results
from studies.benchmarks.data_mixtures.loop import traced


@dataclass(frozen=True)
class Case:
    """A problem and what may be spent on it.

    Args:
        build: the problem, by the seed; with tasks apart where that is asked for.
        costs: at which recommendations are compared, in evaluations at the target.
        natural: the natural shares; None for equal ones.
    """

    build: Callable[..., Any]
    costs: tuple[float, ...]
    natural: tuple[float, ...] | None = None


def work(case: Case, algorithm: Algorithm, seed: int) -> dict[str, Any]:
    """One run."""
    problem, method = algorithm.make(case, seed)
    return traced(problem, method, case.costs)


def regrets(results: Results, case: str, name: str) -> Array:
    """(S, C) regrets of every seed at every cost."""
    return np.array([run["regret"] for run in results.runs(case, name)])


def line(results: Results, case: str, name: str, costs: Sequence[float]) -> dict[str, Any]:
    """Median regrets at some costs, what was bought and how long it took."""
    runs = results.runs(case, name)
    found = regrets(results, case, name)
    known = list(results.suite.cases[case].costs)
    levels = sorted({level for run in runs for level, _ in run["bought"]})
    bought = [
        np.mean([dict(map(tuple, run["bought"])).get(level, 0) for run in runs]) for level in levels
    ]
    row: dict[str, Any] = {"method": name, "seeds": len(runs)}
    for cost in costs:
        row[f"{cost:g}"] = f"{np.median(found[:, known.index(cost)]):.4f}"
    row["rows bought, cheapest first"] = " / ".join(f"{count:.0f}" for count in bought) or "none"
    row["CPU s"] = f"{np.mean([run['cpu'] for run in runs]):.1f}"
    return row
