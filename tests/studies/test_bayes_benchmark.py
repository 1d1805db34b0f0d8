"""The benchmark of Bayes: its store, its workers, and a run of it in miniature."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from studies.benchmarks.bayes import designs, fidelities, noisy, regret, tables
from studies.benchmarks.bayes.__main__ import main
from studies.benchmarks.bayes.foreign import Foreign, Worker, WorkerError, close_workers
from studies.benchmarks.bayes.peers import PEERS
from studies.benchmarks.bayes.problems import Moved
from studies.benchmarks.bayes.runner import Case, Results, optimize
from studies.benchmarks.bayes.several import FromBoTorch, Truss
from studies.benchmarks.common import report
from studies.benchmarks.common.store import Result, Store


@pytest.fixture
def tables_in(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    return tmp_path


@pytest.fixture
def _no_workers():
    yield
    close_workers()


class TestStore:
    def test_the_last_result_of_a_run_counts(self, tmp_path):
        store = Store("s", tmp_path)
        for cpu in (1.0, 2.0):
            store.append(Result("p", "o", 0, "v", data={"cpu": [cpu]}))
        store.append(Result("p", "o", 1, "v", error="no"))
        assert [(r.seed, r.error, r.data) for r in store] == [
            (0, "", {"cpu": [2.0]}),
            (1, "no", {}),
        ]

    def test_a_line_that_was_cut_off_costs_no_other(self, tmp_path):
        store = Store("s", tmp_path)
        store.append(Result("p", "o", 0, "v"))
        with store.path.open("a") as file:
            file.write('{"problem": "p", "opti')
        store.append(Result("p", "o", 2, "v"))
        assert [r.seed for r in store] == [0, 2]


class TestTables:
    def test_a_peer_is_better_only_where_the_seeds_agree(self):
        ours = {seed: 1.0 + seed for seed in range(10)}
        assert tables.compare(ours, {s: v - 0.5 for s, v in ours.items()}) == 1
        assert tables.compare(ours, {s: v + 0.5 for s, v in ours.items()}) == -1
        assert tables.compare(ours, {s: v + (-1) ** s for s, v in ours.items()}) == 0
        assert tables.compare(ours, ours) == 0
        assert tables.compare(ours, {s: v - 0.5 for s, v in ours.items() if s < 5}) == 0

    def test_seeds_that_tie_hide_no_difference(self):
        ours = {seed: 1.0 + seed for seed in range(20)}
        theirs = {seed: loss + 0.5 * (seed < 9) for seed, loss in ours.items()}
        assert tables.compare(ours, theirs) == -1
        assert tables.compare(theirs, ours) == 1

    def test_optimizers_are_ranked_on_the_same_seeds(self):
        """Seed 1 is hard for all: who did not run it is no better for that."""
        found = {
            ("p", "Bayes"): {0: 1.0, 1: 9.0, 2: 9.0},
            ("p", "TPE"): {0: 2.0, 1: 10.0, 2: 10.0, 3: 0.0, 4: 0.0, 5: 0.0},
            ("p", "Ax"): {0: 3.0},
        }
        rows = {r["optimizer"]: r for r in tables.overview(found, "p", ["Bayes", "TPE", "Ax"])}
        assert [rows[name]["mean rank"] for name in ("Bayes", "TPE", "Ax")] == [1.0, 2.0, 3.0]
        assert [rows[name]["ranked among"] for name in ("Bayes", "TPE", "Ax")] == [2, 2, 3]

    def test_optimizers_that_ran_on_less_are_ranked_on_that(self):
        found = {
            ("p", "Bayes"): {0: 1.0},
            ("p", "TPE"): {0: 2.0},
            ("p", "Ax"): {0: 0.5},
            ("q", "Bayes"): {0: 1.0},
            ("q", "TPE"): {0: 0.5},
            ("q", "Ax"): {},
        }
        rows = {r["optimizer"]: r for r in tables.overview(found, "pq", ["Bayes", "TPE", "Ax"])}
        assert [rows[name]["mean rank"] for name in ("Bayes", "TPE", "Ax")] == [1.5, 1.5, 1.0]
        assert [rows[name]["ranked among"] for name in ("Bayes", "TPE", "Ax")] == [2, 2, 3]


class TestProblems:
    @pytest.mark.parametrize("base", [bb.problems.Ackley(10), bb.problems.Rosenbrock(20)])
    def test_a_moved_optimum_is_inside_and_off_the_centre(self, base):
        problem = Moved(base)
        x = problem.space["x"]
        away = np.abs(problem.solution["x"] - (x.low + x.high) / 2) / (x.high - x.low)
        assert ((away >= 0.1) & (away <= 0.3)).all()
        best = problem.measure(bb.Batch({"x": problem.solution["x"][None]}))
        assert best["f"][0] == pytest.approx(base.optimum, abs=1e-9)

    def test_each_seed_has_an_instance_of_its_own(self):
        """The same again from the same seed: peers of other runs are compared with these."""
        build = regret.SUITE.cases["Levy 20"].build
        first, second = build(0).solution["x"], build(1).solution["x"]
        assert (first == build(0).solution["x"]).all()
        assert (first != second).all()

    def test_designs_cost_what_the_literature_says(self):
        vessel = {"shell": 13, "head": 7, "radius": 42.0984456, "length": 176.6365958}
        reducer = {
            "face": 3.5,
            "module": 0.7,
            "teeth": 17,
            "length1": 7.3,
            "length2": 7.715319911,
            "shaft1": 3.350214666,
            "shaft2": 5.286654465,
        }
        for problem, row, best in (
            (designs.PressureVessel(), vessel, 6059.714),
            (designs.SpeedReducer(), reducer, 2994.471),
        ):
            batch = bb.Batch({name: [value] for name, value in row.items()})
            outcomes = bb.Batch(problem.measure(batch))
            assert outcomes[problem.objectives[0].name][0] == pytest.approx(best, rel=1e-5)
            assert problem.violations(outcomes).max() < 1e-6

    def test_the_known_welded_beam_of_steel_is_just_strong_enough(self):
        """The continuous best of Ragsdell and Phillips costs 2.38, with bending at the limit."""
        beam = designs.WeldedBeam()
        row = {"weld": 0.2444 * 16, "thickness": 0.2444 * 16, "overlap": 6.2177, "height": 8.2915}
        columns = {name: [value] for name, value in row.items()}
        outcomes = beam.evaluate_batch(
            bb.Batch({**columns, "material": ["steel"], "sides": ["two"]})
        )
        assert outcomes["price"][0] == pytest.approx(2.381, abs=2e-3)
        assert outcomes["bending"][0] == pytest.approx(0, abs=2e-3)
        assert abs(outcomes["shear"][0]) < 0.25
        assert outcomes["deflection"][0] < 0

    def test_constraints_from_botorch_keep_their_meaning(self):
        osy = FromBoTorch("OSY")
        known = dict(zip(osy.space.names, [5.0, 1.0, 2.0, 0.0, 5.0, 10.0], strict=True))
        batch = bb.Batch({name: [value] for name, value in known.items()})
        outcomes = bb.Batch(osy.measure(batch))
        assert outcomes["f0"][0] == pytest.approx(-259)  # near the end of the front, feasible
        assert osy.feasible(outcomes).all()

    def test_the_reference_point_is_worse_than_the_middle_of_the_space(self):
        truss = Truss()
        middle = truss.space.decode(np.full((1, 4), 0.5))
        outcomes = bb.Batch(truss.measure(middle))
        assert (truss.scores(outcomes) > truss.scores(truss.reference)).all()


class TestFidelities:
    @staticmethod
    def bowl():
        def true(x):
            return ((x - 0.3) ** 2).sum(axis=1)

        return fidelities.TwoLevels("bowl", [(0, 1)] * 2, (lambda x: true(x) + x[:, 0], true), 0.0)

    def test_a_row_is_worth_and_costs_what_its_level_says(self):
        rows = bb.Batch({"x0": [0.3, 0.3, 0.3], "x1": [0.3, 0.3, 0.5], "level": [0, 1, 1]})
        problem = self.bowl()
        assert problem.measure(rows)["f"] == pytest.approx([0.3, 0.0, 0.04])
        assert problem.costs(rows) == pytest.approx([0.1, 1.0, 1.0])

    def test_a_run_ends_with_its_money_and_is_judged_at_the_target(self, tables_in):
        case = Case(lambda seed: self.bowl())
        found = []
        for name in ("MultiFidelityBayes", "Bayes", "Random"):
            run = fidelities.measure(case, name, 0)
            cheap, true = run["bought"]
            assert fidelities.COSTS[-1] - 1 < 0.1 * cheap + true <= fidelities.COSTS[-1] + 1e-9
            assert (cheap > 0) == (name == "MultiFidelityBayes")
            assert len(run["regrets"]) == len(fidelities.COSTS)
            assert min(run["regrets"]) >= 0
            result = Result("Himmelblau 2 (.76)", name, 0, PEERS[name].version("a"), data=run)
            found.append(fidelities.SUITE.digested(result))
        ours, _, random = (run.data["regrets"][-1] for run in found)
        assert ours < 1e-3 < random
        text = fidelities.table(Results(fidelities.SUITE, found)).read_text()
        assert "| MultiFidelityBayes | 1 |" in text
        assert "better than MultiFidelityBayes" in text


class TestBatches:
    def test_batches_are_measured_by_the_evaluations_that_reach_the_sequential_regret(
        self, tables_in
    ):
        def run(kind, optimizer, data):
            version = PEERS[optimizer].version("v")
            return Result(f"Branin 2 {kind}", optimizer, 0, version, data=data)

        values = [[9.0 - 0.1 * i] for i in range(noisy.PATIENCE)]  # regret 9 - .1 i
        batches = noisy.digest("Branin 2 batches", {"values": values, "least": 0.0})
        assert batches["regrets"][:2] == pytest.approx([8.3, 7.5])  # after 8 and 16 rows
        alone = noisy.digest("Branin 2 sequential", {"values": [[3.0], [7.5]], "least": 0.0})
        found = [
            run("batches", "Bayes", batches),
            run("sequential", "Bayes", {"regret": 7.5}),
            run("batches", "BoTorch", batches),
            run("sequential", "BoTorch", alone),
            run("noisy", "Bayes", {"regret": 1.0}),
        ]
        text = noisy.table(Results(noisy.SUITE, found)).read_text()
        assert "| Branin 2 | Bayes | 1 | 7.5 | 16 | 0.267 |" in text
        assert "| Branin 2 | BoTorch | 1 | 3 | 64 | 1.07 |" in text
        assert noisy.WITHIN == 72
        assert (
            "| problem | Bayes | BoTorch |\n| --- | --- | --- |\n| Branin 2 | 1.9 | 1.9 |" in text
        )
        assert "| Bayes | 1 | 1 | 1 | - | - |" in text  # BoTorch has no noisy run


@pytest.mark.usefixtures("_no_workers")
class TestForeign:
    def test_a_worker_optimizes_and_repeats_itself(self):
        problem = bb.problems.Branin()
        runs = [optimize(Case(lambda seed: problem, 40), "CMA-ES", 3) for _ in range(2)]
        assert runs[0]["values"] == runs[1]["values"]
        assert min(runs[0]["values"])[0] < np.mean(runs[0]["values"][:6])

    def test_a_worker_is_told_how_long_a_run_will_be(self, monkeypatch):
        seen, request = [], Worker.request
        monkeypatch.setattr(
            Worker, "request", lambda self, **m: seen.append(m) or request(self, **m)
        )
        for problem in (noisy.SUITE.cases["Branin 2 noisy"].build(0), bb.problems.Branin()):
            Foreign(problem, "cma", seed=0)
        assert [message["start"]["evaluations"] for message in seen] == [60, 100]

    def test_a_worker_serves_one_optimizer_at_a_time(self):
        problem = bb.problems.Branin()
        first = Foreign(problem, "cma", seed=0)
        second = Foreign(problem, "cma", seed=0)
        second.ask()
        with pytest.raises(WorkerError, match="taken"):
            first.ask()

    @pytest.mark.slow
    def test_botorch_fills_its_design_and_chooses_a_batch_jointly(self):
        problem = bb.problems.Branin()
        peer = Foreign(problem, "botorch", seed=0)
        for _ in range(2):  # the design is of six rows
            batch = peer.ask(4)
            assert len({tuple(row) for row in problem.space.encode(batch)}) == 4
            peer.tell(batch.with_columns(**problem.measure(batch)))
        chosen = problem.space.encode(peer.ask(4))
        apart = np.linalg.norm(chosen[:, None] - chosen[None], axis=-1)[np.triu_indices(4, 1)]
        assert apart.min() > 1e-3

    def test_what_a_worker_raises_arrives(self):
        problem = bb.problems.Branin()
        optimizer = Foreign(problem, "cma", seed=0)
        with pytest.raises(WorkerError, match="KeyError"):
            optimizer._request(tell={"ids": [7], "outside": [], "values": [], "slack": []})
        assert len(Foreign(problem, "cma", seed=0).ask(2)) == 2  # by a new process


@pytest.mark.slow
class TestRuns:
    def test_a_suite_resumes_and_writes_down_crashes(self, tables_in, tmp_path, capsys):
        arguments = ["mixed", "--optimizers", "Random,CMA-ES", "--problems", "pest control"]
        arguments += ["--seeds", "1", "--store", str(tmp_path)]
        main(arguments)
        results = {r.optimizer: r for r in Store("mixed", tmp_path)}
        assert len(results["Random"].data["values"]) == 100
        assert "UnsupportedError" in results["CMA-ES"].error
        size = (tmp_path / "mixed.jsonl").stat().st_size
        main(arguments)
        assert (tmp_path / "mixed.jsonl").stat().st_size == size
        text = (tables_in / "bayes_mixed.md").read_text()
        assert "1 runs crashed: CMA-ES on pest control" in text
        assert "python -m studies.benchmarks.bayes mixed" in text
        main([*arguments[:-1], str(tmp_path / "elsewhere"), "--table"])
        assert (tables_in / "bayes_mixed.md").read_text() == text
        (crash,) = (r for r in Store("bayes_mixed", tables_in / "outcomes") if r.error)
        assert "Traceback" not in crash.error

    def test_a_table_is_made_of_published_runs_and_of_new_ones(self, tables_in, tmp_path):
        def rows(seeds, store):
            arguments = ["mixed", "--optimizers", "Random", "--problems", "pest control"]
            main([*arguments, "--seeds", seeds, "--store", str(tmp_path / store)])
            return (tables_in / "bayes_mixed.md").read_text().splitlines()

        best = rows("2", "first")
        assert rows("2", "first") == best
        (published,) = (tables_in / "outcomes").iterdir()
        # Each run once, though it is stored too.
        assert len(published.read_text().splitlines()) == 2
        assert not (tmp_path / "second").exists()
        assert rows("2", "second") == best  # with nothing run
        assert not (tmp_path / "second").exists()
        rows("3", "second")
        assert [run.seed for run in Store("mixed", tmp_path / "second")] == [2]
        found = [run.data["best"] for run in Store("bayes_mixed", tables_in / "outcomes")]
        (whole,) = (run for run in Store("mixed", tmp_path / "first") if run.seed == 1)
        assert len(found) == 3
        assert found[1] == np.min(whole.data["values"])

    def test_sobol_and_bayes_on_branin(self, tables_in, tmp_path):
        case = Case(lambda seed: bb.problems.Branin(), evaluations=6)
        store = Store("regret", tmp_path)
        for name, version in (("Sobol", PEERS["Sobol"].version()), ("Bayes", "a"), ("Bayes", "b")):
            data = regret.measure(case, name, 0)
            assert len(data["values"]) == len(data["cpu"]) == 6
            store.append(Result("Branin 2", name, 0, version, data=data))
        store.append(Result("Hartmann 6", "Bayes", 0, "a", data=data))
        digested = [regret.SUITE.digested(run) for run in store]
        text = regret.table(Results(regret.SUITE, digested)).read_text()
        assert text.count("| Branin 2 |") == 1
        assert "| Bayes | 2 |" in text
        assert "| Sobol | 1 |" in text
        assert "Bayes a" in text  # the last one written
        results = Results(regret.SUITE, digested, "b")
        assert "| Hartmann 6 |" not in regret.table(results).read_text()
