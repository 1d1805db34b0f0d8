"""Runs every missing (case, algorithm, seed) of a suite, each in a process of its own.

``python -m studies.benchmarks.quality_diversity.runner SUITE CASE ALGORITHM SEED`` does one run and
prints what it measured as JSON: so a library in an environment of its own is run as all others.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import blackbox as bb
from studies.benchmarks.bayes.environments import ROOT, pinned, python
from studies.benchmarks.bayes.store import Result, Store

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
) | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}


@dataclass(frozen=True)
class Algorithm:
    """How an algorithm is made and which version it is.

    Args:
        make: from whatever the suite's work gives it.
        distribution: the package of this environment whose version it has; None for our own.
        environment: the environment of the benchmark that it lives in instead.
    """

    make: Callable[..., Any]
    distribution: str | None = None
    environment: str | None = None

    @property
    def version(self) -> str:
        """The version of its package; for our own a digest of the sources."""
        if self.environment is not None:
            return pinned(self.environment)
        return engine() if self.distribution is None else version(self.distribution)

    @property
    def interpreter(self) -> str:
        """The Python that has its package."""
        return sys.executable if self.environment is None else python(self.environment)


@cache
def engine() -> str:
    """A digest of the sources of quality diversity: other sources, another version."""
    package = Path(bb.__file__).parent
    sources = [
        *package.glob("archives/**/*.py"),
        *package.glob("optimizers/quality_diversity/**/*.py"),
        package / "acquisitions" / "elites.py",
    ]
    digest = hashlib.sha256()
    for path in sorted(sources):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:10]


@dataclass(frozen=True)
class Suite:
    """Cases, the algorithms that run on them, and the table made of the results.

    Args:
        name: its module in this package, which holds it as ``SUITE``.
        cases: by name, whatever ``work`` takes.
        algorithms: by name.
        work: what a run measures, from the case, the algorithm and the seed.
        table: writes the table from the results and says where.
        seeds: how many.
        only: for an algorithm, the cases it runs on; by default all.
    """

    name: str
    cases: Mapping[str, Any]
    algorithms: Mapping[str, Algorithm]
    work: Callable[[Any, Algorithm, int], dict[str, Any]]
    table: Callable[[Results], Path]
    seeds: int = 5
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)


def run(
    suite: Suite,
    store: Store,
    *,
    algorithms: Sequence[str],
    cases: Sequence[str],
    seeds: int,
    ours: str | None = None,
) -> None:
    """Run what is missing, seed by seed.

    Args:
        suite: what to run.
        store: where results are looked up and written.
        algorithms: names.
        cases: names.
        seeds: how many seeds, from 0.
        ours: the version under which our own algorithms are stored; a digest by default.
    """
    finished = {result.key for result in store}
    tasks = [
        (case, name, seed)
        for seed in range(seeds)
        for case in cases
        for name in algorithms
        if case in suite.only.get(name, suite.cases)
    ]
    versions = {name: _version(suite.algorithms[name], ours) for name in algorithms}
    missing = [task for task in tasks if (*task, versions[task[1]]) not in finished]
    for number, (case, name, seed) in enumerate(missing, start=1):
        outcome = _apart(suite, case, name, seed)
        store.append(Result(case, name, seed, versions[name], **outcome))
        said = outcome.get("error", "").strip().splitlines()[-1:] or [_brief(outcome["data"])]
        clock = time.strftime("%H:%M:%S")
        print(f"{clock} {number}/{len(missing)} {name}, {case}, seed {seed}: {said[0]}", flush=True)


def _version(algorithm: Algorithm, ours: str | None) -> str:
    own = algorithm.distribution is algorithm.environment is None
    return ours if own and ours else algorithm.version


def _brief(data: Mapping[str, Any]) -> str:
    shown = {key: value for key, value in data.items() if isinstance(value, float | int)}
    return ", ".join(f"{key} {value:.4g}" for key, value in shown.items())


def _apart(suite: Suite, case: str, name: str, seed: int) -> dict[str, Any]:
    """What a run measured, or why it crashed."""
    command = [suite.algorithms[name].interpreter, "-W", "ignore", "-m", __spec__.name]
    done = subprocess.run(
        [*command, suite.name, case, name, str(seed)],
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
        ours: the version of our own algorithms; by default the last one stored.
    """

    def __init__(self, suite: Suite, found: Iterable[Result], ours: str | None = None) -> None:
        self.suite = suite
        kept = [result for result in found if result.optimizer in suite.algorithms]
        last = {result.optimizer: result.version for result in kept}
        self.versions = {
            name: _version(suite.algorithms[name], ours or last[name])
            for name in suite.algorithms
            if name in last
        }
        kept = [result for result in kept if result.version == self.versions[result.optimizer]]
        self.crashes = sorted({f"{r.optimizer} on {r.problem}" for r in kept if r.error})
        self._data = {(r.problem, r.optimizer, r.seed): r.data for r in kept if not r.error}

    def runs(self, case: str, name: str) -> list[dict[str, Any]]:
        """What each seed measured, by increasing seed."""
        return [d for (p, o, _), d in sorted(self._data.items()) if (p, o) == (case, name)]

    @property
    def names(self) -> list[str]:
        """Algorithms that have results, in the suite's order."""
        return [name for name in self.versions if any(o == name for _, o, _ in self._data)]

    @property
    def seeds(self) -> range:
        """Seeds of the algorithms that ran most."""
        return range(max((seed + 1 for _, _, seed in self._data), default=0))

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
    suite_name, case, name, seed = arguments
    suite: Suite = import_module(f"{__spec__.parent}.{suite_name}").SUITE
    data = suite.work(suite.cases[case], suite.algorithms[name], int(seed))
    print(json.dumps(data))


if __name__ == "__main__":
    main(sys.argv[1:])
