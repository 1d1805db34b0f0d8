"""How Bayes begins in many dimensions."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from blackbox.optimizers.bayes.descent import Descent
from blackbox.testing import Check, checks

D = 12
STEP = 1.0 / 6.0


def problem_of(function, *parameters: bb.Parameter, **declared) -> bb.Problem:
    space = bb.Space(*(parameters or (bb.Real("x", -5, 5, size=D),)))
    return bb.problem(function, space, bb.Minimize("f"), **declared)


def bowl(away: float = 2.0) -> bb.Problem:
    """Round, its least value 0 off the centre."""
    return problem_of(lambda p: float(np.sum((p["x"] - away) ** 2)))


def told(optimizer: bb.Optimizer, n: int, batch: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(n, d) points of the unit cube asked for and told, and (n,) values."""
    points, values = [], []
    while len(values) < n:
        rows = optimizer.ask(batch)
        rows = rows.with_columns(**optimizer.problem.measure(rows))
        optimizer.tell(rows)
        points.append(optimizer.problem.space.encode(rows))
        values += rows["f"].tolist()
    return np.concatenate(points), np.array(values)


@pytest.mark.parametrize("check", [pytest.param(c, id=str(c)) for c in checks(Descent, budget=20)])
def test_conformance(check: Check) -> None:
    check()


class TestSteps:
    def test_the_centre_then_each_axis_once_from_the_best_so_far(self):
        points, values = told(Descent(bowl(), seed=0), 1 + D)
        assert (points[0] == 0.5).all()
        axes = []
        for i in range(1, 1 + D):
            best = points[np.argmin(values[:i])]
            (axis,) = np.flatnonzero(np.abs(points[i] - best) > 1e-9)
            assert abs(points[i][axis] - best[axis]) == pytest.approx(STEP)
            axes.append(axis)
        assert sorted(axes) == list(range(D))

    def test_of_a_plane_it_knows_the_slope_and_goes_straight_down(self):
        slope = np.linspace(-3, 4, D)
        descent = Descent(problem_of(lambda p: float(slope @ p["x"])), seed=0)
        points, values = told(descent, 1 + D)
        assert descent._slope == pytest.approx(10 * slope)  # by the unit cube
        best = points[np.argmin(values)]
        (row,) = descent.problem.space.encode(descent.ask(1))
        assert row - best == pytest.approx(-STEP * slope / np.linalg.norm(slope))

    def test_a_step_that_fails_makes_the_next_half_as_long(self):
        """Beyond a cliff nothing is better, wherever the slope leads."""
        rows = iter([*np.linspace(1, 2, 1 + D), *[1e3] * 4])
        descent = Descent(problem_of(lambda p: float(next(rows))), seed=0)
        points, _ = told(descent, 1 + D + 4)
        lengths = np.linalg.norm(points[1 + D :] - points[0], axis=1)
        assert lengths == pytest.approx(STEP * 0.5 ** np.arange(4))

    def test_rows_of_a_batch_each_go_half_as_far_downhill(self):
        descent = Descent(bowl(), seed=0)
        points, values = told(descent, 1 + D)
        best = points[np.argmin(values)]
        rows = descent.problem.space.encode(descent.ask(3))
        lengths = np.linalg.norm(rows - best, axis=1)
        assert lengths == pytest.approx(STEP * 0.5 ** np.arange(3))
        (row,) = descent.problem.space.encode(descent.ask(1))
        assert np.linalg.norm(row - best) == pytest.approx(STEP / 8)

    def test_more_coordinates_than_steps_move_together(self):
        wide = problem_of(lambda p: float(p["x"].sum()), bb.Real("x", 0, 1, size=50))
        points, values = told(Descent(wide, seed=0), 21)
        moved = set()
        for i in range(1, 21):
            best = points[np.argmin(values[:i])]
            axes = np.flatnonzero(np.abs(points[i] - best) > 1e-9)
            assert len(axes) in (2, 3)
            assert np.linalg.norm(points[i] - best) == pytest.approx(STEP)
            moved |= set(axes.tolist())
        assert len(moved) == 50


class TestTelling:
    def test_it_ends_far_below_as_many_sobol_points(self):
        """A bowl of 12 dimensions; the steps along axes alone do not reach half as low."""
        n = Descent.rows(D)
        for seed in range(5):
            _, values = told(Descent(bowl(), seed=seed), n)
            _, sobol = told(bb.Sobol(bowl(), seed=seed), n)
            assert values.min() < 0.5 * values[: 1 + D].min()
            assert values.min() < 0.2 * sobol.min()

    def test_a_row_from_outside_is_where_it_goes_on_from(self):
        descent = Descent(bowl(), seed=0)
        told(descent, 3)
        near = bb.Batch({"x": np.full((1, D), 1.9)})
        descent.tell(near.with_columns(**descent.problem.measure(near)))
        (row,) = descent.problem.space.encode(descent.ask(1))
        assert np.sum(np.abs(row - 0.69) > 1e-9) == 1

    @pytest.mark.parametrize("value", [0.0, 1e300, -1e307, 1e-300, float("nan")])
    def test_what_shows_no_slope_is_no_reason_to_stop(self, value):
        descent = Descent(problem_of(lambda p: value * (1 + p["x"][0])), seed=0)
        points, _ = told(descent, Descent.rows(D) + 6, batch=4)
        assert ((points >= 0) & (points <= 1)).all()
        assert len(np.unique(points, axis=0)) == len(points)

    def test_after_its_rows_it_spreads_points_evenly(self):
        points, values = told(Descent(bowl(), seed=0), Descent.rows(D) + 4)
        best = points[np.argmin(values)]
        assert np.linalg.norm(points[-4:] - best, axis=1).min() > 2 * STEP


class TestBayes:
    def test_it_begins_so_with_ten_numbers(self):
        problem = problem_of(lambda p: 0.0, bb.Real("x", 0, 1, size=10))
        optimizer = bb.Bayes(problem, seed=0)
        assert isinstance(optimizer._init, Descent)
        assert optimizer._n_init == Descent.rows(10) == 14

    @pytest.mark.parametrize(
        "problem",
        [
            problem_of(lambda p: 0.0, bb.Real("x", 0, 1, size=9)),
            problem_of(lambda p: 0.0, bb.Real("x", 0, 1, size=10), bb.Integer("k", 1, 3)),
            bb.problem(
                lambda p: 0.0, bb.Space(bb.Real("x", 0, 1, size=10)), bb.Minimize("f", noise=True)
            ),
            bb.problem(
                lambda p: (0.0, 0.0),
                bb.Space(bb.Real("x", 0, 1, size=10)),
                [bb.Minimize("f"), bb.Minimize("g")],
            ),
        ],
    )
    def test_it_does_not_where_there_is_no_slope_to_see(self, problem):
        assert not isinstance(bb.Bayes(problem, seed=0)._init, Descent)

    def test_nor_where_too_few_rows_are_allowed_for_it(self):
        assert not isinstance(bb.Bayes(bowl(), n_init=6, seed=0)._init, Descent)

    def test_a_design_of_ones_own_has_as_many_rows_as_ever(self):
        optimizer = bb.Bayes(bowl(), init=bb.Sobol(bowl(), seed=0), seed=0)
        assert optimizer._n_init == 8
