"""What travels between a worker and the driver, the same on every engine that can stop a task.

A worker answers ``(True, pickle of the result)`` or ``(False, pickle of the exception and its
traceback)``. So results and exceptions that cannot be pickled become a clear error in the worker,
and the engine itself only ever moves bytes.
"""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeAlias

Answer: TypeAlias = tuple[bool, bytes]


class RemoteTraceback(Exception):  # noqa: N818 - a text carried as the cause, not an error
    """The traceback of an exception in a worker, as text, carried as its ``__cause__``."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


class StoppableFuture(Future[Any]):
    """A future that can be cancelled while its task runs.

    It stays formally pending until the end, so that the ordinary ``cancel()`` works at any time;
    the executor stops the task and then notifies whoever waits.
    """

    started = False
    executor: object = None  # kept alive while somebody waits for this future
    _ended = False

    def running(self) -> bool:
        """Whether a worker is at it now, as far as the driver knows."""
        return self.started and not self.done()

    def finish(self, answer: Answer) -> None:
        """End with what a worker answered."""
        ok, payload = answer
        try:
            content = pickle.loads(payload)
        except Exception as error:
            what = "returned" if ok else "raised"
            self.fail(pickle.UnpicklingError(f"what the task {what} cannot be loaded: {error!r}"))
            return
        if ok:
            if self._end():
                self.set_result(content)
            return
        raised, text = content
        raised.__cause__ = RemoteTraceback(text)
        self.fail(raised)

    def fail(self, error: BaseException) -> None:
        """End with an exception, unless it was cancelled."""
        if self._end():
            self.set_exception(error)

    def notify_cancelled(self) -> None:
        """Tell whoever waits that a cancelled task has stopped."""
        self._end()

    def _end(self) -> bool:
        """Whether there is somebody to answer; the first call also settles a cancellation."""
        if self._ended:
            return False
        self._ended = True
        return self.set_running_or_notify_cancel()


def answer(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Answer:
    """Call a function in a worker and pack what it returned or raised."""
    try:
        return True, _dump(function(*args, **kwargs))
    except BaseException as error:
        return False, pack_error(error)


def pack_error(error: BaseException) -> bytes:
    """Pickle an exception with its traceback as text, or a stand-in if it cannot travel."""
    frames = error.__traceback__.tb_next if error.__traceback__ else None  # without our own
    text = "".join(traceback.format_exception(type(error), error, frames))
    try:
        payload = _dump((error, text))
        pickle.loads(payload)
    except Exception:
        line = "".join(traceback.format_exception_only(error)).strip()
        return pickle.dumps((RuntimeError(f"{line} (the exception cannot be pickled)"), text))
    return payload


def _dump(value: Any) -> bytes:
    """Pickle a result; cloudpickle knows classes that were defined in a notebook."""
    try:
        return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception:
        import cloudpickle

        try:
            return bytes(cloudpickle.dumps(value))
        except Exception as error:
            raise pickle.PicklingError(
                f"the result, of type {type(value).__name__}, cannot be pickled ({error}); "
                "return numbers, strings, lists, dicts or arrays"
            ) from error
