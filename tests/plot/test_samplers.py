"""Pictures of what a sampler learnt, read back from the Axes."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from blackbox import plot, problems
from blackbox.batch import Batch
from blackbox.errors import BatchError, ProblemError

GRID = problems.HyperGrid(8, 2)
PAIR = problems.HyperGridObjectives(side=8)
TRIPLE = problems.HyperGridObjectives(("branin", "currin", "beale"), 8)


def answers(problem, n=40):
    """Rows with their outcomes and a preference each."""
    rng = np.random.default_rng(0)
    rows = problem.space.draw(n, rng)
    weights = rng.dirichlet(np.ones(len(problem.objectives)), n)
    return rows.with_columns(**problem.measure(rows)), weights


DRAWINGS = {
    "law": lambda ax: plot.law(GRID.law, (8, 8), marks=GRID.modes, ax=ax),
    "learnt_order": lambda ax: plot.learnt_order(np.arange(9), np.arange(9), ax=ax),
    "preferences": lambda ax: plot.preferences(*answers(PAIR), PAIR, front=PAIR.front(), ax=ax),
}


@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)
def test_draws_on_the_axes_it_is_given_and_makes_them_otherwise(draw):
    ax = Figure().add_subplot()
    assert draw(ax) is ax
    assert plt.get_fignums() == []
    made = draw(None)
    assert made.figure.number in plt.get_fignums()
    made.figure.canvas.draw()


def test_law_runs_to_the_right_along_the_first_number():
    law = np.zeros((3, 2))
    law[2, 0] = 1
    ax = plot.law(law, (3, 2), marks=law > 0)
    shown = ax.images[0].get_array()
    assert shown.shape == (2, 3)
    assert shown[0, 2] == 1
    np.testing.assert_allclose(np.delete(shown.ravel(), 2), 1e-3)
    (ring,) = ax.collections
    assert ring.get_offsets().tolist() == [[2, 0]]


def test_learnt_order_counts_pairs_in_order():
    scores = np.array([0.0, 1, 2, 2])
    title = plot.learnt_order([0, 2, 1, 3], scores).get_title()
    assert title == "80.0% of pairs in order", "five pairs differ, and one is the wrong way round"
    front = np.array([[0, 1], [1, 0], [-1, -1]])
    ax = plot.learnt_order([1, 2, 0], front)
    assert ax.collections[0].get_offsets()[:, 0].tolist() == [1, 1, 0]
    assert ax.get_title().startswith("100")


def test_preferences_leave_failed_rows_out():
    rows, weights = answers(PAIR)
    ok = np.arange(40) > 0
    ax = plot.preferences(rows.with_columns(ok=ok), weights, PAIR)
    np.testing.assert_allclose(ax.collections[0].get_array(), weights[1:, 0])


def test_three_preferences_are_colours():
    rows, weights = answers(TRIPLE)
    ax = plot.preferences(rows, weights, TRIPLE, front=TRIPLE.front())
    assert ax.name == "3d"
    assert "currin green" in ax.get_title()
    with pytest.raises(ProblemError, match="projection='3d'"):
        plot.preferences(rows, weights, TRIPLE, ax=Figure().add_subplot())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: plot.law([0.5, 0.5], (2, 2)), BatchError, "finite numbers"),
        (lambda: plot.law("a", (2, 2)), BatchError, "probabilities is 'a'; give an array"),
        (lambda: plot.law(np.ones(4), 4), BatchError, "shape=4; give the numbers of cells"),
        (lambda: plot.learnt_order([1.0, 2.0], 3), BatchError, "n > 1"),
        (lambda: plot.preferences(3, [[1.0]], PAIR), BatchError, "samples=3 is a int"),
        (lambda: plot.preferences(answers(PAIR)[0], [[1.0]], 3), ProblemError, "problem is 3"),
        (
            lambda: plot.preferences(*answers(PAIR), PAIR, front=3),
            BatchError,
            "front=3; give a Batch with",
        ),
        (lambda: plot.law(np.zeros(4), (2, 2)), BatchError, "not all 0"),
        (lambda: plot.law([-1, 1, 1, 0], (2, 2)), BatchError, "at least 0"),
        (lambda: plot.law(np.ones(4), (2, 2), marks=[True]), BatchError, "marks"),
        (lambda: plot.learnt_order([1.0], [1.0]), BatchError, "n > 1"),
        (lambda: plot.learnt_order([1.0, np.nan], [1.0, 2]), BatchError, "finite"),
        (
            lambda: plot.preferences(Batch({"reward": [1.0]}), [[1.0]], GRID),
            ProblemError,
            "1 objectives",
        ),
        (
            lambda: plot.preferences(answers(PAIR)[0], np.ones((40, 2)), PAIR),
            BatchError,
            "sum to one",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
