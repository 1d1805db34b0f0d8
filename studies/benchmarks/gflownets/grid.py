"""Hypergrids: how near the learnt law comes to the reward, and how fast, beside torchgfn."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import blackbox as bb
from blackbox.optimizers.gflownets import Policy
from blackbox.problems import HyperGrid
from studies.benchmarks.common.environments import ONE_THREAD, ROOT, python
from studies.benchmarks.common.report import write_table
from studies.benchmarks.common.suites import Algorithm, Results, Suite
from studies.benchmarks.gflownets.sources import GFLOWNETS

WARM = 20


@dataclass(frozen=True)
class Law:
    """Training until the law is near enough, or the budget is spent.

    Args:
        side: cells along each axis.
        dimension: axes.
        target: L1 distance at which training ends.
        trajectories: at most so many.
        batch: trajectories of a gradient step.
    """

    side: int
    dimension: int
    target: float
    trajectories: int
    batch: int = 64


@dataclass(frozen=True)
class Speed:
    """Training for a number of steps by the clock.

    Args:
        side: cells along each axis.
        dimension: axes.
        batch: trajectories of a gradient step.
        steps: gradient steps that count.
    """

    side: int
    dimension: int
    batch: int
    steps: int


CASES: Mapping[str, Law | Speed] = {
    "law 8^4": Law(8, 4, 0.05, 130_000),
    "law 64^2": Law(64, 2, 0.2, 130_000),
    "8^4, batch 16": Speed(8, 4, 16, 400),
    "8^4, batch 64": Speed(8, 4, 64, 200),
    "64^2, batch 16": Speed(64, 2, 16, 100),
    "64^2, batch 64": Speed(64, 2, 64, 60),
}
OURS, THEIRS = "blackbox", "torchgfn"


def sampler(case: Law | Speed, seed: int, device: str = "cpu") -> bb.GFlowNet:
    """Trajectory balance on a hypergrid, on-policy, the backward policy learnt."""
    return bb.GFlowNet(
        HyperGrid(case.side, case.dimension),
        reward="proportional",
        construction="grid",
        policy=Policy(hidden=(256, 256), learn_backward=True, lr=1e-3, lr_z=0.1, epsilon=0.0),
        device=device,
        seed=seed,
    )


def work(case: Law | Speed, algorithm: Algorithm, seed: int) -> dict[str, Any]:
    """What the case measures."""
    made: dict[str, Any] = algorithm.make(case, seed)
    return made


def ours(case: Law | Speed, seed: int) -> dict[str, Any]:
    """This package."""
    made = sampler(case, seed)
    if isinstance(case, Law):
        return _law(case, made)
    made.train(WARM, n=case.batch)
    begun = time.process_time()
    made.train(case.steps, n=case.batch)
    seconds = time.process_time() - begun
    return {"seconds": seconds, "length": float(made.sample(1_000)["x"].sum(axis=1).mean() + 1)}


def _law(case: Law, made: bb.GFlowNet) -> dict[str, Any]:
    """Distance, modes and CPU seconds every 2 000 trajectories or so."""
    grid = made.problem
    assert isinstance(grid, HyperGrid)
    trace: list[tuple[int, float, int, float]] = []
    seen: set[int] = set()
    seconds, every = 0.0, 2_000 // case.batch
    for done in range(every, case.trajectories // case.batch + 1, every):
        begun = time.process_time()
        made.train(every, n=case.batch)
        seconds += time.process_time() - begun
        distance = bb.metrics.l1_distance(np.exp(made.log_prob(grid.table)), grid.law)
        seen |= set(grid.positions(made.sample(2_000)).tolist())
        modes = bb.metrics.modes_found([*seen], grid.modes)
        trace.append((done * case.batch, distance, modes, round(seconds, 2)))
        if distance < case.target and modes == grid.modes.sum():
            break
    return {"trace": trace, "modes": int(grid.modes.sum())}


def theirs(case: Speed, seed: int) -> dict[str, Any]:
    """torchgfn, in its own environment; its speed alone."""
    settings = asdict(case) | {"warm": WARM, "seed": seed}
    module = f"{__package__}.workers.torchgfn"
    done = subprocess.run(
        [python("torchgfn"), "-W", "ignore", "-m", module, json.dumps(settings)],
        cwd=ROOT,
        env=os.environ | ONE_THREAD,
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def table(results: Results) -> Path:
    """The laws, and trajectories per CPU second side by side."""
    return write_table(
        "gfn_grid",
        "Trajectory balance on hypergrids",
        {
            "Law": [
                _learnt(results, name, case)
                for name, case in CASES.items()
                if isinstance(case, Law) and results.runs(name, OURS)
            ],
            "Trajectories per CPU second": [
                _timed(results, name, case)
                for name, case in CASES.items()
                if isinstance(case, Speed) and results.runs(name, THEIRS)
            ],
        },
        [
            "Reward of Bengio et al. (2021) with r0 = 0.1, r1 = 0.5, r2 = 2. L1: sum over all "
            "cells of |p - p*|, p by dynamic programming over all states, not by sampling. Modes: "
            "those among samples drawn while training.",
            "Same in both: 2 layers of 256, ReLU, forward and backward policy on one trunk, Adam "
            "1e-3, log Z 0.1, on-policy, one thread. The ratio is of the medians; seeds of both "
            "ran in turn. Length: mean steps of the trajectories after training, ours and theirs.",
            *results.notes(),
        ],
        seeds=results.seeds,
        libraries=("numpy", "torch"),
        command="gflownets grid",
    )


def _learnt(results: Results, name: str, case: Law) -> dict[str, Any]:
    runs = results.runs(name, OURS)
    spent, distance, found, seconds = np.array([run["trace"][-1] for run in runs]).T
    reached = int((distance < case.target).sum())
    return {
        "grid": name.removeprefix("law "),
        "seeds": len(runs),
        "L1 at the end": f"{np.median(distance):.3f} (worst {distance.max():.3f})",
        "wanted": f"< {case.target}",
        "reached": f"{reached} of {len(runs)}",
        "trajectories": f"{np.median(spent):,.0f} (most {spent.max():,.0f})",
        "modes, least": f"{found.min():.0f} of {runs[0]['modes']}",
        "CPU s": f"{np.median(seconds):.1f}",
    }


def _timed(results: Results, name: str, case: Speed) -> dict[str, Any]:
    line: dict[str, Any] = {"grid": name}
    rates, lengths = {}, {}
    for algorithm in (OURS, THEIRS):
        runs = results.runs(name, algorithm)
        seconds, length = np.array([[r["seconds"], r["length"]] for r in runs]).T
        rates[algorithm] = case.steps * case.batch / np.median(seconds)
        lengths[algorithm] = length.mean()
    for algorithm, rate in rates.items():
        line[algorithm] = f"{rate:,.0f}"
    line["ratio"] = f"{rates[OURS] / rates[THEIRS]:.1f}"
    line["length"] = f"{lengths[OURS]:.1f}, {lengths[THEIRS]:.1f}"
    return line


SUITE = Suite(
    "grid",
    CASES,
    {OURS: Algorithm(ours, GFLOWNETS), THEIRS: Algorithm(theirs, environment="torchgfn")},
    work,
    table,
    only={THEIRS: [name for name, case in CASES.items() if isinstance(case, Speed)]},
)
