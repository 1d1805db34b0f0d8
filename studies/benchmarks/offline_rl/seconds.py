"""What an evaluation costs, part by part."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from studies.benchmarks.common.report import write_table
from studies.benchmarks.common.suites import Algorithm, Results, Suite
from studies.benchmarks.offline_rl.tuning import CASES, STUDY, Case
from studies.offline_rl.datasets import dataset
from studies.offline_rl.ensemble import ensemble
from studies.offline_rl.networks import Floats32
from studies.offline_rl.problem import Recipe
from studies.offline_rl.sac import SAC, Columns, SACSettings
from studies.offline_rl.threads import one_thread
from studies.offline_rl.training import make_learner
from studies.offline_rl.transitions import Transitions

UPDATES = 300
SIZES = {"2 x 64, batch 64": ((64, 64), 64), "2 x 64, batch 256": ((64, 64), 256),
         "2 x 256, batch 256": ((256, 256), 256)}  # fmt: skip


def evaluation(case: Case, seed: int) -> dict[str, Any]:
    """Data, ensemble and one evaluation from nothing, on the clock of the processor."""
    with tempfile.TemporaryDirectory() as folder, one_thread():
        recipe = Recipe(cache=folder)
        begun = time.process_time()
        data = dataset(case.quality, case.transitions, cache=folder, seed=seed)
        middle = time.process_time()
        ensemble(data, cache=Path(folder))
        made = {"data": middle - begun, "ensemble": time.process_time() - middle}
        problem = Case(case.quality, case.transitions, recipe).problem(seed)
        row = problem.space.draw(1, np.random.default_rng(seed))[0]
        problem.model()
        begun = time.process_time()
        parts = problem.worth(row).seconds
        return made | parts | {"evaluation": time.process_time() - begun}


def update(case: tuple[tuple[int, ...], int], seed: int) -> dict[str, Any]:
    """Milliseconds of an update by hand and in PyTorch, on one thread."""
    import torch

    torch.set_num_threads(1)
    hidden, batch = case
    settings, rng = SACSettings(hidden=hidden, batch=batch), np.random.default_rng(seed)
    columns = Columns(3, 1)
    rows = rng.standard_normal((20_000, columns.width)).astype(np.float32)
    data = Transitions.of([rows[:, :3], rows[:, 3:4], rows[:, 4], rows[:, 5:8], rows[:, 8], rows])
    from studies.offline_rl.torch_sac import TorchSAC

    with one_thread():
        ours = make_learner(data, settings, rng, "cpu")
        assert isinstance(ours, SAC)
        theirs = TorchSAC(columns, settings, seed, "cpu")
        return {name: _clock(learner.update, rows, batch, rng)
                for name, learner in (("numpy", ours), ("torch", theirs))}  # fmt: skip


def _clock(
    step: Callable[[Floats32], None], rows: Floats32, batch: int, rng: np.random.Generator
) -> float:
    for _ in range(UPDATES // 10):
        step(rows[rng.integers(len(rows), size=batch)])
    begun = time.process_time()
    for _ in range(UPDATES):
        step(rows[rng.integers(len(rows), size=batch)])
    return 1_000 * (time.process_time() - begun) / UPDATES


def work(case: Any, algorithm: Algorithm, seed: int) -> dict[str, Any]:
    """Seconds, or milliseconds of an update."""
    return evaluation(case, seed) if isinstance(case, Case) else update(case, seed)


def table(results: Results) -> Path:
    """Seconds by part, and milliseconds of an update."""
    parts = {
        "data": "data set, once", "ensemble": "ensemble, once", "rollouts": "imagined rollouts",
        "updates": "updates of the policy", "true": "50 true episodes",
        "model": "50 imagined episodes", "evaluation": "an evaluation, all of it",
    }  # fmt: skip
    runs = {case: results.runs(case, NAME) for case in results.cases if case in CASES}
    seconds = [
        {"part": text}
        | {
            case: f"{np.median([r[part] for r in of]):.2f} (most {max(r[part] for r in of):.2f})"
            for case, of in runs.items()
        }
        for part, text in parts.items()
    ]
    updates = []
    for case in results.cases:
        if case in SIZES:
            of = results.runs(case, NAME)
            ours, theirs = (float(np.median([r[k] for r in of])) for k in ("numpy", "torch"))
            updates.append(
                {
                    "networks": case,
                    "NumPy, ms": f"{ours:.2f}",
                    "PyTorch, ms": f"{theirs:.2f}",
                    "ratio": f"{theirs / ours:.1f}",
                }
            )
    return write_table(
        "orl_seconds",
        "What an evaluation of offline model-based reinforcement learning costs",
        {"CPU seconds, one thread": seconds, "An update of soft actor-critic": updates},
        [
            "Pendulum, the default recipe: 10 models of 2 x 64, 6 000 updates of batch 64, 800 "
            "imagined transitions every 50 updates. Each seed makes its own data and draws a row "
            "of the space at random. Medians and the most over seeds, the processor's time.",
            *results.notes(),
        ],
        seeds=results.seeds,
        libraries=("numpy", "torch"),
        command="offline_rl seconds",
    )


NAME = "OfflineMBRL"
SUITE = Suite(
    "seconds",
    {**CASES, **SIZES},
    {NAME: Algorithm(evaluation, STUDY)},
    work,
    table,
    seeds=5,
)
