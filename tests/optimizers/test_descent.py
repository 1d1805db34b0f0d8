"""How Bayes begins in many dimensions."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from blackbox.optimizers.bayes.descent import Descent
from blackbox.testing import Check, check_optimizer, checks

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


class TestMixed:
    """Eight real numbers, four whole ones, one of few values, an ordinal and a category."""

    @staticmethod
    def problem() -> bb.Problem:
        def value(p):
            return float(
                np.sum((p["x"] - 2.0) ** 2) + np.sum((p["n"] - 7) ** 2) / 4 + 3 * (p["kind"] == "b")
            )

        return problem_of(
            value,
            bb.Real("x", -5, 5, size=8),
            bb.Integer("n", 0, 20, size=4),
            bb.Integer("few", 0, 3),
            bb.Ordinal("batch", [16, 32, 64]),
            bb.Categorical("kind", ["a", "b", "c"]),
        )

    def test_conformance(self):
        check_optimizer(Descent, budget=24, problems=[self.problem()])

    def test_numbers_are_stepped_along_and_all_else_keeps_the_best_rows_values(self):
        problem = self.problem()
        descent, rows, values = Descent(problem, seed=1), [], []
        for _ in range(Descent.rows(problem)):
            batch = descent.ask(1)
            batch = batch.with_columns(**problem.measure(batch))
            descent.tell(batch)
            rows.append(batch[0])
            values.append(rows[-1]["f"])
        held = {(row["few"], row["batch"], row["kind"]) for row in rows}
        assert len(held) == 1
        for i in range(1, 13):
            best = rows[int(np.argmin(values[:i]))]
            moved = np.sum(rows[i]["x"] != best["x"]) + np.sum(rows[i]["n"] != best["n"])
            assert moved == 1
        assert min(values) < 0.5 * min(values[:13])

    def test_a_row_of_another_category_says_nothing_of_the_slope(self):
        problem = self.problem()
        descent = Descent(problem, seed=0)
        first = descent.ask(1)
        descent.tell(first.with_columns(**problem.measure(first)))
        other = problem.space.draw(40, np.random.default_rng(0)).with_columns(batch=np.full(40, 64))
        other = other[np.array([row["kind"] != first[0]["kind"] for row in other])]
        descent.tell(other.with_columns(f=np.full(len(other), 1e6)))
        assert not descent._slope.any()


class TestMixtures:
    @staticmethod
    def problem(*constraints: bb.LinearConstraint) -> bb.Problem:
        best = np.array([0.5, 0.2, 0.1, 0.1, 0.1, 0.0])
        space = bb.Space(bb.Simplex("mix", list("abcdef")), constraints=constraints)
        return bb.problem(lambda p: float(np.sum((p["mix"] - best) ** 2)), space, bb.Minimize("f"))

    def test_conformance(self):
        check_optimizer(Descent, budget=14, problems=[self.problem()])

    def test_a_step_adds_to_one_share_what_all_give_in_proportion(self):
        problem = self.problem()
        descent, rows, values = Descent(problem, seed=0), [], []
        assert Descent.rows(problem) == 1 + 6 + 2
        for i in range(7):
            batch = descent.ask(1)
            batch = batch.with_columns(**problem.measure(batch))
            descent.tell(batch)
            (mix,) = batch["mix"]
            assert mix.sum() == pytest.approx(1.0)
            if i == 0:
                assert mix == pytest.approx(1 / 6)
            else:
                best = rows[int(np.argmin(values))]
                added = int(np.argmax(mix - best))
                assert np.delete(mix / best, added) == pytest.approx(2 / 3)
                assert mix[added] == pytest.approx(1 / 3 + 2 / 3 * best[added])
            rows.append(mix)
            values.append(batch["f"][0])
        assert min(values) < 0.5 * values[0]

    def test_a_step_that_linear_constraints_rule_out_is_halved(self):
        capped = self.problem(*[bb.LinearConstraint({f"mix[{c}]": 1}, upper=0.3) for c in "abcdef"])
        descent = Descent(capped, seed=0)
        descent.tell(descent.ask(1).with_columns(f=[0.0]))
        rows = [descent.ask(1) for _ in range(6)]  # 1/3 of one share would be 4/9 of all
        assert [max(row["mix"][0]) for row in rows] == pytest.approx([1 / 6 + 5 / 36 / 2] * 6)

    def test_it_ends_below_as_many_draws(self):
        problem = self.problem()
        n = Descent.rows(problem)
        for seed in range(5):
            least = []
            for kind in (Descent, bb.Random):
                study = bb.Study(problem, kind(problem, seed=seed)).run(n)
                least.append(study.best["f"])
            assert least[0] < 0.5 * least[1]


class TestConstrained:
    """A bowl of which the half with its bottom is closed, by a plane."""

    @staticmethod
    def problem() -> bb.Problem:
        def value(p):
            return {"f": float(np.sum((p["x"] - 2.0) ** 2)), "c": float(np.sum(p["x"])) - 3.0}

        return bb.problem(
            value,
            bb.Space(bb.Real("x", -5, 5, size=D)),
            bb.Minimize("f"),
            constraints=[bb.Constraint("c", upper=0.0)],
        )

    def test_conformance(self):
        check_optimizer(Descent, budget=24, problems=[self.problem()])

    def test_it_goes_on_from_the_best_feasible_row_and_never_downhill(self):
        problem = self.problem()
        descent, rows = Descent(problem, seed=0), []
        assert Descent.rows(problem) == 1 + D
        for i in range(1 + D):
            batch = descent.ask(1)
            batch = batch.with_columns(**problem.measure(batch))
            descent.tell(batch)
            if i:
                best = min((row for row in rows if row["c"] <= 0), key=lambda row: row["f"])
                assert np.sum(batch[0]["x"] != best["x"]) == 1
            rows.append(batch[0])
        assert any(row["c"] > 0 for row in rows)

    def test_where_nothing_is_feasible_from_the_nearest(self):
        """The centre breaks the constraint, and steps that break it by less are gone on from."""
        shifted = bb.problem(
            lambda p: {"f": 0.0, "c": 40.0 - float(np.sum(p["x"]))},
            bb.Space(bb.Real("x", -5, 5, size=D)),
            bb.Minimize("f"),
            constraints=[bb.Constraint("c", upper=0.0)],
        )
        for seed in range(3):
            descent = Descent(shifted, seed=seed)
            told(descent, 1 + D)
            signs = descent._steps.sum(axis=0) > 0
            assert (descent._base[signs] > 0.6).all()
            assert (descent._base[~signs] == 0.5).all()


class TestTelling:
    def test_it_ends_far_below_as_many_sobol_points(self):
        """A bowl of 12 dimensions; the steps along axes alone do not reach half as low."""
        n = Descent.rows(bowl())
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
        points, _ = told(descent, Descent.rows(bowl()) + 6, batch=4)
        assert ((points >= 0) & (points <= 1)).all()
        assert len(np.unique(points, axis=0)) == len(points)

    def test_after_its_rows_it_spreads_points_evenly(self):
        points, values = told(Descent(bowl(), seed=0), Descent.rows(bowl()) + 4)
        best = points[np.argmin(values)]
        assert np.linalg.norm(points[-4:] - best, axis=1).min() > 2 * STEP


class TestBayes:
    def test_it_begins_so_with_ten_numbers(self):
        problem = problem_of(lambda p: 0.0, bb.Real("x", 0, 1, size=10))
        optimizer = bb.Bayes(problem, seed=0)
        assert isinstance(optimizer._init, Descent)
        assert optimizer._n_init == Descent.rows(problem) == 14

    @pytest.mark.parametrize(
        "problem",
        [
            problem_of(lambda p: 0.0, bb.Simplex("mix", 3)),
            problem_of(lambda p: 0.0, bb.Simplex("mix", 7), bb.Categorical("kind", ["a", "b"])),
            problem_of(lambda p: 0.0, bb.Real("x", 0, 1, size=6), bb.Integer("k", 1, 8, size=4)),
        ],
    )
    def test_and_with_a_mixture_or_whole_numbers(self, problem):
        assert isinstance(bb.Bayes(problem, seed=0)._init, Descent)

    @pytest.mark.parametrize(
        "problem",
        [
            problem_of(lambda p: 0.0, bb.Real("x", 0, 1, size=9)),
            problem_of(lambda p: 0.0, bb.Real("x", 0, 1, size=9), bb.Integer("k", 1, 3)),
            problem_of(lambda p: 0.0, bb.Real("x", 0, 1, size=9), bb.Real("same", 2, 2)),
            problem_of(lambda p: 0.0, bb.Real("x", 0, 1, size=10), bb.Permutation("tour", 4)),
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
