"""The local default: processes in which a task that hangs or dies costs only itself."""

from __future__ import annotations

import itertools
import os
import pickle
import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from blackbox.errors import ExecutorError, require
from blackbox.executors.outcome import check_timeout, check_workers
from blackbox.executors.pool import Pool, Task
from blackbox.executors.stoppable import StoppableExecutor
from blackbox.executors.wire import StoppableFuture

_KEPT = 8  # functions whose pickle is kept


class LocalExecutor(StoppableExecutor):
    """Worker processes on this machine, each with a pipe of its own.

    A task that overruns its timeout is killed, with every process it started; so is one whose
    future is cancelled. A worker that dies ends its own task with
    :class:`~blackbox.executors.WorkerDiedError` and is replaced; no task is run twice. Workers
    die with the driver. Lambdas, closures and classes of ``__main__`` or a notebook work, and
    scripts need no ``if __name__ == "__main__"``.

    A function, with all it carries, is pickled when it is first submitted and sent to each worker
    once. To send changed state, submit another function object. A worker keeps it from task to
    task, so that what it caches (data it loaded) stays.

    Args:
        workers: number of processes; None for one a core that this process may use.
        timeout: seconds a task may run, the imports of its function the first time included; None
            for no limit. ``schedule`` can set another.

    Raises:
        ExecutorError: a wrong argument, or a platform without POSIX processes.
        MissingExtraError: cloudpickle is not installed (extra ``run``).
    """

    def __init__(self, workers: int | None = None, *, timeout: float | None = None) -> None:
        if sys.platform == "win32":
            raise ExecutorError("LocalExecutor needs POSIX; use ProcessPoolExecutor on Windows")
        self._dumps = require("cloudpickle", "run").dumps
        self.workers = _cores() if workers is None else check_workers(workers)
        self.timeout = check_timeout(timeout)
        self._functions: OrderedDict[int, tuple[Callable[..., Any], int, bytes]] = OrderedDict()
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._pool = Pool(self.workers)
        # Runs when the executor is forgotten and when the interpreter ends: nothing is left behind.
        self._finalizer = weakref.finalize(self, self._pool.close, kill=True, wait=True)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks.

        Args:
            wait: return only when the workers have ended.
            cancel_futures: kill what runs and drop what waits; otherwise all of it is done first.
        """
        self._pool.close(kill=cancel_futures, wait=wait)

    def __repr__(self) -> str:
        return f"LocalExecutor({self.workers}, timeout={self.timeout})"

    def _add(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        timeout: float | None,
    ) -> Future[Any]:
        future = StoppableFuture()
        what = f"the function {getattr(fn, '__name__', fn)!s}"
        try:
            function = self._pickled(fn)
            what = f"an argument of {what}"
            arguments = self._dumps((args, kwargs))
        except Exception as error:
            note = pickle.PicklingError(f"{what} cannot be pickled: {error!r}")
            note.__cause__ = error
            future.set_exception(note)
            return future
        future.executor = self  # the pool lives as long as somebody waits for it
        self._pool.add(Task(future, function, arguments, timeout))
        return future

    def _pickled(self, fn: Callable[..., Any]) -> tuple[int, bytes]:
        """The number and the pickle of a function; the same object is pickled once."""
        with self._lock:
            kept = self._functions.pop(id(fn), None)
            _, number, payload = kept or (fn, next(self._numbers), self._dumps(fn))
            self._functions[id(fn)] = (fn, number, payload)
            while len(self._functions) > _KEPT:
                self._functions.popitem(last=False)
        return number, payload


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
