"""Who evaluates: this process, or the tasks of an executor."""

from __future__ import annotations

import os
import random
import time
import traceback
import warnings
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol

import numpy as np

from blackbox.arguments import is_whole
from blackbox.batch import Batch
from blackbox.executors import Dispatcher, Failure, LocalExecutor, Outcome
from blackbox.formulation import Problem

_GENERATORS = np.random.Generator | np.random.RandomState | random.Random


class Crew(Protocol):
    """Takes batches and gives each back as exactly one outcome."""

    @property
    def free(self) -> int:
        """Batches that can be taken now."""

    def submit(self, key: int, problem: Problem, batch: Batch) -> None:
        """Evaluate a batch; ``key`` names it in its outcome."""

    def wait(self) -> list[Outcome]:
        """Outcomes as they come, at least one while any is under way."""


class Inline:
    """Evaluates in this process, one batch at a time."""

    def __init__(self) -> None:
        self._task: tuple[int, Problem, Batch] | None = None
        self.cause: Exception | None = None

    @property
    def free(self) -> int:
        return int(self._task is None)

    def submit(self, key: int, problem: Problem, batch: Batch) -> None:
        self._task = (key, problem, batch)

    def wait(self) -> list[Outcome]:
        if self._task is None:
            return []
        key, problem, batch = self._task
        self._task = None
        start = time.perf_counter()
        value, failure, self.cause = None, None, None
        try:
            value = problem.measure(batch)
        except Exception as error:
            self.cause = error
            failure = Failure("error", f"{type(error).__name__}: {error}", traceback.format_exc())
        return [Outcome(key, value, failure, 1, time.perf_counter() - start)]


class Team:
    """Evaluates on an executor, several batches at a time."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    @property
    def free(self) -> int:
        return self._dispatcher.free

    def submit(self, key: int, problem: Problem, batch: Batch) -> None:
        # The bound method is the same each time, so the problem travels to a worker once.
        self._dispatcher.submit(key, problem.measure, batch)

    def wait(self) -> list[Outcome]:
        return self._dispatcher.wait()


@contextmanager
def open_crew(
    problem: Problem,
    executor: Executor | None,
    workers: int | None,
    timeout: float | None,
    retries: int,
) -> Iterator[Crew]:
    """The crew for a run: in this process unless an executor, workers or a timeout ask for more.

    An executor that is given stays open; a local one is made where none is given, and closed.
    """
    if executor is None and workers is None and timeout is None and not retries:
        yield Inline()
        return
    if not isinstance(executor, ThreadPoolExecutor):
        _warn_of_copies(problem)
    own = LocalExecutor(workers or 1) if executor is None else None
    used: Executor = own or executor  # type: ignore[assignment]
    dispatcher = Dispatcher(used, workers=workers or _slots(used), timeout=timeout, retries=retries)
    finished = False
    try:
        yield Team(dispatcher)
        finished = True
    finally:
        dispatcher.close(cancel=not finished)
        if own is not None:
            own.shutdown(wait=finished, cancel_futures=True)


def _warn_of_copies(problem: Problem) -> None:
    """Say so where noise would repeat itself: from worker to worker, and after each death."""
    attributes = {**vars(type(problem)), **vars(problem)}
    copied = [name for name, value in attributes.items() if isinstance(value, _GENERATORS)]
    if copied:
        warnings.warn(
            f"{problem.name} holds a generator of random numbers ({', '.join(copied)}), of which "
            "every worker begins with a copy: they draw the same numbers. Make one in each "
            "evaluation instead, for instance by np.random.default_rng()",
            stacklevel=2,
        )


def _slots(executor: Executor) -> int:
    """Tasks that an executor runs at once, as far as it says; else one for each core."""
    for name in ("workers", "_max_workers"):
        count = getattr(executor, name, None)
        if is_whole(count, 1):
            return int(count)
    return os.cpu_count() or 1
