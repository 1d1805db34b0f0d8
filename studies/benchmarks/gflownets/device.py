"""Trajectory balance on a GPU beside one CPU thread of the same machine, by batch size."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import blackbox as bb
from studies.benchmarks.common.report import write_table
from studies.benchmarks.common.suites import Algorithm, Results, Suite
from studies.benchmarks.gflownets.grid import WARM, Speed, sampler
from studies.benchmarks.gflownets.sources import GFLOWNETS

CPU, GPU = "CPU", "GPU"
#: The batch of the grid benchmark, whose figure on the CPU others are compared with.
USUAL = 64


def _cases(side: int, dimension: int) -> dict[str, Speed]:
    sizes = {64: 100, 1_024: 40, 16_384: 20, 131_072: 20, 524_288: 10}
    return {
        f"{side}^{dimension}, batch {batch}": Speed(side, dimension, batch, steps)
        for batch, steps in sizes.items()
    }


CASES = _cases(8, 4) | _cases(64, 2)
#: On the CPU larger ones gain nothing and take minutes.
ON_CPU = [name for name, case in CASES.items() if case.batch <= 16_384]


def work(case: Speed, algorithm: Algorithm, seed: int) -> dict[str, Any]:
    """What the case measures."""
    made: dict[str, Any] = algorithm.make(case, seed)
    return made


def timed(case: Speed, seed: int, *, device: str) -> dict[str, Any]:
    """Seconds by the clock of gradient steps, and how near the law is afterwards."""
    made = sampler(case, seed, device)
    made.train(WARM if device == "cuda" else 3, n=case.batch)
    steps = case.steps if device == "cuda" else max(3, min(case.steps, 2**14 // case.batch))
    torch.cuda.synchronize()
    begun = time.perf_counter()
    made.train(steps, n=case.batch)
    torch.cuda.synchronize()
    seconds = time.perf_counter() - begun
    grid = made.problem
    assert isinstance(grid, bb.problems.HyperGrid)
    distance = bb.metrics.l1_distance(np.exp(made.log_prob(grid.table)), grid.law)
    name = torch.cuda.get_device_name()
    return {"rate": steps * case.batch / seconds, "distance": distance, "device": name}


def table(results: Results) -> Path:
    """Trajectories a second of both, and their ratios."""
    devices = {run["device"] for name in results.cases for run in results.runs(name, GPU)}
    if not devices:
        raise SystemExit("nothing ran on a GPU: the table stays as it is")
    return write_table(
        "gfn_device",
        "Trajectory balance on a GPU",
        {
            "Trajectories a second": [_compared(results, name) for name in results.cases],
        },
        [
            "The network and settings of *Trajectory balance on hypergrids*. By the clock, "
            f"evaluation of the reward included; {WARM} steps before are not counted. Median over "
            "seeds.",
            "One CPU thread of the machine that the GPU is in. L1: sum over all cells of "
            "|p - p*| after the steps on the GPU.",
            f"GPU: {', '.join(sorted(devices))}.",
            *results.notes(),
        ],
        seeds=results.seeds,
        libraries=("numpy", "torch"),
        command="gflownets device",
    )


def _compared(results: Results, name: str) -> dict[str, Any]:
    case: Speed = CASES[name]
    usual = f"{case.side}^{case.dimension}, batch {USUAL}"

    def median(at: str, on: str, what: str = "rate") -> float:
        return float(np.median([run[what] for run in results.runs(at, on)] or [np.nan]))

    rate, same = median(name, GPU), median(name, CPU)
    return {
        "grid": name,
        CPU: None if np.isnan(same) else same,
        GPU: rate,
        "ratio": None if np.isnan(same) else rate / same,
        f"to CPU at batch {USUAL}": rate / median(usual, CPU),
        "steps": case.steps + WARM,
        "L1": median(name, GPU, "distance"),
    }


SUITE = Suite(
    "device",
    CASES,
    {
        CPU: Algorithm(partial(timed, device="cpu"), GFLOWNETS),
        GPU: Algorithm(partial(timed, device="cuda"), GFLOWNETS),
    },
    work,
    table,
    seeds=3,
    only={CPU: ON_CPU},
)
