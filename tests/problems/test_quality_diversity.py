"""Objectives and measures of the quality-diversity problems at points where they are known."""

from __future__ import annotations

import numpy as np
import pytest

from blackbox import problems
from blackbox.batch import Batch
from blackbox.errors import ProblemError

PROJECTIONS = [problems.SphereProjection, problems.RastriginProjection]


@pytest.mark.parametrize("make", PROJECTIONS)
@pytest.mark.parametrize(("n", "measures"), [(2, 2), (20, 2), (100, 2), (12, 4), (3, 1)])
def test_projections_at_their_corners_and_optimum(make, n, measures):
    problem = make(n, measures)
    problem.check()
    x = np.stack([np.full(n, v) for v in (2.048, -5.12, 5.12, 0.0, 10.24, -10.24)])
    found = problem.measure(Batch({"x": x}))
    assert found["f"][0] == pytest.approx(100)
    assert found["f"][1] == pytest.approx(0, abs=1e-9)
    limit = problem.measures[0].high
    assert limit == pytest.approx(5.12 * n / measures)
    for m in problem.measures:
        # Beyond 5.12 a number counts 5.12 divided by it.
        wanted = [0.4 * limit, -limit, limit, 0, 0.5 * n / measures, -0.5 * n / measures]
        np.testing.assert_allclose(found[m.name], wanted, atol=1e-9)


def test_measures_are_sums_of_consecutive_inputs():
    problem = problems.SphereProjection(4)
    found = problem.measure(Batch({"x": np.array([[1.0, 2, 3, -8]])}))
    assert found["m1"][0] == pytest.approx(3)
    assert found["m2"][0] == pytest.approx(3 - 5.12 / 8)
    assert found["f"][0] == pytest.approx(
        100 * (1 - np.sum((np.array([1, 2, 3, -8]) - 2.048) ** 2) / (4 * 7.168**2))
    )


def test_the_best_map_of_the_sphere():
    problem = problems.SphereProjection(20)
    rng = np.random.default_rng(0)
    rows = problem.space.draw(5_000, rng)
    near = np.clip(rows["x"] / 10 + 2.048 * rng.random((5_000, 1)), -10.24, 10.24)
    for x in (rows["x"], near):
        found = problem.measure(Batch({"x": x}))
        best = problem.best_at(np.column_stack([found["m1"], found["m2"]]))
        assert (found["f"] <= best + 1e-9).all()
    # It is attained where both halves are constant.
    levels = rng.uniform(-5.12, 5.12, (50, 2))
    found = problem.measure(Batch({"x": np.repeat(levels, 10, axis=1)}))
    np.testing.assert_allclose(found["f"], problem.best_at(10 * levels))
    assert np.isnan(problem.best_at([[52.0, 0.0]]))[0]
    with pytest.raises(ProblemError, match=r"give \(n, 2\)"):
        problem.best_at([1.0, 2.0])


@pytest.mark.parametrize("n", [20, 100])
def test_the_best_map_of_the_sphere_scores_as_published(n):
    """75.4 per cell of 100 x 100, what gradients reach (pyribs' table of sphere results)."""
    problem = problems.SphereProjection(n)
    edges = np.linspace(-1, 1, 101) * problem.measures[0].high
    # The best point of a cell is the nearest to the optimum.
    sides = np.clip(0.4 * problem.measures[0].high, edges[:-1], edges[1:])
    grid = np.stack(np.meshgrid(sides, sides), axis=-1).reshape(-1, 2)
    assert problem.best_at(grid).mean() == pytest.approx(75.4, abs=0.05)


def test_rastrigin_by_hand():
    problem = problems.RastriginProjection(2)
    d = np.array([1.0, 0.25])
    worst = 2 * (10 + 7.168**2 - 10 * np.cos(2 * np.pi * 7.168))
    found = problem.measure(Batch({"x": (2.048 + d)[None]}))
    # At a whole distance the cosine is 1, at a quarter 0.
    assert found["f"][0] == pytest.approx(100 * (1 - (1 + 10 + 0.0625) / worst))


def test_arm_by_hand():
    arm = problems.PlanarArm(2)
    angles = np.array([[0, 0], [np.pi / 2, 0], [np.pi / 2, np.pi / 2], [0, np.pi], [1, -1]])
    found = arm.measure(Batch({"angles": angles}))
    np.testing.assert_allclose(found["x"], [2, 0, -1, 0, np.cos(1) + 1], atol=1e-12)
    np.testing.assert_allclose(found["y"], [0, 2, 1, 0, np.sin(1)], atol=1e-12)
    variance = [0, np.pi**2 / 16, 0, np.pi**2 / 4, 1]
    np.testing.assert_allclose(found["f"], 100 * (1 - np.array(variance)))


def test_the_tip_stays_in_its_disc():
    arm = problems.PlanarArm(7)
    rows = arm.space.draw(2_000, np.random.default_rng(0))
    found = arm.measure(rows)
    assert (np.hypot(found["x"], found["y"]) <= 7).all()
    assert found["f"].max() <= arm.optimum


@pytest.mark.parametrize(
    "problem",
    [
        problems.SphereProjection(6, gradients=True),
        problems.RastriginProjection(6, 3, gradients=True),
        problems.PlanarArm(5, gradients=True),
    ],
    ids=lambda p: p.name,
)
def test_gradients_are_the_slopes(problem):
    problem.check()
    (name,) = problem.space.names
    x = problem.space.draw(20, np.random.default_rng(1))[name]
    found = problem.measure(Batch({name: x}))
    step = 1e-6
    for outcome, gradient in problem.gradients.items():
        for j in range(x.shape[1]):
            aside = np.eye(x.shape[1])[j] * step
            up, down = (problem.measure(Batch({name: x + s * aside}))[outcome] for s in (1, -1))
            np.testing.assert_allclose(
                found[gradient][:, j], (up - down) / (2 * step), atol=1e-5, rtol=1e-5
            )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: problems.SphereProjection(5), "n=5 numbers cannot be shared equally"),
        (lambda: problems.SphereProjection(0), "n=0 must be an int"),
        (lambda: problems.RastriginProjection(4, 0), "measures=0"),
        (lambda: problems.RastriginProjection(2, 4), "cannot be shared"),
        (lambda: problems.PlanarArm(0), "joints=0"),
        (lambda: problems.PlanarArm(gradients="no"), "gradients='no' must be True or False"),
    ],
)
def test_wrong_sizes(make, message):
    with pytest.raises(ProblemError, match=message):
        make()


def test_pipeline_by_hand():
    problem = problems.Pipeline()
    rows = Batch(
        {
            "order": np.array([["clean", "scale", "select"], ["select", "clean", "scale"]]),
            "model": ["linear", "network"],
            "depth": [4, 8],
            "strength": [1e-1, 10**-0.5],
        }
    )
    found = problem.measure(rows)
    # One power of ten off; the second has the wrong order twice, at its best strength.
    wanted = [0.8 - 0.3 * np.exp(-4) - 0.02, 0.95 - 0.3 * np.exp(-2) - 0.02 - 0.06]
    np.testing.assert_allclose(found["accuracy"], wanted)
    np.testing.assert_allclose(found["seconds"], [6 + 0.8, 1 + 0.3 * 5 + 9.6])
    np.testing.assert_allclose(found["size"], np.log10([20, 320]))


def test_no_pipeline_beats_the_elites_in_their_cells():
    problem = problems.Pipeline()
    elites = problem.elites()
    assert len(elites) == 144
    problem.space.check(elites)

    def cells(rows):
        found = problem.measure(rows)
        shares = [found[m.name] / m.high for m in problem.measures]
        assert all(((s >= 0) & (s < 1)).all() for s in shares)
        place = [np.floor(10 * share).astype(int) for share in shares]
        return 10 * place[0] + place[1], found["accuracy"]

    def best(rows):
        made = np.full(100, -np.inf)
        np.maximum.at(made, *cells(rows))
        return made

    wanted = best(elites)
    drawn = best(problem.space.draw(50_000, np.random.default_rng(0)))
    filled = np.isfinite(wanted)
    assert 20 < filled.sum() < 100
    assert (np.isfinite(drawn) == filled).all()
    assert (drawn[filled] <= wanted[filled] + 1e-12).all()
    assert (drawn[filled] > wanted[filled] - 0.02).all()
    # Fast pipelines are worse than the best of all: there is something to illuminate.
    assert problem.optimum > wanted[:30].max() + 0.02
