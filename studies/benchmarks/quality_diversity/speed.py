"""Time of an insertion, and of an ask and tell, beside pyribs."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import blackbox as bb
from blackbox.batch import Array
from studies.benchmarks.common.suites import Algorithm, Results, Suite
from studies.benchmarks.quality_diversity import ours, pyribs
from studies.benchmarks.quality_diversity.settings import Illumination, Setting, outcomes
from studies.benchmarks.quality_diversity.sources import OURS

N = 100
SETTING = Setting(lambda: bb.problems.SphereProjection(N))
WARM = 1_000_000  # rows before anything is timed: the map is well filled, loops are compiled
BATCHES = 20  # of 10 000 rows that insertion is timed with

#: A step that is timed, after what need not be.
Step = Callable[[], float]


class Blackbox:
    """What is timed of ours."""

    me_line, map_elites = staticmethod(ours.me_line), staticmethod(ours.map_elites)
    cma_mae = staticmethod(ours.cma_mae)
    first = (
        "import numpy as np, blackbox as bb; p = bb.problems.SphereProjection(100); "
        "o = bb.MapElites(p, cells=(100, 100), seed=0); b = o.ask(); "
        "o.tell(b.with_columns(**p.measure(b))); len(o.archive)"
    )

    def inserter(self) -> Callable[[Array, Array, Array], None]:
        """Insertion of solutions, objective and measures into an archive."""
        problem = SETTING.build()
        archive = bb.archives.GridArchive(problem, SETTING.cells)
        ids: dict[int, Array] = {}

        def insert(solutions: Array, objective: Array, measures: Array) -> None:
            n = len(solutions)
            columns = {"x": solutions, "f": objective, "m1": measures[:, 0], "m2": measures[:, 1]}
            columns["id"] = ids.setdefault(n, np.full(n, -1))
            archive.insert(objective, measures, columns)

        return insert


class Pyribs:
    """The same of pyribs."""

    me_line = map_elites = staticmethod(pyribs.me_line)
    cma_mae = staticmethod(pyribs.cma_mae)
    first = (
        "import numpy as np; from ribs.archives import GridArchive; "
        "from ribs.emitters import IsoLineEmitter; from ribs.schedulers import Scheduler; "
        "a = GridArchive(solution_dim=100, dims=(100, 100), ranges=[(-256, 256)] * 2); "
        "s = Scheduler(a, [IsoLineEmitter(a, x0=np.zeros(100), batch_size=100)]); x = s.ask(); "
        "s.tell(-(x**2).sum(axis=1), x.reshape(100, 2, 50).sum(axis=2)); len(a)"
    )

    def inserter(self) -> Callable[[Array, Array, Array], None]:
        """Insertion of solutions, objective and measures into an archive."""
        add: Callable[[Array, Array, Array], None] = pyribs.archive(SETTING, 0).add
        return add


def measure(case: Callable[[Any], dict[str, float]], algorithm: Algorithm, seed: int) -> Any:
    """Milliseconds of the median step."""
    return case(algorithm.make())


def _insertion(rows: int) -> Callable[[Any], dict[str, float]]:
    def run(library: Any) -> dict[str, float]:
        insert = library.inserter()
        search = ours.me_line(replace(SETTING, emitters=1, rows=10_000), 0)
        problem = SETTING.build()

        def batch() -> tuple[Array, Array, Array]:
            solutions = np.array(search.ask())
            found = outcomes(problem, solutions)
            search.tell(*found)
            return solutions, *found

        for _ in range(WARM // 10_000):
            insert(*batch())
        # Each row is new to the archive: some of them win their cells.
        pieces = iter(
            [
                tuple(np.ascontiguousarray(part[i : i + rows]) for part in whole)
                for whole in (batch() for _ in range(BATCHES))
                for i in range(0, 10_001 - rows, rows)
            ]
        )

        def step() -> float:
            piece = next(pieces)
            start = time.process_time()
            insert(*piece)
            return time.process_time() - start

        return _timed(step, BATCHES * (10_000 // rows))

    return run


def _search(name: str, rows: int, emitters: int = 1) -> Callable[[Any], dict[str, float]]:
    def run(library: Any) -> dict[str, float]:
        setting = replace(SETTING, emitters=emitters, rows=rows)
        search: Illumination = getattr(library, name)(setting, 0)
        problem = setting.build()

        def step() -> float:
            start = time.process_time()
            solutions = search.ask()
            asking = time.process_time() - start
            found = outcomes(problem, solutions)
            start = time.process_time()
            search.tell(*found)
            return asking + time.process_time() - start

        for _ in range(min(WARM, 4000 * setting.batch) // setting.batch):
            step()
        return _timed(step, max(20, 200_000 // setting.batch))

    return run


def _timed(step: Step, times: int) -> dict[str, float]:
    seconds = [step() for _ in range(times)]
    return {"ms": 1e3 * float(np.median(seconds)), "least": 1e3 * min(seconds)}


def _first(library: Any) -> dict[str, float]:
    """From the start of Python to the first batch told, imports and compilation included."""

    def step() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-W", "ignore", "-c", library.first], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return _timed(step, 5)


CASES = {
    "insert 36 x 100": _insertion(36),
    "insert 10 000 x 100": _insertion(10_000),
    "MAP-Elites ask and tell 36": _search("me_line", 36),
    "MAP-Elites ask and tell 10 000": _search("me_line", 10_000),
    "MAP-Elites by default 36": _search("map_elites", 36),
    "CMA-MAE ask and tell 540": _search("cma_mae", 36, 15),
    "first result": _first,
}


def table(results: Results) -> Path:
    """Milliseconds, and how many times faster."""
    from studies.benchmarks.common.report import write_table

    rows = []
    for case in results.suite.cases:
        row: dict[str, Any] = {"step": case}
        for name in results.names:
            runs = results.runs(case, name)
            row[f"{name}, ms"] = float(np.median([run["ms"] for run in runs])) if runs else None
        mine, theirs = (row.get(f"{name}, ms") for name in ("blackbox", "pyribs"))
        row["times faster"] = theirs / mine if mine and theirs else None
        rows.append(row)
    return write_table(
        "qd_speed",
        "Quality diversity: time of a step in 100 dimensions",
        rows,
        [
            f"After {WARM:,} rows of sphere projections (100 numbers, 100 x 100 cells): the map is "
            "filled, loops are compiled. CPU time, median over steps, then over seeds; one "
            "thread, evaluation excluded. Insertion is of new rows, of which some win their cells.",
            "MAP-Elites moves by Iso+LineDD alone, as pyribs' does; ours by default also exchanges "
            "numbers between elites, and stands beside the same of pyribs.",
            "First result: from the start of Python to the first batch of 100 told.",
            *results.notes(),
        ],
        seeds=results.seeds,
        libraries=("numpy", "numba", "ribs"),
        command="quality_diversity speed",
    )


SUITE = Suite(
    "speed",
    CASES,
    {"blackbox": Algorithm(Blackbox, OURS), "pyribs": Algorithm(Pyribs, "ribs")},
    measure,
    table,
    seeds=3,
)
