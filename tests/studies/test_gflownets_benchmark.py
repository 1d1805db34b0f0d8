"""The benchmark of GFlowNets: its evolution, its measures, and runs of its suites in miniature."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from blackbox.problems import HyperGridObjectives
from blackbox.problems.exhaustive import Exhaustive
from blackbox.testing import check_optimizer
from studies.benchmarks.common import report
from studies.benchmarks.common.store import Store
from studies.benchmarks.common.suites import Algorithm, Results, Suite, run
from studies.benchmarks.gflownets import baselines, grid, grids, ngrams, pareto, tables
from studies.benchmarks.gflownets.loop import optimize


class Digits(Exhaustive):
    """Four digits of three values each; their sum is the outcome, and their difference another."""

    space = bb.Space(*(bb.Categorical(f"d{i}", [0, 1, 2]) for i in range(4)))

    def __init__(self, *names):
        self.objectives = tuple(bb.Maximize(name) for name in names or ("sum",))
        self.reference = bb.Batch({name: [-5.0] for name in names or ("sum",)})

    def evaluate_batch(self, batch):
        d = [batch[name] for name in self.space.names]
        both = {"sum": sum(d), "gap": d[0] + d[1] - d[2] - d[3]}
        return {o.name: both[o.name].astype(float) for o in self.objectives}


@pytest.fixture
def tables_in(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    return tmp_path


KINDS = {
    "regularized": lambda problem, seed: baselines.RegularizedEvolution(
        problem, population=5, seed=seed
    ),
    "genetic": lambda problem, seed: baselines.Genetic(problem, mu=5, seed=seed),
    "illumination": lambda problem, seed: baselines.Illumination(problem, start=5, seed=seed),
}


class TestEvolution:
    @pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
    def test_it_is_an_optimizer_like_the_others(self, kind):
        space = bb.Space(bb.Categorical("a", ["x", "y", "z"]), bb.Sequence("s", "pq", (2, 12)))
        objectives = [bb.Maximize("y"), bb.Minimize("z")]
        wide = bb.problem(lambda p: {"y": 0.0, "z": 0.0}, space, objectives)
        check_optimizer(kind, problems=[wide])

    @pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
    def test_no_row_comes_twice_and_the_best_is_found(self, kind):
        told, _ = optimize(kind(Digits(), 0), 60, 5)
        assert len(np.unique(Digits().positions(told))) == 60
        assert told["sum"].max() == Digits().optimum

    def test_a_space_used_up_is_searched_again(self):
        told, _ = optimize(baselines.RegularizedEvolution(Digits(), population=5, seed=0), 90, 10)
        assert len(told) == 90
        assert len(np.unique(Digits().positions(told))) > 70


class TestTables:
    case = tables.Table(Digits, 12, 4)

    def test_measures_count_what_the_table_knows(self):
        problem = Digits()
        order = np.argsort(-problem.table["sum"], kind="stable")
        found = tables.measures(
            self.case, {"positions": order[[5, 80, 80, 0, 1, 2]].tolist(), "cpu": 0.6}
        )
        assert found["best"] == problem.optimum == 8
        assert (found["quarter"], found["half"], found["full"]) == (5, 5, 0)
        assert found["top10"] == 4, "the best, two of the four next, and one of the ten after them"
        assert found["top100"] == 5
        assert found["distinct"] == 5
        assert found["ms"] == pytest.approx(100)
        assert found["mean50"] == pytest.approx(
            problem.table["sum"][order[[5, 80, 0, 1, 2]]].mean()
        )

    def test_equal_candidates_share_a_rank(self):
        ranks = tables.ranks(self.case)
        assert sorted(set(ranks.tolist()))[:3] == [0, 1, 5], "one sum of 8, four of 7"

    def test_a_run_a_resume_and_a_table(self, tmp_path, tables_in, capsys):
        calls = []

        def random(problem, seed):
            calls.append(seed)
            return bb.Random(problem, seed=seed)

        def broken(problem, seed):
            raise RuntimeError("no such thing")

        algorithms = {
            tables.OURS: Algorithm(random, "numpy"),
            "TB 2": Algorithm(random, "numpy"),
            "TB 4": Algorithm(random, "numpy"),
            "GA": Algorithm(broken, "numpy"),
            "Random": Algorithm(random, "numpy"),
        }
        suite = Suite(
            "tables",
            {"digits": self.case},
            algorithms,
            tables.work,
            tables.table,
            2,
            fewer={"TB 2": 1},
            only={"TB 4": []},
        )
        store = Store("gfn", tmp_path)
        options = {"algorithms": [*algorithms], "cases": ["digits"], "seeds": 2}
        run(suite, store, **options)
        assert calls == [0, 0, 0, 1, 1]
        run(suite, store, **options)
        assert len(calls) == 5, "only the one that crashed is run again"
        page = suite.table(Results(suite, store)).read_text()
        assert "| Random | 2 |" in page
        assert f"| {tables.TB} | 1 |" in page
        assert "Crashed: GA on digits." in page
        assert "over all three" in page


def test_pareto_measures_are_exact():
    case = pareto.Table(lambda: Digits("sum", "gap"), 10, 5)
    front = pareto.front(case)
    assert len(front) == 5, "sums of 4 to 8 with gaps of 4 to 0"
    assert pareto.found(case, front) == {"hypervolume": 1.0, "igd": 0.0, "points": 5.0}
    some = pareto.found(case, front[:2])
    assert some["points"] == 2
    assert some["hypervolume"] < 1
    assert some["igd"] > 0
    line = pareto.row("x", [{**some, "cpu": 0.1}], 10)
    assert line["CPU ms"] == "10.0"


def test_ngrams_measure_each_quarter(monkeypatch, tables_in):
    monkeypatch.setattr(ngrams, "EVALUATIONS", 40)
    monkeypatch.setattr(ngrams, "BATCH", 10)
    measured = ngrams.work(("A", "V"), ngrams.ALGORITHMS["Random"], 0)
    assert len(measured["hypervolume"]) == 4
    assert sorted(measured["hypervolume"]) == measured["hypervolume"]
    assert ngrams.row("x", [measured])["end"].endswith("± 0.0000")


def test_grid_measures_the_law_and_the_clock(monkeypatch):
    case = grid.Law(8, 2, 0.05, 2_000)
    measured = grid.ours(case, 0)
    ((spent, distance, modes, _),) = measured["trace"]
    assert spent == 1_984
    assert 0 < distance < 2
    assert modes <= measured["modes"] == 4
    timed = grid.ours(grid.Speed(8, 2, 4, 2), 0)
    assert timed["seconds"] > 0
    assert 1 <= timed["length"] <= 15


def test_grids_measure_the_law_beside_the_front(monkeypatch):
    monkeypatch.setattr(grids, "known", lambda names: HyperGridObjectives(names, 6))
    monkeypatch.setitem(grids.CASES, "small", grids.Case(("branin", "currin"), 3))
    for name, algorithm in grids.ALGORITHMS.items():
        measured = grids.work(grids.CASES["small"], algorithm, 0)
        assert 0 < measured["mass"] < 1
        assert "law" not in measured
        assert f"of {measured['front']}" in grids.row("small", name, [measured])["points"]
