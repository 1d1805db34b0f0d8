"""Evaluations elsewhere: worker processes, threads, deaths, timeouts, retries."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import blackbox as bb
from blackbox.errors import EvaluationError
from blackbox.executors import LocalExecutor

SPACE = bb.Space(bb.Real("x", 0, 1), bb.Integer("fate", 0, 9))


class Fated(bb.Problem):
    """One row in ten kills its worker, one hangs, one raises, one is NaN."""

    space = SPACE
    objectives = [bb.Minimize("f")]

    def evaluate(self, p):
        if p["fate"] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        if p["fate"] == 1:
            time.sleep(60)
        if p["fate"] == 2:
            raise ValueError("fate 2")
        return float("nan") if p["fate"] == 3 else p["x"]


class Calm(bb.Problem):
    space = SPACE
    objectives = [bb.Minimize("f")]

    def evaluate(self, p):
        return p["x"] + (os.getpid() == self.driver)

    def __init__(self):
        self.driver = os.getpid()


def study_of(problem, path=None):
    return bb.Study(problem, bb.Random(problem, seed=0), path)


def test_workers_evaluate_outside_this_process():
    study = study_of(Calm()).run(12, workers=2)
    history = study.history
    assert sorted(history["id"]) == list(range(12))
    assert np.array_equal(history["f"], history["x"])


class Noisy(bb.Problem):
    space = SPACE
    objectives = [bb.Minimize("f")]

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def evaluate(self, p):
        return self.rng.standard_normal()


def test_a_generator_that_workers_would_copy_is_warned_of():
    with pytest.warns(UserWarning, match=r"Noisy holds a generator .*\(rng\)"):
        study_of(Noisy()).run(2, workers=2)
    with ThreadPoolExecutor(2) as threads:  # they share it
        study = study_of(Noisy()).run(8, executor=threads)
    assert len(np.unique(study.history["f"])) == 8
    study_of(Noisy()).run(2)


def test_dead_hanging_and_raising_workers_cost_only_their_rows(tmp_path):
    with study_of(Fated(), tmp_path / "s") as study:
        study.run(40, workers=2, timeout=1.0, on_error="record")
        history = study.history
        fate = history["fate"]
        assert sorted(history["id"]) == list(range(40))
        assert np.array_equal(history["ok"], fate > 3)
        assert np.array_equal(history["f"][fate > 3], history["x"][fate > 3])
        kinds = {0: "died", 1: "timeout", 2: "error"}
        for row in history:
            if row["fate"] in kinds:
                assert study.failures[row["id"]].startswith(kinds[row["fate"]])
        assert {0, 1, 2} <= set(fate.tolist())
    stored = bb.open_study(tmp_path / "s")
    assert stored.history.equals(history)
    assert stored.failures == study.failures


def test_deaths_and_timeouts_do_not_stop_a_run_that_raises():
    problem = Fated()
    problem.space = bb.Space(bb.Real("x", 0, 1), bb.Integer("fate", 0, 1))
    study = study_of(problem).run(4, workers=2, timeout=0.5)
    assert study.failed == 4


def test_an_error_in_a_worker_stops_the_run_and_names_it():
    problem = Fated()
    problem.space = bb.Space(bb.Real("x", 0, 1), bb.Integer("fate", 2, 2))
    study = study_of(problem)
    with pytest.raises(EvaluationError, match=r"(?s)fate 2.*stays pending"):
        study.run(4, workers=2)
    assert study.told == 0
    assert 1 <= len(study.optimizer.pending) <= 2


def test_a_timeout_alone_really_stops_the_evaluation():
    problem = Fated()
    problem.space = bb.Space(bb.Real("x", 0, 1), bb.Integer("fate", 1, 1))
    start = time.monotonic()
    study = study_of(problem).run(2, timeout=0.3)
    assert study.failed == 2
    assert time.monotonic() - start < 20


class Nervous(bb.Problem):
    """Fails the first time a row is tried."""

    space = SPACE
    objectives = [bb.Minimize("f")]

    def __init__(self, folder):
        self.folder = folder

    def evaluate(self, p):
        marker = self.folder / repr(p["x"])
        if not marker.exists():
            marker.touch()
            raise OSError("try again")
        return p["x"]


def test_retries_try_a_failed_row_again(tmp_path):
    study = study_of(Nervous(tmp_path)).run(6, workers=2, retries=1)
    assert study.failed == 0
    assert len(list(tmp_path.iterdir())) == 6


def test_an_executor_that_is_given_stays_open():
    with ThreadPoolExecutor(3) as pool:
        study = study_of(Calm()).run(10, executor=pool)
        assert pool.submit(int, "3").result() == 3
    assert study.told == 10


def test_batch_problems_send_whole_batches():
    def sizes(batch):
        return {"y": np.full(len(batch), float(len(batch)))}

    problem = bb.problem(sizes, SPACE, batch=True)
    study = study_of(problem).run(12, batch=4, workers=2)
    assert study.history["y"].tolist() == [4.0] * 12


def test_rows_left_pending_by_a_parallel_run_are_evaluated_first(tmp_path):
    problem = Calm()
    with study_of(problem, tmp_path / "s") as study:
        for _ in study.steps(20, workers=2, batch=5):
            if study.told >= 3:
                break
        waiting = study.optimizer.pending["id"].tolist()
    with study_of(problem, tmp_path / "s") as study:
        study.run(20)
        assert sorted(study.history["id"]) == list(range(20))
        # The resumed run is sequential: it begins with what was waiting, in order.
        told = study.history["id"].tolist()
        first = told.index(waiting[0])
        assert told[first : first + len(waiting)] == waiting


class Watching(bb.Random):
    """Keeps how many rows were under way at each ask."""

    def _ask(self, n):
        self.under_way = [*getattr(self, "under_way", []), len(self.pending)]
        return super()._ask(n)


@pytest.mark.parametrize("how", [{"timeout": 30.0}, {"retries": 1}], ids=str)
def test_a_run_without_workers_stays_sequential(how, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    problem = Calm()
    study = bb.Study(problem, Watching(problem, seed=0)).run(4, **how)
    assert study.optimizer.under_way == [0, 0, 0, 0]


def test_an_executor_says_how_many_evaluations_it_takes_at_once(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    problem = Calm()
    for workers in (1, 3):
        with LocalExecutor(workers) as executor:
            study = bb.Study(problem, Watching(problem, seed=0)).run(6, executor=executor)
        assert max(study.optimizer.under_way) == workers - 1


def test_a_spent_budget_does_not_wait_for_evaluations_given_up():
    problem = Fated()
    problem.space = bb.Space(bb.Real("x", 0, 1))
    problem.evaluate = lambda p: time.sleep(2.5)
    with ThreadPoolExecutor(1) as pool:
        study = study_of(problem)
        study.run(1, executor=pool, timeout=0.2)
        assert study.failures[0].startswith("timeout")
        assert study.seconds < 1.5
