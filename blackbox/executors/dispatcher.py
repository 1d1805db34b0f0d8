"""k tasks in flight on any executor, each with exactly one end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import MethodType
from typing import Any

from blackbox.arguments import is_whole
from blackbox.errors import ExecutorError
from blackbox.executors.outcome import (
    Attempt,
    CanStop,
    Failure,
    Outcome,
    Reply,
    check_timeout,
    check_workers,
    describe,
)

_TICK = 0.05  # seconds between looks at futures that have not said yet whether they run
_LAST_WORD = 10.0  # seconds that close() waits for cancelled tasks to be gone
_USE_LOCAL = "use blackbox.executors.LocalExecutor, where a task costs only itself"


@dataclass(slots=True, eq=False)
class _Task:
    key: int
    attempt: Attempt
    args: tuple[Any, ...]
    attempts: int = 0
    submitted: float = 0.0
    started: float | None = None


class Dispatcher:
    """Keeps tasks in flight on an executor and hands out their outcomes as they come.

    Each submitted task ends with exactly one :class:`Outcome`, whatever happens to it: it returns,
    raises, cannot be pickled, overruns its timeout, loses its worker or is cancelled. Results that
    come after that are ignored. A failed attempt is made again up to ``retries`` times; each
    attempt is started at most once.

    On an executor that can stop a task (:class:`CanStop`: LocalExecutor, dask_executor,
    RayExecutor) a timeout ends the task itself. On any other (threads, the standard process pool,
    MPI) only its row ends: the task goes on and holds its slot until it returns, because that is
    what it does to its thread. Once such tasks hold the whole pool and nothing moves for another
    timeout, the rows that never started end as cancelled and :class:`ExecutorError` says why.
    There the timeout counts from the moment the future is seen running (a standard process pool
    says so a little early, when a process is about to take the task); executors that never say so
    are taken at their word that they run ``workers`` tasks at once.

    Args:
        executor: any executor; the dispatcher does not shut it down.
        workers: tasks in flight; at most what the executor runs at once.
        timeout: seconds an attempt may take; None for no limit.
        retries: further attempts for a task that failed (but was not cancelled).

    Raises:
        ExecutorError: a wrong argument, or an engine that runs tasks again behind our back.
    """

    def __init__(
        self,
        executor: Executor,
        *,
        workers: int,
        timeout: float | None = None,
        retries: int = 0,
    ) -> None:
        if not is_whole(retries, 0):
            raise ExecutorError(f"retries is {retries!r}; give a whole number of at least 0")
        _check_engine(executor)
        self.executor = executor
        self.workers = check_workers(workers)
        self.timeout = check_timeout(timeout)
        self.retries = retries
        self._stops = isinstance(executor, CanStop)
        self._says_running = isinstance(executor, ThreadPoolExecutor | ProcessPoolExecutor)
        self._attempt = Attempt(len)
        self._done: SimpleQueue[Future[Any]] = SimpleQueue()
        self._running: dict[Future[Any], _Task] = {}
        self._again: deque[tuple[_Task, Outcome]] = deque()  # waiting for a slot, with their past
        self._ended: list[Outcome] = []  # not handed out yet
        self._lost: set[Future[Any]] = set()  # ended as rows, still held by the executor
        self._moved = time.monotonic()  # when something last started or ended
        self._broken = ""

    @property
    def in_flight(self) -> tuple[int, ...]:
        """Keys that were submitted and whose outcome was not handed out yet."""
        return (
            *(task.key for task in self._running.values()),
            *(task.key for task, _ in self._again),
            *(outcome.key for outcome in self._ended),
        )

    @property
    def free(self) -> int:
        """How many tasks can be submitted now."""
        waiting = len(self._again) + len(self._ended)
        return max(0, self.workers - len(self._running) - len(self._lost) - waiting)

    def submit(self, key: int, fn: Callable[..., Any], *args: Any) -> None:
        """Start ``fn(*args)`` as soon as a worker takes it.

        What cannot be pickled gives an outcome, not an exception. Pass the same ``fn`` each time:
        it is then pickled once where the executor allows that.

        Args:
            key: names the task in its outcome.
            fn: called in a worker.
            args: its arguments.

        Raises:
            ExecutorError: no slot is free, the key is in flight, or the executor takes no more.
        """
        if self._broken:
            raise ExecutorError(self._broken)
        if not self.free:
            raise ExecutorError(f"all {self.workers} slots are taken; call wait() first")
        if key in self.in_flight:
            raise ExecutorError(f"key {key} is in flight already; give each task its own")
        if not _same(fn, self._attempt.fn):
            self._attempt = Attempt(fn)
        self._start(_Task(key, self._attempt, args))

    def wait(self, timeout: float | None = None) -> list[Outcome]:
        """Outcomes that came since the last call.

        Args:
            timeout: seconds to wait for the first one; None to wait as long as it takes.

        Returns:
            At least one outcome, unless ``timeout`` passed or nothing is in flight.

        Raises:
            ExecutorError: nothing is in flight, and tasks that overran hold every slot.
        """
        limit = float("inf") if timeout is None else time.monotonic() + timeout
        while True:
            self._collect()
            self._watch(time.monotonic())
            self._retry()
            if self._ended:
                ended, self._ended = self._ended, []
                return ended
            busy = self._running or self._again
            if not busy and self._broken and self._lost:
                raise ExecutorError(self._broken)
            now = time.monotonic()
            if now >= limit or not (busy or len(self._lost) >= self.workers):
                return []
            self._sleep(min(limit - now, self._pause(now)))

    def close(self, *, cancel: bool) -> None:
        """Take no more tasks and forget those in flight; the executor stays open.

        Args:
            cancel: cancel them. An executor that can stop tasks has none of them running on
                return; any other drops those that have not started.
        """
        self._broken = self._broken or "this dispatcher is closed; make another"
        futures = [*self._running, *self._lost]
        self._running.clear()
        self._again.clear()
        self._ended.clear()
        self._lost.clear()
        if cancel:
            for future in futures:
                future.cancel()
            if self._stops:
                wait_for(futures, timeout=_LAST_WORD)

    def _start(self, task: _Task) -> None:
        try:
            if self._stops:
                future = self.executor.schedule(  # type: ignore[attr-defined]
                    task.attempt, *task.args, timeout=self.timeout
                )
            else:
                future = self.executor.submit(task.attempt, *task.args)
        except (BrokenExecutor, RuntimeError) as error:
            self._broken = f"{self._name} takes no more tasks ({error}); {_USE_LOCAL}"
            raise ExecutorError(self._broken) from error
        except Exception as error:
            self._finish(task, Outcome(task.key, None, describe(error), task.attempts, 0.0))
            return
        task.attempts += 1
        task.submitted, task.started = time.monotonic(), None
        self._running[future] = task
        future.add_done_callback(self._done.put)

    def _collect(self) -> None:
        """Take in every future that is done."""
        while True:
            try:
                future = self._done.get_nowait()
            except Empty:
                return
            self._take(future)

    def _sleep(self, pause: float) -> None:
        try:
            future = self._done.get(timeout=None if pause == float("inf") else pause)
        except Empty:
            return
        self._take(future)

    def _take(self, future: Future[Any]) -> None:
        self._moved = time.monotonic()
        self._lost.discard(future)  # late: its row has ended, its slot comes back
        task = self._running.pop(future, None)
        if task is None:
            return
        try:
            reply = future.result()
        except (Exception, CancelledError) as error:
            if isinstance(error, BrokenExecutor):
                self._broken = f"{self._name} is broken: a worker died ({error}); {_USE_LOCAL}"
            reply = Reply(None, describe(error), self._moved - (task.started or task.submitted))
        self._finish(
            task, Outcome(task.key, reply.value, reply.failure, task.attempts, reply.seconds)
        )

    def _finish(self, task: _Task, outcome: Outcome) -> None:
        """End a task, or put it back when it has an attempt left."""
        failure = outcome.failure
        final = failure is None or failure.kind == "cancelled" or task.attempts > self.retries
        if final or self._broken or task.attempts == 0:
            self._ended.append(outcome)
        else:
            self._again.append((task, outcome))

    def _retry(self) -> None:
        while self._again:
            task, past = self._again[0]
            if not self._broken:
                if len(self._running) + len(self._lost) >= self.workers:
                    return
                try:
                    self._again.popleft()
                    self._start(task)
                    continue
                except ExecutorError:
                    self._again.appendleft((task, past))
            self._again.popleft()
            self._ended.append(past)

    def _watch(self, now: float) -> None:
        """Keep the clock for executors that keep none."""
        if self._stops or self.timeout is None:
            return
        for future, task in tuple(self._running.items()):
            if task.started is None and future.running():
                self._says_running = True
                task.started = self._moved = now
            start = task.started
            if start is None and not self._says_running:
                start = task.submitted
            if start is not None and now - start > self.timeout:
                self._give_up(future, task, now - start)
        if self._lost and now - self._moved > max(self.timeout, 1.0):
            self._stuck()

    def _give_up(self, future: Future[Any], task: _Task, seconds: float) -> None:
        del self._running[future]
        fate = "it was cancelled" if future.cancel() else f"{self._name} cannot stop it"
        if not future.done():
            self._lost.add(future)
        failure = Failure("timeout", f"no result after {self.timeout:g} s; {fate}", "")
        self._moved = time.monotonic()
        self._finish(task, Outcome(task.key, None, failure, task.attempts, seconds))

    def _stuck(self) -> None:
        """Tasks that overran hold the pool: what never started never will."""
        if any(task.started is not None for task in self._running.values()):
            return
        if not self._running and len(self._lost) < self.workers:
            return
        self._broken = (
            f"{len(self._lost)} tasks that overran their timeout hold every worker of "
            f"{self._name}, which cannot stop them; {_USE_LOCAL}"
        )
        for future, task in tuple(self._running.items()):
            del self._running[future]
            future.cancel()
            failure = Failure("cancelled", f"never started: {self._broken}", "")
            self._ended.append(Outcome(task.key, None, failure, 0, 0.0))

    def _pause(self, now: float) -> float:
        """Seconds until the clock has to be looked at."""
        if self._stops or self.timeout is None:
            return float("inf")
        if self._lost or any(task.started is None for task in self._running.values()):
            return _TICK
        nearest = min((t.started for t in self._running.values() if t.started), default=now)
        return max(0.0, nearest + self.timeout - now) + 1e-3

    @property
    def _name(self) -> str:
        return type(self.executor).__name__


def _same(fn: Callable[..., Any], other: Callable[..., Any]) -> bool:
    """Whether two callables are one; a bound method is a new object at each look."""
    return fn is other or (
        isinstance(fn, MethodType)
        and isinstance(other, MethodType)
        and fn.__self__ is other.__self__
        and fn.__func__ is other.__func__
    )


def _check_engine(executor: Executor) -> None:
    if not isinstance(executor, Executor):
        raise ExecutorError(
            f"executor is a {type(executor).__name__}; give a concurrent.futures.Executor, "
            "for instance LocalExecutor(8) or dask_executor(client)"
        )
    if type(executor).__module__.startswith("distributed."):
        raise ExecutorError(
            "client.get_executor() runs the task of a dead worker again; "
            "use blackbox.executors.dask_executor(client), which runs it at most once"
        )
