"""What the dask executor promises beyond the contract."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from blackbox.errors import ExecutorError
from blackbox.executors import Dispatcher, dask_executor
from blackbox.executors.dask_claims import NAME
from tests.executors.contract import double

pytestmark = pytest.mark.filterwarnings("ignore:.*unclosed.*:ResourceWarning")


@pytest.fixture(scope="module")
def client():
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=2,
            processes=True,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def mark(path: str) -> str:
    with Path(path).open("a") as file:
        file.write("ran\n")
    return "answer"


def test_a_plain_client_executor_is_refused(client):
    with pytest.raises(ExecutorError, match=r"dask_executor\(client\)"):
        Dispatcher(client.get_executor(), workers=1)


def test_workers_with_several_threads_refuse_a_timeout(client):
    with dask_executor(client) as executor:
        assert executor.workers == 2
        assert executor.submit(double, 2).result(30) == 4
        with pytest.raises(ExecutorError, match="threads_per_worker=1"):
            executor.schedule(double, 2, timeout=5).result(30)


def test_an_answer_lost_with_its_worker_is_not_computed_again(client, tmp_path):
    """Dask computes the lost result of a finished task again; the claim hands out the first."""
    from distributed import Future

    path = tmp_path / "runs"
    executor = dask_executor(client)
    call_key = f"{executor._name}-0"
    future = executor.submit(mark, str(path))
    # A second hold on the same key, so that dask wants to have the result again.
    dask_future = Future(call_key, client=client)
    assert future.result(30) == "answer"
    client.run(os._exit, 1, on_error="ignore")
    client.wait_for_workers(1, timeout=60)
    ok, _ = dask_future.result(timeout=60)
    assert ok
    assert path.read_text() == "ran\n"
    dask_future.release()


def test_claims_do_not_pile_up(client):
    with dask_executor(client) as executor:
        for i in range(20):
            executor.submit(double, i).result(30)
        executor.submit(double, 1).result(30)

    def left(dask_scheduler):
        return len(dask_scheduler.plugins[NAME].claims)

    for _ in range(100):
        if client.run_on_scheduler(left) == 0:
            return
    pytest.fail(f"{client.run_on_scheduler(left)} claims are left")


def test_wrong_clients():
    with pytest.raises(ExecutorError, match="give a running Client"):
        dask_executor("tcp://127.0.0.1:8786")
