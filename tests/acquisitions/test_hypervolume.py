"""The closed-form hypervolume improvement against Monte Carlo and BoTorch."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from blackbox.acquisitions.hypervolume import (
    EHVI,
    HypervolumeImprovement,
    _partition,
    reference_point,
)
from blackbox.acquisitions.torch.several import noisy_ehvi
from blackbox.errors import ProblemError
from blackbox.metrics import hypervolume
from tests.acquisitions.beliefs import MIXED, PLANE, belief, check_function

NEW = PLANE.draw(5, np.random.default_rng(7))


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("m", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "options",
    [{}, {"noise": 0.3, "pending": 2}, {"features": MIXED, "n": 12}, {"limited": True}],
    ids=["plain", "noisy, pending", "mixed", "limited"],
)
def test_values_and_gradients(m, options):
    state = belief(m=m, **options)
    check_function(EHVI().build(state, rng()), state.features, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("m", [2, 3, 4, 5])
def test_boxes_fill_what_the_front_leaves(m):
    values, corner = rng().random((12, m)), np.full(m, 0.1)
    lower, upper = _partition(values, corner)
    inside = np.prod(np.clip(np.minimum(upper, 1.0) - lower, 0.0, None), axis=1).sum()
    assert inside == pytest.approx(0.9**m - hypervolume(values, corner), rel=1e-9)


@pytest.mark.parametrize("m", [2, 3, 4])
def test_it_is_the_expected_gain_of_hypervolume(m):
    state = belief(n=8, m=m)
    corner = reference_point(state.scores)
    function = EHVI(reference=tuple(corner)).build(state, rng())
    assert isinstance(function, HypervolumeImprovement)
    before = hypervolume(state.scores, corner)
    unit = np.prod([model.outcomes.scale for model in state.objectives])
    normal = rng(3).standard_normal((4000, m))
    predicted = [model.predict(NEW) for model in state.objectives]
    for i, found in enumerate(np.exp(function.values(NEW)) * unit):
        y = np.stack([mean[i] + s[i] * normal[:, j] for j, (mean, s) in enumerate(predicted)], 1)
        gains = (
            np.array([hypervolume(np.vstack([state.scores, row]), corner) for row in y]) - before
        )
        assert found == pytest.approx(gains.mean(), abs=4 * gains.std() / np.sqrt(4000) + 1e-12)


def test_botorch_agrees_where_there_is_noise_and_rows_are_awaited():
    state = belief(m=2, noise=0.2, pending=2)
    unit = np.prod([model.outcomes.scale for model in state.objectives] / state.scores.std(axis=0))
    reference = reference_point(state.scores)
    recipe = EHVI(reference=tuple(reference))
    closed = np.mean([np.exp(recipe.build(state, rng(s)).values(NEW)) for s in range(8)], axis=0)
    sampled = np.mean(
        [np.exp(noisy_ehvi(state, reference, rng(s)).values(NEW)) for s in range(4)], axis=0
    )
    np.testing.assert_allclose(closed * unit, sampled, rtol=0.2, atol=5e-3)


def test_it_reaches_far_from_any_gain():
    state = belief(m=2)
    best = tuple(state.scores.max(axis=0) + 50.0)
    values, gradients = EHVI(reference=best).build(state, rng()).values_and_gradients(NEW)
    assert np.isfinite(values).all()
    assert np.abs(gradients).max() > 0
    with pytest.raises(ProblemError, match="2 objectives"):
        EHVI(reference=(0.0,)).build(state, rng())


def test_reference_point():
    front = np.array([[0.0, 10.0], [4.0, 0.0], [-5.0, -5.0]])
    np.testing.assert_allclose(reference_point(front), [-0.4, -1.0])
    single = np.array([[1.0, 2.0], [0.0, 1.0], [-1.0, 0.0]])
    np.testing.assert_allclose(reference_point(single), [-1.2, -0.2])
    np.testing.assert_allclose(reference_point(np.zeros((1, 2))), [-0.1, -0.1])
    np.testing.assert_allclose(reference_point(front, 1.0), [-4.0, -10.0])


def test_half_of_the_rows_look_far_below_the_front():
    state = belief(m=2)
    values = [EHVI().build(state, rng(s)).values(NEW) for s in range(8)]
    assert len({tuple(v) for v in values}) == 2


@pytest.mark.slow
def test_a_front_of_one_row_at_the_border_is_left():
    # Without a margin, what little is unknown of f1 at x1 = 0 was worth more than all other rows.
    problem = bb.problems.ZDT2(6)
    optimizer = bb.Bayes(problem, acquisition=EHVI(), seed=0)  # no reference is given
    study = bb.Study(problem, optimizer).run(50)
    assert hypervolume(problem.scores(study.history), np.array([-1.1, -1.1])) > 0.5
