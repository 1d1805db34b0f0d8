"""Studies of data whose answers are known: their command, their numbers, their report."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from studies.data_mixtures import offline, offline_report, run
from studies.data_mixtures.offline import (
    OURS,
    RANDOM,
    TARGET_ONLY,
    Course,
    Data,
    domain_effects,
    follow,
    median_regret,
    natural_shares,
    rank_with_target,
)
from studies.data_mixtures.recorded import Outcome, Recorded
from studies.data_mixtures.runs import Runs


def recorded():
    """A table of three domains at two sizes; the first domain is the best."""
    mixes = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    loss = 2.0 - mixes[:, 0]
    rows = Runs(
        ("a", "b", "c"),
        np.concatenate([mixes] * 2),
        np.repeat([1.0, 9.0], 20),
        {"loss": np.concatenate([loss + 1.0, loss])},
    )
    return Recorded(rows, Outcome(("loss",), "min"), {1: 0.1, 9: 1})


DATA = Data("Toy runs", recorded, "nats", 3.0, (2.0, 1.0, 1.0))


class TestCourses:
    def test_every_method_pays_for_what_it_buys(self):
        problem = recorded()
        for name in (OURS, TARGET_ONLY, RANDOM):
            course = follow(problem, name, 0, 3.0)
            np.testing.assert_allclose(course.spent, np.cumsum(problem.costs(course.history)))
            assert len(course.regrets) == len(course.history)
            sizes = set(course.history["params"].tolist())
            assert sizes == ({1.0, 9.0} if name == OURS else {9.0})
            bought = np.column_stack([course.history["mix"], course.history["params"]])
            assert len(np.unique(bought, axis=0)) == len(bought)

    def test_regret_is_the_median_of_what_was_paid_for(self):
        def made(spent, regrets):
            return Course("x", 0, bb.Batch({}), np.array(spent), np.array(regrets), None)

        courses = [made([1.0, 2.0], [0.4, 0.2]), made([1.0, 2.0], [0.6, 0.0])]
        found = median_regret(courses, np.array([0.5, 1.0, 1.9, 2.0, 9.0]))
        np.testing.assert_allclose(found, [np.nan, 0.5, 0.5, 0.1, 0.1])

    def test_what_a_domain_is_worth_and_which_size_to_believe(self):
        course = follow(recorded(), OURS, 0, 6.0)
        effects = domain_effects(course.optimizer, np.full(3, 1 / 3))
        assert effects[0] < 0 < min(effects[1:])
        assert rank_with_target(recorded(), 1.0) == pytest.approx(1.0)

    def test_natural_shares_sum_to_one(self):
        np.testing.assert_allclose(natural_shares(DATA, recorded()), [0.5, 0.25, 0.25])
        equal = Data("Toy", recorded, "nats", 3.0)
        np.testing.assert_allclose(natural_shares(equal, recorded()), 1 / 3)


class TestReport:
    @pytest.fixture
    def optimizer(self):
        return follow(recorded(), OURS, 0, 6.0).optimizer

    def test_a_difference_is_claimed_only_where_it_is_clear(self, optimizer):
        best, worst = np.array([0.98, 0.01, 0.01]), np.array([0.01, 0.98, 0.01])
        *_, said = offline_report.verdict(DATA, optimizer, best, worst)
        assert said.startswith("It is better than natural shares")
        *_, said = offline_report.verdict(DATA, optimizer, best, best)
        assert said.startswith("It is not distinguishable from natural shares")

    def test_the_command_writes_a_page_with_everything(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setitem(offline.DATA, "pile", DATA)
        arguments = ["--data", "pile", "--seeds", "0", "1", "--out", str(tmp_path)]
        assert run.main(arguments) == 0
        assert f"{OURS}, seed 1" in capsys.readouterr().out
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        for words in (
            "Toy runs",
            "Best mixture",
            "natural shares",
            "evidence, nats",
            "10 points more",
        ):
            assert words in page
        assert page.count("data:image/png;base64,") == 4
        assert "http" not in page

    def test_a_folder_and_a_budget_of_its_own(self):
        options = run.parse(["--data", "ift"])
        assert (options.max_cost, options.out.name) == (20.0, "data_mixtures-ift")
        assert run.parse([]).data == run.LIVE
