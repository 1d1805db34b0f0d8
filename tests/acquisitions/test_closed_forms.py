"""Recipes of the fast engine against closed forms and plain Monte Carlo."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from blackbox import acquisitions
from blackbox.acquisitions.confidence import UCB
from blackbox.acquisitions.entropy import MES, log_mes
from blackbox.acquisitions.feasibility import Feasibly, LogFeasibility, success_limit
from blackbox.acquisitions.improvement import EI, PI
from blackbox.acquisitions.knowledge import KnowledgeGradient, NoisyEI
from blackbox.acquisitions.lines import log_gain
from blackbox.acquisitions.paths import draw_paths, optima
from blackbox.acquisitions.thompson import Thompson
from tests.acquisitions.beliefs import (
    MIXED,
    PLANE,
    belief,
    check_function,
    posterior_of,
    samples_of,
)

RECIPES = [EI(), PI(), UCB(), NoisyEI(), KnowledgeGradient(32), Thompson(256), MES(8)]
NEW = PLANE.draw(6, np.random.default_rng(7))


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: type(r).__name__)
@pytest.mark.parametrize(
    "options",
    [{}, {"noise": 0.3, "pending": 2}, {"features": MIXED, "n": 12}, {"limited": True}],
    ids=["plain", "noisy, pending", "mixed", "limited"],
)
def test_every_recipe_has_values_and_gradients(recipe, options):
    state = belief(**options)
    check_function(recipe.build(state, rng()), state.features, rtol=1e-3, atol=2e-4)
    first, second = (recipe.build(state, rng()).values(state.x + 0.001) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: type(r).__name__)
def test_where_nothing_is_feasible_feasibility_is_sought(recipe):
    state = belief(limited=True)
    state = replace(state, feasible=np.zeros(len(state.x), dtype=bool))
    found = recipe.build(state, rng()).values(NEW)
    np.testing.assert_array_equal(found, LogFeasibility(state.limits).values(NEW))


def test_constraints_multiply_by_their_probability():
    state = belief(limited=True)
    alone = EI().build(replace(state, limits=()), rng()).values(NEW)
    model = state.limits[0].model
    mean, deviation = model.predict(NEW)
    held = norm.cdf((0.3 - mean) / deviation)
    found = EI().build(state, rng()).values(NEW)
    keep = held > 1e-200
    np.testing.assert_allclose(found[keep], alone[keep] + np.log(held[keep]), rtol=1e-6)
    assert isinstance(EI().build(state, rng()), Feasibly)


def test_success_is_a_limit_that_likely_holds_next_to_rows_that_succeeded():
    x = PLANE.draw(20, np.random.default_rng(0))
    ok = x[:, 0] > 0.5
    limit = success_limit(PLANE, x, ok, lambda recipe, data: recipe.fit(data, None))
    assert (limit.lower, limit.upper) == (0.0, np.inf)
    likely = np.exp(LogFeasibility((limit,)).values(np.array([[0.05, 0.5], [0.95, 0.5]])))
    assert likely[0] < 0.1
    assert likely[1] > 0.9


def test_ei_and_pi_without_noise_are_the_textbook_ones():
    state = belief()
    model = state.objectives[0]
    moments = model.moments(NEW)
    best = model.moments(state.x).mean.max()
    mean, s = moments.mean[:, 0], moments.deviation
    ei = (mean - best) * norm.cdf((mean - best) / s) + s * norm.pdf((mean - best) / s)
    found = EI().build(state, rng()).values(NEW)
    np.testing.assert_allclose(np.exp(found), ei, rtol=1e-6, atol=1e-12)
    found = PI(0.2).build(state, rng()).values(NEW)
    np.testing.assert_allclose(np.exp(found), norm.cdf((mean - best - 0.2) / s), rtol=1e-8)
    ucb = UCB(9.0).build(state, rng()).values(NEW)
    np.testing.assert_allclose(ucb, mean + 3 * s)


def test_ei_with_noise_and_pending_rows_is_the_mean_of_sampled_improvements():
    state = belief(n=6, noise=0.4, pending=2)
    known = np.concatenate([state.x, state.pending])
    drawn = samples_of(state.objectives[0], np.concatenate([known, NEW]), 200_000)
    best = drawn[:, : len(known)].max(axis=1, keepdims=True)
    exact = np.maximum(drawn[:, len(known) :] - best, 0).mean(axis=0)
    found = np.exp(EI().build(state, rng()).values(NEW))
    np.testing.assert_allclose(found, exact, rtol=0.25, atol=0.01)
    chance = (drawn[:, len(known) :] > best + 0.01).mean(axis=0)
    found = np.exp(PI().build(state, rng()).values(NEW))
    np.testing.assert_allclose(found, chance, rtol=0.25, atol=0.02)


def test_pending_rows_repel():
    for recipe in (EI(), PI(), UCB(), NoisyEI(), KnowledgeGradient(64), MES(32)):
        state = belief(noise=0.1)
        grid = PLANE.draw(200, rng(3))
        values = recipe.build(state, rng()).values(grid)
        top = grid[values.argmax()]
        after = recipe.build(state.awaiting(top), rng()).values(top[None])[0]
        assert after < values.max() - 0.02, recipe


def test_log_gain_is_the_expected_maximum_of_lines():
    a, b = rng().standard_normal((5, 7)), rng(1).standard_normal((5, 7))
    a[1, 2], b[1, 2] = a[1, 3], b[1, 3]  # twins
    b[2] = 0.4  # parallels: an observation changes nothing
    z = norm.ppf((np.arange(400_000) + 0.5) / 400_000)
    exact = (a[..., None] + b[..., None] * z).max(axis=1).mean(axis=1) - a.max(axis=1)
    value, by_a, by_b = log_gain(a, b)
    np.testing.assert_allclose(np.exp(value), exact, rtol=1e-4, atol=1e-9)
    assert value[2] == -1e10
    e = 1e-6
    for i in range(7):
        step = e * np.eye(7)[i]
        for given, slope in (((step, 0), by_a), ((0, step), by_b)):
            up = log_gain(a + given[0], b + given[1])[0]
            down = log_gain(a - given[0], b - given[1])[0]
            keep = [0, 3, 4]  # twins and parallels have kinks
            np.testing.assert_allclose(
                slope[keep, i], ((up - down) / (2 * e))[keep], rtol=1e-4, atol=1e-6
            )


def test_log_gain_is_exact_where_the_gain_underflows():
    value, by_a, by_b = log_gain(np.array([[0.0, -100.0]]), np.array([[0.0, 1.0]]))
    from blackbox.acquisitions.normal import log_h

    np.testing.assert_allclose(value, log_h(np.array([-100.0])))
    assert by_a[0, 1] == pytest.approx(100, rel=1e-2)
    assert by_b[0, 1] > 1e3


def rise(model, choices, x, count=400_000):
    """Best posterior means after one noisy observation at x, over quantiles of it."""
    points = np.concatenate([choices, x[None]])
    mean, covariance = posterior_of(model, points)
    z = norm.ppf((np.arange(count) + 0.5) / count)
    b = covariance[:, -1] / np.sqrt(covariance[-1, -1] + model.noise)
    return mean, (mean + z[:, None] * b).max(axis=1)


def test_knowledge_gradient_is_the_mean_rise_of_the_best_mean():
    state = belief(n=8, noise=0.3)
    function = KnowledgeGradient(16).build(state, rng())
    choices = np.concatenate([state.x, PLANE.draw(16, rng())])
    for x in NEW[:3]:
        mean, best = rise(state.objectives[0], choices, x)
        found = np.exp(function.values(x[None])[0])
        assert found == pytest.approx(best.mean() - mean.max(), rel=0.03)


def test_knowledge_gradient_of_a_small_space_looks_at_all_of_it():
    from blackbox.space import Integer, Space
    from blackbox.surrogates.features import Features

    features = Features(Space(Integer("i", 0, 9)))
    state = belief(n=4, noise=0.2, features=features)
    x = features.everything()[3]
    mean, best = rise(state.objectives[0], features.everything(), x)
    found = np.exp(KnowledgeGradient().build(state, rng()).values(x[None])[0])
    assert found == pytest.approx(best.mean() - mean.max(), rel=0.03)


def test_noisy_ei_is_the_improvement_of_the_best_evaluated_mean():
    state = belief(n=8, noise=0.3)
    function = NoisyEI().build(state, rng())
    for x in NEW[:3]:
        mean, best = rise(state.objectives[0], state.x, x)
        found = np.exp(function.values(x[None])[0])
        assert found == pytest.approx((best - mean[:-1].max()).mean(), rel=0.03)


def test_noisy_ei_becomes_ei_as_noise_vanishes():
    state = belief(n=8, noise=2e-3)
    assert state.objectives[0].noisy
    found = np.exp(NoisyEI().build(state, rng()).values(NEW))
    exact = np.exp(EI().build(belief(n=8), rng()).values(NEW))
    np.testing.assert_allclose(found, exact, rtol=0.1, atol=5e-3)


@pytest.mark.parametrize("features", [PLANE, MIXED])
def test_paths_are_draws_of_the_posterior(features):
    state = belief(n=8, noise=0.3, features=features)
    model, points = state.objectives[0], features.draw(5, rng(3))
    drawn = np.concatenate(
        [draw_paths(model, 200, rng(s), "cpu", 512).values(points) for s in range(30)], axis=1
    )
    mean, covariance = posterior_of(model, points)
    np.testing.assert_allclose(drawn.mean(axis=1), mean, atol=0.05)
    np.testing.assert_allclose(np.cov(drawn), covariance, atol=0.06)


def test_paths_interpolate_noise_free_observations():
    state = belief(n=12)
    model = state.objectives[0]
    values = draw_paths(model, 5, rng(), "cpu").values(state.x)
    known = np.repeat(model.outcomes.forward(state.scores), 5, axis=1)
    np.testing.assert_allclose(values, known, atol=2e-3)


def test_optima_are_largest_values():
    state = belief(n=8)
    paths = draw_paths(state.objectives[0], 6, rng(), "cpu")
    rows, values = optima(paths, state, rng(1))
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 80)] * 2), axis=-1).reshape(-1, 2)
    assert (values >= paths.values(grid).max(axis=0) - 1e-3).all()
    np.testing.assert_allclose(paths.values(rows).diagonal(), values)


def test_no_pending_row_is_above_the_largest_value():
    state = belief(n=8)
    paths = draw_paths(state.objectives[0], 64, rng(), "cpu")
    rows, _ = optima(paths, state, rng(1))
    waiting = replace(state, pending=rows)
    _, values = optima(paths, waiting, rng(2))
    assert (values >= paths.values(rows).max(axis=0)).all()


def test_each_build_draws_another_path():
    state, generator = belief(), rng()
    first, second = (Thompson().build(state, generator).values(NEW) for _ in range(2))
    assert np.abs(first - second).max() > 1e-3


def test_max_value_entropy_is_the_fall_of_entropy_by_truncation():
    mean, s, top = np.array([[0.3], [-0.5]]), np.array([0.8, 0.6]), np.array([0.9])
    z = norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    for i in range(2):
        mass = norm.cdf((top[0] - mean[i, 0]) / s[i])
        y = mean[i, 0] + s[i] * norm.ppf(norm.cdf(z) * mass)
        entropy = -np.mean(norm.logpdf(y, mean[i, 0], s[i]) - np.log(mass))
        exact = norm(mean[i, 0], s[i]).entropy() - entropy
        assert np.exp(log_mes(mean, s, top)[0][i]) == pytest.approx(exact, rel=1e-2, abs=1e-6)


def test_log_mes_far_away():
    far = [-1e12, -1e6, -1e3, -201.0, -199.0]
    g = np.array([*far, -30.0, -1.0, -1e-9, 0.0, 1e-9, 1.0, 30.0, 60.0])
    value, by_mean, by_deviation = log_mes(-g[:, None], np.ones(len(g)), np.zeros(1))
    for part in (value, by_mean, by_deviation):
        assert np.isfinite(part).all()
    assert (np.diff(value) < 0).all()  # the less a row may be the best, the less it tells
    np.testing.assert_allclose(value[g == 0], np.log(np.log(2)))
    direct = np.log(1.0 * norm.pdf(1) / (2 * norm.cdf(1)) - norm.logcdf(1))
    np.testing.assert_allclose(value[g == 1], direct)
    # phi / Phi = -g (1 + 1 / g^2 - ...) and log Phi = -g^2 / 2 - log(-g sqrt(2 pi)) - ... far left.
    series = np.log(np.log(1e6 * np.sqrt(2 * np.pi)) - 0.5)
    np.testing.assert_allclose(value[g == -1e6], series, rtol=1e-9)


def test_public_names_are_loaded_when_used():
    code = (
        "import sys, blackbox.acquisitions as a; assert set(a.__all__) == set(dir(a));"
        "assert not {'torch', 'scipy'} & set(sys.modules); a.EI, a.Thompson, a.MES;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    for name in acquisitions.__all__:
        assert getattr(acquisitions, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing"):
        acquisitions.nothing  # noqa: B018
