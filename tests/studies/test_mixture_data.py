"""Recorded runs and the fitted law: what is read, what is refused, what is known of the best."""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np
import pytest
from scipy.stats import spearmanr

import blackbox as bb
from blackbox.errors import ProblemError
from blackbox.problems.files import VARIABLE, DataFile
from studies.data_mixtures import oracle, recorded
from studies.data_mixtures.oracle import MixingLaw
from studies.data_mixtures.recorded import Outcome, Recorded
from studies.data_mixtures.runs import Runs, Table

PUBLISHED = pytest.mark.skipif(not os.environ.get(VARIABLE), reason=f"{VARIABLE} is not set")

GOOD = "index,share_a,share_b,loss\n0,0.25,0.75,1.5\n1,0.504,0.5,2.5\n"
COLUMNS = {"a": "share_a", "b": "share_b"}


def table(tmp_path, text=GOOD):
    path = tmp_path / "runs.csv"
    path.write_text(text)
    return Table(path)


class TestTable:
    def test_shares_are_read_by_domain_and_sum_to_one(self, tmp_path):
        read = table(tmp_path)
        assert len(read) == 2
        assert read.domains("share_", ["b", "a"]) == {"b": "share_b", "a": "share_a"}
        mixes = read.shares(COLUMNS)
        np.testing.assert_allclose(mixes.sum(axis=1), 1, atol=1e-15)
        np.testing.assert_allclose(mixes[0], [0.25, 0.75])
        np.testing.assert_array_equal(read.numbers("loss"), [1.5, 2.5])

    @pytest.mark.parametrize(
        ("old", "new", "says"),
        [
            ("0.25,0.75", "0.25,0.85", "line 2.*share_a to share_b.*sum to 1.1"),
            ("0.504,0.5", "1.2,-0.2", "line 3.*'share_b'.*negative"),
            ("2.5", "", "line 3.*'loss'.*no finite number"),
            ("1.5", "nan", "line 2.*'loss'.*no finite number"),
            (",2.5", "", "line 3: 3 cells"),
        ],
    )
    def test_a_wrong_cell_is_named_with_its_file_and_line(self, tmp_path, old, new, says):
        def read():
            given = table(tmp_path, GOOD.replace(old, new))
            return given.shares(COLUMNS), given.numbers("loss")

        with pytest.raises(ProblemError, match=rf"runs\.csv, {says}"):
            read()

    def test_unknown_domains_columns_and_empty_files_are_refused(self, tmp_path):
        read = table(tmp_path)
        with pytest.raises(ProblemError, match="unknown domain 'b'"):
            read.domains("share_", ["a"])
        with pytest.raises(ProblemError, match="no column for domain 'c'"):
            read.domains("share_", ["a", "b", "c"])
        with pytest.raises(ProblemError, match="no column 'score'"):
            read.numbers("score")
        with pytest.raises(ProblemError, match="no rows"):
            table(tmp_path, "index\n")

    def test_tables_of_other_domains_are_not_joined(self):
        one = Runs(("a", "b"), np.full((1, 2), 0.5), np.ones(1), {"loss": np.ones(1)})
        two = Runs(("a", "c"), np.full((1, 2), 0.5), np.ones(1), {"loss": np.ones(1)})
        assert len(Runs.joined([one, one])) == 2
        with pytest.raises(ProblemError, match=r"domains \['b', 'c'\]"):
            Runs.joined([one, two])


def toy(apart=True):
    """Four runs of two mixtures at two sizes."""
    mixes = np.array([[0.25, 0.75], [0.5, 0.5]] * 2)
    sizes = np.array([1.0, 1.0, 9.0, 9.0])
    metrics = {"f": np.array([4.0, 3.0, 2.0, 1.0]), "g": np.array([8.0, 8.0, 2.0, 7.0])}
    return Recorded(
        Runs(("a", "b"), mixes, sizes, metrics), Outcome(("f", "g"), "min", apart), {1: 0.1, 9: 1}
    )


class TestRecorded:
    def test_evaluations_are_looked_up_and_known_exactly(self):
        problem = toy()
        problem.check()
        found = problem.measure(problem.candidates)
        np.testing.assert_array_equal(found["f"], [4, 3, 2, 1])
        assert not found["g noise"].any()
        np.testing.assert_allclose(problem.costs(problem.candidates), [0.1, 0.1, 1, 1])
        np.testing.assert_allclose(problem.regret(problem.candidates[:2]), [0, 2])
        assert toy(apart=False).measure(problem.candidates)["mean"].tolist() == [6, 5.5, 2, 4]

    def test_what_was_never_run_is_refused_by_row(self):
        problem = toy()
        batch = bb.Batch({"mix": np.array([[0.25, 0.75], [0.4, 0.6]]), "params": np.full(2, 9.0)})
        with pytest.raises(ProblemError, match=r"row 1, column 'params'.*0\.4.*never run at 9"):
            problem.measure(batch)

    def test_unknown_metrics_and_sizes_without_cost_are_refused(self):
        runs = toy().runs
        with pytest.raises(ProblemError, match="no metric 'h'"):
            Recorded(runs, Outcome(("h",), "min"), {1: 0.1, 9: 1})
        with pytest.raises(ProblemError, match="no cost for size 9"):
            Recorded(runs, Outcome(("f",), "min"), {1: 0.1})

    def test_a_file_that_differs_is_refused(self, tmp_path, monkeypatch):
        (tmp_path / "runs.csv").write_text(GOOD)
        monkeypatch.setattr(recorded, "IFT_FILE", DataFile("runs.csv", "0" * 64, "somewhere"))
        monkeypatch.setenv(VARIABLE, str(tmp_path))
        with pytest.raises(ProblemError, match=r"SHA-256 of .*runs\.csv"):
            recorded.ift()

    @PUBLISHED
    def test_published_tables_have_the_characteristics_that_are_known_of_them(self):
        pile = recorded.pile("pile_cc")
        assert [int((pile.runs.sizes == s).sum()) for s in (1e6, 6e7, 1e9)] == [768, 256, 64]
        at = pile.means[pile.target]
        assert at.min() == pytest.approx(2.8171, abs=1e-4)
        assert recorded.pile("avg13").means[pile.target].min() == pytest.approx(2.1113, abs=1e-4)
        ift = recorded.ift("mean")
        assert [int((ift.runs.sizes == s).sum()) for s in (0.5e9, 3e9, 7e9)] == [256, 128, 76]
        assert ift.means[ift.target].max() == pytest.approx(0.5938, abs=1e-4)
        assert len(ift.objectives) == 17
        assert len(recorded.ift("id").objectives) == 10
        assert ift.costs(ift.candidates)[ift.target].tolist() == [1.0] * 76
        with pytest.raises(ProblemError, match="target='odd'"):
            recorded.ift("odd")


@pytest.fixture
def law(tmp_path, monkeypatch):
    """A made-up law in the place of the published one."""
    rng = np.random.default_rng(0)
    made = {
        name: {
            "E": 1.0, "A": 0.5, "alpha": 0.1, "B": 1.0, "beta": 0.8,
            "C": rng.uniform(0.5, 3, 7).tolist(), "gamma": rng.uniform(0.3, 1, 7).tolist(),
        }
        for name in oracle.LOSSES
    }  # fmt: skip
    path = tmp_path / "law.json"
    path.write_text(json.dumps(made))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(oracle, "LAW", DataFile("law.json", digest, "nowhere"))
    return path


class TestMixingLaw:
    def test_small_models_mislead_a_little_and_the_target_not_at_all(self, law):
        problem = MixingLaw(noise=0.0, seed=1, path=law)
        problem.check()
        mixes = np.random.default_rng(0).dirichlet(np.ones(7), 500)
        losses = {}
        for size in oracle.SIZES:
            batch = bb.Batch({"mix": mixes, "params": np.full(500, size)})
            losses[size] = problem.measure(batch)["loss"]
        small, middle, target = losses.values()
        np.testing.assert_allclose(target, problem.law(mixes, np.full(500, oracle.TARGET)))
        rho = [float(spearmanr(each, target).statistic) for each in (small, middle)]
        assert 0.85 < rho[0] < rho[1] < 0.995

    def test_nothing_is_better_than_the_optimum(self, law):
        problem = MixingLaw(seed=1, path=law)
        mix, least = problem.optimum
        assert mix.sum() == pytest.approx(1)
        rng = np.random.default_rng(0)
        near = 0.98 * mix + 0.02 * rng.dirichlet(np.ones(7), 300)
        for mixes in (rng.dirichlet(np.ones(7), 300), near):
            assert problem.regret(bb.Batch({"mix": mixes})).min() > 0
        assert problem.law(mix[None], np.array([oracle.TARGET]))[0] == pytest.approx(least)

    def test_noise_and_residuals_follow_the_seed_and_one_size_has_no_fidelity(self, law):
        batch = bb.Batch({"mix": np.full((3, 7), 1 / 7), "params": np.full(3, 3e7)})
        losses = [MixingLaw(seed=s, path=law).measure(batch)["loss"] for s in (0, 0, 1)]
        np.testing.assert_array_equal(losses[0], losses[1])
        assert abs(losses[0] - losses[2]).max() > 1e-4
        assert MixingLaw(sizes={oracle.TARGET: 0.0}, path=law).fidelity is None
        costs = MixingLaw(path=law).costs(batch)
        np.testing.assert_allclose(costs, 3e7 / oracle.TARGET)
        with pytest.raises(ProblemError, match="positive"):
            MixingLaw(sizes={-1.0: 0.0}, path=law)
