"""What runs on the dask cluster for :class:`~blackbox.executors.DaskExecutor`.

Dask re-runs a task whose worker died, and also a finished one whose result was lost with its
worker before the driver had it (``retries=0`` and ``allowed-failures=0`` prevent only the first).
So each task claims its key at the scheduler before it starts, and leaves its answer there before it
ends. A second claim is refused: it gets that answer, or else the task ends as "its worker died". A
task that was queued on the dead worker and had not started makes its first claim elsewhere, so the
scheduler's ``allowed-failures`` may stay as it is.
"""

from __future__ import annotations

import faulthandler
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from blackbox.errors import ExecutorError
from blackbox.executors.outcome import WorkerDiedError
from blackbox.executors.wire import Answer, answer

NAME = "blackbox-claims"


class Call:
    """One task: claims its key, sets its alarm, answers."""

    def __init__(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        key: str,
        timeout: float | None,
    ) -> None:
        self.fn, self.args, self.kwargs = fn, args, kwargs
        self.key, self.timeout = key, timeout

    def __call__(self) -> Answer:
        """Run in a worker's thread.

        Raises:
            ExecutorError: there is a timeout, and this worker cannot end for it.
            WorkerDiedError: the task has run before and left no answer.
        """
        from distributed import get_worker
        from distributed.utils import sync

        worker = get_worker()
        if self.timeout is not None and (worker.state.nthreads != 1 or not worker.nanny):
            raise ExecutorError(
                f"worker {worker.address} has {worker.state.nthreads} threads and "
                f"{'a' if worker.nanny else 'no'} nanny; a timeout ends the worker process, so "
                "start workers with threads_per_worker=1, processes=True and a nanny"
            )
        claim = worker.scheduler.blackbox_claim
        earlier: Answer | None
        first, earlier = sync(worker.loop, claim, key=self.key, worker=worker.address)
        if not first:
            if earlier is None:
                raise WorkerDiedError("a dask worker died at this task")
            return earlier
        reply = self._run()
        sync(worker.loop, worker.scheduler.blackbox_keep, key=self.key, packed=reply)
        return reply

    def _run(self) -> Answer:
        if self.timeout is None:
            return answer(self.fn, self.args, self.kwargs)
        # A watchdog in C: it ends the process even when the task holds the interpreter's lock,
        # and leaves in the worker's log where the task hung.
        faulthandler.dump_traceback_later(self.timeout, exit=True, file=2)
        try:
            return answer(self.fn, self.args, self.kwargs)
        finally:
            faulthandler.cancel_dump_traceback_later()


@dataclass(slots=True)
class _Claim:
    worker: str
    began: float
    ended: float | None = None  # when that worker died
    reply: Answer | None = None


def claims_plugin() -> Any:
    """The plugin that keeps the claims at the scheduler; its class needs distributed."""
    from distributed import SchedulerPlugin

    class Claims(SchedulerPlugin):
        idempotent = True  # a second executor on the same cluster shares it
        name = NAME

        async def start(self, scheduler: Any) -> None:
            self.claims: dict[str, _Claim] = {}
            self.tasks = scheduler.tasks
            for name in ("claim", "keep", "ran", "stop"):
                scheduler.handlers[f"blackbox_{name}"] = getattr(self, name)

        async def claim(self, key: str, worker: str) -> tuple[bool, Answer | None]:
            if key in self.claims:
                return False, self.claims[key].reply
            if key not in self.tasks:  # cancelled on its way to the worker
                return False, None
            self.claims[key] = _Claim(worker, time.monotonic())
            return True, None

        async def keep(self, key: str, packed: Answer) -> None:
            if key in self.claims:
                self.claims[key].reply = packed

        async def ran(self, key: str) -> float | None:
            claim = self.claims.get(key)
            return None if claim is None or claim.ended is None else claim.ended - claim.began

        async def stop(self, key: str) -> str | None:
            """Refuse the claim still to come, or name the worker that is at the task."""
            claim = self.claims.get(key)
            if claim is not None:
                return None if claim.ended is not None else claim.worker
            if key in self.tasks:
                now = time.monotonic()
                self.claims[key] = _Claim("", now, now)
            return None

        def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
            if finish == "forgotten":  # the driver has let go of it: nothing grows
                self.claims.pop(key, None)

        def remove_worker(self, scheduler: Any, worker: str, **kwargs: Any) -> None:
            for claim in self.claims.values():
                if claim.worker == worker and claim.ended is None:
                    claim.ended = time.monotonic()

    return Claims()
