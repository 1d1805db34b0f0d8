"""Ray as a ``concurrent.futures`` executor that runs a task at most once and can stop it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from blackbox.errors import ExecutorError, require
from blackbox.executors.outcome import (
    TaskTimeoutError,
    WorkerDiedError,
    check_timeout,
    check_workers,
)
from blackbox.executors.stoppable import StoppableExecutor
from blackbox.executors.wire import Answer, StoppableFuture, answer

if TYPE_CHECKING:
    pass


class RayExecutor(StoppableExecutor):
    """Runs tasks on Ray, by default on a local one that it starts and stops.

    Ray re-runs tasks whose worker died; this executor asks it not to (``max_retries=0``). A task
    that overruns or is cancelled is stopped by ``ray.cancel(force=True)``. The clock starts when
    the task does: it is a generator whose first item says so.

    A Ray that this executor starts has no dashboard. On Linux its other ports cannot be bound to
    the loopback alone (Ray replaces 127.0.0.1 by an address that others can reach); Ray's token
    authentication guards them, so leave it on (``RAY_AUTH_MODE=token``) where others can connect.

    Args:
        workers: tasks in flight; None for the CPUs that Ray has.
        timeout: seconds a task may run; None for no limit. ``schedule`` can set another.
        options: options of a Ray task, for instance ``num_gpus=1`` (``num_cpus`` is 1).

    Raises:
        ExecutorError: a wrong argument.
        MissingExtraError: Ray is not installed (extra ``ray``).
    """

    def __init__(
        self, workers: int | None = None, *, timeout: float | None = None, **options: Any
    ) -> None:
        self.timeout = check_timeout(timeout)
        if workers is not None:
            check_workers(workers)
        if {"max_retries", "retry_exceptions", "num_returns"} & options.keys():
            raise ExecutorError(f"options {sorted(options)}: retries and returns are set by us")
        self._ray = ray = require("ray", "ray")
        self._owns = not ray.is_initialized()
        if self._owns:
            ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
        self.workers = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        settings = {"num_cpus": 1} | options | {"max_retries": 0, "num_returns": "streaming"}
        self._remote = ray.remote(**settings)(_started_then_answer)
        # One thread follows one task: Ray's calls block, and these wait without costing anything.
        self._followers = ThreadPoolExecutor(self.workers, thread_name_prefix="blackbox-ray")
        self._lock = threading.Lock()
        self._sent: tuple[Callable[..., Any] | None, Any] = (None, None)
        self._futures: set[StoppableFuture] = set()
        self._shut = False

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks; stop the Ray that this executor started.

        Args:
            wait: return only when all is done; without it, a Ray of our own goes on.
            cancel_futures: stop what runs and drop what waits.
        """
        self._shut = True
        if cancel_futures:
            with self._lock:
                futures = tuple(self._futures)
            for future in futures:
                future.cancel()
        self._followers.shutdown(wait=wait)
        if wait and self._owns and self._ray.is_initialized():
            self._owns = False
            self._ray.shutdown()

    def _add(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        timeout: float | None,
    ) -> Future[Any]:
        if self._shut:
            raise ExecutorError("this RayExecutor is shut down; make another")
        future = StoppableFuture()
        future.executor = self
        with self._lock:
            self._futures.add(future)
        self._followers.submit(self._follow, future, (fn, args, kwargs), timeout)
        return future

    def _follow(
        self,
        future: StoppableFuture,
        call: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]],
        timeout: float | None,
    ) -> None:
        try:
            if not future.cancelled():
                self._run(future, call, timeout)
        except BaseException as error:
            future.fail(self._translate(error))
        finally:
            if future.cancelled():
                future.notify_cancelled()
            with self._lock:
                self._futures.discard(future)

    def _run(
        self,
        future: StoppableFuture,
        call: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]],
        timeout: float | None,
    ) -> None:
        ray = self._ray
        fn, args, kwargs = call
        items = self._remote.remote(self._reference(fn), args, kwargs)

        def stop(_: Future[Any] | None = None) -> None:
            ray.cancel(items, force=True)

        future.add_done_callback(lambda f: stop() if f.cancelled() else None)
        ray.get(next(items))  # blocks until it starts
        future.started = True
        ready, _ = ray.wait([items], timeout=timeout, fetch_local=False)
        if not ready:
            stop()
            # Until it is gone. If its worker had died before, and Ray was slow to say so, it says
            # so here instead of confirming the cancellation.
            with contextlib.suppress(ray.exceptions.TaskCancelledError):
                ray.get(next(items))
            raise TaskTimeoutError(f"stopped after {timeout:g} s; give it longer if it needs more")
        future.finish(ray.get(next(items)))

    def _reference(self, fn: Callable[..., Any]) -> Any:
        """The function in Ray's object store; the same object is sent there once."""
        with self._lock:
            if self._sent[0] is not fn:
                self._sent = (fn, self._ray.put(fn))
            return self._sent[1]

    def _translate(self, error: BaseException) -> BaseException:
        """Ray's many words for a lost worker; what the function raised travels as an answer."""
        words = self._ray.exceptions
        ours = words.RayTaskError | words.TaskCancelledError | words.RuntimeEnvSetupError
        lost = isinstance(error, words.RayError) and not isinstance(error, ours)
        if lost or isinstance(error, StopIteration):  # a stream cut short: no answer will come
            return WorkerDiedError(f"the Ray worker died at this task ({type(error).__name__})")
        return error


def _started_then_answer(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Generator[Answer | None, None, None]:
    yield None
    yield answer(function, args, kwargs)
