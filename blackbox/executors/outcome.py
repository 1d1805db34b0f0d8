"""How a task ends, and what an executor that can stop a task looks like."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Future
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from blackbox.arguments import is_number, is_whole
from blackbox.errors import ExecutorError

Kind: TypeAlias = Literal["error", "timeout", "died", "cancelled"]


class TaskTimeoutError(ExecutorError, TimeoutError):
    """A task overran its timeout and was stopped."""


class WorkerDiedError(ExecutorError):
    """The worker died while it ran this task; the task is not run again."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task gave no value.

    Attributes:
        kind: ``"error"`` (it raised, or it could not travel), ``"timeout"``, ``"died"`` (its
            worker ended under it) or ``"cancelled"``.
        message: one line for a table.
        traceback: the text of the remote traceback; empty where there is none.
    """

    kind: Kind
    message: str
    traceback: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The one end of one task.

    Attributes:
        key: the key it was submitted under.
        value: what the function returned; None when it failed.
        failure: why there is no value; None when there is one.
        attempts: how often it was started, at least 1 unless it never reached a worker.
        seconds: wall time of the last attempt; measured beside the function where it returned or
            raised, by the driver otherwise.
    """

    key: int
    value: Any
    failure: Failure | None
    attempts: int
    seconds: float


@runtime_checkable
class CanStop(Protocol):
    """An executor that can really stop a running task.

    The returned future raises :class:`TaskTimeoutError` once the task was stopped because
    ``timeout`` seconds passed since its *start* (waiting in a queue does not count), and
    :class:`WorkerDiedError` when its worker died. ``future.cancel()`` stops it too, running or
    not. No task is ever started twice. ``timeout=None`` means the executor's own default.
    """

    def schedule(
        self, fn: Callable[..., Any], /, *args: Any, timeout: float | None = None
    ) -> Future[Any]:
        """Submit ``fn(*args)`` and stop it when it runs longer than ``timeout`` seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """What comes back from a worker: a value, or the text of an exception."""

    value: Any
    failure: Failure | None
    seconds: float


class Attempt:
    """A function that answers with a :class:`Reply` and never raises.

    Exceptions become text beside the function, so that one that cannot be pickled, or whose class
    is unknown to the driver, costs nothing but its row, and so that whatever the future itself
    raises is the engine's word and not the user's.
    """

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.fn = fn

    def __call__(self, *args: Any) -> Reply:
        """Run the function once."""
        start = time.perf_counter()
        try:
            value = self.fn(*args)
        except BaseException as error:  # sys.exit() in an evaluation must not end a worker
            return Reply(None, describe(error, skip=1), time.perf_counter() - start)
        return Reply(value, None, time.perf_counter() - start)


def describe(error: BaseException, *, skip: int = 0) -> Failure:
    """The failure that an exception stands for.

    Args:
        error: raised by the function, or by the engine through the future.
        skip: how many outer frames (our own) to leave out of the traceback.
    """
    frames = error.__traceback__
    for _ in range(skip):
        frames = frames.tb_next if frames else None
    text = "".join(traceback.format_exception(type(error), error, frames))
    # The last line, as the interpreter prints it: it survives an exception whose str() raises.
    message = "".join(traceback.format_exception_only(type(error), error)).strip()
    return Failure(_kind(error), message, text)


def _kind(error: BaseException) -> Kind:
    if isinstance(error, TaskTimeoutError):
        return "timeout"
    if isinstance(error, WorkerDiedError | BrokenExecutor):
        return "died"
    if isinstance(error, CancelledError):
        return "cancelled"
    return "error"


def check_timeout(timeout: float | None) -> float | None:
    """The timeout in seconds, or None for none.

    Raises:
        ExecutorError: it is not a positive number.
    """
    if timeout is None:
        return None
    if not is_number(timeout) or not timeout > 0:
        raise ExecutorError(f"timeout is {timeout!r}; give seconds above 0, or None for no limit")
    return float(timeout)


def check_workers(workers: int) -> int:
    """The number of workers.

    Raises:
        ExecutorError: it is not a whole number of at least 1.
    """
    if not is_whole(workers, 1):
        raise ExecutorError(f"workers is {workers!r}; give a whole number of at least 1")
    return int(workers)
