"""Recipes that BoTorch computes, against closed forms and plain Monte Carlo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from blackbox.acquisitions.confidence import UCB
from blackbox.acquisitions.feasibility import LogFeasibility
from blackbox.acquisitions.hypervolume import EHVI
from blackbox.acquisitions.improvement import EI, PI
from blackbox.acquisitions.torch.entropy import JES, PES
from blackbox.acquisitions.torch.improvement import (
    noisy_ei,
    probability_of_improvement,
)
from blackbox.acquisitions.torch.paths import BotorchPaths
from blackbox.acquisitions.torch.preference import EUBO
from blackbox.acquisitions.torch.several import ParEGO, Scalarised
from blackbox.errors import ProblemError
from tests.acquisitions.beliefs import (
    MIXED,
    PLANE,
    belief,
    check_function,
    posterior_of,
    samples_of,
)

NEW = PLANE.draw(5, np.random.default_rng(7))


def rng(seed=0):
    return np.random.default_rng(seed)


ONE = [JES(6), PES(4), EUBO()]
SEVERAL = [EHVI(), ParEGO(), Scalarised((1.0, 2.0)), Scalarised((1.0, 2.0), chebyshev=True)]
CASES = [
    {"noise": 0.2},
    {"noise": 0.2, "pending": 2},
    {"features": MIXED, "n": 12, "noise": 0.1},
    {"limited": True, "noise": 0.1},
]


@pytest.mark.parametrize("recipe", ONE + SEVERAL, ids=str)
@pytest.mark.parametrize("options", CASES, ids=["plain", "pending", "mixed", "limited"])
def test_every_recipe_has_values_and_gradients(recipe, options):
    state = belief(m=2 if recipe in SEVERAL else 1, **options)
    # PES is by expectation propagation with damping that depends on the point.
    loose = (
        {"rtol": 0.05, "atol": 0.05, "gaps": True} if isinstance(recipe, PES) else {"rtol": 1e-3}
    )
    check_function(recipe.build(state, rng()), state.features, n=3, **loose)
    first, second = (recipe.build(state, rng()).values(NEW[:2] * 0.9) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("recipe", ONE + SEVERAL, ids=str)
def test_where_nothing_is_feasible_feasibility_is_sought(recipe):
    state = belief(limited=True, m=2)
    state = replace(state, feasible=np.zeros(len(state.x), dtype=bool))
    found = recipe.build(state, rng()).values(NEW)
    np.testing.assert_array_equal(found, LogFeasibility(state.limits).values(NEW))


class Other:
    """A model of the fast engine that does not say so."""

    def __init__(self, model):
        self.features, self.outcomes, self.noise = model.features, model.outcomes, model.noise
        self.moments, self.botorch = model.moments, model.botorch


@pytest.mark.parametrize("pending", [0, 2])
def test_noisy_ei_agrees_with_the_fast_engine(pending):
    state = belief(noise=0.3, pending=pending)
    found = np.exp(noisy_ei(state, rng()).values(NEW))
    np.testing.assert_allclose(
        found, np.exp(EI().build(state, rng()).values(NEW)), rtol=0.2, atol=0.01
    )


def test_probability_with_pending_rows():
    state = belief(noise=0.3, pending=1)
    drawn = samples_of(state.objectives[0], np.concatenate([state.pending, NEW]), 100_000)
    best = state.objectives[0].moments(state.x).mean.max() + 0.1
    chance = (np.maximum(drawn[:, :1], drawn[:, 1:]) > best).mean(axis=0)
    found = np.exp(probability_of_improvement(state, 0.1, rng()).values(NEW))
    np.testing.assert_allclose(found, chance, atol=0.03)
    mean, covariance = posterior_of(state.objectives[0], NEW)
    alone = probability_of_improvement(belief(noise=0.3), 0.1, rng()).values(NEW)
    exact = norm.cdf((mean - best) / np.sqrt(covariance.diagonal()))
    np.testing.assert_allclose(np.exp(alone), exact, atol=0.02)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_the_confidence_bound_of_any_model_observes_pending_rows_at_their_means(noise):
    state = belief(noise=noise, pending=2)
    function = UCB(9.0).build(replace(state, objectives=(Other(state.objectives[0]),)), rng())
    check_function(function, PLANE, n=3, rtol=1e-3)
    expected = UCB(9.0).build(state, rng()).values(NEW)
    np.testing.assert_allclose(function.values(NEW), expected, atol=1e-5)


def test_models_that_are_not_of_the_fast_engine():
    state = belief()
    other = replace(state, objectives=(Other(state.objectives[0]),))
    np.testing.assert_allclose(
        PI().build(other, rng()).values(NEW), PI().build(state, rng()).values(NEW), rtol=1e-6
    )
    found = np.exp(EI().build(other, rng()).values(NEW))
    np.testing.assert_allclose(
        found, np.exp(EI().build(state, rng()).values(NEW)), rtol=0.1, atol=1e-3
    )


def test_paths_of_botorch_models_are_draws_of_the_posterior():
    import torch
    from botorch.models import SingleTaskGP

    x = rng().random((6, 2))
    y = np.sin(4 * x[:, :1])

    class Plain:
        def botorch(self, device):
            noise = torch.full((6, 1), 0.01, dtype=torch.float64)
            given = torch.tensor(x), torch.tensor((y - y.mean()) / y.std(ddof=1)), noise
            return SingleTaskGP(*given, outcome_transform=None).eval()

    paths = BotorchPaths(Plain(), 4000, rng(), "cpu")
    values = paths.values(NEW)
    with torch.no_grad():
        exact = Plain().botorch("cpu").posterior(torch.tensor(NEW))
    np.testing.assert_allclose(values.mean(axis=1), exact.mean[:, 0], atol=0.05)
    np.testing.assert_allclose(np.cov(values), exact.covariance_matrix, atol=0.06)
    value, gradient = paths.along(NEW, 3)
    np.testing.assert_allclose(value, values[:, 3])
    for j, step in enumerate(1e-5 * np.eye(2)):
        slope = (paths.values(NEW + step) - paths.values(NEW - step))[:, 3] / 2e-5
        np.testing.assert_allclose(gradient[:, j], slope, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("m", [4, 5])
def test_hypervolume_of_more_objectives(m):
    state = belief(n=10, m=m, pending=1)
    function = EHVI().build(state, rng())
    values, gradients = function.values_and_gradients(NEW)
    assert np.isfinite(values).all()
    assert np.abs(gradients).max() > 0
    given = EHVI(reference=tuple(state.scores.min(axis=0))).build(state, rng())
    assert np.isfinite(given.values(NEW)).all()


def test_a_warped_objective_counts_in_scores():
    from blackbox.acquisitions.torch.several import _backward
    from blackbox.surrogates.outcomes import Outcomes

    y = -np.exp(rng().standard_normal(30))
    outcomes, z = Outcomes.of(y, 0.3)
    import torch

    wide = np.concatenate([z, [5.0, -30.0]])
    np.testing.assert_allclose(_backward(outcomes)(torch.tensor(wide)), outcomes.backward(wide))


def test_one_weight_is_the_expected_improvement_of_one_objective():
    state = belief(m=2, noise=0.3)
    scalarised = Scalarised((1.0, 0.0)).build(state, rng()).values(NEW)
    alone = noisy_ei(replace(state, objectives=state.objectives[:1]), rng()).values(NEW)
    unit = state.objectives[0].outcomes.scale / np.ptp(state.scores[:, 0])
    np.testing.assert_allclose(np.exp(scalarised), np.exp(alone) * unit, rtol=0.2, atol=2e-3)


def test_weights_are_checked_and_drawn():
    state = belief(m=2)
    with pytest.raises(ProblemError, match="at least 0"):
        Scalarised((-1.0, 2.0))
    with pytest.raises(ProblemError, match="one of them positive"):
        Scalarised((0.0, 0.0))
    with pytest.raises(ProblemError, match="2 objectives"):
        Scalarised((1.0, 1.0, 1.0)).build(state, rng())
    generator = rng()
    first, second = (ParEGO().build(state, generator).values(NEW) for _ in range(2))
    assert np.abs(first - second).max() > 1e-3


def test_expected_utility_of_the_best_option():
    state = belief(noise=0.3, pending=1)
    for options in (state, replace(state, pending=state.pending[:0])):
        model = state.objectives[0]
        means = model.moments(state.x).mean[:, 0]
        other = options.pending if len(options.pending) else state.x[[means.argmax()]]
        for x, found in zip(NEW, EUBO().build(options, rng()).values(NEW), strict=True):
            mean, c = posterior_of(model, np.concatenate([x[None], other]))
            s = np.sqrt(c[0, 0] + c[1, 1] - 2 * c[0, 1])
            u = (mean[0] - mean[1]) / s
            exact = mean[1] + s * (norm.pdf(u) + u * norm.cdf(u))
            assert found == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("recipe", [JES(16), EHVI(), Scalarised((1.0, 1.0))], ids=str)
def test_pending_rows_repel(recipe):
    state = belief(m=2 if recipe != JES(16) else 1, noise=0.05)
    grid = PLANE.draw(100, rng(3))
    values = recipe.build(state, rng()).values(grid)
    top = grid[values.argmax()]
    after = recipe.build(state.awaiting(top), rng()).values(top[None])[0]
    assert after < values.max() - 0.1


def test_joint_entropy_grows_with_what_is_not_known():
    state = belief(n=6, noise=0.05)
    points = PLANE.draw(100, rng(3))
    values = JES(32).build(state, rng()).values(points)
    _, covariance = posterior_of(state.objectives[0], points)
    known = np.argsort(covariance.diagonal())[:10]
    assert values[known].mean() < values.mean() - 0.3


def test_nothing_is_drawn_from_global_generators():
    import torch

    state = belief(m=2, noise=0.1)
    before = torch.random.get_rng_state()
    for recipe in (EHVI(), ParEGO()):
        recipe.build(state, rng()).values(NEW)
    JES(4).build(belief(noise=0.1), rng()).values_and_gradients(NEW)
    assert torch.equal(before, torch.random.get_rng_state())
