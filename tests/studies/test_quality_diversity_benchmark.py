"""The benchmark of quality diversity in miniature."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studies.benchmarks.common import report
from studies.benchmarks.common.store import Result, Store
from studies.benchmarks.common.suites import Results
from studies.benchmarks.quality_diversity import score, several
from studies.benchmarks.quality_diversity.__main__ import main
from studies.benchmarks.quality_diversity.settings import Judge, illuminate, outcomes


@pytest.fixture
def tables_in(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    return tmp_path


def test_the_judge_agrees_with_an_archive():
    setting = replace(score.CASES["sphere 20"], cells=(10, 10), rows=20, evaluations=3000)
    searching = score.ALGORITHMS["MapElites"].make(setting, 0)
    problem = setting.build()
    judge = Judge(problem, setting.cells)
    for _ in range(10):
        found = outcomes(problem, searching.ask())
        judge.see(*found)
        searching.tell(*found)
    archive = searching.optimizer.archive
    cells = np.flatnonzero(np.isfinite(judge.best))
    # The origin, which the benchmark tells first, is in the archive alone.
    own = np.isin(archive.cells, cells) & (archive.elites["id"] >= 0)
    np.testing.assert_array_equal(archive.cells[own], cells)
    np.testing.assert_allclose(archive.scores[own], judge.best[cells])


def test_a_run_measures_and_fills_a_table(tables_in, tmp_path):
    setting = replace(score.CASES["sphere 20"], rows=20, evaluations=3000)
    data = illuminate(setting, score.ALGORITHMS["MapElites"], 0)
    assert data["evaluations"] == 3000
    assert 0 < data["coverage"] < 0.3
    store = Store("qd_score", tmp_path)
    for seed in range(2):
        store.append(Result("sphere 20", "MapElites", seed, "v", data=data))
    store.append(Result("arm 100", "MapElites", 0, "v", error="no\nluck"))
    text = score.table(Results(score.SUITE, store)).read_text()
    assert f"| sphere 20 | {data['qd']:.3g} ± 0 |" in text
    assert "MapElites ran 2 seeds on 1 of 5 cases" in text
    assert "Crashed: MapElites on arm 100" in text


def test_a_hypervolume_in_two_dimensions():
    scores = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, -1.0], [0.5, 2.5]])
    assert several._area(scores) == pytest.approx(3 + 2)


def test_fronts_are_measured():
    setting = replace(several.CASES["sphere 10"], rows=50, evaluations=500)
    data = several.illuminate(setting, several.ALGORITHMS["MOME"], 0)
    assert 0 < data["moqd"] <= data["all"] + 1e-9 < 100


@pytest.mark.slow
def test_a_suite_runs_in_processes_of_its_own_and_resumes(tables_in, tmp_path):
    arguments = ["speed", "--cases", "first result", "--seeds", "1", "--store", str(tmp_path)]
    arguments += ["--algorithms", "blackbox", "--version", "v"]
    main(arguments)
    assert "| first result |" in (tables_in / "qd_speed.md").read_text()
    size = (tmp_path / "qd_speed.jsonl").stat().st_size
    main(arguments)
    assert (tmp_path / "qd_speed.jsonl").stat().st_size == size
    with pytest.raises(SystemExit, match="no 'nothing'"):
        main([*arguments[:-4], "--cases", "nothing"])
