"""Runs every missing (case, algorithm, seed) of a suite and writes each result down."""

from __future__ import annotations

import hashlib
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import blackbox as bb
from studies.benchmarks.bayes.environments import pinned
from studies.benchmarks.bayes.peers import engine as bayes
from studies.benchmarks.bayes.store import Result, Store

PACKAGE = Path(bb.__file__).parent


@dataclass(frozen=True)
class Algorithm:
    """How an algorithm is made and which version it is.

    Args:
        make: what the suite's work calls.
        source: the package of this environment whose version it has, ``"gflownets"`` or
            ``"bayes"`` for a digest of our own sources, or ``"baselines"`` for the benchmark's.
        environment: the environment of the benchmark that it lives in instead.
    """

    make: Callable[..., Any]
    source: str = "gflownets"
    environment: str | None = None

    @property
    def version(self) -> str:
        """Another version is another result."""
        if self.environment is not None:
            return pinned(self.environment)
        if self.source == "bayes":
            return bayes()
        return digest(self.source) if self.source in SOURCES else version(self.source)


#: Files whose content is a version.
SOURCES: Mapping[str, Sequence[Path]] = {
    "gflownets": (
        *PACKAGE.glob("gflownets/**/*.py"),
        *PACKAGE.glob("optimizers/gflownets/**/*.py"),
        *PACKAGE.glob("space/construction/**/*.py"),
    ),
    "baselines": (Path(__file__).with_name("baselines.py"),),
}


@cache
def digest(name: str) -> str:
    """A digest of some sources."""
    made = hashlib.sha256()
    for path in sorted(SOURCES[name]):
        made.update(path.read_bytes())
    return made.hexdigest()[:10]


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
) -> None:
    """Run what is missing, seed by seed.

    Args:
        suite: what to run.
        store: where results are looked up and written.
        algorithms: names.
        cases: names.
        seeds: how many seeds, from 0.
        label: the version under which our own GFlowNets are stored; a digest by default.
    """
    finished = {result.key for result in store if not result.error}
    versions = {name: version_of(suite.algorithms[name], label) for name in algorithms}
    missing = [
        (case, name, seed)
        for seed in range(seeds)
        for case in cases
        for name in algorithms
        if suite.wanted(case, name, seed) and (case, name, seed, versions[name]) not in finished
    ]
    for number, (case, name, seed) in enumerate(missing, start=1):
        begun = time.process_time()
        try:
            data = suite.work(suite.cases[case], suite.algorithms[name], seed)
            result = Result(case, name, seed, versions[name], data=data)
        except Exception:  # noqa: BLE001 - recorded, and the other runs go on
            result = Result(case, name, seed, versions[name], error=traceback.format_exc())
        store.append(result)
        said = result.error.strip().splitlines()[-1:] or [f"{time.process_time() - begun:.1f} s"]
        clock = time.strftime("%H:%M:%S")
        print(f"{clock} {number}/{len(missing)} {name}, {case}, seed {seed}: {said[0]}", flush=True)


def version_of(algorithm: Algorithm, label: str | None) -> str:
    """The version of an algorithm; that of our own GFlowNets is ``label`` where it is given."""
    own = algorithm.source == "gflownets" and algorithm.environment is None
    return label if own and label else algorithm.version


class Results:
    """The results that a table is made of: of each run the newest that did not crash.

    Args:
        suite: whose results.
        found: results of the store.
        label: the version of our own GFlowNets; by default the last one stored.
    """

    def __init__(self, suite: Suite, found: Iterable[Result], label: str | None = None) -> None:
        self.suite = suite
        kept = [result for result in found if result.optimizer in suite.algorithms]
        last = {result.optimizer: result.version for result in kept}
        self.versions = {
            name: version_of(suite.algorithms[name], label or last[name])
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
