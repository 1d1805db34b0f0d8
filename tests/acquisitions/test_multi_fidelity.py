"""Gains per cost: closed forms against sampling, limits, gradients, and known cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import blackbox as bb
from blackbox.acquisitions.base import Limit
from blackbox.acquisitions.entropy import log_mes
from blackbox.acquisitions.fidelity_gains import (
    FidelityKG,
    FidelityMES,
    TargetEI,
    log_information,
)
from blackbox.acquisitions.improvement import log_ei
from blackbox.acquisitions.multi_fidelity import PerCost, Prospect, Target
from blackbox.errors import ProblemError
from blackbox.surrogates.features import Features
from blackbox.surrogates.fidelity import Levels
from blackbox.surrogates.fidelity_data import FidelityData
from blackbox.surrogates.multi_fidelity import MultiFidelityGP

SPACE = bb.Space(bb.Simplex("m", 4), bb.Real("lr", 0, 1))
FIDELITY = bb.Fidelity(bb.Ordinal("n", [1, 2, 3]), target=3)
COSTS = np.array([0.1, 0.3, 1.0])


def prospect(objectives=2, pending=2, fidelity=FIDELITY, noise=None, seed=0):
    rng = np.random.default_rng(seed)
    features, levels = Features(SPACE), Levels(fidelity)
    x, values = features.draw(24, rng), rng.choice(levels.values, 24)
    models = []
    for j in range(objectives):
        y = rng.normal(size=24) * 0.3 + 3.0 * x[:, j]
        sem = None if noise is None else np.full(24, noise)
        data = FidelityData(features, levels, x, values, y, sem)
        models.append(MultiFidelityGP(shares=("root",)).fit(data, None))
    waiting = 0.5 * (x[:pending] + x[3 : 3 + pending])
    return Prospect(
        features,
        tuple(models),
        np.linspace(1.0, 2.0, objectives),
        (),
        x,
        np.ones(24, dtype=bool),
        levels.values,
        np.arange(len(levels.values)),
        lambda points: np.broadcast_to(
            COSTS[-len(levels.values) :], (len(points), levels.width + 1)
        ),
        waiting,
        values[:pending],
    )


def nothing_taken(points):
    return np.zeros((len(points), 3), dtype=bool)


@pytest.mark.parametrize("recipe", [TargetEI(), FidelityMES(8), FidelityKG()], ids=str)
def test_gradients_are_those_of_differences(recipe):
    seen = prospect()
    target = Target(seen)
    gain = recipe.build(seen, target, np.random.default_rng(1))
    function = PerCost(seen, gain, nothing_taken)
    points = seen.features.draw(3, np.random.default_rng(5))
    values, gradients = function.values_and_gradients(points)
    np.testing.assert_allclose(values, function.values(points))
    for i in range(points.shape[1]):
        up, down = points.copy(), points.copy()
        up[:, i] += 1e-6
        down[:, i] -= 1e-6
        slope = (function.values(up) - function.values(down)) / 2e-6
        np.testing.assert_allclose(gradients[:, i], slope, rtol=1e-3, atol=1e-4)


def test_information_is_that_of_samples():
    """Entropy of the observation minus that given that the target is below the maximum."""
    rng = np.random.default_rng(0)
    mean, variance, told, maximum = 0.2, 1.5, 0.7, 1.6
    rho = np.sqrt(told / variance)
    target, other = rng.normal(size=(2, 400_000))
    seen = (rho * target + np.sqrt(1 - rho**2) * other)[mean + np.sqrt(variance) * target < maximum]
    entropy = stats.differential_entropy(seen[:100_000])
    expected = 0.5 * np.log(2 * np.pi * np.e) - entropy
    arrays = (np.array([value]) for value in (mean, variance, told, maximum))
    assert np.exp(log_information(*arrays)[0][0]) == pytest.approx(expected, abs=0.01)


def test_information_of_a_full_look_is_that_of_max_value_entropy_search():
    mean, variance = np.array([0.0, 0.5, -1.0]), np.array([1.0, 0.5, 2.0])
    maxima = np.array([1.0, 1.5, 2.2, 0.9])
    full = log_information(mean, variance, variance, maxima)[0]
    known = log_mes(mean[:, None], np.sqrt(variance), maxima)[0]
    np.testing.assert_allclose(full, known, atol=0.1)
    half = log_information(mean, variance, variance / 2, maxima)[0]
    assert (half < full).all()


def test_information_has_the_slopes_of_differences():
    rng = np.random.default_rng(3)
    mean, variance = rng.normal(size=4), rng.uniform(0.5, 2, size=4)
    given = [mean, variance, variance * rng.uniform(0.05, 0.9, size=4)]
    maxima = np.append(rng.uniform(1, 3, size=5), -9.0)  # the last one far below every mean
    slopes = log_information(*given, maxima)[1:]
    for i, slope in enumerate(slopes):
        up, down = [*given], [*given]
        up[i], down[i] = given[i] + 1e-6, given[i] - 1e-6
        ends = (log_information(*ends, maxima)[0] for ends in (up, down))
        numeric = np.subtract(*ends) / 2e-6
        np.testing.assert_allclose(slope, numeric, rtol=1e-5, atol=1e-8)


def test_at_the_target_without_noise_it_is_expected_improvement():
    seen = prospect(objectives=1, pending=0, fidelity=None, noise=0.0)
    target = Target(seen)
    gain = TargetEI().build(seen, target, np.random.default_rng(0))
    points = seen.features.draw(6, np.random.default_rng(5))
    views = seen.models[0].views(points, seen.levels)
    best = np.array([seen.models[0].means(seen.x).max()])
    expected = log_ei(views.mean[:, None], np.sqrt(views.variance), best)[0]
    np.testing.assert_allclose(gain.at(points)[0][:, 0], expected, atol=1e-6)


def test_the_knowledge_gradient_is_the_mean_rise_over_samples():
    seen = prospect(objectives=1, pending=0)
    target, rng = Target(seen), np.random.default_rng(2)
    gain = FidelityKG().build(seen, target, np.random.default_rng(0))
    choices = seen.choices(np.random.default_rng(0))
    point = seen.features.draw(1, np.random.default_rng(5))
    model = seen.models[0]
    every = np.concatenate([choices, point])
    means = model.means(every)
    for level, value in enumerate(seen.levels):
        rows = model.rows(point, np.array([value]))
        shared = model.posterior.covariance(model.rows(every), rows)[:, 0]
        spread = np.sqrt(model.views(point, [value]).seen[0, 0])
        z = rng.normal(size=20_000)
        rise = (means[:, None] + np.outer(shared / spread, z)).max(axis=0) - means.max()
        expected, error = rise.mean(), rise.std() / np.sqrt(len(z))
        assert abs(np.exp(gain.at(point)[0][0, level]) - expected) < 4 * error + 1e-9


def test_a_cheaper_fidelity_never_tells_more_and_a_pending_row_takes_away():
    seen = prospect(pending=0)
    points = seen.features.draw(30, np.random.default_rng(5))
    free = Target(seen).views(points, seen.levels)
    assert (free.told <= free.variance[:, None] * (1 + 1e-9)).all()
    waiting = prospect(pending=3)
    left = Target(waiting).views(points, waiting.levels)
    assert (left.variance <= free.variance * (1 + 1e-6)).all()
    np.testing.assert_allclose(left.mean, free.mean, atol=1e-8)


def limited(seen, lower, feasible):
    """The same where the first outcome has a lower limit, and whether designs told are feasible."""
    return replace(seen, limits=(Limit(seen.models[0], lower, np.inf),), feasible=feasible)


def test_choices_are_designs_known_or_likely_to_be_feasible():
    seen, rng = prospect(objectives=1, pending=0), np.random.default_rng
    every = seen.choices(rng(1))
    known = np.arange(len(seen.x)) % 2 == 0
    mean = seen.models[0].predict(every)[0]
    found = limited(seen, float(np.median(mean)), known).choices(rng(1))
    n = len(seen.x)
    expected = np.concatenate([known, mean[n:] > np.median(mean)])
    np.testing.assert_array_equal(found, every[expected])
    pool = every[::3]
    of_pool = limited(replace(seen, pool=pool), float(np.median(mean)), known)
    np.testing.assert_array_equal(of_pool.choices(rng(1)), pool[expected[::3]])
    np.testing.assert_array_equal(of_pool.eligible, pool[expected[::3]])
    nothing = limited(seen, 1e9, known & False)
    assert not len(nothing.eligible)
    assert len(nothing.choices(rng(1))) == len(every)


@pytest.mark.parametrize("recipe", [TargetEI(), FidelityMES(8), FidelityKG()], ids=str)
def test_where_nothing_is_feasible_levels_are_worth_what_they_tell_of_the_limits(recipe):
    seen = prospect(objectives=1, pending=0)
    seen = limited(seen, 1e9, np.zeros(len(seen.x), dtype=bool))
    gain = recipe.build(seen, Target(seen), np.random.default_rng(0))
    points = seen.features.draw(5, np.random.default_rng(5))
    function = PerCost(seen, gain, nothing_taken)
    assert function.blind
    views = seen.models[0].views(points, seen.levels)
    told = views.cross**2 / views.seen
    expected = told / told[:, -1:] / COSTS
    np.testing.assert_allclose(np.exp(function.table(points)), expected)


def test_what_is_taken_is_never_chosen():
    seen = prospect()
    gain = TargetEI().build(seen, Target(seen), np.random.default_rng(0))
    points = seen.features.draw(4, np.random.default_rng(5))

    def taken(points):
        mask = nothing_taken(points)
        mask[:, :2] = True
        mask[0] = True
        return mask

    function = PerCost(seen, gain, taken)
    assert np.isneginf(function.values(points)[0])
    assert (function.table(points)[1:].argmax(axis=1) == 2).all()
    np.testing.assert_array_equal(function.gone(points), [True, False, False, False])


@pytest.mark.parametrize("samples", [0, 10, 2.0, "a"])
def test_a_number_of_maxima_that_is_no_power_of_two_is_refused(samples):
    with pytest.raises(ProblemError, match=f"FidelityMES: samples={samples!r} must be"):
        FidelityMES(samples=samples)
    assert FidelityMES(samples=1).samples == 1
