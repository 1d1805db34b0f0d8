"""pyribs as oracle: the same cells, statuses, gains, elites and thresholds, bit for bit."""

from __future__ import annotations

import math

import numpy as np
import pytest

import blackbox as bb
from blackbox.archives import GridArchive, _placing

ribs_archives = pytest.importorskip("ribs.archives")

PLANE = bb.problem(
    lambda p: 0.0,
    bb.Space(bb.Real("x", -1, 1, size=4)),
    bb.Maximize("f"),
    measures=[bb.Measure("a", -2, 2), bb.Measure("b", 0, 5)],
)


def batch(n: int, rng: np.random.Generator) -> bb.Batch:
    """Random rows with ties: few different objectives and, in part, equal measures."""
    measures = rng.uniform([-2, 0], [2, 5], (n, 2))
    measures[rng.random(n) < 0.3] = [0.123, 4.321]
    return PLANE.space.draw(n, rng).with_columns(
        f=rng.integers(0, 8, n).astype(float), a=measures[:, 0], b=measures[:, 1]
    )


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("rule", ["plain", "soft", "immediate"])
def test_fifty_batches_with_ties(
    compiled: bool, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_placing, "_COMPILE_AFTER", 0 if compiled else math.inf)
    options = {
        "plain": {},
        "soft": {"learning_rate": 0.01, "threshold_min": 0.0},
        "immediate": {"learning_rate": 1.0, "threshold_min": -1.0},
    }[rule]
    ours = GridArchive(PLANE, (7, 9), **options)
    shape = {"solution_dim": 4, "dims": (7, 9), "ranges": [(-2, 2), (0, 5)]}
    theirs = ribs_archives.GridArchive(**shape, **options)
    best = ribs_archives.GridArchive(**shape)  # what pyribs calls a result archive
    rng = np.random.default_rng(5)
    for _ in range(50):
        rows = batch(int(rng.integers(1, 60)), rng)
        measures = np.column_stack([rows["a"], rows["b"]])
        added = ours.add(rows)
        told = theirs.add(rows["x"], rows["f"], measures)
        best.add(
            rows["x"][added.status > 0], rows["f"][added.status > 0], measures[added.status > 0]
        )
        assert np.array_equal(added.status, told["status"])
        assert np.array_equal(added.gain, told["value"])
        assert np.array_equal(added.cell, theirs.index_of(measures))
    for archive, columns in (
        (best, ["solution", "objective", "measures"]),
        (theirs, ["threshold"]),
    ):
        data = archive.data(["index", *columns])
        order = np.argsort(data["index"])
        assert np.array_equal(ours.cells, data["index"][order])
        own = {
            "solution": ours.elites["x"],
            "objective": ours.scores,
            "measures": ours.measures,
            "threshold": ours.thresholds,
        }
        for name in columns:
            assert np.array_equal(own[name], data[name][order]), name
    assert ours.qd_score(-1) == pytest.approx(best.stats.obj_mean * len(best) + len(best))
    assert ours.coverage == best.stats.coverage
