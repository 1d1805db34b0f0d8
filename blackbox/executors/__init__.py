"""Where evaluations run: ``concurrent.futures`` is the seam, and these are our ends of it."""

from blackbox.executors.dispatcher import Dispatcher
from blackbox.executors.local import LocalExecutor
from blackbox.executors.on_dask import DaskExecutor, dask_executor
from blackbox.executors.on_ray import RayExecutor
from blackbox.executors.outcome import (
    CanStop,
    Failure,
    Outcome,
    TaskTimeoutError,
    WorkerDiedError,
)
from blackbox.executors.stoppable import StoppableExecutor

__all__ = [
    "CanStop",
    "DaskExecutor",
    "Dispatcher",
    "Failure",
    "LocalExecutor",
    "Outcome",
    "RayExecutor",
    "StoppableExecutor",
    "TaskTimeoutError",
    "WorkerDiedError",
    "dask_executor",
]
