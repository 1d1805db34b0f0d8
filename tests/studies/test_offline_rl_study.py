"""Offline model-based RL: the problem, NeoRL's table, and the study at its smallest."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from dataclasses import replace

import numpy as np
import pytest

import blackbox as bb
from blackbox.errors import ProblemError
from blackbox.problems.files import DataFile
from studies.offline_rl import recorded, run
from studies.offline_rl.analysis import Pool
from studies.offline_rl.datasets import dataset
from studies.offline_rl.ensemble import EnsembleSettings
from studies.offline_rl.imagine import World
from studies.offline_rl.penalties import PENALTIES
from studies.offline_rl.problem import OfflineMBRL, Recipe, published
from studies.offline_rl.sac import SACSettings
from studies.offline_rl.training import TrainingSettings

SMALL = SACSettings(hidden=(8, 8), batch=32)
TRAINING = TrainingSettings(updates=16, every=8, imagined=50, episodes=2, sac=SMALL)
ROW = {"penalty": "ens_std", "weight": 1.0, "horizon": 5, "models": 3}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    settings = EnsembleSettings(hidden=(8, 8), epochs=3, batch=64)
    return Recipe(TRAINING, settings, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def problem(recipe):
    return OfflineMBRL("random", 200, recipe=recipe)


class TestProblem:
    def test_the_same_row_has_the_same_luck_and_others_have_other(self, problem, recipe):
        again = OfflineMBRL("random", 200, recipe=recipe)
        assert problem.evaluate(ROW) == again.evaluate(ROW)
        other = OfflineMBRL("random", 200, recipe=recipe, seed=1)
        returns = [p.worth(ROW, r).true for p, r in ((problem, 0), (problem, 1), (other, 0))]
        assert len(set(returns)) == 3

    def test_the_policy_that_was_judged_can_be_had(self, problem):
        worth, policy = problem.worth(ROW), problem.policy(ROW)
        world = World(problem.task, problem.model().first(3), problem.data)
        seed = problem._run(ROW, 0)[-1]
        returns = [
            world.returns(one, 2, "ens_std", 1.0, np.random.default_rng([seed, 1]))[0].mean()
            for one in (policy, problem.policy(ROW, 1))
        ]
        assert returns[0] == pytest.approx(worth.model, rel=1e-5)
        assert returns[1] != pytest.approx(worth.model, rel=1e-5)

    @pytest.mark.parametrize("objective", ["true", "model", "penalised"])
    def test_the_objective_and_what_it_charges(self, recipe, objective):
        problem = OfflineMBRL("random", 200, recipe=recipe, objective=objective, seeds=2)
        told = problem.evaluate(ROW)
        worths = [getattr(problem.worth(ROW, i), objective) for i in range(2)]
        assert told["return"] == pytest.approx(np.mean(worths))
        assert told["return_sem"] == pytest.approx(abs(worths[0] - worths[1]) / 2)
        rows = problem.space.draw(3, np.random.default_rng(0))
        assert problem.episodes(rows).tolist() == [4 if objective == "true" else 0] * 3

    def test_a_penalty_of_more_weight_costs_more_in_the_model(self, problem):
        gaps = []
        for weight in (0.1, 10.0):
            worth = problem.worth({**ROW, "weight": weight})
            gaps.append(worth.model - worth.penalised)
        assert 0 < gaps[0] < gaps[1]

    @pytest.mark.parametrize(
        ("level", "levels"),
        [("updates", [4, 8, 16]), ("seeds", [1, 2, 4]), ("data", [50, 100, 200])],
    )
    def test_fidelities(self, recipe, level, levels):
        problem = OfflineMBRL("random", 200, recipe=recipe, fidelity=level, seeds=4)
        assert problem.fidelity.parameter.table.tolist() == levels
        rows = bb.Batch({k: [v] * 3 for k, v in ROW.items()} | {level: levels})
        expected = [1, 1, 1] if level == "data" else [0.25, 0.5, 1]
        assert problem.cost(rows).tolist() == expected
        found = problem.measure(rows)["return"]
        assert np.isfinite(found).all()
        assert len(set(found)) == 3

    def test_mixed_search_and_resume(self, problem, tmp_path):
        def study():
            optimizer = bb.Bayes(problem, n_init=3, trust_region=True, seed=0)
            return bb.Study(problem, optimizer, tmp_path / "study")

        with study() as first:
            first.run(4)
        with study() as second:
            rows = second.run(6).history
        with bb.Study(problem, bb.Bayes(problem, n_init=3, trust_region=True, seed=0)) as whole:
            np.testing.assert_array_equal(whole.run(6).history["return"], rows["return"])

    def test_elites_differ_in_weight_and_horizon(self, recipe):
        problem = OfflineMBRL("random", 200, recipe=recipe, elites=True)
        optimizer = bb.MapElites(problem, cells=(3, 3), batch_size=4, seed=0)
        bb.Study(problem, optimizer).run(8)
        kept = optimizer.archive.elites
        np.testing.assert_allclose(kept["log10_weight"], np.log10(kept["weight"]))
        np.testing.assert_allclose(kept["log10_horizon"], np.log10(kept["horizon"]))
        assert len(kept) > 1

    @pytest.mark.parametrize(
        ("spoil", "reason"),
        [
            (lambda d: d.drawn(3, 0), "has 3 transitions"),
            (lambda d: replace(d, rewards=d.rewards * np.float32("nan")), "not finite"),
            (lambda d: replace(d, actions=d.actions * 3), "scale actions"),
        ],
    )
    def test_wrong_data_are_failed_rows(self, recipe, spoil, reason):
        data = dataset("random", 200, cache=recipe.cache)
        problem = OfflineMBRL(spoil(data), recipe=recipe)
        study = bb.Study(problem, bb.Random(problem, seed=0)).run(2, on_error="record")
        assert study.failed == 2
        assert all(reason in text for text in study.failures.values())

    def test_a_hanging_row_fails_and_the_study_goes_on(self, recipe):
        slow = replace(recipe, training=replace(TRAINING, limit=0.0))
        problem = OfflineMBRL("random", 200, recipe=slow)
        study = bb.Study(problem, bb.Random(problem, seed=0)).run(2, on_error="record")
        assert all("stopped after 0 s" in text for text in study.failures.values())

    def test_a_diverging_model_is_a_failed_row(self, recipe):
        problem = OfflineMBRL("random", 200, recipe=recipe)
        weight, bias = problem.model().layers[0]
        problem.model().layers[0] = (weight * np.float32("nan"), bias)
        study = bb.Study(problem, bb.Random(problem, seed=0)).run(1, on_error="record")
        assert "diverged" in study.failures[0]

    def test_arguments_out_of_range(self, recipe):
        for wrong, said in (
            ({"objective": "best"}, "objective='best'"),
            ({"seeds": 0}, "seeds=0"),
            ({"fidelity": "size"}, "fidelity='size'"),
            ({"fidelity": "seeds"}, "no cheaper level"),
            ({"recipe": replace(recipe, ensemble=EnsembleSettings(members=5))}, "members=5"),
        ):
            with pytest.raises(ProblemError, match=said):
                OfflineMBRL("random", 200, **({"recipe": recipe} | wrong))

    def test_the_declaration_knows_what_outcomes_depend_on(self, recipe):
        def spec(**more):
            return json.dumps(OfflineMBRL("random", **({"recipe": recipe} | more)).spec())

        longer = replace(recipe, training=replace(TRAINING, updates=32))
        variants = [
            {},
            {"seed": 1},
            {"objective": "model"},
            {"transitions": 50},
            {"recipe": longer},
        ]
        assert len({spec(**more) for more in variants}) == len(variants)
        later = replace(recipe, training=replace(TRAINING, limit=5.0), cache="elsewhere")
        assert spec(recipe=later) == spec()

    def test_the_published_row_is_a_row(self, problem):
        assert problem.space.check(bb.Batch({k: [v] for k, v in published().items()}))

    def test_a_pool_evaluates_each_row_once(self, problem, tmp_path, monkeypatch):
        rows = problem.space.draw(3, np.random.default_rng(0))
        found = Pool(problem, tmp_path / "pool.jsonl").evaluate(rows)
        assert all(np.isfinite([line["true"], line["model"]]).all() for line in found)

        def stop(*_, **__):
            raise FloatingPointError("the model diverged")

        monkeypatch.setattr(problem, "worth", stop)
        again = Pool(problem, tmp_path / "pool.jsonl").evaluate(rows)
        assert [line["true"] for line in again] == [line["true"] for line in found]
        (failed,) = Pool(problem, tmp_path / "pool.jsonl").evaluate([{**ROW, "models": 9}])
        assert failed["reason"] == "the model diverged"
        assert math.isnan(failed["true"])


def neorl_file(path):
    """A table of one task: the return of a row follows from its parameters."""
    columns = sorted({c for own in recorded.PARAMETERS.values() for c in own})
    ends = ["online_return", "fqe_mean", "is_mean"]
    with path.open("w", newline="") as file:
        lines = csv.DictWriter(file, ["task", "algo", *columns, "seed", *ends])
        lines.writeheader()
        for algorithm, own in recorded.PARAMETERS.items():
            sizes = [len(p.table) for p in own.values()]
            for at in np.ndindex(*sizes):
                for k, seed in enumerate(recorded.SEEDS):
                    values = {c: p.table[i] for (c, p), i in zip(own.items(), at, strict=True)}
                    base = 100.0 * len(algorithm) + sum(at)
                    outcomes = dict(zip(ends, (base + k, -base, base + 10), strict=True))
                    row = {"task": "T", "algo": algorithm, "seed": seed, **values, **outcomes}
                    lines.writerow(row)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def neorl(tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    monkeypatch.setattr(recorded, "FILE", DataFile("table.csv", neorl_file(path), "nowhere"))
    return path


class TestNeoRL:
    def test_every_configuration_is_looked_up(self, neorl):
        problem = recorded.NeoRL("T", path=neorl)
        rows = problem.configurations
        assert len(rows) == 50
        found = problem.measure(rows)
        mopo = rows["algorithm"] == "mopo"
        assert mopo.sum() == 16
        assert found["return"][mopo].max() == 401 + 1 + 3 + 1
        np.testing.assert_allclose(found["return_sem"], 1 / math.sqrt(3))

    def test_parameters_of_others_have_no_effect(self, neorl):
        problem = recorded.NeoRL("T", path=neorl)
        rows = problem.space.draw(40, np.random.default_rng(0))
        for row in rows:
            value = problem.evaluate(row)["return"]
            for name in set(problem.space.names) - set(problem.active(row)):
                other = problem.space[name].table[-1]
                assert problem.evaluate({**row, name: other})["return"] == value

    def test_one_seed_is_noisy_and_sources_are_a_fidelity(self, neorl):
        row = {"algorithm": "bc"}
        returns = [
            recorded.NeoRL("T", algorithm="bc", seed=seed, path=neorl).evaluate(row)["return"]
            for seed in recorded.SEEDS
        ]
        assert returns == [200, 201, 202]
        problem = recorded.NeoRL("T", algorithm="mopo", sources=True, path=neorl)
        study = bb.Study(problem, bb.MultiFidelityBayes(problem, seed=0)).run(max_cost=1.05)
        assert set(study.history["source"]) <= {"fqe", "is", "true"}
        assert study.cost <= 1.05

    def test_proxies_are_correlated_with_the_truth(self, neorl):
        # In the file, one estimate falls as the true return rises and the other rises with it.
        found = recorded.proxies(neorl)
        np.testing.assert_allclose([found["fqe"], found["is"]], [[-1], [1]])

    def test_what_is_refused(self, neorl, tmp_path, monkeypatch):
        for wrong in ({"task": "U"}, {"algorithm": "sarsa"}, {"seed": 8}):
            with pytest.raises(ProblemError, match=next(iter(wrong))):
                recorded.NeoRL(**{"task": "T", "path": neorl, **wrong})
        neorl.write_text("damaged")
        with pytest.raises(ProblemError, match="SHA-256"):
            recorded.NeoRL("T", path=neorl)
        monkeypatch.delenv("BLACKBOX_DATA", raising=False)
        with pytest.raises(ProblemError, match="BLACKBOX_DATA"):
            recorded.tasks()


@pytest.mark.slow
def test_the_tiny_study_writes_its_report_and_goes_on_where_it_was(tmp_path, capsys):
    arguments = ["--tiny", "--jobs", "1", "--evaluations", "6", "--out", str(tmp_path)]
    assert run.main(arguments) == 0
    page = (tmp_path / "report.html").read_text()
    assert all(penalty in page for penalty in PENALTIES)
    assert page.count("<img") == 8
    files = {path: path.stat().st_mtime_ns for path in tmp_path.glob("random-*.jsonl")}
    assert len(files) == 2
    run.run(run.parse(arguments))
    assert all(path.stat().st_mtime_ns == when for path, when in files.items())
    assert "report:" in capsys.readouterr().out


def test_the_command_refuses_what_is_out_of_range(capsys):
    with pytest.raises(SystemExit):
        run.parse(["--evaluations", "3"])
    assert "--evaluations: 3 is less than 6" in capsys.readouterr().err


def test_workers_evaluate_the_same_rows(problem):
    alone = bb.Study(problem, bb.Random(problem, seed=0)).run(3)
    together = bb.Study(problem, bb.Random(problem, seed=0)).run(3, workers=2)
    ours, theirs = (
        dict(zip(study.history["id"], study.history["return"], strict=True))
        for study in (alone, together)
    )
    assert ours == theirs
