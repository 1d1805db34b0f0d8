"""The best answers that ready-made problems claim are attained, and nothing beats them."""

from __future__ import annotations

import numpy as np
import pytest

from blackbox import metrics, problems
from blackbox.batch import Batch
from blackbox.errors import ProblemError

SINGLE = [
    problems.Branin(),
    problems.Hartmann6(),
    problems.Ackley(1),
    problems.Ackley(5),
    problems.Levy(1),
    problems.Levy(4),
    problems.Rosenbrock(2),
    problems.Rosenbrock(6),
    problems.Tuning(),
    problems.Mixture(2),
    problems.Mixture(3),
    problems.Mixture(7),
]
ILLUMINATED = [
    problems.SphereProjection(4),
    problems.SphereProjection(20),
    problems.RastriginProjection(4),
    problems.PlanarArm(1),
    problems.PlanarArm(12),
    problems.Pipeline(),
]
SEVERAL = [
    problems.ZDT1(2),
    problems.ZDT1(),
    problems.ZDT2(5),
    problems.DTLZ2(2),
    problems.DTLZ2(3, 4),
    problems.DTLZ2(4),
    problems.BNH(),
]


def label(problem):
    return f"{problem.name}-{problem.space.width}"


def measured(problem, rows):
    return rows.with_columns(**problem.measure(rows))


def around(problem, row, n, rng):
    """Rows near one row: its encoding moved a little."""
    cube = problem.space.encode(row)
    return problem.space.decode(np.clip(cube + 0.01 * rng.normal(size=(n, cube.shape[1])), 0, 1))


@pytest.mark.parametrize("problem", [*SINGLE, *SEVERAL, *ILLUMINATED], ids=label)
def test_declared_rightly_and_evaluates_whole_batches(problem):
    problem.check()
    rows = problem.space.draw(50, np.random.default_rng(0))
    whole = problem.measure(rows)
    assert set(whole) == set(problem.outcomes)
    for name, values in whole.items():
        assert np.isfinite(values).all()
        one_by_one = [problem.measure(rows[i : i + 1])[name][0] for i in range(5)]
        np.testing.assert_allclose(values[:5], one_by_one, rtol=1e-12)
    assert problem.about


@pytest.mark.parametrize("problem", [*SINGLE, *ILLUMINATED], ids=label)
def test_solution_attains_the_optimum_and_nothing_beats_it(problem):
    name = problem.objectives[0].name
    solution = problem.space.check(Batch({k: np.array([v]) for k, v in problem.solution.items()}))
    assert problem.measure(solution)[name][0] == pytest.approx(problem.optimum, abs=1e-9)

    rng = np.random.default_rng(0)
    rows = Batch.concat([problem.space.draw(20_000, rng), around(problem, solution, 5_000, rng)])
    best = problem.scores(Batch({name: [problem.optimum]}))
    assert problem.scores(measured(problem, rows)).max() <= best[0, 0] + 1e-9


@pytest.mark.parametrize("problem", SEVERAL, ids=label)
def test_front_is_a_front_and_nothing_beats_it(problem):
    front = problem.scores(problem.front(200))
    assert metrics.is_nondominated(front).all()
    rows = measured(problem, problem.space.draw(5_000, np.random.default_rng(0)))
    scores = problem.scores(rows)[problem.feasible(rows)]
    assert len(scores)
    for row in scores:
        # No point of the front is exceeded in every objective.
        assert (front - row).max(axis=1).min() > -1e-9
    z = problem.scores(problem.reference)[0]
    assert metrics.hypervolume(scores, z) <= metrics.hypervolume(front, z) * 1.02


@pytest.mark.parametrize("problem", [problems.ZDT1(4), problems.ZDT2(4)], ids=label)
def test_zdt_front_lies_where_the_other_inputs_are_zero(problem):
    x = np.zeros((50, 4))
    x[:, 0] = np.linspace(0, 1, 50)
    found = problem.measure(Batch({"x": x}))
    front = problem.front(50)
    for name in ("f1", "f2"):
        np.testing.assert_allclose(found[name], front[name], atol=1e-12)


def test_hypervolumes_of_the_fronts_in_closed_form():
    # Under the reference (1.1, 1.1): 1.1^2 less the area under the front and its two margins.
    for problem, area in ((problems.ZDT1(), 1 / 3), (problems.ZDT2(), 2 / 3)):
        z = problem.scores(problem.reference)[0]
        found = metrics.hypervolume(problem.scores(problem.front(20_001)), z)
        assert found == pytest.approx(1.21 - area, abs=2e-3)
    # A front on the unit sphere leaves the box without the eighth of a ball.
    sphere = problems.DTLZ2(3)
    z = sphere.scores(sphere.reference)[0]
    found = metrics.hypervolume(sphere.scores(sphere.front(10_000)), z)
    assert found == pytest.approx(1.1**3 - np.pi / 6, abs=2e-2)


@pytest.mark.parametrize("m", [2, 3, 5])
def test_dtlz2_front_is_the_unit_sphere(m):
    problem = problems.DTLZ2(m)
    front = problem.scores(problem.front(200))
    np.testing.assert_allclose((front**2).sum(axis=1), 1.0, atol=1e-9)
    rows = measured(problem, problem.space.draw(200, np.random.default_rng(1)))
    rest = rows["x"][:, m - 1 :]
    radius = np.sqrt((problem.scores(rows) ** 2).sum(axis=1))
    np.testing.assert_allclose(radius, 1 + ((rest - 0.5) ** 2).sum(axis=1))


def test_bnh_front_is_feasible_and_the_constraints_bind_somewhere():
    problem = problems.BNH()
    assert problem.feasible(problem.front(300)).all()
    rows = measured(problem, problem.space.draw(2_000, np.random.default_rng(0)))
    share = problem.feasible(rows).mean()
    assert 0.5 < share < 1.0


def test_tuning_misleads_in_the_middle():
    problem = problems.Tuning()
    middle = Batch({"lr": [10**-2.5] * 3, "width": [128] * 3, "act": ["relu", "tanh", "gelu"]})
    assert middle["act"][problem.measure(middle)["loss"].argmin()] != problem.solution["act"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: problems.Ackley(0), "Ackley: d=0 must be an int of at least 1"),
        (lambda: problems.Rosenbrock(1), "at least 2"),
        (lambda: problems.Levy(2.0), "d=2.0"),
        (lambda: problems.ZDT1(True), "d=True"),
        (lambda: problems.DTLZ2(1), "DTLZ2: m=1"),
        (lambda: problems.DTLZ2(4, 3), "DTLZ2: d=3 must be an int of at least 4"),
        (lambda: problems.Mixture(1), "at least 2"),
    ],
)
def test_wrong_sizes(make, message):
    with pytest.raises(ProblemError, match=message):
        make()
