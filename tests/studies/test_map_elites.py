"""The study of MAP-Elites at its smallest, and its parts."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from blackbox.archives import Archive
from blackbox.testing import checks
from studies.map_elites import run, treatments, warm
from studies.map_elites.domains import DOMAINS, SmoothArm


def test_the_arm_scores_between_0_and_1():
    arm = SmoothArm(6)
    rows = bb.Batch({"angles": np.array([np.full(6, 0.3), [3, -3, 3, -3, 3, -3]])})
    found = arm.measure(rows)
    np.testing.assert_allclose(found["smoothness"], [1, 0.1])
    assert "f" not in found


class Two(bb.Problem):
    space = bb.Space(bb.Real("x", 0, 1, size=2))
    objectives = [bb.Maximize("f")]
    measures = [bb.Measure("m", 0, 1)]

    def evaluate_batch(self, batch):
        return {"f": batch["x"][:, 0], "m": batch["x"][:, 1]}


@pytest.mark.parametrize(
    "check",
    checks(lambda p, s: treatments.Evolution(p, batch_size=6, seed=s), budget=20, problems=[Two()]),
    ids=lambda check: check.name,
)
def test_evolution_keeps_the_contract(check):
    check()


def test_evolution_climbs():
    optimizer = treatments.Evolution(Two(), seed=0)
    bb.Study(Two(), optimizer).run(3000)
    assert len(optimizer.archive) == treatments.SIZE
    assert optimizer.archive.scores.min() > 0.99


def test_given_rows_begin_a_bayes():
    problem = warm.BrokenArm(np.array([3.0, 2.0]))
    rows = problem.space.draw(3, np.random.default_rng(0))
    asked = bb.Bayes(problem, init=warm.Rows(problem, rows), n_init=3, seed=0).ask(3)
    np.testing.assert_allclose(asked["angles"], rows["angles"])


@pytest.mark.slow
def test_the_tiny_study_writes_its_report_and_goes_on_where_it_was(tmp_path, capsys):
    arguments = ["--tiny", "--runs", "2", "--jobs", "1", "--out", str(tmp_path)]
    assert run.main(arguments) == 0
    page = (tmp_path / "report.html").read_text()
    for treatment in treatments.TREATMENTS:
        assert treatment in page
    assert page.count("<img") == 4
    assert "Too small a run" in page
    files = sorted((tmp_path / "maps").iterdir())
    assert len(files) == 2 * 2 * 4
    archive = Archive.load(files[0], DOMAINS["arm"].problem)
    assert len(archive) > 5
    options, before = run.parse(arguments), files[0].stat().st_mtime_ns
    assert run.illuminate(options, "arm", "MAP-Elites", 0).stat().st_mtime_ns == before
