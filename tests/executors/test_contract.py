"""The contract on threads, processes, LocalExecutor, a real dask cluster and a real Ray."""

from __future__ import annotations

import logging
import multiprocessing
import os
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from blackbox.executors import LocalExecutor, RayExecutor, dask_executor
from tests.executors.contract import Engine, ExecutorContract

# These libraries leave sockets and processes to the garbage collector, which then warns.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*unclosed.*:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
]


@pytest.fixture(scope="module")
def dask_client():
    import dask
    from distributed import Client, LocalCluster

    # A fork server starts a worker in a tenth of the time, and many die here.
    settings = {"distributed.worker.multiprocessing-method": "forkserver"}
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def ray_session():
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"  # else it warns of a coming default
    import ray

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


def _processes():
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))


@pytest.fixture(params=["thread", "process", "local", "dask", "ray"], scope="module")
def engine(request):
    if request.param == "thread":
        return Engine(
            lambda: ThreadPoolExecutor(2), stops=False, deaths=False, isolated=False, timeout=0.3
        )
    if request.param == "process":
        return Engine(_processes, stops=False, deaths=False, lambdas=False, timeout=0.6)
    if request.param == "local":
        return Engine(lambda: LocalExecutor(2))
    if request.param == "dask":
        client = request.getfixturevalue("dask_client")
        return Engine(lambda: dask_executor(client))
    request.getfixturevalue("ray_session")
    return Engine(lambda: RayExecutor(2))


@pytest.fixture
def executor(engine):
    with engine.make() as executor:
        yield executor


class TestContract(ExecutorContract):
    """Every engine, every test."""
