"""What the dispatcher does by itself, on executors that leave the clock to it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox.errors import ExecutorError
from blackbox.executors import Dispatcher, LocalExecutor
from tests.executors.contract import double, drive, nap


class Mute(Executor):
    """An executor that never says that a future runs, and never ends one."""

    def submit(self, fn, /, *args, **kwargs):
        return Future()


@pytest.fixture
def threads():
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def gate():
    """Tasks wait at it until the test is over, however the test ends."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"workers": 0}, "workers is 0"),
        ({"workers": 2.0}, "workers is 2.0"),
        ({"workers": True}, "workers is True"),
        ({"workers": 1, "timeout": 0}, "timeout is 0"),
        ({"workers": 1, "timeout": float("nan")}, "timeout is nan"),
        ({"workers": 1, "retries": -1}, "retries is -1"),
        ({"workers": 1, "retries": 0.5}, "retries is 0.5"),
    ],
)
def test_wrong_arguments(threads, arguments, text):
    with pytest.raises(ExecutorError, match=text):
        Dispatcher(threads, **arguments)


def test_something_else_than_an_executor():
    with pytest.raises(ExecutorError, match=r"executor is a str; give a concurrent\.futures"):
        Dispatcher("threads", workers=1)


def test_slots_and_keys(threads, gate):
    dispatcher = Dispatcher(threads, workers=2)
    dispatcher.submit(7, gate.wait)
    assert (dispatcher.free, dispatcher.in_flight) == (1, (7,))
    with pytest.raises(ExecutorError, match="key 7 is in flight"):
        dispatcher.submit(7, double, 1)
    dispatcher.submit(8, gate.wait)
    with pytest.raises(ExecutorError, match="all 2 slots are taken"):
        dispatcher.submit(9, double, 1)
    start = time.monotonic()
    assert dispatcher.wait(0.1) == []
    assert time.monotonic() - start >= 0.1
    gate.set()
    assert sorted(o.key for o in dispatcher.wait(30) + dispatcher.wait(0.2)) == [7, 8]
    assert dispatcher.wait() == []  # nothing in flight: does not wait for ever


@given(
    fates=st.lists(st.integers(0, 3), max_size=30),
    workers=st.integers(1, 5),
    retries=st.integers(0, 2),
)
def test_every_row_ends_exactly_once(fates, workers, retries):
    """Row i fails its first ``fates[i]`` attempts; it ends well if it has attempts enough."""
    runs = [0] * len(fates)

    def attempt(i):
        runs[i] += 1
        if runs[i] <= fates[i]:
            raise ValueError(i)
        return 10 * i

    with ThreadPoolExecutor(workers) as pool:
        dispatcher = Dispatcher(pool, workers=workers, retries=retries)
        outcomes = drive(dispatcher, len(fates), attempt)
    assert sorted(o.key for o in outcomes) == list(range(len(fates)))
    for outcome in outcomes:
        i = outcome.key
        assert outcome.attempts == runs[i] == min(fates[i], retries) + 1
        assert (outcome.failure is None) is (fates[i] <= retries)
        assert outcome.value == (10 * i if fates[i] <= retries else None)
    assert (dispatcher.free, dispatcher.in_flight) == (workers, ())


def test_a_hung_thread_keeps_its_slot_and_blames_no_neighbour(threads, gate):
    dispatcher = Dispatcher(threads, workers=2, timeout=0.3)
    dispatcher.submit(0, gate.wait)
    ends = {}
    for key in range(1, 12):  # each takes 0.1 s, all of them together much longer than a timeout
        while not dispatcher.free:
            ends |= {o.key: o.failure and o.failure.kind for o in dispatcher.wait(30)}
        dispatcher.submit(key, nap, 0.1)
    while dispatcher.in_flight:
        ends |= {o.key: o.failure and o.failure.kind for o in dispatcher.wait(30)}
    assert ends == {0: "timeout"} | dict.fromkeys(range(1, 12))
    assert dispatcher.free == 1
    gate.set()
    time.sleep(0.1)
    assert dispatcher.wait(0.2) == []
    assert dispatcher.free == 2


def test_a_pool_that_hangs_as_a_whole_is_an_error_and_not_a_deadlock(threads, gate):
    dispatcher = Dispatcher(threads, workers=2, timeout=0.2)
    dispatcher.submit(0, gate.wait)
    dispatcher.submit(1, gate.wait)
    ends = []
    while dispatcher.in_flight:
        ends += dispatcher.wait(30)
    assert [o.failure.kind for o in ends] == ["timeout", "timeout"]
    assert dispatcher.free == 0
    with pytest.raises(ExecutorError, match=r"hold every worker of ThreadPoolExecutor.*Local"):
        dispatcher.wait(30)


def test_rows_behind_a_hung_pool_end_as_cancelled(threads, gate):
    dispatcher = Dispatcher(threads, workers=4, timeout=0.2)  # two more than there are threads
    for key in range(2):
        dispatcher.submit(key, gate.wait)
    time.sleep(0.1)
    for key in range(2, 4):
        dispatcher.submit(key, double, key)
    ends = {}
    while dispatcher.in_flight:
        ends |= {o.key: (o.failure.kind, o.attempts) for o in dispatcher.wait(30)}
    assert ends == {
        0: ("timeout", 1),
        1: ("timeout", 1),
        2: ("cancelled", 0),
        3: ("cancelled", 0),
    }
    with pytest.raises(ExecutorError, match="LocalExecutor"):
        dispatcher.submit(4, double, 1)


def test_executors_that_never_say_running_are_taken_at_their_word():
    dispatcher = Dispatcher(Mute(), workers=1, timeout=0.2, retries=1)
    dispatcher.submit(0, double, 1)
    [outcome] = dispatcher.wait(30)
    assert (outcome.failure.kind, outcome.attempts) == ("timeout", 2)
    assert dispatcher.free == 1  # the futures were cancelled, so nothing holds a slot


def test_a_future_that_somebody_else_cancels(threads, gate):
    dispatcher = Dispatcher(threads, workers=3, retries=2)
    for key in range(3):
        dispatcher.submit(key, gate.wait)
    next(f for f, task in dispatcher._running.items() if task.key == 2).cancel()
    [outcome] = dispatcher.wait(30)
    assert (outcome.key, outcome.failure.kind) == (2, "cancelled")


def test_an_executor_that_was_shut_down():
    pool = ThreadPoolExecutor(1)
    dispatcher = Dispatcher(pool, workers=1)
    pool.shutdown()
    with pytest.raises(ExecutorError, match=r"ThreadPoolExecutor takes no more tasks"):
        dispatcher.submit(0, double, 1)


def test_bound_methods_count_as_one_function():
    class Problem:
        def evaluate(self, x):
            return x + 1

    problem = Problem()
    with LocalExecutor(1) as executor:
        dispatcher = Dispatcher(executor, workers=1)
        for key in range(4):
            dispatcher.submit(key, problem.evaluate, key)
            assert dispatcher.wait(30)[0].value == key + 1
        assert len(executor._functions) == 1


def test_nothing_grows_with_the_number_of_tasks(threads):
    dispatcher = Dispatcher(threads, workers=2, timeout=5, retries=1)
    assert len(drive(dispatcher, 2000, double)) == 2000
    for held in (dispatcher._running, dispatcher._again, dispatcher._ended, dispatcher._lost):
        assert not held
    assert dispatcher._done.empty()
