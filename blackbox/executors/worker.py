"""What runs inside a worker process of :class:`~blackbox.executors.LocalExecutor`."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from blackbox.executors.wire import answer, pack_error


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the driver dies, even by SIGKILL (Linux only)."""
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


def serve(connection: Connection, parent: int) -> None:
    """Run tasks until the driver hangs up.

    The first message says that this worker is ready. A task is ``(function, arguments)``, both
    pickled; the function is None when it is the one this worker already holds, so that a large
    problem travels to each worker once.

    Args:
        connection: to the driver; nobody else holds its other end.
        parent: process id of the driver.
    """
    os.set_inheritable(connection.fileno(), False)  # a child of a task must not keep it open
    die_with_parent(parent)
    connection.send(None)
    held: bytes = b""
    function: Callable[..., Any] | None = None
    while True:
        try:
            payload, arguments = connection.recv()
        except (EOFError, OSError):
            return
        if payload is not None:
            held, function = payload, None
        try:
            if function is None:
                function = pickle.loads(held)
            args, kwargs = pickle.loads(arguments)
        except BaseException as error:
            reply = (False, pack_error(error))
        else:
            reply = answer(function, args, kwargs)
        try:
            connection.send(reply)
        except OSError:  # the driver is gone
            return
