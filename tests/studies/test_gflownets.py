"""The study of GFlowNets: what it trains is what it says, and a whole run in miniature."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from blackbox.problems import HyperGridObjectives
from blackbox.problems.files import VARIABLE
from studies.gflownets import grids, run, training
from studies.gflownets.scale import FULL, SMALL, TINY

BESIDE = Path(__file__).parents[3] / "shared" / "data"


class TestTraining:
    def test_laws_are_laws_and_order_preservation_finds_the_front(self):
        problem = HyperGridObjectives(side=6)
        learnt = grids.learnt(problem, grids.OP, 150, seed=0)
        assert sum(learnt["law"]) == pytest.approx(1)
        untrained = grids.learnt(problem, grids.OP, 0, seed=0)
        assert learnt["mass"] > 0.8 > untrained["mass"] + 0.3

    def test_the_target_of_a_preference_follows_its_weights(self):
        problem = HyperGridObjectives(side=6)
        for j, name in enumerate(("branin", "currin")):
            law = training.wanted(problem, np.eye(2)[j])
            assert law.sum() == pytest.approx(1)
            assert law.argmax() == problem.table[name].clip(0, 1).argmax()

    def test_a_preference_draws_what_it_asks_for(self):
        problem = HyperGridObjectives(side=6)
        made = training.preferring(problem, 300, seed=0)
        for w in ([0.9, 0.1], [0.1, 0.9]):
            near = np.abs(training.law(made, w) - training.wanted(problem, w)).sum()
            other = np.abs(training.law(made, w) - training.wanted(problem, w[::-1])).sum()
            assert near < 0.7 * other


def test_a_folder_that_cannot_be_made_is_explained(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert run.main(["--tiny", "--out", str(tmp_path / "file" / "runs")]) == 1
    assert "NotADirectoryError" in capsys.readouterr().err


def test_scales_grow():
    for small, large in ((TINY, SMALL), (SMALL, FULL)):
        assert small.grid_steps < large.grid_steps
        assert len(small.objectives) <= len(large.objectives)
        assert small.seeds <= large.seeds


@pytest.mark.slow
def test_the_whole_study_in_miniature(tmp_path, monkeypatch, capsys):
    """Every experiment there is, a report; and the same command again runs nothing."""
    pytest.importorskip("rdkit", reason="needs the extra molecules")
    if BESIDE.is_dir():
        monkeypatch.setenv(VARIABLE, os.environ.get(VARIABLE, str(BESIDE)))
    arguments = ["--tiny", "--jobs", "1", "--out", str(tmp_path)]
    assert run.main(arguments) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    lines = (tmp_path / "results.jsonl").read_text().splitlines()
    names = {json.loads(line)[0] for line in lines}
    assert names >= {"hypergrid", "grid", "strings"}
    if os.environ.get(VARIABLE):
        assert names >= {"table", "molecules"}
    else:
        assert "not run" in page
    assert page.count("data:image/png;base64,") >= 3
    assert ">nan" not in page
    assert not re.search(r"(?:src|href|url)\s*[=(]\s*['\"]?(?!data:)\w", page), "self-contained"
    # A run that was stopped in the middle of a line goes on.
    (tmp_path / "results.jsonl").write_text("\n".join([*lines[:-1], lines[-1][:20]]) + "\n")
    capsys.readouterr()
    assert run.main(arguments) == 0
    assert f"{len(lines) - 1} of them done before" in capsys.readouterr().out
