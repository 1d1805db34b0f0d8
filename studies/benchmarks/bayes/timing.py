"""CPU seconds of a warm ask and tell in 10 dimensions, and memory, by the number of rows told."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import blackbox as bb
from blackbox.batch import Batch
from studies.benchmarks.bayes.foreign import Foreign
from studies.benchmarks.bayes.peers import OURS
from studies.benchmarks.bayes.problems import Moved
from studies.benchmarks.bayes.runner import Case, Loop, Results, Suite
from studies.benchmarks.bayes.workers.protocol import resident
from studies.benchmarks.common.report import write_table

SIZES = (20, 50, 100, 200, 500, 1000)
DIMENSION = 10
ROUNDS = 5
#: The size at which memory is reported.
MEMORY_AT = 200


def _problem(seed: int) -> bb.Problem:
    return Moved(bb.problems.Levy(DIMENSION))


def _start(n: int, seed: int) -> Batch:
    """Rows from outside: Sobol points with their values."""
    problem = _problem(seed)
    rows = bb.Sobol(problem, seed=seed).ask(n).drop("id")
    return rows.with_columns(**problem.measure(rows))


def measure(case: Case, optimizer: str, seed: int) -> dict[str, Any]:
    """Seconds of each round after the first, which fits from nothing, and bytes at the end."""
    loop = Loop(case, optimizer, seed)
    data = loop.run()
    opt = loop.optimizer
    occupied = opt.resident if isinstance(opt, Foreign) else resident()
    return {"cpu": data["cpu"][-ROUNDS:], "memory": occupied}


def table(results: Results) -> Path:
    """Seconds by size, how Bayes compares, and memory."""
    names = results.optimizers
    rows, memory = [], []
    for n in SIZES:
        runs = {name: results.seeds(_name(n), name).values() for name in names}
        seconds = {
            name: float(np.median([data["cpu"] for data in found])) if found else None
            for name, found in runs.items()
        }
        ours = seconds.get(OURS)
        ratios = {
            f"Bayes / {peer}": ours / theirs if ours and theirs else None
            for peer, theirs in ((peer, seconds.get(peer)) for peer in ("GPSampler", "Ax"))
        }
        rows.append({"rows told": n, **seconds, **ratios})
        if n == MEMORY_AT:
            memory = [
                {"optimizer": name, "MB": float(np.median([d["memory"] for d in found])) / 1e6}
                for name, found in runs.items()
                if found
            ]
    return write_table(
        "bayes_timing",
        "Time of an ask in 10 dimensions",
        {"CPU seconds of a round": rows, f"Resident memory at {MEMORY_AT} rows": memory},
        [
            f"The rows are Sobol points of Levy's function, told from outside. Then {ROUNDS + 1} "
            "rounds of ask, evaluate and tell; the first is left out, because there an optimizer "
            "starts from nothing. Median over rounds and seeds, one thread, a process for each.",
            "Memory after the last round: of the optimizer's process, libraries included.",
            *results.notes(),
        ],
        seeds=results.ran,
        libraries=("numpy", "scipy", "torch"),
        command="bayes timing",
    )


def _name(n: int) -> str:
    return f"{n} rows"


SUITE = Suite(
    "timing",
    {_name(n): Case(_problem, evaluations=n + 1 + ROUNDS, start=partial(_start, n)) for n in SIZES},
    (OURS, "TPE", "GPSampler", "BoTorch", "Ax"),
    table,
    seeds=3,
    work=measure,
    fresh=True,
)
