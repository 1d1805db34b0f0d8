"""Grids: known rewards, exact laws, and the fronts that enumeration finds."""

from __future__ import annotations

import numpy as np
import pytest

from blackbox import metrics, problems
from blackbox.batch import Batch
from blackbox.errors import ProblemError


@pytest.mark.parametrize(
    ("side", "axes", "modes"), [(8, 4, 16), (64, 2, 144), (20, 2, 16), (16, 2, 4)]
)
def test_modes_and_law_of_the_published_grids(side, axes, modes):
    grid = problems.HyperGrid(side, axes)
    assert len(grid.table) == side**axes
    assert grid.modes.sum() == modes
    assert grid.optimum == 2.6
    assert grid.law.sum() == pytest.approx(1)
    np.testing.assert_allclose(grid.law[grid.modes], 2.6 / grid.table["reward"].sum())


def test_rewards_by_hand():
    grid = problems.HyperGrid(11, 2, r0=0.01, r1=1, r2=4)
    x = np.array([[0, 0], [5, 5], [1, 9], [2, 8], [3, 8], [0, 10]])
    found = grid.measure(Batch({"x": x}))["reward"]
    # 1 / 10 is at the border of the mode, and 3 / 10 is inside the plateau's.
    np.testing.assert_allclose(found[[0, 1, 4, 5]], [1.01, 0.01, 0.01, 1.01])
    line = problems.HyperGrid(8, 1).table["reward"]
    assert line.tolist() == [0.6, 2.6, 0.1, 0.1, 0.1, 0.1, 2.6, 0.6]


def test_positions_find_every_row_of_the_table():
    for problem in (problems.HyperGrid(5, 3), problems.HyperGridObjectives(side=7)):
        table = problem.table
        np.testing.assert_array_equal(problem.positions(table), np.arange(len(table)))
        order = np.random.default_rng(0).permutation(len(table))
        np.testing.assert_array_equal(problem.positions(table[order]), order)


def test_objectives_are_those_of_the_published_code():
    """By hand: Branin's minimum is 0.397887, Beale's function is 0 at (3, 0.5), far outside."""
    names = ("branin", "currin", "shubert", "sphere", "beale")
    problem = problems.HyperGridObjectives(names, 3)
    centre = problem.measure(Batch({"x": [[1, 1]]}))
    a, b = 0.5, 0.5
    currin = (1 - np.exp(-1 / (2 * b))) * (2300 * a**3 + 1900 * a**2 + 2092 * a + 60)
    currin /= 100 * a**3 + 500 * a**2 + 4 * a + 20
    assert centre["currin"][0] == pytest.approx(currin / 13.77)
    assert centre["sphere"][0] == 0
    assert centre["beale"][0] == pytest.approx((1.5**2 + 2.25**2 + 2.625**2) / 38.8)
    shubert = sum(i * np.cos(i) for i in range(1, 6)) ** 2
    assert centre["shubert"][0] == pytest.approx((shubert + 186.8) / 397)
    branin = problems.Branin().measure(Batch({"x": [2.5], "y": [7.5]}))["f"][0]
    assert centre["branin"][0] == pytest.approx(1 - branin / 308.13)
    scores = problems.HyperGridObjectives(names).scores(problems.HyperGridObjectives(names).table)
    assert scores.min() > -1e-9
    assert scores.max() < 1.01


@pytest.mark.parametrize(
    ("names", "points", "volume"),
    [
        (("branin", "currin"), 36, 0.98214),
        (("branin", "shubert"), 14, 0.88384),
        (("currin", "beale"), 8, 0.89794),
    ],
)
def test_fronts_by_enumeration(names, points, volume):
    problem = problems.HyperGridObjectives(names)
    front = problem.scores(problem.front())
    assert len(front) == points
    assert metrics.is_nondominated(front).all()
    assert metrics.hypervolume(front, problem.scores(problem.reference)[0]) == pytest.approx(
        volume, abs=1e-5
    )
    some = problem.front(5)[names[0]]
    assert len(some) == 5
    assert some.tolist() == sorted(some)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: problems.HyperGrid(1), "side=1"),
        (lambda: problems.HyperGrid(4, 0), "dimension=0"),
        (lambda: problems.HyperGrid(r0=0.0), "r0=0.0 must be above 0"),
        (lambda: problems.HyperGrid(r1="a"), "HyperGrid: r1='a' must be a finite number"),
        (lambda: problems.HyperGrid(r2=float("nan")), "r2=nan must be a finite number"),
        (lambda: problems.HyperGridObjectives(3), r"names=3\): give different names"),
        (lambda: problems.HyperGridObjectives().front(0), "n=0 must be an int of at least 1"),
        (lambda: problems.HyperGridObjectives(()), "different names"),
        (lambda: problems.HyperGridObjectives(("branin", "branin")), "different names"),
        (lambda: problems.HyperGridObjectives("levy"), "different names"),
        (lambda: problems.HyperGridObjectives().optimum, "has several objectives"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ProblemError, match=message):
        make()
