"""Ten million evaluations in one durable study, undisturbed and killed again and again."""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import blackbox as bb
from studies.benchmarks.common.suites import Algorithm, Results, Suite
from studies.benchmarks.quality_diversity.sources import OURS

JOINTS = 10
CELLS = (100, 100)


@dataclass(frozen=True)
class Long:
    """A long study.

    Args:
        evaluations: how many.
        batch: rows of each ask.
        kills: how often it is killed.
    """

    evaluations: int = 10_000_000
    batch: int = 10_000
    kills: int = 10


def study(case: Long, seed: int, folder: Path) -> bb.Study:
    """The study, begun or resumed."""
    problem = bb.problems.PlanarArm(JOINTS)
    optimizer = bb.MapElites(problem, cells=CELLS, batch_size=case.batch, seed=seed)
    return bb.Study(problem, optimizer, folder, keep_history=False)


def live(case: Long, seed: int, folder: Path) -> None:
    """One life: open the study, run it to its end if nobody kills it, and save its archive."""
    with study(case, seed, folder) as opened:
        opened.run(case.evaluations)
        optimizer = opened.optimizer
        assert isinstance(optimizer, bb.MapElites)
        optimizer.archive.save(folder.with_suffix(".archive"))


def measure(case: Long, algorithm: Algorithm, seed: int) -> dict[str, Any]:
    """Time, memory and disk of the undisturbed study, and whether a killed one ends the same."""
    home = Path(tempfile.mkdtemp(prefix="durable-"))
    chance = random.Random(seed)
    try:
        start = time.perf_counter()
        _life(case, seed, home / "undisturbed", None)
        seconds = time.perf_counter() - start
        disk = sum(f.stat().st_size for f in (home / "undisturbed").rglob("*") if f.is_file())
        kills = 0
        while kills < case.kills:
            kills += _life(case, seed, home / "killed", chance.uniform(0, seconds / case.kills))
            if (home / "killed.archive").exists():
                break  # it came to its end before all kills had hit
        _life(case, seed, home / "killed", None)
        problem = bb.problems.PlanarArm(JOINTS)
        one, other = (
            bb.archives.Archive.load(home / f"{name}.archive", problem)
            for name in ("undisturbed", "killed")
        )
        return {
            "seconds": seconds,
            "memory": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
            "disk": disk,
            "kills": kills,
            "elites": len(one),
            "same": one.elites == other.elites and np.array_equal(one.parents, other.parents),
        }
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _life(case: Long, seed: int, folder: Path, wait: float | None) -> bool:
    """Whether the study was killed."""
    process = multiprocessing.get_context("spawn").Process(target=live, args=(case, seed, folder))
    process.start()
    process.join(wait)
    if process.is_alive() and process.pid is not None:
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    if process.exitcode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"a life ended with exit code {process.exitcode}")
    return process.exitcode != 0


def table(results: Results) -> Path:
    """One row a case."""
    from studies.benchmarks.common.report import write_table

    rows = []
    for case, setting in results.suite.cases.items():
        for run in results.runs(case, "MapElites"):
            rows.append(
                {
                    "evaluations": setting.evaluations,
                    "seconds": run["seconds"],
                    "resident memory, MB": run["memory"] / 1e6,
                    "disk, MB": run["disk"] / 1e6,
                    "kills": run["kills"],
                    "elites": run["elites"],
                    "killed study ends with the same archive": "yes" if run["same"] else "no",
                }
            )
    return write_table(
        "qd_durable",
        "Ten million evaluations in one durable study",
        rows,
        [
            f"MapElites on a planar arm of {JOINTS} joints, batches of 10 000, 100 x 100 cells, "
            "every batch synced to disk, keep_history=False; evaluation included.",
            "Memory: the largest of any life, undisturbed or resumed. A second study of the same "
            "seed is killed by SIGKILL at random moments and resumed; its archive is compared "
            "elite by elite, parents included.",
            *results.notes(),
        ],
        seeds=results.seeds,
        libraries=("numpy", "numba"),
        command="quality_diversity durable",
    )


SUITE = Suite(
    "durable", {"arm": Long()}, {"MapElites": Algorithm(study, OURS)}, measure, table, seeds=1
)
