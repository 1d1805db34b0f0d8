"""The benchmark of offline RL: its functions, its estimates, and suites in miniature."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import blackbox as bb
from studies.benchmarks.common import report
from studies.benchmarks.common.store import Result
from studies.benchmarks.common.suites import Results
from studies.benchmarks.offline_rl import calibration, mixed, seconds, tuning
from studies.offline_rl.datasets import Apprenticeship
from studies.offline_rl.ensemble import EnsembleSettings
from studies.offline_rl.problem import Recipe
from studies.offline_rl.sac import SACSettings
from studies.offline_rl.training import TrainingSettings

SMALL = SACSettings(hidden=(8, 8), batch=32)
TRAINING = TrainingSettings(updates=8, every=4, imagined=50, episodes=2, sac=SMALL)
ENSEMBLE = EnsembleSettings(hidden=(8, 8), epochs=2, batch=64)


@pytest.fixture
def tables_in(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    return tmp_path


def test_runs_are_compared_seed_by_seed_where_one_crashed():
    """Each search is ahead of random search on every seed, which counts less from seed to seed."""
    versions = {name: algorithm.version("v") for name, algorithm in tuning.ALGORITHMS.items()}
    found = [
        Result("medium", name, seed, versions[name], data={"fresh": [ahead - 10.0 * seed]})
        for name, ahead in (("TPE", 1.0), ("Random", 0.0))
        for seed in range(4)
        if (name, seed) != ("TPE", 0)
    ]
    rows = tuning._found(Results(tuning.SUITE, found, "v"), tuning._anew)
    assert [row["ahead of Random"] for row in rows] == ["3 of 3", None]


class TestMixed:
    def test_optima(self):
        at = bb.Batch({"c0": ["q"], "c1": ["q"], "c2": ["p"], "x": [[0.0449, -0.35632]]})
        # Seven humps of a tenth each: one, one and five.
        assert mixed.Func(3).evaluate_batch(at)["f"] == pytest.approx(-7 * 0.10316, abs=1e-4)
        ackley = mixed.Ackley53()
        best = {f"b{i}": [["no", "yes"][b]] for i, b in enumerate(ackley._best)}
        row = bb.Batch({**best, "x": ackley._shift[None]})
        assert ackley.evaluate_batch(row)["f"] == pytest.approx(0, abs=1e-9)
        line = mixed.Rosenbrock10()
        assert line.evaluate_batch(
            bb.Batch({**{f"o{i}": [0.0] for i in range(6)}, "x": np.zeros((1, 4))})
        )["f"] == pytest.approx(9)

    def test_names_that_are_alike(self):
        func = mixed.Func(2)
        rows = bb.Batch({"c0": ["p"] * 3, "c1": [*"rst"], "x": np.full((3, 2), 0.3)})
        assert len(set(func.evaluate_batch(rows)["f"].tolist())) == 1

    def test_suite(self, tables_in, monkeypatch):
        monkeypatch.setattr(mixed, "EVALUATIONS", 8)
        found = [
            Result(
                "Func2C",
                name,
                0,
                algorithm.version("v"),
                data=mixed.work(mixed.CASES["Func2C"], algorithm, 0),
            )
            for name, algorithm in mixed.ALGORITHMS.items()
        ]
        text = mixed.table(Results(mixed.SUITE, found, "v")).read_text()
        assert text.count("| Bayes, region |") == 2


class TestTuning:
    def test_curves_look_at_full_length_alone(self):
        run = {"values": [9.0, -5.0, -3.0, None], "costs": [0.25, 1.0, 1.0, 1.0]}
        assert tuning.curve([run], [1, 2, 3, 4]) == [-np.inf, -5, -3, -3]

    def test_suite(self, tables_in, tmp_path, monkeypatch):
        monkeypatch.setattr(tuning, "FRESH", 2)
        recipe = Recipe(TRAINING, ENSEMBLE, cache=tmp_path)
        case = replace(
            tuning.CASES["medium"], quality="random", transitions=150, recipe=recipe, evaluations=6
        )
        found = [
            Result("medium", name, 0, algorithm.version("v"), data=tuning.work(case, algorithm, 0))
            for name, algorithm in tuning.ALGORITHMS.items()
            if name != "Bayes, region"
        ]
        text = tuning.table(Results(tuning.SUITE, found, "v")).read_text()
        for name in {*tuning.ALGORITHMS} - {"Bayes, region"}:
            assert f"| medium | {name} |" in text
        spent = next(r.data for r in found if r.optimizer == "MultiFidelityBayes")
        assert sum(spent["costs"]) <= 6
        assert len(spent["fresh"]) == 2
        drawn = next(r.data for r in found if r.optimizer == "Random")
        assert drawn["best"] == drawn["chosen"]
        problem = case.problem(0)
        assert drawn["deployed"] == tuning.deployed(problem, drawn["best"])
        assert problem.worth(drawn["best"]).true == max(drawn["values"])


def test_calibration_in_miniature(tables_in, tmp_path, monkeypatch):
    monkeypatch.setenv("BLACKBOX_CACHE", str(tmp_path))
    how = Apprenticeship(steps=60, warm=20, updates=1, look=10, settings=SMALL)
    whole = calibration.dataset
    monkeypatch.setattr(calibration, "dataset", lambda *a, **k: whole(*a, **k, how=how))
    found = [
        Result(
            case, calibration.NAME, 0, "v",
            data=calibration.calibrated(
                case, 0, transitions=150, settings=ENSEMBLE, training=TRAINING
            ),
        )
        for case in calibration.SETS
    ]  # fmt: skip
    text = calibration.table(Results(calibration.SUITE, found, "v")).read_text()
    assert text.count("| ens_std |") == 3
    assert "| on the policy |" in text


def test_seconds_in_miniature(tables_in, tmp_path, monkeypatch):
    monkeypatch.setattr(seconds, "UPDATES", 5)
    parts = ("data", "ensemble", "rollouts", "updates", "true", "model", "evaluation")
    found = [Result("medium", seconds.NAME, 0, "v", data=dict.fromkeys(parts, 1.5))]
    case = seconds.SIZES["2 x 64, batch 64"]
    found.append(Result("2 x 64, batch 128", seconds.NAME, 0, "v", data=seconds.update(case, 0)))
    text = seconds.table(Results(seconds.SUITE, found, "v")).read_text()
    assert "| an evaluation, all of it | 1.50 (most 1.50) |" in text
