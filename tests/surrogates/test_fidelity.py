"""Processes over fidelities: gradients, covariances by brute force, and what levels change."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import blackbox as bb
from blackbox.surrogates.features import Features
from blackbox.surrogates.fidelity import Levels, plain_size
from blackbox.surrogates.fidelity_data import Alignment, FidelityData
from blackbox.surrogates.kernel import Kernel
from blackbox.surrogates.multi_fidelity import (
    FidelityModel,
    MultiFidelityGP,
    fidelity_rows,
)
from blackbox.surrogates.shares import SHARES, ShareMap

SPACE = bb.Space(bb.Simplex("m", 4), bb.Real("lr", 0, 1), bb.Categorical("c", ["a", "b"]))
ORDINAL = bb.Fidelity(bb.Ordinal("n", [1, 2, 3]), target=3)
FIDELITIES = {
    "ordinal": ORDINAL,
    "real": bb.Fidelity(bb.Real("n", 0.1, 1, log=True), target=1.0),
    "integer": bb.Fidelity(bb.Integer("n", 1, 100), target=60),
    "categorical": bb.Fidelity(bb.Categorical("n", ["x", "y", "z"]), target="z"),
    "none": None,
}


def differences(function, x, step=1e-6):
    """Central differences of a scalar function."""
    steps = step * np.eye(len(x))
    return np.array([(function(x + e) - function(x - e)) / (2 * step) for e in steps])


def data(fidelity=ORDINAL, n=14, seed=0, noise=None):
    rng = np.random.default_rng(seed)
    features, levels = Features(SPACE), Levels(fidelity)
    x, values = features.draw(n, rng), rng.choice(levels.values, n)
    sem = None if noise is None else np.full(n, noise)
    return FidelityData(features, levels, x, values, rng.normal(size=n), sem)


def model(given, coupling="truncated", kind="root", seed=1):
    """A model at hyperparameters away from any optimum."""
    alignment, likelihood = MultiFidelityGP(coupling)._likelihood(given, kind)
    theta = likelihood.start(0.3, -2.0)
    theta = theta + 0.3 * np.random.default_rng(seed).normal(size=len(theta))
    return FidelityModel(given, kind, alignment, likelihood, theta, {})


@pytest.mark.parametrize(("name", "coupling"), [*product(FIDELITIES, ["truncated", "tasks"])])
def test_gradients_are_those_of_differences(name, coupling):
    fitted = model(data(FIDELITIES[name], noise=0.1), coupling)
    likelihood, theta = fitted.likelihood, fitted.theta
    expected = differences(lambda t: likelihood(t)[0], theta)
    np.testing.assert_allclose(likelihood(theta)[1], expected, rtol=1e-5, atol=1e-6)

    rng = np.random.default_rng(2)
    points, values = fitted.features.draw(2, rng), fitted.levels.values
    weights = [rng.normal(size=2), rng.normal(size=2), *rng.normal(size=(2, 2, len(values)))]

    def total(flat):
        v = fitted.views(flat.reshape(points.shape), values)
        parts = (v.mean, v.variance, v.cross, v.seen)
        return sum(float(np.sum(w * part)) for w, part in zip(weights, parts, strict=True))

    pulled = fitted.views(points, values).pull(*weights)
    slopes = differences(total, points.ravel()).reshape(points.shape)
    numbers = fitted.features.numbers
    np.testing.assert_allclose(pulled[:, numbers], slopes[:, numbers], rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("noise", [None, 0.0, 0.2])
def test_views_are_posterior_covariances(noise):
    fitted = model(data(noise=noise))
    points = fitted.features.draw(5, np.random.default_rng(3))
    views = fitted.views(points, fitted.levels.values)
    process, target = fitted.posterior, fitted.rows(points)
    for j, value in enumerate(fitted.levels.values):
        own = fitted.own if value == 3 else 0.0
        there = fitted.rows(points, np.full(5, value))
        both = np.diag(process.covariance(target, there)) + own
        spread = np.diag(process.covariance(there, there))
        added = fitted.noise_at(np.full(5, value))
        np.testing.assert_allclose(views.cross[:, j], both, atol=1e-10)
        np.testing.assert_allclose(views.seen[:, j], spread + added, atol=1e-10)
    expected = np.diag(process.covariance(target, target)) + fitted.own
    np.testing.assert_allclose(views.variance, expected, atol=1e-10)


def test_kernel_by_brute_force():
    fitted = model(data())
    rows, theta = fitted.likelihood.rows, fitted.theta
    size = plain_size(rows.numbers.shape[1], fitted.features.groups)
    first, second = theta[:size], theta[size : 2 * size].copy()
    second[:-3] += first[:-3]  # scales are relative
    shared, wrong = (Kernel(t, fitted.features.groups)(rows, rows) for t in (first, second))
    power, w = np.exp(theta[2 * size]), theta[2 * size + 1 : 2 * size + 3]
    value = fitted.kernel(rows, rows)
    s, g = rows.nearness, rows.design
    for i, j in product(range(len(rows)), repeat=2):
        c = (1 - s[i]) * (1 - s[j]) * (1 + s[i] * s[j]) ** power
        expected = np.exp(g[i] @ w + g[j] @ w) * (shared[i, j] + c * wrong[i, j])
        assert value[i, j] == pytest.approx(expected + 4.0 * g[i] @ g[j])


def test_shift_and_stretch_of_a_cheap_level_leave_the_target_alone():
    given = data(n=40)
    low = given.fidelity == 1
    y = np.where(low, 50.0 + 7.0 * given.y, given.y)
    moved = FidelityData(given.features, given.levels, given.x, given.fidelity, y)
    points = given.features.draw(20, np.random.default_rng(0))
    first, second = (MultiFidelityGP().fit(d, None) for d in (given, moved))
    np.testing.assert_allclose(first.predict(points)[0], second.predict(points)[0], atol=1e-6)
    there = second.predict_at(points, np.full(20, 1))[0]
    np.testing.assert_allclose(there, 50.0 + 7.0 * first.predict_at(points, np.full(20, 1))[0])


def test_cheap_rows_improve_the_target_where_they_are_alike_and_not_where_they_are_noise():
    rng = np.random.default_rng(0)
    features, levels = Features(bb.Space(bb.Simplex("m", 5))), Levels(ORDINAL)
    x = features.draw(50, rng)
    truth = -((x - 0.2) ** 2).sum(axis=1) * 10
    values = np.repeat([1, 3], [44, 6])
    test = features.draw(200, rng)
    right = -((test - 0.2) ** 2).sum(axis=1) * 10
    error = {}
    for name, low in {"alike": truth + 0.2 * x[:, 0], "noise": rng.normal(size=50)}.items():
        y = np.where(values == 1, low, truth)
        both = MultiFidelityGP().fit(FidelityData(features, levels, x, values, y), None)
        error[name] = np.corrcoef(both.predict(test)[0], right)[0, 1]
    at = values == 3
    alone = FidelityData(features, levels, x[at], values[at], truth[at])
    error["alone"] = np.corrcoef(MultiFidelityGP().fit(alone, None).predict(test)[0], right)[0, 1]
    assert error["alike"] > 0.95
    assert error["alike"] > error["alone"] + 0.1
    assert error["noise"] > error["alone"] - 0.3


def test_known_noise_of_none_makes_told_rows_certain():
    given = data(noise=0.0, n=30)
    fitted = MultiFidelityGP().fit(given, None)
    at = given.fidelity == 3
    np.testing.assert_allclose(
        fitted.outcomes.backward(fitted.means(given.x[at])), given.y[at], atol=1e-6
    )
    views = fitted.views(given.x[at], fitted.levels.values)
    assert views.variance.max() < 1e-9
    assert np.abs(views.cross).max() < 1e-12
    predicted, deviation = fitted.predict_at(given.x[at], given.fidelity[at])
    np.testing.assert_allclose(predicted, given.y[at], atol=1e-6)
    assert deviation.max() < 1e-4
    apart = fitted.features.draw(3, np.random.default_rng(9))
    for level in (1, 3):
        values = np.full(3, level)
        own = fitted.noise_at(values) * fitted.alignment.at(values)[1] ** 2
        assert (fitted.predict_at(apart, values)[1] ** 2 >= own * (1 - 1e-9)).all()
    assert (fitted.views(apart, fitted.levels.values).variance > fitted.own).all()


def joint(fitted, points, at):
    """Means and covariance of the target at designs told there and of an evaluation at ``at``.

    By brute force: one normal of the process, of what is true of each row alone, and of the values.
    """
    given, rows = fitted.data, fitted.likelihood.rows
    asked = [fitted.rows(points), fitted.rows(at[0], np.repeat(at[1], len(at[0])))]
    every = rows.joined(asked[0]).joined(asked[1])
    covariance = fitted.kernel(every, every)
    n, k = len(given.y), len(points)
    white = np.zeros(covariance.shape)
    white[:n, :n] = np.diag(fitted.likelihood.inferred(fitted.theta, rows.design))
    same = (np.abs(points[:, None] - given.x) < 1e-9).all(axis=2) & fitted.target
    white[n : n + k, :n] = fitted.own * same
    white[:n, n : n + k] = white[n : n + k, :n].T
    white[n : n + k, n : n + k] = fitted.own * np.eye(k)
    prior = covariance + white
    noisy = prior[:n, :n] + np.diag(fitted.likelihood.known)
    gain = np.linalg.solve(noisy, prior[:n, n:]).T
    miss = fitted.likelihood.z - fitted.posterior.mean
    return fitted.posterior.mean + gain @ miss, prior[n:, n:] - gain @ prior[:n, n:]


def test_what_noise_leaves_unknown_of_told_designs_is_that_of_brute_force():
    fitted = model(data(noise=0.4, n=16))
    told = fitted.data.x[fitted.target][:4]
    other = fitted.features.draw(3, np.random.default_rng(4))
    mean, covariance = joint(fitted, told, (other, 1))
    views = fitted.views(told, fitted.levels.values)
    np.testing.assert_allclose(views.mean, mean[:4])
    np.testing.assert_allclose(fitted.means(told), mean[:4])
    np.testing.assert_allclose(views.variance, np.diag(covariance)[:4])
    np.testing.assert_allclose(views.cross[:, -1], views.variance)  # a replicate sees all of it
    again = views.variance + fitted.noise
    np.testing.assert_allclose(views.seen[:, -1], again)
    # A cheap row elsewhere moves the process, and the target's values there by their part.
    rows = [fitted.rows(told), fitted.rows(other, np.ones(3))]
    process = fitted.posterior.covariance(*rows)
    np.testing.assert_allclose(process * fitted.moved(told)[:, None], covariance[:4, 4:])


def test_draws_of_values_have_their_means_and_deviations():
    fitted = model(data(noise=0.4, n=16))
    points = np.concatenate(
        [fitted.data.x[fitted.target][:4], fitted.features.draw(3, np.random.default_rng(4))]
    )
    rng = np.random.default_rng(0)
    process = fitted.posterior.draws(fitted.rows(points), rng.normal(size=(7, 40_000)))
    drawn = fitted.values(points, process, rng.normal(size=(7, 40_000)))
    views = fitted.views(points, fitted.levels.values[:0])
    deviation = np.sqrt(views.variance)
    assert (np.abs(drawn.mean(axis=1) - views.mean) < 5 * deviation / 200).all()
    np.testing.assert_allclose(drawn.std(axis=1), deviation, rtol=5 / np.sqrt(80_000))


def test_replicates_of_known_noise_are_one_row_of_their_mean_in_any_order():
    given = data(noise=0.4, n=12)
    at = np.flatnonzero(given.fidelity == 3)[0]
    twice = np.r_[np.arange(12), at, at]
    y, noise = given.y[twice].copy(), given.noise[twice].copy()
    y[[at, 12, 13]], noise[[at, 12, 13]] = [1.0, 4.0, 2.0], [0.5, 1.0, 0.5]
    told = FidelityData(
        given.features, given.levels, given.x[twice], given.fidelity[twice], y, noise
    )
    pooled = told.pooled()
    assert len(pooled.y) == 12
    assert pooled.y[at] == pytest.approx((4 * 1.0 + 4.0 + 4 * 2.0) / 9)
    assert pooled.noise[at] == pytest.approx(1 / 3)
    back = MultiFidelityGP().fit(told[np.arange(14)[::-1]], None).predict(given.x)
    for ahead, reverse in zip(
        MultiFidelityGP().fit(told, None).predict(given.x), back, strict=True
    ):
        np.testing.assert_allclose(ahead, reverse, atol=1e-3)
    exact = FidelityData(told.features, told.levels, told.x, told.fidelity, y, 0.0 * noise).pooled()
    assert exact.y[at] == pytest.approx(7 / 3)
    assert exact.noise[at] == 0
    assert len(FidelityData(told.features, told.levels, told.x, told.fidelity, y).pooled().y) == 14


@pytest.mark.parametrize("kind", SHARES)
def test_maps_of_shares_are_monotone_from_0_to_1_with_their_slopes(kind):
    features = Features(SPACE)
    shares = ShareMap(features, kind)
    points = np.repeat(features.draw(1, np.random.default_rng(0)), 11, axis=0)
    points[:, 0] = np.linspace(0, 1, 11)
    mapped = shares.rows(points).numbers[:, 0]
    assert mapped[0] == 0
    assert mapped[-1] == pytest.approx(1)
    assert (np.diff(mapped) > 0).all()
    ones = np.ones((11, len(features.numbers)))
    slope = shares.on_features(points, ones)[:, 0]
    up, down = points.copy(), points.copy()
    up[:, 0] += 1e-7
    down[:, 0] -= 1e-7
    numeric = (shares.rows(up).numbers[:, 0] - shares.rows(down).numbers[:, 0]) / 2e-7
    np.testing.assert_allclose(slope[1:], numeric[1:], rtol=1e-4)


@pytest.mark.parametrize("name", FIDELITIES)
def test_levels_end_at_the_target_and_nearness_grows_towards_it(name):
    levels = Levels(FIDELITIES[name])
    s = levels.nearness(levels.values)
    assert s[-1] == 1
    assert levels.at_target(levels.values)[-1]
    assert not levels.at_target(levels.values)[:-1].any()
    assert (np.diff(s) >= 0).all()
    assert (s >= 0).all()
    assert not levels.design(levels.target).any()
    assert levels.design(levels.values).shape == (len(levels.values), levels.width)


def test_few_integers_and_all_categories_are_levels_of_their_own():
    integers = Levels(bb.Fidelity(bb.Integer("n", 1, 16, log=True), target=16))
    assert integers.values.tolist() == list(range(1, 17))
    labels = [f"s{i}" for i in range(20)]
    solvers = Levels(bb.Fidelity(bb.Categorical("n", labels), target="s3"))
    assert sorted(solvers.values) == sorted(labels)
    assert np.linalg.matrix_rank(solvers.design(solvers.values)) == 19


@pytest.mark.parametrize("count", [2, 6])
def test_a_level_is_compared_with_the_nearest_rows_of_the_one_with_most(count):
    given = data(n=40)
    best = np.argsort(-given.y)[:count]  # the target has seen nothing but the best designs
    x = np.concatenate([given.x, given.x[best]])
    y = np.concatenate([given.y, 0.5 * given.y[best] - 7.0])
    values = np.repeat([1, 3], [40, count])
    both = FidelityData(given.features, given.levels, x, values, y)
    shift, scale = Alignment.of(both).at(np.array([1, 2, 3]))
    middle, spread = given.y.mean(), given.y.std()
    assert (shift[0], scale[0]) == pytest.approx((middle, spread))
    ratio = 0.5 if count == 6 else 1.0  # few rows say nothing of the scale
    assert scale[2] == pytest.approx(ratio * spread)
    assert shift[2] == pytest.approx(y[40:].mean() - ratio * (given.y[best].mean() - middle))
    assert shift[1] in (shift[0], shift[2])


def test_memory_goes_on_and_thinning_keeps_the_target():
    given = data(n=60)
    whole = MultiFidelityGP().fit(given, None)
    again = MultiFidelityGP().fit(given, whole.memory())
    np.testing.assert_array_equal(again.theta, whole.theta)
    thin = given.thinned(30)
    assert len(thin.y) == 30
    assert (thin.fidelity == 3).sum() == (given.fidelity == 3).sum()
    rows = fidelity_rows(ShareMap(given.features, "log"), given.levels, thin.x, thin.fidelity)
    assert len(rows) == len(rows[:10].joined(rows[10:])) == 30
