"""One run: what is recommended at every cost, and what was bought."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

import blackbox as bb
from studies.benchmarks.data_mixtures.methods import Method


def traced(problem: Any, method: Method, costs: Sequence[float]) -> dict[str, Any]:
    """Regrets of what is recommended when no more than each cost has been spent.

    Args:
        problem: with ``regret``.
        method: that looks for a mixture.
        costs: at which it is asked what it recommends, increasing.

    Returns:
        "regret" (one for each cost), "bought" ([fidelity, rows] pairs), "cpu" seconds.
    """
    begun = time.process_time()
    left, spent = [*costs], 0.0
    regrets: list[float] = []
    bought: dict[float, int] = {}
    while left:
        row = method.ask()
        price = _cost(problem, row) if len(row) else np.inf
        while left and spent + price > left[0] + 1e-9:
            regrets.append(float(problem.regret(method.recommend())[0]))
            left.pop(0)
        if not left:
            break
        method.tell(row.with_columns(**problem.measure(row)))
        spent += price
        fidelity = problem.fidelity
        level = 0.0 if fidelity is None else float(row[fidelity.name][0])
        bought[level] = bought.get(level, 0) + 1
    return {
        "regret": regrets,
        "bought": sorted(bought.items()),
        "cpu": round(time.process_time() - begun, 2),
    }


def _cost(problem: bb.Problem, row: bb.Batch) -> float:
    return 1.0 if problem.fidelity is None else float(problem.costs(row)[0])
