"""The supervisor of :class:`~blackbox.executors.LocalExecutor`: processes, pipes, deadlines.

One thread owns all workers. Every worker has a pipe of its own and holds no lock that another
worker needs, so that one killed at any moment (by its timeout, by the kernel for want of memory
while it sends a large result, by itself) takes nothing with it. Pools in which workers share a
queue cannot promise that: a worker that dies while it holds the queue's lock silences the rest.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing import Pipe
from typing import Any

from blackbox.errors import ExecutorError
from blackbox.executors.outcome import TaskTimeoutError, WorkerDiedError
from blackbox.executors.wire import StoppableFuture

# A fresh interpreter for each worker. Not fork: the driver has threads (this one, torch's), and a
# forked copy of their locks deadlocks. Not multiprocessing's spawn or forkserver: both run the
# user's __main__ again, which without an `if __name__ == "__main__"` guard starts the study in
# each worker. Functions of __main__ travel by value instead.
_BOOTSTRAP = (
    "import sys; from multiprocessing.connection import Connection; c = Connection({fd}); "
    "sys.path[:] = c.recv(); from blackbox.executors.worker import serve; serve(c, {parent})"
)
# One core a worker: numerical libraries read these when they are loaded (torch too), and k workers
# with k threads each would fight for the cores.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
_LOOK = 0.2  # seconds between looks at processes whose pipe a child of theirs keeps open
_MAX_FAILED_STARTS = 3


@dataclass(slots=True, eq=False)
class Task:
    """One call on its way: ``function`` is (number, pickle), ``arguments`` a pickle."""

    future: StoppableFuture
    function: tuple[int, bytes]
    arguments: bytes
    timeout: float | None
    deadline: float = float("inf")


class _Worker:
    """A process, our end of its pipe, and the task it is at."""

    def __init__(self) -> None:
        self.connection, theirs = Pipe()
        with theirs:
            fd = theirs.fileno()
            code = _BOOTSTRAP.format(fd=fd, parent=os.getpid())
            self.process = subprocess.Popen(
                [sys.executable, "-c", code],
                env=os.environ | _ONE_THREAD,
                stdin=subprocess.DEVNULL,
                pass_fds=[fd],
                start_new_session=True,  # no Ctrl-C from the terminal; its children die with it
            )
        with contextlib.suppress(OSError):  # it is dead already: its end of file follows
            self.connection.send([os.path.abspath(folder) for folder in sys.path])
        self.ready = False
        self.task: Task | None = None
        self.function = -1

    def give(self, task: Task) -> None:
        number, payload = task.function
        self.task = task
        if task.timeout is not None:
            task.deadline = time.monotonic() + task.timeout
        task.future.started = True
        message = (None if number == self.function else payload, task.arguments)
        self.function = number
        with contextlib.suppress(OSError):  # it is dead: its end of file follows
            self.connection.send(message)

    def kill(self) -> str:
        """End it with all its children; says how it ended."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        code = self.process.wait()
        self.connection.close()
        if code >= 0:
            return f"exited with code {code}"
        return f"was killed by {signal.Signals(-code).name}"


class Pool:
    """At most ``size`` workers, started when there is work for them."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._pending: deque[Task] = deque()
        self._workers: set[_Worker] = set()
        self._selector = selectors.DefaultSelector()
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        self._selector.register(self._ear, selectors.EVENT_READ, None)
        self._closing = self._killing = False
        self._failed_starts = 0
        self._reason = ""
        self._looked = 0.0
        self._thread = threading.Thread(target=self._run, name="blackbox-workers", daemon=True)
        self._thread.start()

    def add(self, task: Task) -> None:
        """Queue a task.

        Raises:
            ExecutorError: the pool is shut down or its workers do not start.
        """
        with self._lock:
            if self._closing or self._reason:
                raise ExecutorError(self._reason or "this LocalExecutor is shut down; make another")
            self._pending.append(task)
        task.future.add_done_callback(self._on_done)
        self.wake()

    def close(self, *, kill: bool, wait: bool) -> None:
        """Take no more tasks; end after the queued ones, or at once."""
        if os.getpid() != self._pid:  # a forked copy of the driver owns none of this
            return
        with self._lock:
            self._closing = True
            self._killing = self._killing or kill
        self.wake()
        if wait and threading.current_thread() is not self._thread:
            self._thread.join()

    def wake(self) -> None:
        """Have the supervisor look round."""
        with contextlib.suppress(OSError):  # full: it is awake; closed: it has ended
            self._bell.send(b"!")

    def _on_done(self, future: Future[Any]) -> None:
        if future.cancelled():
            self.wake()

    # Everything below runs in the supervising thread alone.

    def _run(self) -> None:
        try:
            while not self._finished():
                self._start_and_assign()
                for key, _ in self._selector.select(self._pause()):
                    if key.data is None:
                        self._hear()
                    else:
                        self._receive(key.data)
                self._enforce()
        except BaseException as error:
            self._reason = f"the supervisor of LocalExecutor failed: {error!r}"
        finally:
            self._end()

    def _finished(self) -> bool:
        with self._lock:
            idle = not self._pending and all(w.task is None for w in self._workers)
            return bool(self._reason) or self._killing or (self._closing and idle)

    def _hear(self) -> None:
        self._ear.recv(4096)
        with self._lock:
            cancelled = [task for task in self._pending if task.future.cancelled()]
            for task in cancelled:
                self._pending.remove(task)
        for task in cancelled:
            task.future.notify_cancelled()

    def _start_and_assign(self) -> None:
        idle = [w for w in self._workers if w.ready and w.task is None]
        while idle and (task := self._next()) is not None:
            idle.pop().give(task)
        starting = sum(not w.ready for w in self._workers)
        with self._lock:
            wanted = len(self._pending) - starting
        for _ in range(min(wanted, self._size - len(self._workers))):
            worker = _Worker()
            self._workers.add(worker)
            self._selector.register(worker.connection, selectors.EVENT_READ, worker)

    def _next(self) -> Task | None:
        with self._lock:
            return self._pending.popleft() if self._pending else None

    def _pause(self) -> float | None:
        busy = [w.task for w in self._workers if w.task is not None]
        if not busy and all(w.ready for w in self._workers):
            return None
        nearest = min((task.deadline for task in busy), default=float("inf"))
        return max(0.0, min(_LOOK, nearest - time.monotonic()))

    def _receive(self, worker: _Worker) -> None:
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(1.0)  # let it end by itself, so that its own code is reported
            self._bury(worker)
            return
        if not worker.ready:
            worker.ready = True
            self._failed_starts = 0
            return
        task, worker.task = worker.task, None
        if task is not None:
            task.future.finish(message)

    def _enforce(self) -> None:
        now = time.monotonic()
        look = now - self._looked > _LOOK
        if look:
            self._looked = now
        for worker in tuple(self._workers):
            task = worker.task
            if task is not None and task.future.cancelled():
                self._drop(worker)
                task.future.notify_cancelled()
            elif task is not None and now >= task.deadline:
                self._drop(worker)
                late = TaskTimeoutError(
                    f"stopped after {task.timeout:g} s; give a longer timeout if it needs one"
                )
                task.future.fail(late)
            elif look and worker.process.poll() is not None:
                self._finish_dead(worker)

    def _finish_dead(self, worker: _Worker) -> None:
        """A process has ended: read what it still sent, then bury it."""
        while worker in self._workers and worker.connection.poll():
            self._receive(worker)
        if worker in self._workers:
            self._bury(worker)

    def _bury(self, worker: _Worker) -> None:
        """A worker ended by itself: its task, and only its task, ends with it."""
        how = self._drop(worker)
        if worker.task is not None:
            worker.task.future.fail(WorkerDiedError(f"the worker process {how} at this task"))
        elif not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= _MAX_FAILED_STARTS:
                self._reason = (
                    f"worker processes do not start (the last one {how}); standard error has "
                    f"their message, and {sys.executable!r} must be able to import blackbox"
                )

    def _drop(self, worker: _Worker) -> str:
        self._workers.discard(worker)
        self._selector.unregister(worker.connection)
        return worker.kill()

    def _end(self) -> None:
        with self._lock:
            self._closing = True
            left = [*self._pending, *(w.task for w in self._workers if w.task is not None)]
            self._pending.clear()
        for worker in tuple(self._workers):
            self._drop(worker)
        for task in left:
            if self._reason:
                task.future.fail(ExecutorError(self._reason))
            else:
                task.future.cancel()
                task.future.notify_cancelled()
        self._selector.close()
        self._bell.close()
        self._ear.close()
