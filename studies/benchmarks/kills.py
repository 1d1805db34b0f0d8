"""Kill a sequential study again and again, at random moments, and count what was lost.

    python -m studies.benchmarks.kills            # 100 kills an optimizer, writes results/kills.md

Each life of the study is a process that opens it, says so, and runs; it is killed by SIGKILL after
a random time. After each kill the rows told are read from the disk by another process's eyes. At
the end three things are counted: rows told that are missing or changed in the final history, rows
told that were evaluated again in a later life, and rows of the final history that differ from a
run that was never interrupted.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

import blackbox as bb

SPACE = bb.Space(bb.Real("x", -5, 10), bb.Real("y", 0, 15))


class Logged(bb.Problem):
    """Branin that writes every evaluation to a file, so that a second one cannot hide."""

    space = SPACE
    objectives = [bb.Minimize("f")]

    def __init__(self, log: Path | None, seconds: float = 0.0) -> None:
        self._log = log
        self._seconds = seconds

    def evaluate(self, p: bb.batch.Row) -> float:
        """Branin (Dixon & Szego 1978)."""
        if self._log is not None:
            with open(self._log, "a") as file:
                file.write(f"{p['x']!r} {p['y']!r}\n")
        time.sleep(self._seconds)
        x, y = p["x"], p["y"]
        bowl = y - 5.1 / (4 * np.pi**2) * x**2 + 5 / np.pi * x - 6
        return float(bowl**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x) + 10)


@dataclass(frozen=True)
class Case:
    """An optimizer and the length of its study."""

    make: Callable[[bb.Problem, int], bb.Optimizer]
    rows: int
    exact: bool
    horizon: float  # seconds within which a life ends


CASES = {
    "Random": Case(lambda p, seed: bb.Random(p, seed=seed), 300, True, 0.2),
    "Sobol": Case(lambda p, seed: bb.Sobol(p, seed=seed), 300, True, 0.2),
    "Bayes": Case(lambda p, seed: bb.Bayes(p, n_init=5, seed=seed), 25, True, 1.0),
    "pymoo.NSGA2": Case(
        lambda p, seed: bb.pymoo.NSGA2(p, population_size=20, seed=seed), 300, False, 0.3
    ),
    "optuna.TPE": Case(lambda p, seed: bb.optuna.TPE(p, seed=seed), 120, False, 0.3),
}


@dataclass
class Tally:
    """What kills did to the studies of one optimizer."""

    kills: int = 0
    studies: int = 0
    told: int = 0
    lost: int = 0
    again: int = 0
    changed: int = 0
    failures: list[str] = field(default_factory=list)


def live(name: str, folder: Path, log: Path, seed: int, ready: Connection) -> None:
    """One life: open the study, say so, run it to its end if nobody kills it."""
    case = CASES[name]
    problem = Logged(log, seconds=0.002)
    study = bb.Study(problem, case.make(problem, seed), folder)
    ready.send("open")
    study.run(case.rows)
    study.close()


def uninterrupted(name: str, seed: int) -> bb.Batch:
    """The history of a study that nobody killed."""
    case = CASES[name]
    problem = Logged(None)
    return bb.Study(problem, case.make(problem, seed)).run(case.rows).history


def kill_studies(name: str, kills: int, seed: int, horizon: float | None = None) -> Tally:
    """Kill studies of one optimizer until so many kills have hit, and count the damage."""
    chance = random.Random(seed)
    tally = Tally()
    while tally.kills < kills:
        folder = Path(tempfile.mkdtemp(prefix="kills-"))
        try:
            _one_study(name, folder, seed + tally.studies, kills, chance, tally, horizon)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        tally.studies += 1
    return tally


def _one_study(
    name: str,
    folder: Path,
    seed: int,
    kills: int,
    chance: random.Random,
    tally: Tally,
    horizon: float | None,
) -> None:
    log = folder / "evaluated.log"
    log.touch()
    known: dict[str, float] = {}
    done = False
    while not done:
        before = log.read_text().splitlines()
        wait = None
        if tally.kills < kills:
            wait = chance.uniform(0, horizon or CASES[name].horizon)
        done = _life(name, folder / "study", log, seed, wait)
        tally.kills += not done
        later = set(log.read_text().splitlines()[len(before) :])
        tally.again += len(later & set(known))
        told = _told(folder / "study")
        tally.lost += sum(told.get(row) != value for row, value in known.items())
        known = told
    history = bb.open_study(folder / "study").history
    tally.told += len(history)
    if not history.equals(uninterrupted(name, seed)):
        reference = uninterrupted(name, seed)
        same = min(len(history), len(reference))
        tally.changed += sum(
            not history[i : i + 1].equals(reference[i : i + 1]) for i in range(same)
        ) + abs(len(history) - len(reference))


def _life(name: str, folder: Path, log: Path, seed: int, wait: float | None) -> bool:
    """Whether the study came to its end before it was killed."""
    # Forked, so that a life does not spend its seconds on importing; it inherits no study.
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=live, args=(name, folder, log, seed, theirs))
    process.start()
    theirs.close()
    try:
        ours.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"{name}: a life ended before it opened its study") from None
    if wait is not None:
        process.join(wait)
        if process.is_alive() and process.pid is not None:
            os.kill(process.pid, signal.SIGKILL)
    process.join()
    if process.exitcode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"{name}: a life ended with exit code {process.exitcode}")
    return process.exitcode == 0


def _told(folder: Path) -> dict[str, float]:
    history = bb.open_study(folder).history
    return {f"{row['x']!r} {row['y']!r}": row["f"] for row in history}


def main() -> None:
    """Run the benchmark and write its table."""
    from studies.benchmarks.common.report import write_table

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--optimizers", nargs="+", default=list(CASES), choices=list(CASES))
    options = parser.parse_args()
    rows = []
    for name in options.optimizers:
        start = time.time()
        tally = kill_studies(name, options.kills, options.seed)
        rows.append(
            {
                "optimizer": name,
                "kills": tally.kills,
                "studies": tally.studies,
                "rows told": tally.told,
                "told rows lost": tally.lost,
                "told rows evaluated again": tally.again,
                "rows unlike the uninterrupted run": tally.changed,
                "seconds": round(time.time() - start),
            }
        )
        print(rows[-1], flush=True)
    write_table(
        "kills",
        "kill -9 at random moments of a sequential study",
        rows,
        [
            "A life of a study is killed after a random part of 0.2 to 1 s.",
            "Rows a study: " + ", ".join(f"{name} {case.rows}" for name, case in CASES.items()),
        ],
        seeds=[options.seed],
        libraries=["numpy", "torch", "botorch", "optuna", "pymoo"],
    )


if __name__ == "__main__":
    main()
