"""What LocalExecutor promises beyond the contract."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import pytest

from blackbox.errors import ExecutorError
from blackbox.executors import LocalExecutor, TaskTimeoutError, WorkerDiedError
from blackbox.executors import local as local_module
from tests.executors.contract import die, double, nap


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie is dead; its parent just has not asked yet.
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def gone(pid: int, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if not alive(pid):
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def threads_of_libraries():
    import torch

    return os.environ["OMP_NUM_THREADS"], torch.get_num_threads()


def die_while_answering(megabytes: int) -> bytes:
    """Killed in the middle of sending, as by the kernel when memory runs out."""
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGKILL)).start()
    return b"x" * (megabytes * 1_000_000)


def start_child(path: str) -> None:
    child = subprocess.Popen(["sleep", "600"])
    Path(path).write_text(str(child.pid))
    child.wait()


def fork_then_die() -> None:
    """Leaves a child that keeps every pipe of its parent open."""
    if os.fork() == 0:
        time.sleep(600)
    os._exit(5)


class Counter:
    """Counts how often it was pickled and, where it lives, called."""

    pickled = 0

    def __init__(self) -> None:
        self.calls = 0

    def __getstate__(self):
        type(self).pickled += 1
        return self.__dict__

    def __call__(self) -> int:
        self.calls += 1
        return self.calls


@pytest.fixture
def executor():
    with LocalExecutor(2) as executor:
        yield executor


def test_errors_of_the_engine_have_their_types(executor):
    with pytest.raises(TaskTimeoutError, match=r"0\.2 s"):
        executor.schedule(nap, 60, timeout=0.2).result(30)
    with pytest.raises(WorkerDiedError, match="exited with code 0"):
        executor.submit(die, "exit 0").result(30)
    with pytest.raises(WorkerDiedError, match="SIGKILL"):
        executor.submit(die, "kill").result(30)
    assert executor.submit(double, 2).result(30) == 4


def test_a_worker_killed_while_it_answers_silences_nobody(executor):
    futures = [executor.submit(die_while_answering, 300) for _ in range(3)]
    neighbours = [executor.submit(double, i) for i in range(20)]
    assert [f.result(60) for f in neighbours] == [2 * i for i in range(20)]
    # On a fast machine an answer may have come whole before the kill.
    assert all(isinstance(f.exception(60), WorkerDiedError | None) for f in futures)


def test_a_child_that_keeps_the_pipe_open_hides_no_death(executor):
    with pytest.raises(WorkerDiedError, match="exited with code 5"):
        executor.submit(fork_then_die).result(30)


def test_a_killed_task_takes_its_children_along(executor, tmp_path):
    path = tmp_path / "pid"
    future = executor.schedule(start_child, str(path), timeout=1.0)
    assert isinstance(future.exception(30), TaskTimeoutError)
    assert gone(int(path.read_text()))


def test_a_queued_task_is_cancelled_without_a_trace(tmp_path):
    with LocalExecutor(1) as executor:
        first = executor.submit(nap, 0.5, 1)
        second = executor.submit(Path.touch, tmp_path / "ran")
        assert second.cancel()
        assert wait([second], 5).done
        assert first.result(30) == 1
        assert executor.submit(double, 1).result(30) == 2
    assert not (tmp_path / "ran").exists()


def test_the_timeout_of_the_executor_is_the_default():
    with LocalExecutor(1, timeout=0.2) as executor:
        assert isinstance(executor.submit(nap, 60).exception(30), TaskTimeoutError)
        assert executor.schedule(nap, 0.5, 7, timeout=30).result(30) == 7


def test_time_in_the_queue_is_not_counted():
    with LocalExecutor(1) as executor:
        futures = [executor.schedule(nap, 0.4, i, timeout=1.5) for i in range(6)]
        assert [f.result(30) for f in futures] == list(range(6))


@pytest.mark.slow
def test_workers_use_one_thread(executor):
    assert executor.submit(threads_of_libraries).result(120) == ("1", 1)


def test_a_function_is_pickled_once_and_kept_by_its_worker():
    Counter.pickled = 0
    counter = Counter()
    with LocalExecutor(1) as executor:
        assert [executor.submit(counter).result(30) for _ in range(5)] == [1, 2, 3, 4, 5]
        assert Counter.pickled == 1
        others = [Counter() for _ in range(3 * local_module._KEPT)]
        assert [executor.submit(other).result(30) for other in others] == [1] * len(others)
        assert len(executor._functions) == local_module._KEPT


def test_nothing_grows_with_the_number_of_tasks(executor):
    for _ in range(300):
        executor.submit(double, 1).result(30)
    assert not executor._pool._pending
    assert len(executor._pool._workers) <= 2


def test_shutdown_finishes_what_waits():
    executor = LocalExecutor(2)
    futures = [executor.submit(nap, 0.05, i) for i in range(10)]
    executor.shutdown()
    assert [f.result(0) for f in futures] == list(range(10))
    with pytest.raises(ExecutorError, match="shut down"):
        executor.submit(double, 1)


def test_leaving_by_an_exception_kills():
    futures = []

    def leave_in_a_hurry():
        with LocalExecutor(1) as executor:
            futures.extend(executor.submit(nap, 60) for _ in range(3))
            raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        leave_in_a_hurry()
    assert time.monotonic() - start < 20
    assert all(f.cancelled() for f in futures)


def test_workers_that_cannot_start_say_so(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with LocalExecutor(1) as executor:
        with pytest.raises(ExecutorError, match="do not start"):
            executor.submit(double, 1).result(30)
        with pytest.raises(ExecutorError, match="do not start"):
            executor.submit(double, 1)


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, "2"])
def test_wrong_workers(workers):
    with pytest.raises(ExecutorError, match="workers is"):
        LocalExecutor(workers)


@pytest.mark.parametrize("timeout", [0, -1, "1", float("nan"), True])
def test_wrong_timeouts(timeout):
    with pytest.raises(ExecutorError, match="timeout is"):
        LocalExecutor(1, timeout=timeout)


SCRIPT = """
import os, sys, time
from blackbox.executors import LocalExecutor
print("script", flush=True)
class Point:
    def __init__(self, x): self.x = x
def work(x):
    return Point(x + 1)
executor = LocalExecutor(2)
point = executor.submit(work, 1).result()
print(type(point) is Point, point.x, flush=True)
path = sys.argv[1]
future = executor.submit(lambda: (open(path, "w").write(str(os.getpid())), time.sleep(600)))
while not (os.path.exists(path) and open(path).read()):
    time.sleep(0.01)
"""


@contextlib.contextmanager
def run_script(code: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    script = path.parent / "script.py"
    script.write_text(code)
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, str(script), str(path)],
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_script_needs_no_guard_and_leaves_nothing(tmp_path):
    path = tmp_path / "pid"
    with run_script(SCRIPT, path) as script:
        out, _ = script.communicate(timeout=60)
    assert out.split("\n") == ["script", "True 2", ""]  # ran once, and ended with a task at work
    assert script.returncode == 0
    assert gone(int(path.read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_workers_die_with_a_killed_driver(tmp_path):
    path = tmp_path / "pid"
    with run_script(SCRIPT + "time.sleep(600)\n", path) as script:
        end = time.monotonic() + 60
        while not (path.exists() and path.read_text()):
            assert time.monotonic() < end
            time.sleep(0.02)
        script.kill()
    assert gone(int(path.read_text()))
