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

__all__ = [
    "CanStop",
    "DaskExecutor",
    "Dispatcher",
    "Failure",
    "LocalExecutor",
    "Outcome",
    "RayExecutor",
    "TaskTimeoutError",
    "WorkerDiedError",
    "dask_executor",
]
