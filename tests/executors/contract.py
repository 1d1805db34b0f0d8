"""What every executor must do under a Dispatcher, and by itself.

A test class that any engine can be put under: give a fixture ``engine``. What an engine cannot do
is declared in its :class:`Engine`, and the suite then asks for what it must do instead.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, as_completed, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from blackbox.errors import ExecutorError
from blackbox.executors import Dispatcher, Outcome

HANG = 600.0  # far beyond every timeout here


@dataclass(frozen=True)
class Engine:
    """An engine under test.

    Attributes:
        make: a fresh executor; it is shut down after the test.
        stops: a timeout and a cancellation really stop a task.
        deaths: a dead worker costs only its own task.
        isolated: tasks run in processes, so that they may die at all.
        lambdas: functions that pickle cannot name travel.
        workers: how many tasks it runs at once.
        timeout: seconds that the fault run lets a task run.
    """

    make: Callable[[], Executor]
    stops: bool = True
    deaths: bool = True
    isolated: bool = True
    lambdas: bool = True
    workers: int = 2
    timeout: float = 1.0


class OddError(Exception):
    """Cannot be loaded after pickling: its constructor wants two arguments."""

    def __init__(self, left: str, right: str) -> None:
        super().__init__(f"{left} and {right}")


def double(x: int) -> int:
    return 2 * x


def nap(seconds: float, value: int = 0) -> int:
    time.sleep(seconds)
    return value


def fail(message: str) -> None:
    raise ValueError(message)


def fail_oddly() -> None:
    raise OddError("this", "that")


def leave() -> None:
    raise SystemExit(3)


def lock() -> Any:
    return threading.Lock()


def touch_then_nap(folder: str, seconds: float) -> None:
    Path(folder, "started").touch()
    time.sleep(seconds)
    Path(folder, "finished").touch()


def count_down(folder: str, failures: int) -> int:
    """Fails the first ``failures`` times; each run leaves a file."""
    runs = len(list(Path(folder).iterdir()))
    Path(folder, str(runs)).touch(exist_ok=False)
    if runs < failures:
        raise ValueError(f"run {runs}")
    return runs


def die(how: str) -> None:
    if how == "exit 0":
        os._exit(0)
    if how == "exit 1":
        os._exit(1)
    os.kill(os.getpid(), signal.SIGKILL)


# The fault run: of 20 rows, 2 die, each time in another way, and 1 hangs.
DEATHS = {3: "exit 0", 13: "exit 1", 23: "kill", 33: "kill"}


def fate(i: int, *, deaths: bool) -> str:
    if deaths and i % 40 in DEATHS:
        return "died"
    return "timeout" if i % 20 == 7 else "value"


def risk(folder: str, i: int, seconds: float, deaths: bool) -> int:
    """Row ``i`` of the fault run; each start leaves a file of its own."""
    Path(folder, f"{i}-{os.getpid()}-{time.time_ns()}").touch(exist_ok=False)
    end = fate(i, deaths=deaths)
    if end == "died":
        die(DEATHS[i % 40])
    if end == "timeout":
        time.sleep(seconds)
    return 2 * i


def drive(dispatcher: Dispatcher, n: int, fn: Callable[..., Any], *args: Any) -> list[Outcome]:
    """Run ``fn(i, *args)`` for n rows with every slot full."""
    outcomes: list[Outcome] = []
    following = 0
    while following < n or dispatcher.in_flight:
        while dispatcher.free and following < n:
            dispatcher.submit(following, fn, following, *args)
            following += 1
        came = dispatcher.wait(60)
        # Nothing in flight and nothing to tell: a task that overran has given its slot back.
        assert came or dispatcher.free, f"60 s of nothing; in flight: {dispatcher.in_flight}"
        outcomes += came
    return outcomes


@dataclass
class Risk:
    """``risk`` with its folder, as one callable."""

    folder: str
    seconds: float
    deaths: bool

    def __call__(self, i: int) -> int:
        return risk(self.folder, i, self.seconds, self.deaths)


def starts(folder: Path) -> Counter[int]:
    """How often each row of the fault run was started."""
    return Counter(int(path.name.split("-")[0]) for path in folder.iterdir())


class ExecutorContract:
    """Needs the fixtures ``engine`` and ``executor`` (one of the engine's, open)."""

    def test_submit_and_as_completed(self, executor):
        futures = {executor.submit(double, i): i for i in range(20)}
        done = {futures[future]: future.result(60) for future in as_completed(futures, 60)}
        assert done == {i: 2 * i for i in range(20)}

    def test_an_exception_keeps_its_type_and_its_traceback(self, executor):
        error = executor.submit(fail, "seven").exception(60)
        assert type(error) is ValueError
        assert str(error) == "seven"
        dispatcher = Dispatcher(executor, workers=1)
        dispatcher.submit(0, fail, "seven")
        [outcome] = dispatcher.wait(60)
        assert outcome.value is None
        assert outcome.attempts == 1
        assert outcome.failure.kind == "error"
        assert outcome.failure.message == "ValueError: seven"
        assert "in fail" in outcome.failure.traceback
        assert "\x1b" not in outcome.failure.traceback

    def test_values_come_back_with_their_seconds(self, executor):
        dispatcher = Dispatcher(executor, workers=2)
        dispatcher.submit(5, nap, 0.1, 3)
        [outcome] = dispatcher.wait(60)
        assert (outcome.key, outcome.value, outcome.failure) == (5, 3, None)
        assert 0.09 < outcome.seconds < 30
        assert dispatcher.free == 2

    @pytest.mark.parametrize(
        ("fn", "text"), [(fail_oddly, "this and that"), (leave, "SystemExit: 3")]
    )
    def test_exceptions_that_cannot_travel_are_outcomes(self, executor, fn, text):
        dispatcher = Dispatcher(executor, workers=1)
        dispatcher.submit(0, fn)
        [outcome] = dispatcher.wait(60)
        assert outcome.failure.kind == "error"
        assert text in outcome.failure.message
        dispatcher.submit(1, double, 4)
        assert dispatcher.wait(60)[0].value == 8

    def test_what_cannot_be_pickled_is_an_outcome(self, engine, executor):
        if not engine.isolated:
            pytest.skip("threads pickle nothing")
        dispatcher = Dispatcher(executor, workers=2)
        dispatcher.submit(0, lock)  # the result
        dispatcher.submit(1, nap, threading.Lock())  # an argument
        outcomes = []
        while dispatcher.in_flight:
            outcomes += dispatcher.wait(60)
        assert {o.key: o.failure.kind for o in outcomes} == {0: "error", 1: "error"}
        # Each engine has its own words for it: pickle, serialize.
        assert all("pickle" in o.failure.message or "serial" in o.failure.message for o in outcomes)

    def test_functions_without_a_name_travel_or_say_why(self, engine, executor):
        held = threading.Lock()
        dispatcher = Dispatcher(executor, workers=2)
        dispatcher.submit(0, lambda x: x + 1, 1)
        [outcome] = dispatcher.wait(60)
        if engine.lambdas:
            assert outcome.value == 2
        else:
            assert "pickle" in outcome.failure.message
        if engine.isolated:
            dispatcher.submit(1, lambda: held)
            [outcome] = dispatcher.wait(60)
            assert outcome.failure.kind == "error"
            assert "pickle" in outcome.failure.message or "serial" in outcome.failure.message

    def test_cancel(self, engine, executor, tmp_path):
        running = executor.submit(touch_then_nap, str(tmp_path), 1.5)
        _until((tmp_path / "started").exists)
        assert running.cancel() is engine.stops
        done, _ = wait([running], 60)
        assert done
        if engine.stops:
            assert running.cancelled()
            time.sleep(1.5)
        assert (tmp_path / "finished").exists() is not engine.stops
        assert executor.submit(double, 1).result(60) == 2

    def test_timeout(self, engine, executor, tmp_path):
        nap_seconds = 60.0 if engine.stops else 1.5
        dispatcher = Dispatcher(executor, workers=engine.workers, timeout=0.5)
        dispatcher.submit(0, touch_then_nap, str(tmp_path), nap_seconds)
        [outcome] = dispatcher.wait(60)
        assert outcome.failure.kind == "timeout"
        assert "0.5 s" in outcome.failure.message
        assert dispatcher.in_flight == ()
        if engine.stops:
            assert dispatcher.free == engine.workers
        else:
            assert dispatcher.free == engine.workers - 1  # the task still holds its slot
            _until((tmp_path / "finished").exists)
            assert dispatcher.wait(0.5) == []  # the late result is nobody's
            assert dispatcher.free == engine.workers

    def test_retries_run_each_attempt_once(self, executor, tmp_path):
        dispatcher = Dispatcher(executor, workers=1, retries=2)
        dispatcher.submit(0, count_down, str(tmp_path), 2)
        [outcome] = dispatcher.wait(60)
        assert (outcome.value, outcome.attempts) == (2, 3)
        (tmp_path / "more").mkdir()
        dispatcher.submit(1, count_down, str(tmp_path / "more"), 9)
        [outcome] = dispatcher.wait(60)
        assert (outcome.failure.message, outcome.attempts) == ("ValueError: run 2", 3)
        assert len(list((tmp_path / "more").iterdir())) == 3

    def test_close_leaves_nothing_running(self, engine, executor, tmp_path):
        dispatcher = Dispatcher(executor, workers=engine.workers)
        dispatcher.submit(0, touch_then_nap, str(tmp_path), 1.5)
        _until((tmp_path / "started").exists)
        dispatcher.close(cancel=True)
        assert dispatcher.in_flight == ()
        with pytest.raises(ExecutorError, match="closed"):
            dispatcher.submit(1, double, 1)
        time.sleep(1.8)
        assert (tmp_path / "finished").exists() is not engine.stops

    @pytest.mark.slow
    def test_deaths_and_hangs(self, engine, executor, tmp_path):
        """200 rows, 10 % deaths, 5 % hangs: each ends once, rightly, and ran at most once."""
        deaths = engine.deaths
        # Where a hang cannot be stopped it must end by itself, or the pool is lost for good.
        seconds = HANG if engine.stops else 1.5 * engine.timeout
        # A process pool calls a task running while its process still starts: have it started.
        wait([executor.submit(nap, 0.2) for _ in range(engine.workers)], 60)
        dispatcher = Dispatcher(executor, workers=engine.workers, timeout=engine.timeout)
        outcomes = drive(dispatcher, 200, Risk(str(tmp_path), seconds, deaths))
        ends = {o.key: o.failure.kind if o.failure else "value" for o in outcomes}
        assert len(outcomes) == len(ends) == 200
        assert ends == {i: fate(i, deaths=deaths) for i in range(200)}
        assert {o.key: o.value for o in outcomes if o.failure is None} == {
            i: 2 * i for i in range(200) if fate(i, deaths=deaths) == "value"
        }
        assert starts(tmp_path) == dict.fromkeys(range(200), 1)

    def test_a_pool_that_breaks_ends_every_row_once(self, engine, executor, tmp_path):
        if engine.deaths or not engine.isolated:
            pytest.skip("this engine survives deaths, or cannot have any")
        # The standard pool overlooks the death of a process that it has only just started (it
        # collects what to watch before the start) until something else happens: start them first.
        wait([executor.submit(nap, 0.5) for _ in range(2)], 60)
        dispatcher = Dispatcher(executor, workers=2, retries=3)
        dispatcher.submit(0, nap, 60.0)
        dispatcher.submit(1, die, "kill")
        outcomes = []
        while dispatcher.in_flight:
            outcomes += dispatcher.wait(60)
        assert sorted((o.key, o.failure.kind) for o in outcomes) == [(0, "died"), (1, "died")]
        with pytest.raises(ExecutorError, match="LocalExecutor"):
            dispatcher.submit(2, double, 1)


def _until(ready: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
