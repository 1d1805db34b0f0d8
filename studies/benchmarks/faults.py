"""Kill a process that writes a store, damage the files it leaves, and see what a reader gets.

``python -m studies.benchmarks.faults FOLDER SEED STEPS JOURNAL`` writes asks, tells and checkpoints
at full speed until it is killed, or kills itself after so many steps (-1: never), and prints a line
after each call that returned: from then on it must survive. The tests of the store and its
benchmark use this.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from blackbox.batch import Batch
from blackbox.errors import StorageError
from blackbox.storage import AskEvent, StudyReader, StudyWriter
from blackbox.storage.database import Journal

HEADER = {"problem": "faults", "info": {"version": "1"}}
ROOT = Path(__file__).parents[2]


def parameters(ids: npt.NDArray[np.int64]) -> Batch:
    """What row ``id`` is asked with, so that every stored value can be checked."""
    x = np.sin(ids[:, None] + np.arange(3.0))
    words = np.array([f"word {i % 7}" for i in ids.tolist()], dtype=np.str_)
    return Batch({"id": ids, "x": x, "word": words})


def outcomes(ids: npt.NDArray[np.int64]) -> Batch:
    """What row ``id`` is told."""
    return Batch({"id": ids, "f": np.cos(ids), "ok": ids % 5 != 0})


def write_until_killed(folder: Path, seed: int, steps: int, journal: Journal) -> None:
    """Ask and tell in random sizes and orders; print kind and ids once they are safe."""
    chance = random.Random(seed)
    with StudyWriter(folder, HEADER, journal=journal) as writer:
        pending = writer.pending.tolist()
        start = writer.summary().asked
        for step in itertools.count():
            if step == steps:
                os.kill(os.getpid(), signal.SIGKILL)
            n = chance.choice([1, 1, 3, 40])
            ids = np.arange(start, start + n)
            start += n
            writer.ask(n, parameters(ids))
            acknowledge("a", ids.tolist())
            pending += ids.tolist()
            chance.shuffle(pending)
            done, pending = pending[:n], pending[n:]
            with writer.transaction():
                for part in (done[::2], done[1::2]):
                    told = outcomes(np.array(part, np.int64))
                    writer.tell(told, {i: f"row {i} failed" for i in part if i % 5 == 0})
            acknowledge("t", done)
            if chance.random() < 0.2:
                size = chance.choice([10, 10, 200_000])
                writer.checkpoint({"last": writer.last, "noise": np.full(size, writer.last)})


def acknowledge(kind: str, ids: list[int]) -> None:
    """One line, in one system call: it survives the death of this process."""
    os.write(1, (" ".join([kind, *map(str, ids)]) + "\n").encode())


@dataclass
class Promised:
    """Rows whose calls returned before the process was killed."""

    asked: set[int]
    told: set[int]

    def read(self, lines: str) -> None:
        """Add what a process printed; its last line may be cut."""
        for line in lines.split("\n")[:-1]:
            kind, *ids = line.split()
            (self.asked if kind == "a" else self.told).update(map(int, ids))


def write_and_die(folder: Path, seed: int, steps: int) -> None:
    """A store as a process leaves it that was killed after so many asks and tells."""
    subprocess.run(_command(folder, seed, steps), cwd=ROOT, stdout=subprocess.DEVNULL, check=False)


def kill_once(folder: Path, seed: int, promised: Promised, journal: Journal = "wal") -> None:
    """Start a writer, and kill it a random moment after its first row is safe."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(_command(folder, seed, -1, journal), stdout=output, cwd=ROOT)
        while os.fstat(output.fileno()).st_size == 0 and process.poll() is None:
            time.sleep(0.001)
        time.sleep(random.Random(seed).uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        if process.wait() != -signal.SIGKILL:
            raise RuntimeError(f"the writer ended by itself with {process.returncode}")
        output.seek(0)
        promised.read(output.read().decode())


def _command(folder: Path, seed: int, steps: int, journal: Journal = "wal") -> list[str]:
    module = ["-m", "studies.benchmarks.faults"]
    return [sys.executable, *module, str(folder), str(seed), str(steps), journal]


@dataclass
class Found:
    """What a store holds: rows missing although promised, and rows with wrong values."""

    events: int
    lost: int
    wrong: int


def inspect(folder: Path, promised: Promised) -> Found:
    """Open a store after a kill and compare every row with what it must be."""
    asked: set[int] = set()
    told: set[int] = set()
    wrong = events = 0
    with StudyWriter(folder, HEADER) as writer:
        for event in writer.events():
            events += 1
            ids = event.ids
            asks = isinstance(event, AskEvent)
            (asked if asks else told).update(ids.tolist())
            wrong += not event.batch.equals(parameters(ids) if asks else outcomes(ids))
            reasons = {} if asks else {i: f"row {i} failed" for i in ids.tolist() if i % 5 == 0}
            wrong += getattr(event, "reasons", {}) != reasons
        checkpoint = writer.latest_checkpoint()
        if checkpoint is not None:
            seq, state = checkpoint
            wrong += state["last"] != seq or bool((state["noise"] != seq).any())
        wrong += set(writer.pending.tolist()) != asked - told
    lost = len(promised.asked - asked) + len(promised.told - told)
    return Found(events, lost, wrong)


def damage(path: Path, chance: random.Random, way: str) -> None:
    """Damage a file: ``cut`` its tail, ``remove`` bytes inside, or ``flip`` bytes."""
    data = bytearray(path.read_bytes())
    place = chance.randrange(len(data))
    length = chance.randint(1, min(5000, len(data) - place))
    if way == "cut":
        del data[place:]
    elif way == "remove":
        del data[place : place + length]
    else:
        for i in range(place, place + min(length, 16)):
            data[i] ^= chance.randint(1, 255)
    path.write_bytes(data)


def outcome_of_damage(killed: Path, file: str, way: str, seed: int) -> str:
    """Damage a copy of a killed store and reopen it.

    Returns:
        ``"whole"`` or ``"prefix"``: the events, or the first of them, are there unchanged, new ones
        can be written and read; ``"refused"``: a StorageError says so; ``"WRONG"``: anything else.
    """
    with tempfile.TemporaryDirectory() as space:
        reference, folder = Path(space, "reference"), Path(space, "damaged")
        shutil.copytree(killed, reference)
        shutil.copytree(killed, folder)
        with StudyWriter(reference, HEADER) as writer:
            before = [(event.seq, event.ids.tolist(), event.batch) for event in writer.events()]
        damage(folder / file, random.Random(seed), way)
        try:
            with StudyWriter(folder, HEADER) as writer:
                after = [(event.seq, event.ids.tolist(), event.batch) for event in writer.events()]
                ids = np.arange(10**6, 10**6 + 2)
                writer.ask(2, parameters(ids))
            with StudyReader(folder) as reader:
                last = list(reader.events(len(after)))
        except StorageError:
            return "refused"
        if after != before[: len(after)] or len(last) != 1:
            return "WRONG"
        if not last[0].batch.equals(parameters(ids)):
            return "WRONG"
        return "whole" if len(after) == len(before) else "prefix"


if __name__ == "__main__":
    given = sys.argv[1:]
    write_until_killed(
        Path(given[0]), int(given[1]), int(given[2]), "delete" if given[3] == "delete" else "wal"
    )
