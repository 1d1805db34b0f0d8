"""Runs every missing (case, algorithm, seed) of a suite and writes each result down.

``python -m studies.benchmarks.common.suites MODULE CASE ALGORITHM SEED`` does one run of the suite
in a module and prints what it measured as JSON: so a library in an environment of its own is run as
all others.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from studies.benchmarks.common.environments import ONE_THREAD, ROOT, pinned, python
from studies.benchmarks.common.store import Result, Store


@dataclass(frozen=True)
class Algorithm:
    """How an algorithm is made and which version it is.

    Args:
        make: what the suite's work calls.
        source: the package of this environment whose version it has; or, of our own, patterns of
            the files whose content is the version, from the root of the project.
        environment: the environment of the benchmark that it lives in instead.
    """

    make: Callable[..., Any]
    source: str | tuple[str, ...] = ()
    environment: str | None = None

    def version(self, label: str | None = None) -> str:
        """Another version is another result; of our own it is the label where that is given."""
        if self.environment is not None:
            return pinned(self.environment)
        if isinstance(self.source, str):
            return version(self.source)
        return label or digest(self.source)

    @property
    def interpreter(self) -> str:
        """The Python that has its package."""
        return sys.executable if self.environment is None else python(self.environment)


@cache
def digest(patterns: tuple[str, ...]) -> str:
    """A digest of the files that match patterns from the root."""
    made = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in ROOT.glob(pattern)}):
        made.update(path.read_bytes())
    return made.hexdigest()[:10]


@dataclass(frozen=True)
class Suite:
    """Cases, the algorithms that run on them, and the table made of the results.

    Args:
        name: its module in the benchmark's package, which holds it as ``SUITE``.
        cases: by name, whatever ``work`` takes.
        algorithms: by name.
        work: what a run measures, from the case, the algorithm and the seed.
        table: writes the table from the results and says where.
        seeds: how many.
        fewer: for an algorithm that costs much, how many instead.
        only: for an algorithm, the cases it runs on; by default all.
    """

    name: str
    cases: Mapping[str, Any]
    algorithms: Mapping[str, Algorithm]
    work: Callable[[Any, Algorithm, int], dict[str, Any]]
    table: Callable[[Results], Path]
    seeds: int = 5
    fewer: Mapping[str, int] = field(default_factory=dict)
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def wanted(self, case: str, name: str, seed: int) -> bool:
        """Whether a run belongs to the suite."""
        return case in self.only.get(name, self.cases) and seed < self.fewer.get(name, seed + 1)


def run(
    suite: Suite,
    store: Store,
    *,
    algorithms: Sequence[str],
    cases: Sequence[str],
    seeds: int,
    label: str | None = None,
    module: str | None = None,
) -> None:
    """Run what is missing, seed by seed; a run that crashed is missing.

    Args:
        suite: what to run.
        store: where results are looked up and written.
        algorithms: names.
        cases: names.
        seeds: how many seeds, from 0.
        label: the version under which our own algorithms are stored; a digest by default.
        module: where the suite is, to give each run a process of its own; None runs them here.
    """
    finished = {result.key for result in store if not result.error}
    versions = {name: suite.algorithms[name].version(label) for name in algorithms}
    missing = [
        (case, name, seed)
        for seed in range(seeds)
        for case in cases
        for name in algorithms
        if suite.wanted(case, name, seed) and (case, name, seed, versions[name]) not in finished
    ]
    for number, (case, name, seed) in enumerate(missing, start=1):
        begun = time.monotonic()
        task = case, name, seed
        outcome = _here(suite, *task) if module is None else _apart(suite, module, *task)
        store.append(Result(case, name, seed, versions[name], **outcome))
        took = f"{time.monotonic() - begun:.1f} s"
        said = outcome.get("error", "").strip().splitlines()[-1:] or [took]
        clock = time.strftime("%H:%M:%S")
        print(f"{clock} {number}/{len(missing)} {name}, {case}, seed {seed}: {said[0]}", flush=True)


def _here(suite: Suite, case: str, name: str, seed: int) -> dict[str, Any]:
    """What a run measured, or why it crashed."""
    try:
        return {"data": suite.work(suite.cases[case], suite.algorithms[name], seed)}
    except Exception:  # noqa: BLE001 - recorded, and the other runs go on
        return {"error": traceback.format_exc()}


def _apart(suite: Suite, module: str, case: str, name: str, seed: int) -> dict[str, Any]:
    """The same in another process, of the interpreter that has the algorithm's package."""
    command = [suite.algorithms[name].interpreter, "-W", "ignore", "-m", __name__]
    done = subprocess.run(
        [*command, module, case, name, str(seed)],
        cwd=ROOT,
        env=os.environ | ONE_THREAD,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return {"error": done.stderr[-4000:] or f"exit code {done.returncode}"}
    return {"data": json.loads(done.stdout.splitlines()[-1])}


class Results:
    """The results that a table is made of: of each run the newest that did not crash.

    Args:
        suite: whose results.
        found: results of the store.
        label: the version of our own algorithms; by default the last one stored.
    """

    def __init__(self, suite: Suite, found: Iterable[Result], label: str | None = None) -> None:
        self.suite = suite
        kept = [result for result in found if result.optimizer in suite.algorithms]
        last = {result.optimizer: result.version for result in kept}
        self.versions = {
            name: algorithm.version(label or last[name])
            for name, algorithm in suite.algorithms.items()
            if name in last
        }
        kept = [result for result in kept if result.version == self.versions[result.optimizer]]
        self.crashes = sorted({f"{r.optimizer} on {r.problem}" for r in kept if r.error})
        self._data = {(r.problem, r.optimizer, r.seed): r.data for r in kept if not r.error}

    def by_seed(self, case: str, name: str) -> dict[int, dict[str, Any]]:
        """What each seed measured, by increasing seed."""
        keys = sorted(key for key in self._data if key[:2] == (case, name))
        return {key[2]: self._data[key] for key in keys}

    def runs(self, case: str, name: str) -> list[dict[str, Any]]:
        """The same without the seeds: one that crashed leaves no gap."""
        return [*self.by_seed(case, name).values()]

    @property
    def seeds(self) -> range:
        """The seeds that some algorithm has run on some case."""
        return range(1 + max((seed for _, _, seed in self._data), default=-1))

    @property
    def names(self) -> list[str]:
        """Algorithms that have results, in the suite's order."""
        return [name for name in self.versions if any(o == name for _, o, _ in self._data)]

    @property
    def cases(self) -> list[str]:
        """Cases that have results, in the suite's order."""
        return [case for case in self.suite.cases if any(c == case for c, _, _ in self._data)]

    def notes(self) -> list[str]:
        """Versions, numbers of seeds and crashes, for the foot of a table."""
        notes = ["Versions: " + ", ".join(f"{n} {self.versions[n]}" for n in self.names) + "."]
        for name in self.names:
            counts = [len(self.runs(case, name)) for case in self.suite.cases]
            ran = [count for count in counts if count]
            if len(ran) < len(counts) or min(ran) < self.suite.seeds:
                seeds = f"{min(ran)}" if min(ran) == max(ran) else f"{min(ran)} to {max(ran)}"
                notes.append(f"{name} ran {seeds} seeds on {len(ran)} of {len(counts)} cases.")
        if self.crashes:
            notes.append(f"Crashed: {', '.join(self.crashes)}.")
        return notes


def main(arguments: Sequence[str]) -> None:
    """One run, in this process."""
    module, case, name, seed = arguments
    suite: Suite = import_module(module).SUITE
    print(json.dumps(suite.work(suite.cases[case], suite.algorithms[name], int(seed))))


if __name__ == "__main__":
    main(sys.argv[1:])
