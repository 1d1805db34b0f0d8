"""The benchmark of data mixtures: its regressions, its loop, and its suites in miniature."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from studies.benchmarks.common import report
from studies.benchmarks.common.store import Store
from studies.benchmarks.common.suites import Results, Suite, run
from studies.benchmarks.data_mixtures import regressions, surrogates, tables
from studies.benchmarks.data_mixtures.loop import traced
from studies.benchmarks.data_mixtures.methods import Confirmed, Fixed, OneShot, RandomSearch
from studies.benchmarks.data_mixtures.released import Released
from studies.benchmarks.data_mixtures.suites import Case, work
from studies.data_mixtures.recorded import Outcome, Recorded
from studies.data_mixtures.runs import Runs

KINDS = {
    "ridge": regressions.ridge,
    "log-linear": regressions.log_linear,
    "mixing law": regressions.mixing_law,
    "trees": regressions.trees,
}


def recorded(apart=True, n=24):
    """A table of two tasks at three sizes, which rank mixtures alike."""
    rng = np.random.default_rng(0)
    mixes = rng.dirichlet(np.ones(3), n)
    loss = 1.0 + np.exp(-mixes @ [2.0, 0.5, 1.0])
    rows = Runs(
        ("a", "b", "c"),
        np.concatenate([mixes] * 3),
        np.repeat([1.0, 3.0, 9.0], n),
        {f: np.concatenate([loss + c + d for d in (2, 1, 0)]) for f, c in (("f", 0.0), ("g", 0.5))},
    )
    return Recorded(rows, Outcome(("f", "g"), "min", apart), {1: 0.1, 3: 0.3, 9: 1})


class TestRegressions:
    @pytest.mark.parametrize("fit", KINDS.values(), ids=KINDS)
    def test_each_ranks_new_mixtures_of_a_mixing_law(self, fit):
        rng = np.random.default_rng(1)
        mixes, new = rng.dirichlet(np.ones(4), 200), rng.dirichlet(np.ones(4), 100)

        def losses(at):
            return np.column_stack(
                [1 + np.exp(at @ [0.0, 1, 2, 3]), 2 + np.exp(at @ [1.0, 0, 0, 1])]
            )

        expected = fit(mixes, losses(mixes))(new).mean(axis=1)
        rho = np.corrcoef(
            np.argsort(np.argsort(expected)), np.argsort(np.argsort(losses(new).sum(1)))
        )
        assert rho[0, 1] > 0.9

    def test_the_mixing_law_is_found_again(self):
        mixes = np.random.default_rng(2).dirichlet(np.ones(3), 60)
        truth = 1.5 + np.exp(mixes @ [0.2, -1.0, 0.7])
        found = regressions.mixing_law(mixes, truth[:, None])(mixes)[:, 0]
        assert np.abs(found - truth).max() < 0.1 * truth.std()


class TestMethods:
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of PyTorch's own
    @pytest.mark.parametrize(
        "kind",
        [
            RandomSearch,
            lambda p, s, c: OneShot(p, s, c, regression=regressions.log_linear),
            lambda p, s, c: Confirmed(p, s, c, regression=regressions.log_linear),
            Released,
        ],
        ids=["random", "one-shot", "confirmed", "released"],
    )
    def test_it_finds_the_best_row_of_an_easy_table_within_the_cost(self, kind):
        problem = recorded()
        method = kind(problem, 0, problem.candidates)
        found = traced(problem, method, [0.05, 4.0])
        prices = dict(zip([1.0, 3.0, 9.0], [0.1, 0.3, 1.0], strict=True))
        assert sum(prices[level] * n for level, n in found["bought"]) <= 4.0 + 1e-9
        assert len(found["regret"]) == 2
        if kind not in (RandomSearch, Released):
            assert found["regret"][1] < 0.05

    def test_no_row_is_bought_twice_and_all_are_in_the_end(self):
        problem = recorded()
        found = traced(problem, RandomSearch(problem, 0, problem.candidates), [100.0])
        assert found["bought"] == [(9.0, 24)]
        assert found["regret"] == [0.0]

    def test_given_shares_are_answered_by_the_nearest_row(self):
        problem = recorded()
        row = problem.runs.mixes[5]
        method = Fixed(problem, 0, problem.candidates, shares=2 * row)
        np.testing.assert_allclose(method.recommend()["mix"][0], row)
        assert len(method.ask()) == 0


class TestSuites:
    def test_the_tables_are_written_from_runs(self, tmp_path, monkeypatch):
        monkeypatch.setattr(report, "RESULTS", tmp_path)
        case = Case(lambda seed, apart: recorded(apart), (1.0, 3.0))
        monkeypatch.setattr(tables, "CASES", {"toy": case})
        suite = Suite("tables", {"toy": case}, tables.ALGORITHMS, work, tables.table, seeds=1)
        store = Store("mix_tables", tmp_path)
        names = [name for name in tables.ALGORITHMS if name != "as released"]
        run(suite, store, algorithms=names, cases=["toy"], seeds=1)
        assert not [result.error for result in store if result.error]
        text = tables.table(Results(suite, store)).read_text()
        assert "Against the best baseline" in text
        assert all(f"| {name} | 1 |" in text for name in names)

    def test_a_method_that_ran_alone_has_a_table_too(self, tmp_path, monkeypatch):
        monkeypatch.setattr(report, "RESULTS", tmp_path)
        case = Case(lambda seed, apart: recorded(apart), (1.0, 3.0))
        monkeypatch.setattr(tables, "CASES", {"toy": case})
        suite = Suite("tables", {"toy": case}, tables.ALGORITHMS, work, tables.table, seeds=1)
        store = Store("mix_tables", tmp_path)
        run(suite, store, algorithms=["MultiFidelityBayes"], cases=["toy"], seeds=1)
        assert "| MultiFidelityBayes | 1 |" in tables.table(Results(suite, store)).read_text()

    def test_models_are_compared_on_runs_left_out(self, tmp_path, monkeypatch):
        monkeypatch.setattr(report, "RESULTS", tmp_path)
        monkeypatch.setattr(surrogates, "read", lambda *_, **__: recorded())
        cases = {"one": surrogates.Held("x", "y", 9.0), "all": surrogates.Held("x", "y", 9.0, True)}
        suite = Suite("surrogates", cases, surrogates.ALGORITHMS, surrogates.work, surrogates.table)
        store = Store("mix_surrogates", tmp_path)
        run(suite, store, algorithms=["process", "log-linear"], cases=[*cases], seeds=1)
        found = {(r.problem, r.optimizer): r.data for r in store}
        assert found["all", "process"]["error"] < found["one", "process"]["error"] < 0.2
        assert 0 <= found["one", "process"]["coverage"] <= 1
        assert found["one", "log-linear"]["coverage"] is None
        assert surrogates.table(Results(suite, store)).exists()


def test_the_oracle_suites_run_and_say_what_it_cost(tmp_path, monkeypatch, law):
    from studies.benchmarks.data_mixtures import oracle, scales

    monkeypatch.setattr(report, "RESULTS", tmp_path)
    scales.least.cache_clear()
    for module in (oracle, scales):
        store = Store(module.__name__, tmp_path)
        names = ["random", "equal shares", "log-linear"]
        run(module.SUITE, store, algorithms=names, cases=["avg7"], seeds=2)
        assert not [result.error for result in store if result.error]
        assert "| random | 2 |" in module.table(Results(module.SUITE, store)).read_text()
    scales.least.cache_clear()


def test_seventeen_shares_lose_nothing_at_their_own_frequencies(tmp_path, monkeypatch, law):
    from studies.benchmarks.data_mixtures import oracle

    problem = oracle.Coding(0)
    best = bb.Batch({"mix": problem._frequencies[None]})
    assert problem.regret(best)[0] == pytest.approx(0.0, abs=1e-12)
    assert (problem.regret(problem.space.draw(50, np.random.default_rng(0))) > 0).all()
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    store = Store("mix_oracle", tmp_path)
    names = ["random", "equal shares", "log-linear"]
    run(oracle.SUITE, store, algorithms=names, cases=[oracle.CODING], seeds=1)
    assert [result.optimizer for result in store if not result.error] == names[:2]
    text = oracle.table(Results(oracle.SUITE, store)).read_text()
    assert "Seventeen shares" in text
    assert "seven domains" not in text.split("- Median")[0]


def test_the_live_suite_stops_at_its_seconds_and_compares_seed_by_seed(tmp_path, monkeypatch):
    from studies.benchmarks.data_mixtures import live
    from studies.data_mixtures import problem

    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setattr(problem, "JUDGED", 16)
    case = live.Live(sizes=problem.TINY, seconds=(0.2, 0.5), fresh=(1000, 1001))
    monkeypatch.setitem(live.CASES, live.CASE, case)
    store = Store("mix_live", tmp_path)
    names = ["MultiFidelityBayes", "Bayes", "equal shares"]
    run(live.SUITE, store, algorithms=names, cases=[live.CASE], seeds=2)
    found = {(r.optimizer, r.seed): r.data for r in store if not r.error}
    assert len(found) == 6
    assert found["equal shares", 0]["bought"] == [0, 0, 0]
    assert np.allclose(found["equal shares", 0]["mix"], 1 / 6)
    assert found["Bayes", 0]["bought"][:2] == [0, 0]  # the target alone
    assert found["Bayes", 0]["bought"][2] > 0
    assert sum(found["MultiFidelityBayes", 0]["bought"]) > 0
    assert np.shape(found["MultiFidelityBayes", 1]["losses"]) == (2, 2)
    text = live.table(Results(live.SUITE, store)).read_text()
    assert "| Bayes | 2 |" in text
    assert " of 2 |" in text


@pytest.fixture
def law(tmp_path, monkeypatch):
    """The fitted law, made up."""
    from studies.data_mixtures import oracle

    rng = np.random.default_rng(0)
    made = {
        name: {
            "E": 1.0, "A": 0.5, "alpha": 0.1, "B": 1.0, "beta": 0.8,
            "C": rng.uniform(0.5, 3, 7), "gamma": rng.uniform(0.3, 1, 7),
        }
        for name in oracle.LOSSES
    }  # fmt: skip
    monkeypatch.setattr(oracle, "_read", lambda path: made)
    monkeypatch.setattr(type(oracle.LAW), "find", lambda self, path=None: tmp_path)
