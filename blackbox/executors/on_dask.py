"""``dask.distributed`` as an executor that runs a task at most once and can stop it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from typing import TYPE_CHECKING, Any

from blackbox.errors import ExecutorError, require
from blackbox.executors.dask_claims import NAME, Call, claims_plugin
from blackbox.executors.outcome import TaskTimeoutError, WorkerDiedError, check_timeout
from blackbox.executors.stoppable import StoppableExecutor
from blackbox.executors.wire import StoppableFuture

if TYPE_CHECKING:
    from distributed import Client

_LIFETIME = 30.0  # seconds that shutdown waits for cancelled tasks to be gone
_EXIT = 3.0  # seconds for a worker to end by itself


def dask_executor(client: Client, *, timeout: float | None = None) -> DaskExecutor:
    """An executor on a dask cluster: at most once, and a timeout really stops the task.

    Args:
        client: connected and synchronous; it stays open.
        timeout: seconds a task may run; None for no limit.

    Raises:
        ExecutorError: the client is asynchronous or closed.
        MissingExtraError: distributed is not installed (extra ``dask``).
    """
    return DaskExecutor(client, timeout=timeout)


class DaskExecutor(StoppableExecutor):
    """Runs tasks on a dask cluster, each at most once.

    A task that overruns or is cancelled ends with its worker process, which its nanny replaces.
    So timeouts need workers with one thread and a nanny, as
    ``LocalCluster(threads_per_worker=1)`` makes them; a task on another kind of worker answers
    with an error that says so. A worker that dies takes all tasks of its threads with it. The
    workers must be able to import blackbox. See :func:`dask_executor` for the arguments.
    """

    def __init__(self, client: Client, *, timeout: float | None = None) -> None:
        require("distributed", "dask")
        if getattr(client, "status", "") != "running" or client.asynchronous:
            raise ExecutorError(f"client is {client!r}; give a running Client(asynchronous=False)")
        self.timeout = check_timeout(timeout)
        self._client: Any = client  # half of its methods have no types
        if client.cluster is not None:
            # A cluster of this process closes for good every place whose worker is away at one
            # moment 15 s after an earlier death; after some deaths nobody would be left.
            dask = require("dask", "dask")
            dask.config.set({"distributed.deploy.lost-worker-timeout": "1000d"})
        client.register_plugin(claims_plugin(), name=NAME)
        self._name = f"blackbox-{uuid.uuid4().hex}"
        self._numbers = itertools.count()
        self._futures: set[StoppableFuture] = set()
        self._shut = False

    @property
    def workers(self) -> int:
        """Threads that the cluster has now."""
        return sum(self._client.nthreads().values())

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks; the client and its cluster stay open.

        Args:
            wait: return only when all tasks have ended.
            cancel_futures: stop what runs and drop what waits.
        """
        self._shut = True
        futures = tuple(self._futures)
        if cancel_futures:
            for future in futures:
                future.cancel()
        if wait:
            wait_for(futures, timeout=_LIFETIME if cancel_futures else None)

    def _add(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        timeout: float | None,
    ) -> Future[Any]:
        if self._shut:
            raise ExecutorError("this DaskExecutor is shut down; make another")
        future = StoppableFuture()
        future.executor = self
        key = f"{self._name}-{next(self._numbers)}"
        try:
            # One tuple hidden in a function, so that dask does not look for its own tasks in it.
            call = Call(fn, args, kwargs, key, timeout)
            remote = self._client.submit(call, key=key, pure=False, retries=0)
        except Exception as error:
            future.fail(error)
            return future
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        loop = self._client.loop.asyncio_loop
        asyncio.run_coroutine_threadsafe(self._follow(future, remote, key, timeout), loop)
        return future

    async def _follow(
        self, future: StoppableFuture, remote: Any, key: str, timeout: float | None
    ) -> None:
        """Carry the end of a dask future over to ours; runs in the client's event loop."""
        cancelled = asyncio.Event()
        loop = asyncio.get_running_loop()

        def on_done(_: Future[Any]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and the task with it
                loop.call_soon_threadsafe(cancelled.set)

        future.add_done_callback(on_done)
        ended = asyncio.ensure_future(remote._result(raiseit=False))
        stopped = asyncio.ensure_future(cancelled.wait())
        try:
            await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if future.cancelled():
                await self._stop(remote, key)
            else:
                result = ended.result()
                if remote.status == "finished":
                    future.finish(result)
                else:
                    future.fail(await self._why(remote, result, key, timeout))
        except Exception as error:
            future.fail(WorkerDiedError(f"the dask cluster is lost: {error!r}"))
        finally:
            ended.cancel()
            stopped.cancel()
            remote.release()
            if future.cancelled():
                future.notify_cancelled()

    async def _stop(self, remote: Any, key: str) -> None:
        """Forget a task, and end the worker that is at it."""
        worker = await self._client.scheduler.blackbox_stop(key=key)
        await self._client._cancel([remote])
        if worker is None:
            return
        exits = self._client.run(os._exit, 1, workers=[worker], on_error="ignore")
        try:
            await asyncio.wait_for(exits, _EXIT)
        except TimeoutError:  # native code holds the interpreter; its nanny can end it
            await self._client.restart_workers([worker], timeout=_EXIT, raise_for_error=False)

    async def _why(
        self, remote: Any, result: Any, key: str, timeout: float | None
    ) -> BaseException:
        from distributed.scheduler import KilledWorker

        if remote.status == "cancelled":
            return WorkerDiedError("the dask client or its cluster was closed")
        error: BaseException = result[1]
        if not isinstance(error, KilledWorker | WorkerDiedError):
            return error
        seconds = await self._client.scheduler.blackbox_ran(key=key)
        if timeout is not None and seconds is not None and seconds >= timeout:
            return TaskTimeoutError(f"stopped after {timeout:g} s; give it longer if it needs more")
        return WorkerDiedError("the dask worker died at this task")
