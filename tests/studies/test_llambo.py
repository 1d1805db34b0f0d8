"""The LLAMBO study and its benchmark in miniature."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from studies.benchmarks.bayes import data
from studies.benchmarks.common import report as tables
from studies.benchmarks.llambo import faults, hybrid, requests
from studies.benchmarks.llambo.__main__ import main as benchmark
from studies.llambo import report
from studies.llambo.run import main, parse

needs_data = pytest.mark.skipif(not data.available(), reason="BLACKBOX_DATA is not set")


@pytest.fixture
def _tables_in(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "RESULTS", tmp_path)


def test_a_wrong_command_is_explained(capsys) -> None:
    assert main(["--base-url", "http://localhost:1/v1"]) == 1
    assert "give --base-url and --model together" in capsys.readouterr().err
    assert main(["--methods", "GPT"]) == 1
    assert "give some of ['LLAMBO'" in capsys.readouterr().err


def test_the_first_line_says_who_answered() -> None:
    assert report.first_line(parse([])).startswith("No language model took part")
    named = parse(["--base-url", "http://localhost:1/v1", "--model", "m"])
    assert report.first_line(named) == (
        "The language model m at http://localhost:1/v1 answered every request."
    )


@needs_data
class TestTasks:
    def test_reactions_are_looked_up(self) -> None:
        from studies.llambo.reactions import Reaction

        table = Reaction("Suzuki_Doyle")
        assert table.space.cardinality == 3696
        assert table.range[1] == 100.0
        good = bb.Batch({k: [v] for k, v in table.good(np.random.default_rng(0)).items()})
        assert table.measure(good)["yield"][0] > 80
        assert table.about.startswith("Suzuki-Miyaura Coupling")

    @pytest.mark.parametrize("model", ["RandomForest", "DecisionTree", "SVM", "MLP_SGD"])
    def test_defaults_are_in_the_space(self, model) -> None:
        from studies.llambo.tasks import tuning

        here = tuning(f"wine {model}", 3)
        [row] = here.first.values()
        assert len(row) == 1
        assert here.published[0].shape == (30,)
        assert "142 samples, 13 features" in here.about


@needs_data
@pytest.mark.slow
def test_the_whole_study_in_miniature_resumes(tmp_path, capsys) -> None:
    arguments = ["--tiny", "--out", str(tmp_path / "out"), "--methods", "LLAMBO", "LLMGuided"]
    arguments += ["Bayes with LLAMBO", "Defaults, then Random", "LLAMBO permuted"]
    assert main(arguments) == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.index("no language model took part") < 2500
    assert "LLAMBO (GPT-3.5)" in page
    recorded = {p: p.read_bytes() for p in (tmp_path / "out").rglob("llm.jsonl")}
    assert len(recorded) == 6  # three trials of a table are the design of Bayes
    assert main(arguments) == 0
    assert {p: p.read_bytes() for p in recorded} == recorded
    again = (tmp_path / "out" / "report.html").read_text()
    assert again.split("Circumstances")[0] == page.split("Circumstances")[0]


@pytest.mark.usefixtures("_tables_in")
class TestBenchmark:
    def test_faults(self) -> None:
        text = faults.main(asks=40).read_text()
        [row] = [line for line in text.splitlines() if line.startswith("| 40 |")]
        assert row.split(" | ")[1:5] == ["0", "40", "0", "0"]
        [row] = [line for line in text.splitlines() if line.startswith("| 2 |")]
        assert row.split(" | ")[1:3] == ["0", "0"]

    def test_observations_and_replay(self) -> None:
        seen = requests._observations()
        assert seen["observations"] == seen["found"] > 400
        assert seen["prompts"] == seen["prompts with all directions"]
        replay = requests._replay()
        assert replay["requests of the replay"] == replay["files with the key"] == 0
        assert replay["same rows"] == "yes"

    @needs_data
    def test_requests(self) -> None:
        row = requests._cost("iris SVM")
        assert row["requests"] <= 110
        assert row["prompt tokens"] <= 340_000 / 5

    @pytest.mark.slow
    def test_each_hybrid_runs(self) -> None:
        problem = bb.problems.Tuning()
        case = hybrid._Case(problem, problem.optimum, 1.0, hybrid._near(problem))
        for make in hybrid.METHODS.values():
            regret = hybrid.regrets(case, make, 0, 8)
            assert (np.diff(regret) <= 0).all()

    def test_an_unknown_part_is_refused(self) -> None:
        with pytest.raises(SystemExit):
            benchmark(["nonesuch"])
