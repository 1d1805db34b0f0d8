"""Bookkeeping of ask and tell, CPU microseconds a row, beside other packages.

Ten Real parameters, one objective, outcomes that cost nothing. Each figure is the smallest CPU
time over several repeats of a run of many batches: the load of the machine only adds to it.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is imported

import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import blackbox as bb
from studies.benchmarks.common.report import write_table

DIMENSION = 10
BATCHES = (1, 100, 10_000)
SEED = 0

#: Tells a batch and takes the next; made anew for each repeat.
Step = Callable[[], object]


def cpu_microseconds(make: Callable[[], Step], batch: int, rows: int, repeats: int = 5) -> float:
    """CPU microseconds a row: the least over repeats of asking and telling ``rows`` rows.

    Args:
        make: builds an optimizer and gives its step of one batch.
        batch: rows a step.
        rows: about how many rows a repeat asks and tells.
        repeats: runs of which the fastest counts.
    """
    steps = max(rows // batch, 2)
    times = []
    for _ in range(repeats):
        step = make()
        step()  # imports, caches and first allocations are not bookkeeping
        start = time.process_time()
        for _ in range(steps):
            step()
        times.append((time.process_time() - start) / (steps * batch))
    return 1e6 * min(times)


def ours(kind: type[bb.Optimizer], batch: int) -> Step:
    """An optimizer of this package, by hand."""
    space = bb.Space(*(bb.Real(f"x{i}", 0, 1) for i in range(DIMENSION)))
    optimizer = kind(bb.problem(lambda p: 0.0, space), seed=SEED)
    outcomes = np.zeros(batch)

    def step() -> None:
        optimizer.tell(optimizer.ask(batch).with_columns(y=outcomes))

    return step


def optuna_random(batch: int, folder: Path | None) -> Step:
    """Optuna's random sampler; in memory, or on SQLite with its defaults."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = None
    if folder is not None:
        storage = f"sqlite:///{tempfile.mkdtemp(dir=folder)}/study.db"
    study = optuna.create_study(
        storage=storage, sampler=optuna.samplers.RandomSampler(seed=SEED), direction="minimize"
    )
    names = [f"x{i}" for i in range(DIMENSION)]

    def step() -> None:
        trials = [study.ask() for _ in range(batch)]
        for trial in trials:
            for name in names:
                trial.suggest_float(name, 0, 1)
        for trial in trials:
            study.tell(trial, 0.0)

    return step


def pymoo_nsga2(batch: int) -> Step:
    """pymoo's NSGA-II with a population of one batch (of two at least), its survival included."""
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.evaluator import Evaluator
    from pymoo.core.problem import Problem
    from pymoo.problems.static import StaticProblem

    problem = Problem(n_var=DIMENSION, n_obj=1, xl=0.0, xu=1.0)
    algorithm = NSGA2(pop_size=max(batch, 2), n_offsprings=batch, eliminate_duplicates=False)
    algorithm.setup(problem, termination=("n_gen", 10**9), seed=SEED, verbose=False)
    rng = np.random.default_rng(SEED)

    def step() -> None:
        population = algorithm.ask()
        # As pymoo's guide to ask and tell has it.
        outcomes = StaticProblem(problem, F=rng.random((len(population), 1)))
        Evaluator().eval(outcomes, population)
        algorithm.tell(infills=population)

    return step


def pyribs(batch: int) -> Step:
    """pyribs' scheduler with a grid of 10 000 cells and a Gaussian emitter."""
    from ribs.archives import GridArchive
    from ribs.emitters import GaussianEmitter
    from ribs.schedulers import Scheduler

    archive = GridArchive(
        solution_dim=DIMENSION, dims=(100, 100), ranges=[(0, 1), (0, 1)], seed=SEED
    )
    emitter = GaussianEmitter(
        archive,
        sigma=0.1,
        x0=np.full(DIMENSION, 0.5),
        lower_bounds=np.zeros(DIMENSION),
        upper_bounds=np.ones(DIMENSION),
        batch_size=batch,
        seed=SEED,
    )
    scheduler = Scheduler(archive, [emitter])
    outcomes = np.zeros(batch)

    def step() -> None:
        solutions = scheduler.ask()
        scheduler.tell(outcomes, solutions[:, :2])

    return step


def rows_take_microseconds(name: str, batch: int) -> bool:
    """Whether a run is so short that it has to be repeated."""
    return "SQLite" not in name and (batch < 10_000 or name.startswith(("blackbox", "pyribs")))


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """One row for each package, one column for each batch size."""
    kinds: dict[str, tuple[Callable[[int], Step], dict[int, int]]] = {
        "blackbox Random": (lambda n: ours(bb.Random, n), {1: 3000, 100: 50_000, 10_000: 500_000}),
        "blackbox Sobol": (lambda n: ours(bb.Sobol, n), {1: 3000, 100: 50_000, 10_000: 500_000}),
        "Optuna RandomSampler, in memory": (
            lambda n: optuna_random(n, None),
            {1: 300, 100: 300, 10_000: 20_000},
        ),
        # The time of one trial does not depend on the batch, and ten thousand take minutes.
        "Optuna RandomSampler, SQLite": (lambda n: optuna_random(n, folder), {1: 30, 100: 200}),
        "pymoo NSGA2": (pymoo_nsga2, {1: 300, 100: 2000, 10_000: 20_000}),
        "pyribs scheduler": (pyribs, {1: 1000, 100: 50_000, 10_000: 500_000}),
    }
    if importlib.util.find_spec("ribs") is None:
        print("pyribs is left out: it comes with the extra bench")
        del kinds["pyribs scheduler"]
    table = []
    for name, (make, budget) in kinds.items():
        row: dict[str, Any] = {"package": name}
        for batch in BATCHES:
            column = f"batch {batch:,}"
            if batch not in budget:
                row[column] = None
                continue
            repeats = 5 if rows_take_microseconds(name, batch) else 1
            row[column] = cpu_microseconds(partial(make, batch), batch, budget[batch], repeats)
        print(row, flush=True)
        table.append(row)
    return table


def import_times(repeats: int = 5) -> list[dict[str, Any]]:
    """CPU seconds of an import in a new interpreter, without the interpreter's own."""

    def run(code: str) -> float:
        script = f"import time; t = time.process_time(); {code}; print(time.process_time() - t)"
        command = [sys.executable, "-c", script]
        times = [
            float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            for _ in range(repeats)
        ]
        return min(times)

    codes = {
        "blackbox": "import blackbox",
        "blackbox, and its Random": "import blackbox; blackbox.Random",  # names load when used
        "numpy": "import numpy",
        "optuna": "import optuna",
        "pymoo's NSGA2": "import pymoo.algorithms.moo.nsga2",
        "ribs": "import ribs",
    }
    if importlib.util.find_spec("ribs") is None:
        del codes["ribs"]
    return [{"import": name, "CPU s": run(code)} for name, code in codes.items()]


def main() -> None:
    """Measure and write the tables."""
    with tempfile.TemporaryDirectory() as folder:
        rows = rows_of(Path(folder))
    write_table(
        "overhead",
        "Overhead of ask and tell",
        {f"CPU µs per row, {DIMENSION} Real parameters": rows, "Import": import_times()},
        [
            "Smallest CPU time over repeats; system time counts, waiting for the disk does not.",
            "Random at batch 1 has to stay below 60 µs, at batch 10,000 below 0.3 µs.",
            "Optuna's SQLite storage with its defaults (synchronous); a dash: a run takes minutes.",
            "pymoo: with survival, on a population of one batch, of two at batch 1.",
        ],
        seeds=[SEED],
        libraries=["numpy", "optuna", "pymoo", "ribs"],
    )


if __name__ == "__main__":
    main()
