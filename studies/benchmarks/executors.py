"""Executors side by side: speed, driver time, and what happens when tasks die and hang.

``python -m studies.benchmarks.executors [engine ...]``
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any

from blackbox.errors import BlackboxError
from blackbox.executors import Dispatcher, LocalExecutor, Outcome, RayExecutor, dask_executor
from studies.benchmarks.common.report import write_table

SEED = 0
WORKERS = 2
TIMEOUT = 1.0  # seconds
SPEED_TASKS = {"thread": 5000, "process": 2000, "local": 2000, "pebble": 2000, "dask": 200}
PATIENCE = 20.0  # seconds after which a task that has not ended never will


def double(i: int) -> int:
    """As little as a task can do."""
    return 2 * i


def fates(n: int) -> list[str]:
    """10 % deaths, 5 % hangs, the rest values, in random order."""
    rng = random.Random(SEED)
    ends = ["died"] * (n // 10) + ["timeout"] * (n // 20)
    ends += ["value"] * (n - len(ends))
    rng.shuffle(ends)
    return ends


def risk(folder: str, ends: list[str], i: int) -> int:
    """Task i of the fault run; each start leaves a file of its own."""
    Path(folder, f"{i}-{os.getpid()}-{time.time_ns()}").touch(exist_ok=False)
    if ends[i] == "died":
        if i % 2:
            os._exit(i % 4 // 2)  # with code 0 or 1
        os.kill(os.getpid(), signal.SIGKILL)
    if ends[i] == "timeout":
        time.sleep(3600)
    return 2 * i


def leave(i: int) -> int:
    """Every fifth task ends its process as if nothing were wrong."""
    if i % 5 == 0:
        os._exit(0)
    return i


def crash(i: int) -> int:
    """Every task crashes at once."""
    os._exit(1)


def die_answering(i: int) -> bytes:
    """Every fifth task is killed while it sends a large result, as when memory runs out."""
    if i % 5 == 0:
        moment = 0.05 * (1 + i // 5)  # seconds; some of these hit the sending
        threading.Timer(moment, os.kill, (os.getpid(), signal.SIGKILL)).start()
        return b"x" * 300_000_000
    return b""


class PebbleExecutor(Executor):
    """pebble's ProcessPool, for comparison."""

    def __init__(self) -> None:
        from pebble import ProcessPool

        self.pool = ProcessPool(WORKERS, context=multiprocessing.get_context("forkserver"))

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run it without a timeout."""
        future: Future[Any] = self.pool.schedule(fn, args=args, kwargs=kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Stop at once."""
        self.pool.stop()
        self.pool.join()


def processes() -> ProcessPoolExecutor:
    """The standard pool, started the safe way."""
    return ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn"))


@contextlib.contextmanager
def dask() -> Iterator[Executor]:
    """On a local cluster of processes."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=WORKERS,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,  # type: ignore[no-untyped-call]
        dask_executor(client) as executor,
    ):
        yield executor


ENGINES: dict[str, Callable[[], contextlib.AbstractContextManager[Executor]]] = {
    "thread": lambda: ThreadPoolExecutor(WORKERS),
    "process": processes,
    "local": lambda: LocalExecutor(WORKERS),
    "dask": dask,
    "ray": lambda: RayExecutor(WORKERS),
}


def drive(dispatcher: Dispatcher, n: int, fn: Callable[[int], Any]) -> list[Outcome]:
    """n tasks with every slot full."""
    outcomes: list[Outcome] = []
    following = 0
    while following < n or dispatcher.in_flight:
        while dispatcher.free and following < n:
            dispatcher.submit(following, fn, following)
            following += 1
        outcomes += dispatcher.wait()
    return outcomes


def speed(name: str) -> dict[str, Any]:
    """Start, throughput and driver time of tasks that do nothing."""
    n = SPEED_TASKS.get(name, 200)
    start = time.perf_counter()
    with ENGINES[name]() as executor:
        executor.submit(double, 1).result()
        started = time.perf_counter()
        cpu = time.process_time()
        outcomes = drive(Dispatcher(executor, workers=WORKERS), n, double)
        seconds = time.perf_counter() - started
        cpu = time.process_time() - cpu
    if [o.value for o in sorted(outcomes, key=lambda o: o.key)] != [2 * i for i in range(n)]:
        raise SystemExit(f"{name} gave wrong values")
    return {
        "engine": name,
        "first result, s": started - start,
        "tasks/s": n / seconds,
        "driver CPU, µs/task": 1e6 * cpu / n,
        "tasks": n,
    }


def faults(name: str, n: int = 200) -> dict[str, Any]:
    """The fault run on one engine."""
    ends = fates(n)
    start = time.perf_counter()
    outcomes: list[Outcome] = []
    stopped = ""
    with tempfile.TemporaryDirectory() as folder, ENGINES[name]() as executor:
        dispatcher = Dispatcher(executor, workers=WORKERS, timeout=TIMEOUT)
        following = 0
        try:
            while following < n or dispatcher.in_flight:
                while dispatcher.free and following < n:
                    dispatcher.submit(following, partial(risk, folder, ends), following)
                    following += 1
                outcomes += dispatcher.wait()
        except BlackboxError:
            stopped = f"refuses all after row {following - 1}"
        runs = Counter(int(path.name.split("-")[0]) for path in Path(folder).iterdir())
        if isinstance(executor, ProcessPoolExecutor):
            for process in (executor._processes or {}).values():
                process.kill()
    kinds = {o.key: o.failure.kind if o.failure else "value" for o in outcomes}
    wrong = Counter((end, kinds[i]) for i, end in enumerate(ends) if kinds.get(i, end) != end)
    notes = [f"{count} {end} taken for {kind}" for (end, kind), count in wrong.items()]
    good = [i for i, end in enumerate(ends) if end == "value"]
    return {
        "engine": name,
        "ended exactly once": f"{len(kinds)} of {following} submitted"
        + ("" if len(kinds) == len(outcomes) else " (some twice)"),
        "of the right kind": f"{sum(kinds.get(i) == end for i, end in enumerate(ends))} of {n}",
        "ran more than once": sum(count > 1 for count in runs.values()),
        "neighbours unharmed": f"{sum(kinds.get(i) == 'value' for i in good)} of {len(good)}",
        "s": time.perf_counter() - start,
        "": "; ".join(filter(None, [stopped, *notes])),
    }


def deaths() -> list[dict[str, Any]]:
    """Three hard deaths, without any timeout that would hide a row that never ends."""
    cases = {
        "every 5th calls os._exit(0)": (leave, 40, 32),
        "all crash at once, driver busy": (crash, 40, 0),
        "every 5th killed in a large answer": (die_answering, 40, 32),
    }
    makers: dict[str, Callable[[], Executor]] = {
        "LocalExecutor": lambda: LocalExecutor(WORKERS),
        "pebble.ProcessPool": PebbleExecutor,
    }
    rows = []
    for case, (fn, n, good) in cases.items():
        for name, make in makers.items():
            executor = make()
            stop = threading.Event()
            if fn is crash:
                threading.Thread(target=_spin, args=(stop,), daemon=True).start()
            futures = [executor.submit(fn, i) for i in range(n)]
            done, never = wait(futures, PATIENCE)
            stop.set()
            errors = Counter(type(f.exception()).__name__ for f in done if f.exception())
            rows.append(
                {
                    "tasks": case,
                    "pool": name,
                    "never ended": len(never),
                    "lost with the whole pool": errors["BrokenProcessPool"],
                    "neighbours unharmed": f"{len(done) - errors.total()} of {good}",
                }
            )
            executor.shutdown(cancel_futures=True)
    return rows


def _spin(stop: threading.Event) -> None:
    while not stop.is_set():
        pass


def main(names: list[str]) -> None:
    """Measure and write the table."""
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"  # else it warns of a coming default
    warnings.simplefilter("ignore")  # ray and dask leave sockets to the garbage collector
    tables = {
        "Tasks that do nothing": [speed(name) for name in names],
        "200 tasks, 10 % deaths, 5 % hangs, timeout 1 s": [
            # A thread that dies is the driver that dies, and one that hangs hangs for good.
            faults(name)
            for name in names
            if name != "thread"
        ],
    }
    if importlib.util.find_spec("pebble") is not None:
        tables["Hard deaths, no timeout"] = deaths()
    write_table(
        "executors",
        "Executors",
        tables,
        [
            f"{WORKERS} workers each, through `Dispatcher`; the last table without it.",
            "A death is `os._exit(0)`, `os._exit(1)` or SIGKILL; `process` is the standard pool, "
            "whose rows in flight die together, after which it takes no more.",
            "Wall times depend on what else the machine does; CPU times hardly.",
        ],
        seeds=[SEED],
        libraries=["cloudpickle", "distributed", "ray", "pebble"],
    )


if __name__ == "__main__":
    main(sys.argv[1:] or list(ENGINES))
