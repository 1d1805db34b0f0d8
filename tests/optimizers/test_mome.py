"""MOME: the contract, and fronts that approach the known ones."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from blackbox.errors import ProblemError, UnsupportedError
from blackbox.testing import checks


class Sloped(bb.Problem):
    """ZDT1's compromise in each cell of the last input: the front is known everywhere."""

    space = bb.Space(bb.Real("x", 0, 1, size=5))
    objectives = [bb.Minimize("f"), bb.Minimize("g")]
    measures = [bb.Measure("m", 0, 1)]

    def evaluate_batch(self, batch):
        x = batch["x"]
        far = 1 + 9 * x[:, 1:4].mean(axis=1)
        return {"f": x[:, 0], "g": far * (1 - np.sqrt(x[:, 0] / far)), "m": x[:, 4]}


class Mixed(Sloped):
    space = bb.Space(
        bb.Real("rate", 1e-3, 1, log=True),
        bb.Categorical("kind", ["a", "b", "c"]),
        bb.Permutation("order", 4),
    )
    objectives = [bb.Minimize("f"), bb.Maximize("g"), bb.Minimize("h")]
    measures = [bb.Measure("m", 0, 1), bb.Measure("n", -1, 1)]
    constraints = [bb.Constraint("c", upper=0.5)]


def _make(problem, seed):
    cells = (4,) * len(problem.measures)
    return bb.MOME(problem, cells=cells, front=5, batch_size=6, n_init=8, seed=seed)


@pytest.mark.parametrize(
    "check", checks(_make, budget=30, problems=[Sloped(), Mixed()]), ids=lambda check: check.name
)
def test_conformance(check):
    check()


def test_what_it_cannot_take():
    with pytest.raises(UnsupportedError, match="objectives"):
        bb.MOME(bb.problems.SphereProjection(4))
    with pytest.raises(UnsupportedError, match="measures"):
        bb.MOME(bb.problems.ZDT1(4))
    for wrong in ({"front": 1}, {"cells": 9}, {"cells": (9, 9)}, {"batch_size": 0}):
        with pytest.raises(ProblemError):
            bb.MOME(Sloped(), **wrong)
    for name in ("front", "batch_size", "n_init"):
        for wrong in ("x", 1.5, True, -1, 10**400):
            with pytest.raises(ProblemError, match=f"{name}={wrong!r} must be an int of at"):
                bb.MOME(Sloped(), **{name: wrong})


def test_fronts_of_all_cells_approach_the_known_one():
    problem = Sloped()
    optimizer = bb.MOME(problem, cells=(5,), front=15, batch_size=200, seed=0)
    bb.Study(problem, optimizer).run(20_000)
    archive = optimizer.archive
    assert archive.coverage == 1.0
    known = bb.problems.ZDT1(2).front(500)
    best = bb.metrics.hypervolume(-np.column_stack([known["f1"], known["f2"]]), [-1.1, -1.1])
    assert archive.moqd_score([-1.1, -1.1]) > 5 * 0.9 * best
    elites = archive.elites
    assert set(archive.parents) - {-1} <= set(range(optimizer.asked))
    np.testing.assert_array_equal(problem.evaluate_batch(elites)["g"], elites["g"])
