"""What the executors that can stop a running task have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Executor, Future
from types import TracebackType
from typing import Any

from blackbox.executors.outcome import check_timeout


class StoppableExecutor(Executor, ABC):
    """An executor whose tasks end when they overrun a timeout or are cancelled.

    Attributes:
        timeout: seconds a task may run unless ``schedule`` says otherwise; None for no limit.
    """

    timeout: float | None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run ``fn(*args, **kwargs)`` in a worker, with the executor's own timeout."""
        return self._add(fn, args, kwargs, self.timeout)

    def schedule(
        self, fn: Callable[..., Any], /, *args: Any, timeout: float | None = None
    ) -> Future[Any]:
        """Run ``fn(*args)`` and stop it when it runs longer than ``timeout`` seconds."""
        return self._add(fn, args, {}, self.timeout if timeout is None else check_timeout(timeout))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the tasks; after an exception (Ctrl-C too) stop them instead."""
        self.shutdown(wait=True, cancel_futures=kind is not None)

    @abstractmethod
    def _add(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        timeout: float | None,
    ) -> Future[Any]:
        """Send a task to a worker, to be stopped after ``timeout`` seconds of running."""
