"""Runs every missing (problem, optimizer, seed) of a suite and writes each result down."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

import blackbox as bb
from blackbox.batch import Batch
from studies.benchmarks.bayes.foreign import Foreign, close_workers
from studies.benchmarks.bayes.peers import PEERS
from studies.benchmarks.common.environments import ONE_THREAD
from studies.benchmarks.common.store import Result, Store


@dataclass(frozen=True)
class Case:
    """A problem as it is run.

    Args:
        build: makes the problem for a seed (instance, noise and starting points depend on it).
        evaluations: how many.
        batch: rows of each ask.
        start: rows told before the first ask, with their outcomes, for a seed; they count as
            evaluations.
    """

    build: Callable[[int], bb.Problem]
    evaluations: int = 100
    batch: int = 1
    start: Callable[[int], Batch] | None = None


#: What a run measures, from the case, the optimizer's name and the seed.
Work = Callable[[Case, str, int], dict[str, Any]]


def optimize(case: Case, optimizer: str, seed: int) -> dict[str, Any]:
    """Run to the case's budget: values, violations and CPU seconds of every evaluation."""
    return Loop(case, optimizer, seed).run()


class Loop:
    """One run: ask, evaluate, tell, with the time of ask and tell.

    Args:
        case: what is run.
        optimizer: name of the optimizer.
        seed: seed of the problem and of the optimizer.
    """

    def __init__(self, case: Case, optimizer: str, seed: int) -> None:
        self.case, self.problem = case, case.build(seed)
        self.optimizer = PEERS[optimizer].make(self.problem, seed)
        start = Batch({}) if case.start is None else case.start(seed)
        if len(start):
            self.optimizer.tell(start)
        self._told = [start] if len(start) else []
        self._cpu = [0.0] * len(start)

    @property
    def told(self) -> Batch:
        """Every row told so far, in order."""
        names = (*self.problem.inputs, *self.problem.outcomes)
        return Batch.concat(batch.select(names) for batch in self._told)

    def run(self) -> dict[str, Any]:
        """Go on to the case's budget, or until nothing is left to propose."""
        while len(self._cpu) < self.case.evaluations:
            clock = Clock(self.optimizer)
            batch = self.optimizer.ask(min(self.case.batch, self.case.evaluations - len(self._cpu)))
            asking = clock.seconds
            if not len(batch):
                break
            batch = batch.with_columns(**self.problem.measure(batch))
            clock = Clock(self.optimizer)
            self.optimizer.tell(batch)
            each = round((asking + clock.seconds) / len(batch), 6)
            self._cpu += [each] * len(batch)
            self._told.append(batch)
        return {**outcomes(self.problem, self.told), "cpu": self._cpu}


class Clock:
    """CPU seconds of this process and of an optimizer's worker since it was made."""

    def __init__(self, optimizer: bb.Optimizer) -> None:
        self._optimizer = optimizer
        self._start = self._now()

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return self._now() - self._start

    def _now(self) -> float:
        worker = self._optimizer.cpu if isinstance(self._optimizer, Foreign) else 0.0
        return time.process_time() + worker


def outcomes(problem: bb.Problem, batch: Batch) -> dict[str, Any]:
    """Objectives in the user's units, and the sum of each row's violations."""
    values = np.column_stack([batch[o.name] for o in problem.objectives])
    found: dict[str, Any] = {"values": values.tolist()}
    if problem.constraints:
        found["violation"] = problem.violations(batch).sum(axis=1).tolist()
    return found


#: What a table needs of a run, from the name of its case and what was measured.
Digest = Callable[[str, dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Suite:
    """Cases, the optimizers that run on them, and the table made of the results.

    Args:
        name: its module in this package, which holds it as ``SUITE``.
        cases: by name.
        optimizers: names, the default ones.
        table: writes the table from the results and says where.
        digest: of a run; None where a run holds for one machine alone, and is not published.
        seeds: how many seeds.
        work: what a run does.
        fresh: whether every run gets a process of its own.
        only: for an optimizer, the cases it is run on by default.
    """

    name: str
    cases: Mapping[str, Case]
    optimizers: Sequence[str]
    table: Callable[[Results], Path]
    digest: Digest | None = None
    seeds: int = 10
    work: Work = optimize
    fresh: bool = False
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def digested(self, run: Result) -> Result:
        """A run as it is published: what the table needs, and of an error its last line."""
        if run.error:
            return replace(run, error=run.error.strip().splitlines()[-1])
        if self.digest is None:
            return run
        return replace(run, data=self.digest(run.problem, run.data))


Task = tuple[str, str, int]

TIMEOUT = 3600


def run(
    suite: Suite,
    store: Store,
    *,
    known: Iterable[Result] = (),
    optimizers: Sequence[str],
    seeds: int,
    problems: Sequence[str] = (),
    version: str | None = None,
    again: bool = False,
    timeout: int = TIMEOUT,
) -> None:
    """Run what is missing, seed by seed, in one process beside this one.

    Args:
        suite: what to run.
        store: where results are looked up and written.
        known: results that are not in the store, which count as finished too.
        optimizers: names of ``PEERS``.
        seeds: how many seeds, from 0.
        problems: names of cases; none means those that the suite wants for each optimizer.
        version: the version under which our own optimizers are stored; a digest by default.
        again: whether finished runs are run once more.
        timeout: seconds after which a run is stopped and counts as crashed.
    """
    os.environ.update(ONE_THREAD)  # the pool's process starts with it
    finished = set() if again else {result.key for result in (*known, *store)}
    tasks = [
        (problem, optimizer, seed)
        for optimizer in optimizers
        for seed in range(seeds)
        for problem in (problems or suite.only.get(optimizer) or suite.cases)
    ]
    versions = {name: PEERS[name].version(version) for name in optimizers}
    missing = [task for task in tasks if (*task, versions[task[1]]) not in finished]
    for number, (task, outcome) in enumerate(_results(suite, missing, timeout), start=1):
        problem, optimizer, seed = task
        result = Result(problem, optimizer, seed, versions[optimizer], **outcome)
        store.append(result)
        print(
            f"{time.strftime('%H:%M:%S')} {number}/{len(missing)} {optimizer} {problem} {seed} "
            f"{_said(result)}",
            flush=True,
        )


def _said(result: Result) -> str:
    if result.error:
        return f"crashed: {result.error.strip().splitlines()[-1]}"
    return f"{sum(result.data.get('cpu', [])):.1f} s"


def _results(
    suite: Suite, tasks: Iterable[Task], timeout: int
) -> Iterable[tuple[Task, dict[str, Any]]]:
    """Each task with what it measured or why it crashed; the process dies only with its run."""
    pool = _pool(suite)
    try:
        for task in tasks:
            future: Future[dict[str, Any]] = pool.submit(_work, suite.name, timeout, *task)
            try:
                yield task, future.result()
            except BrokenProcessPool:
                pool = _pool(suite)
                yield task, {"error": "the process died"}
    finally:
        pool.shutdown()


def _pool(suite: Suite) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        1,
        mp_context=multiprocessing.get_context("spawn"),
        max_tasks_per_child=1 if suite.fresh else None,
    )


def _work(suite_name: str, timeout: int, problem: str, optimizer: str, seed: int) -> dict[str, Any]:
    suite: Suite = import_module(f"studies.benchmarks.bayes.{suite_name}").SUITE
    signal.signal(signal.SIGALRM, partial(_too_long, timeout))
    signal.alarm(timeout)
    try:
        return {"data": suite.work(suite.cases[problem], optimizer, seed)}
    except Exception:  # noqa: BLE001 - recorded, and the other runs go on
        close_workers()  # one may still be at work
        return {"error": traceback.format_exc()}
    finally:
        signal.alarm(0)


def _too_long(timeout: int, number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"stopped after {timeout} s")


class Results:
    """The results that a table is made of: of each run the newest that did not crash, if any.

    Args:
        suite: whose results.
        found: digested results, of two of one run the later counts.
        version: the version of our own optimizers; by default the last one stored.
    """

    def __init__(self, suite: Suite, found: Iterable[Result], version: str | None = None) -> None:
        self.suite = suite
        kept = [result for result in found if result.optimizer in PEERS]
        last = {result.optimizer: result.version for result in kept}
        self.versions = {
            name: PEERS[name].version(version or last[name])
            for name in [*suite.optimizers, *last]
            if name in last
        }
        kept = [result for result in kept if result.version == self.versions[result.optimizer]]
        runs = {result.key: result for result in kept if not result.error}
        crashes = {result.key: result for result in kept if result.key not in runs}
        self.runs, self.crashes = [*runs.values()], [*crashes.values()]
        self._data = {(r.problem, r.optimizer, r.seed): r.data for r in self.runs}

    @property
    def optimizers(self) -> list[str]:
        """Names of the optimizers that have results, in the suite's order."""
        ran = {optimizer for _, optimizer, _ in self._data}
        return [name for name in self.versions if name in ran]

    @property
    def ran(self) -> range:
        """The seeds that some optimizer has run on some problem."""
        return range(1 + max((seed for _, _, seed in self._data), default=-1))

    def seeds(self, problem: str, optimizer: str) -> dict[int, dict[str, Any]]:
        """What each seed measured."""
        return {
            seed: data
            for (p, o, seed), data in sorted(self._data.items())
            if (p, o) == (problem, optimizer)
        }

    def notes(self) -> list[str]:
        """Versions, seeds of each optimizer, and crashes, for the foot of a table."""
        lines = ["Versions: " + ", ".join(f"{n} {self.versions[n]}" for n in self.optimizers) + "."]
        for name in self.optimizers:
            counts = [len(self.seeds(problem, name)) for problem in self.suite.cases]
            ran = [count for count in counts if count]
            if ran and (len(ran) < len(counts) or min(ran) < max(self.suite.seeds, 1)):
                seeds = f"{min(ran)}" if min(ran) == max(ran) else f"{min(ran)} to {max(ran)}"
                lines.append(
                    f"{name} ran on {len(ran)} of {len(counts)} problems, with {seeds} seeds."
                )
        if self.crashes:
            crashed = sorted({f"{r.optimizer} on {r.problem} ({r.error})" for r in self.crashes})
            lines.append(f"{len(self.crashes)} runs crashed: {', '.join(crashed)}.")
        return lines
