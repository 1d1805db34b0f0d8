"""The durable store beside Optuna's: speed, size, a million evaluations, kills and damages.

``python -m studies.benchmarks.storage`` writes ``results/storage.md``; about five minutes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import resource
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, Literal, TypeAlias

import numpy as np
import optuna
from optuna.storages.journal import JournalFileBackend

from blackbox.batch import Batch
from blackbox.storage import StudyWriter
from studies.benchmarks import faults
from studies.benchmarks.common.report import write_table

PARAMETERS = [f"x{i}" for i in range(20)]
ROUNDS = 3

Sync: TypeAlias = Literal["full", "normal"]
# A run on an empty folder: writes some rows and returns how many.
Run: TypeAlias = Callable[[Path], int]


def batches(n: int, size: int) -> Iterator[tuple[Batch, Batch]]:
    """What is asked and what is told: 20 parameters, one objective, in batches."""
    rng = np.random.default_rng(0)
    for start in range(0, n, size):
        ids = np.arange(start, start + size)
        columns = {"id": ids, **dict(zip(PARAMETERS, rng.random((20, size)), strict=True))}
        asked = Batch.of(columns, size)
        yield asked, asked.with_columns(f=rng.random(size), ok=True)


def ours(n: int, size: int, synchronous: Sync) -> Run:
    """Ask and tell, a commit each."""

    def run(folder: Path) -> int:
        with StudyWriter(folder / "study", {}, synchronous=synchronous) as writer:
            for asked, told in batches(n, size):
                writer.ask(size, asked)
                writer.tell(told)
        return n

    return run


def sqlite(folder: Path) -> optuna.storages.BaseStorage:
    """Optuna's database."""
    return optuna.storages.RDBStorage(f"sqlite:///{folder}/optuna.db")


def journal(folder: Path) -> optuna.storages.BaseStorage:
    """Optuna's journal file."""
    return optuna.storages.JournalStorage(JournalFileBackend(str(folder / "optuna.log")))


def optuna_ask_tell(n: int, storage: Callable[[Path], optuna.storages.BaseStorage]) -> Run:
    """Ask, suggest 20 floats, tell; one trial at a time, since Optuna has no batches."""

    def run(folder: Path) -> int:
        sampler = optuna.samplers.RandomSampler(seed=0)
        study = optuna.create_study(storage=storage(folder), sampler=sampler)
        for _ in range(n):
            trial = study.ask()
            study.tell(trial, sum(trial.suggest_float(name, 0, 1) for name in PARAMETERS))
        return n

    return run


def optuna_add(n: int, storage: Callable[[Path], optuna.storages.BaseStorage]) -> Run:
    """``add_trials`` of finished trials, the fastest way Optuna offers."""
    rng = np.random.default_rng(0)
    distribution = optuna.distributions.FloatDistribution(0, 1)
    trials = [
        optuna.trial.create_trial(
            value=rng.random(),
            params=dict(zip(PARAMETERS, rng.random(20).tolist(), strict=True)),
            distributions=dict.fromkeys(PARAMETERS, distribution),
        )
        for _ in range(n)
    ]

    def run(folder: Path) -> int:
        optuna.create_study(storage=storage(folder)).add_trials(trials)
        return n

    return run


RUNS: dict[tuple[str, str, int], Run] = {
    ("Optuna SQLite", "ask + tell", 1): optuna_ask_tell(30, sqlite),
    ("Optuna SQLite", "add_trials", 1): optuna_add(60, sqlite),
    ("Optuna JournalFile", "ask + tell", 1): optuna_ask_tell(100, journal),
    ("Optuna JournalFile", "add_trials", 1): optuna_add(400, journal),
    ("blackbox, full", "ask + tell", 1): ours(600, 1, "full"),
    ("blackbox, normal", "ask + tell", 1): ours(3000, 1, "normal"),
    ("blackbox, full", "ask + tell", 100): ours(30_000, 100, "full"),
    ("blackbox, normal", "ask + tell", 100): ours(100_000, 100, "normal"),
    ("blackbox, full", "ask + tell", 10_000): ours(300_000, 10_000, "full"),
    ("blackbox, normal", "ask + tell", 10_000): ours(300_000, 10_000, "normal"),
}


def speed(space: Path) -> list[dict[str, Any]]:
    """Rows a second, medians over rounds in which every store runs once."""
    wall: dict[tuple[str, str, int], list[float]] = {key: [] for key in RUNS}
    cpu: dict[tuple[str, str, int], list[float]] = {key: [] for key in RUNS}
    for _ in range(ROUNDS):
        for key, run in RUNS.items():
            with tempfile.TemporaryDirectory(dir=space) as folder:
                begin, spent = time.perf_counter(), time.process_time()
                n = run(Path(folder))
                cpu[key].append((time.process_time() - spent) / n)
                wall[key].append((time.perf_counter() - begin) / n)
    slowest = median(wall["Optuna SQLite", "ask + tell", 1])
    added = median(wall["Optuna SQLite", "add_trials", 1])
    return [
        {
            "store": store,
            "how": how,
            "batch": batch,
            "rows/s": 1 / median(wall[store, how, batch]),
            "CPU µs/row": 1e6 * median(cpu[store, how, batch]),
            "times Optuna SQLite, ask + tell": slowest / median(wall[store, how, batch]),
            "times Optuna SQLite, add_trials": added / median(wall[store, how, batch]),
        }
        for store, how, batch in RUNS
    ]


def write_million(folder: Path) -> dict[str, Any]:
    """A million evaluations, 1000 an ask and a tell, each committed with a wait for the disk."""
    prepared = list(batches(1_000_000, 1000))
    spent = time.process_time()
    with StudyWriter(folder / "study", {}) as writer:
        for asked, told in prepared:
            writer.ask(1000, asked)
            writer.tell(told)
    seconds = time.process_time() - spent
    size = sum(path.stat().st_size for path in (folder / "study").iterdir())
    return {"write, CPU s": seconds, "size, MB": size / 1e6}


def read_million(folder: Path) -> dict[str, Any]:
    """The same read back in a fresh process: opened for writing, and as one history."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    spent = time.process_time()
    with StudyWriter(folder / "study", {}) as writer:
        opened = time.process_time()
        history = writer.history()
        read = time.process_time()
    if len(history) != 1_000_000:
        raise RuntimeError(f"{len(history)} rows came back")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"open, CPU s": opened - spent, "history, CPU s": read - opened, "RSS, MB": grown / 1e3}


def million(space: Path) -> list[dict[str, Any]]:
    """Write and read in processes of their own, so that memory is counted alone."""
    with tempfile.TemporaryDirectory(dir=space) as name:
        folder = Path(name)
        rows: dict[str, Any] = {}
        for step in (write_million, read_million):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                rows.update(pool.apply(step, (folder,)))
    return [rows]


def kills(space: Path, count: int) -> list[dict[str, Any]]:
    """Kill writers at random moments, ten in a row on each store."""
    total: Counter[str] = Counter()
    for first in range(0, count, 10):
        with tempfile.TemporaryDirectory(dir=space) as name:
            promised = faults.Promised(set(), set())
            for seed in range(first, min(first + 10, count)):
                faults.kill_once(Path(name, "study"), seed, promised)
                found = faults.inspect(Path(name, "study"), promised)
                total.update(kills=1, lost=found.lost, wrong=found.wrong)
            total.update(promised=len(promised.asked) + len(promised.told))
    return [
        {
            "kill -9": total["kills"],
            "asks and tells promised": total["promised"],
            "lost": total["lost"],
            "wrong": total["wrong"],
        }
    ]


def damages(space: Path, count: int) -> list[dict[str, Any]]:
    """Damage the log of a killed store, and the file of a closed one."""
    rows = []
    with tempfile.TemporaryDirectory(dir=space) as name:
        killed, closed = Path(name, "killed"), Path(name, "closed")
        for folder in (killed, closed):
            faults.write_and_die(folder, 1, 120)
        faults.inspect(closed, faults.Promised(set(), set()))
        for folder, file, what in (
            (killed, "study.db-wal", "log of a killed writer"),
            (closed, "study.db", "file of a closed study"),
        ):
            for way in ("cut", "remove", "flip"):
                seen = Counter(
                    faults.outcome_of_damage(folder, file, way, seed) for seed in range(count)
                )
                rows.append(
                    {
                        "damaged": what,
                        "how": way,
                        "times": count,
                        "all events there": seen["whole"],
                        "a prefix, goes on": seen["prefix"],
                        "refused": seen["refused"],
                        "wrong in silence": seen["WRONG"],
                    }
                )
    return rows


def sync_milliseconds(space: Path) -> float:
    """One append of 4 KB that waits for the disk."""
    with tempfile.TemporaryFile(dir=space) as file:
        begin = time.perf_counter()
        for _ in range(100):
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
    return 10 * (time.perf_counter() - begin)


def main() -> None:
    """Measure everything and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs"), help="on the disk to measure")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--damages", type=int, default=100, help="of each file in each way")
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    random.seed(0)  # Optuna's names of studies
    tables = {
        "Rows a second, 20 float parameters": speed(options.folder),
        "A million evaluations of 20 parameters, batches of 1000": million(options.folder),
        "Killed while writing": kills(options.folder, options.kills),
        "Damaged": damages(options.folder, options.damages),
    }
    notes = [
        "Every row is asked and told, a commit for each ask and each tell. `full` waits for the "
        "disk at every commit, as Optuna's storages do; `normal` survives the death of the "
        "process and may lose the last commits at a power failure.",
        f"Medians of {ROUNDS} rounds, in each of which every store ran once. Optuna has no "
        "batches: its rate is the same at any size.",
        f"An append of 4 KB that waits for the disk took {sync_milliseconds(options.folder):.2f} "
        "ms here.",
        "RSS is what reading the history added to a fresh process; the history itself is 177 MB.",
        "Wrong: a promised row with another value, or a row that never was. Refused: one error "
        "that names the file and the damage.",
    ]
    write_table(
        "storage", "The durable store", tables, notes, seeds=[0], libraries=["numpy", "optuna"]
    )


if __name__ == "__main__":
    main()
