"""What each recipe alone promises."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import blackbox as bb
from blackbox import surrogates
from blackbox.surrogates.features import Features
from blackbox.surrogates.isolation import isolated
from blackbox.surrogates.kernel import Rows
from blackbox.surrogates.model import Data
from blackbox.surrogates.torch.kernels import Covariance, Embedding
from blackbox.surrogates.torch.slopes import WithSlopes

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torch
    from botorch.acquisition.preference import AnalyticExpectedUtilityOfBestOption

MIXED = bb.Space(bb.Real("x", 0, 1, size=3), bb.Categorical("c", ["a", "b", "c"]))


def cube(d):
    return Features(bb.Space(bb.Real("x", 0, 1, size=d)))


def rmse(model, points, truth):
    return np.sqrt(np.mean((model.predict(points)[0] - truth) ** 2))


def test_kernel_is_that_of_the_fast_engine():
    features, rng = Features(MIXED), np.random.default_rng(0)
    theta = rng.normal(size=3 + 1 + 3)
    kernel = Covariance(Embedding(features), theta)
    a, b = features.draw(7, rng), features.draw(5, rng)
    from blackbox.surrogates.kernel import Kernel

    expected = Kernel(theta, features.groups)(features.rows(a), features.rows(b))
    with torch.no_grad():
        found = kernel(torch.tensor(a), torch.tensor(b)).to_dense()
        along = kernel(torch.tensor(a), torch.tensor(a), diag=True)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)
    expected = Kernel(theta, features.groups).variance(features.rows(a))
    np.testing.assert_allclose(along.numpy(), expected, atol=1e-12)


def test_covariances_of_derivatives_are_differences_of_those_of_values():
    features, rng = Features(MIXED), np.random.default_rng(0)
    kernel = Covariance(Embedding(features), 0.3 * rng.normal(size=7))
    x, at, by = features.draw(4, rng), features.draw(6, rng), np.array([0, 1, 2, 0, 1, 1])
    at[5] = at[4]
    h, values = 1e-4, None
    step = np.zeros_like(at)
    step[np.arange(6), by] = h

    def k(a, b):
        with torch.no_grad():
            return kernel(torch.tensor(a), torch.tensor(b)).to_dense().numpy()

    slopes = WithSlopes(kernel, torch.tensor(at), torch.tensor(by))
    with torch.no_grad():
        cross, among = slopes(torch.tensor(x)).numpy(), slopes.among().numpy()
    np.testing.assert_allclose(cross, (k(x, at + step) - k(x, at - step)) / (2 * h), atol=1e-6)
    up, down = at + step, at - step
    values = k(up, up) - k(up, down) - k(down, up) + k(down, down)
    # Where both rows are the same, Matern 5/2 is smooth to the second order only.
    np.testing.assert_allclose(among, values / (2 * h) ** 2, atol=1e-2)
    assert np.linalg.eigvalsh(among).min() > -1e-9


def test_derivatives_improve_the_fit():
    features, rng = cube(3), np.random.default_rng(0)
    x, points = features.draw(12, rng), features.draw(100, rng)

    def f(x):
        return np.sin(5 * x[:, 0]) * x[:, 1] + x[:, 2] ** 2

    slopes = np.stack([5 * np.cos(5 * x[:, 0]) * x[:, 1], np.sin(5 * x[:, 0]), 2 * x[:, 2]], axis=1)
    slopes[rng.random(slopes.shape) < 0.3] = np.nan
    without = surrogates.GradientGP().fit(Data(features, x, f(x)), None)
    model = surrogates.GradientGP().fit(Data(features, x, f(x), gradients=slopes), None)
    assert rmse(model, points, f(points)) < 0.5 * rmse(without, points, f(points))
    # It interpolates the derivatives that it was given.
    found = model.moments(x).pull(np.ones((12, 1)), np.zeros(12)) * model.outcomes.scale
    known = np.isfinite(slopes)
    np.testing.assert_allclose(found[known], slopes[known], atol=0.05)


def test_opposed_task_helps():
    features, rng = cube(2), np.random.default_rng(0)
    x, points = features.draw(46, rng), features.draw(100, rng)

    def f(x):
        return np.sin(6 * x[:, 0]) + np.cos(5 * x[:, 1])

    tasks = np.where(np.arange(46) < 6, 0, 1)
    y = np.where(tasks == 0, f(x), 7 - 3 * f(x))
    observed = Data(features, x, y, tasks=tasks)
    model = surrogates.TaskGP().fit(observed, None)
    alone = surrogates.TorchGP().fit(observed[tasks == 0], None)
    assert rmse(model, points, f(points)) < 0.5 * rmse(alone, points, f(points))


def test_saas_finds_the_numbers_that_matter():
    features, rng = cube(30), np.random.default_rng(0)
    x, points = features.draw(40, rng), features.draw(100, rng)

    def f(x):
        return np.sin(6 * x[:, 3]) + 2 * x[:, 17] ** 2

    observed = Data(features, x, f(x))
    model = surrogates.SaasGP().fit(observed, None)
    lengths = model.botorch().covar_module.base_kernel.lengthscale.numpy()[0]
    assert set(np.argsort(lengths)[:2]) == {3, 17}
    plain = surrogates.ExactGP(warp=False).fit(observed, None)
    assert rmse(model, points, f(points)) < rmse(plain, points, f(points))


def test_sparse_is_near_the_exact_process():
    features, rng = cube(2), np.random.default_rng(0)
    x, points = features.draw(400, rng), features.draw(50, rng)
    y = np.sin(5 * x[:, 0]) + x[:, 1] + 0.1 * rng.normal(size=400)
    observed = Data(features, x, y)
    sparse = surrogates.SparseGP(inducing=60, exact=30).fit(observed, None)
    exact = surrogates.ExactGP(warp=False).fit(observed, None)
    for found, expected in zip(sparse.predict(points), exact.predict(points), strict=True):
        np.testing.assert_allclose(found, expected, atol=0.02)
    assert np.sqrt(sparse.noise) * sparse.outcomes.scale == pytest.approx(0.1, rel=0.15)


def test_summary_of_all_rows_at_themselves_is_exact():
    from blackbox.surrogates.likelihood import Likelihood
    from blackbox.surrogates.torch.sparse import _Summary

    features, rng = cube(2), np.random.default_rng(0)
    x = features.draw(20, rng)
    rows = Rows(x, np.empty((20, 0)))
    z = np.sin(5 * x[:, 0])
    likelihood = Likelihood(rows, features.groups, z, None)
    theta = np.array([-0.5, 0.0, -3.0, -3.0, 0.0, -3.0])
    chosen = np.arange(20)
    with isolated(0, "cpu"):
        summary = _Summary(likelihood, Data(features, x, z), chosen, chosen, "cpu")
        loss, gradient = summary.loss(theta)
        _, mean = summary.process(theta)
        found = mean(torch.tensor(x)).detach().numpy()
    # The bound is tight there; its mean is zero, where the fast engine profiles it.
    from blackbox.surrogates.posterior import Posterior

    kernel, noise = likelihood.split(theta)
    posterior = Posterior.of(kernel, 0.0, rows, z, noise)
    expected = 0.5 * z @ posterior.alpha[:, 0] + np.log(np.diag(posterior.factor)).sum()
    expected += 10 * np.log(2 * np.pi) - likelihood.prior(theta)[0]
    assert loss == pytest.approx(expected, abs=1e-3)
    np.testing.assert_allclose(found, posterior.moments(rows).mean[:, 0], atol=1e-4)
    step = 1e-5 * np.eye(6)
    with isolated(0, "cpu"):
        slope = [(summary.loss(theta + s)[0] - summary.loss(theta - s)[0]) / 2e-5 for s in step]
    np.testing.assert_allclose(gradient, slope, rtol=1e-4, atol=1e-4)


def test_prior_of_a_length_scale_is_the_papers_above_its_mode_and_steeper_below():
    from scipy.stats import lognorm

    from blackbox.surrogates.likelihood import Likelihood

    d = 6
    likelihood = Likelihood(
        Rows(np.zeros((0, d)), np.empty((0, 0))), cube(d).groups, np.zeros(0), None
    )
    paper = lognorm(np.sqrt(3), scale=np.exp(np.sqrt(2) + 0.5 * np.log(d)))
    mode = likelihood.mode[0]
    assert np.exp(mode) == pytest.approx(np.exp(np.sqrt(2) - 3) * np.sqrt(d))

    def away(by):
        moved = likelihood.mode + by * np.eye(len(likelihood.mode))[0]
        return likelihood.prior(moved)[0] - likelihood.prior(likelihood.mode)[0]

    for by in (0.4, 3.0):
        expected = paper.logpdf(np.exp(mode + by)) - paper.logpdf(np.exp(mode))
        assert away(by) == pytest.approx(expected)
        assert away(-by) == pytest.approx(-0.5 * (by / 0.5) ** 2)
    theta = likelihood.mode + np.random.default_rng(0).normal(size=len(likelihood.mode))
    step = 1e-6 * np.eye(len(theta))
    slope = [(likelihood.prior(theta + s)[0] - likelihood.prior(theta - s)[0]) / 2e-6 for s in step]
    np.testing.assert_allclose(likelihood.prior(theta)[1], slope, rtol=1e-5)


def test_prior_is_that_of_the_fast_engine():
    from blackbox.surrogates.torch.gp import hyperprior

    own = hyperprior(Features(MIXED), Embedding(Features(MIXED)), None)
    thetas = own.likelihood.mode + np.random.default_rng(0).normal(size=(5, own.size + 1))
    thetas[:, -1] = own.likelihood.mode[-1]  # the noise has a prior of its own
    found = own.prior.log_prob(torch.tensor(thetas[:, :-1])).sum(dim=1).numpy()
    expected = np.array([own.likelihood.prior(theta)[0] for theta in thetas])
    np.testing.assert_allclose(found - found[0], expected - expected[0], atol=1e-10)


def test_no_length_scale_collapses_where_rows_look_like_noise():
    features = cube(6)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        x = features.draw(20, rng)
        y = -((x - 0.4) ** 2).sum(axis=1) + 0.3 * rng.normal(size=20)
        model = surrogates.ExactGP().fit(Data(features, x, y), None)
        assert model.posterior.kernel.lengths.min() > 0.2


def test_local_process_is_good_around_the_best_row():
    features, rng = cube(3), np.random.default_rng(0)
    x = features.draw(2000, rng)

    def f(x):
        return -((x - 0.3) ** 2).sum(axis=1) + 0.1 * np.sin(20 * x[:, 0])

    model = surrogates.LocalGP(neighbours=100).fit(Data(features, x, f(x)), None)
    assert len(model.likelihood.z) == 100
    near = x[np.argmax(f(x))] + 0.05 * rng.normal(size=(50, 3))
    assert rmse(model, near, f(near)) < 0.01


def test_heteroscedastic_finds_where_noise_is():
    features, rng = cube(1), np.random.default_rng(0)
    x = features.draw(300, rng)
    noise = 0.05 + 0.5 * x[:, 0] ** 2
    y = np.sin(5 * x[:, 0]) + noise * rng.normal(size=300)
    model = surrogates.HeteroscedasticGP().fit(Data(features, x, y), None)
    points = np.linspace(0.05, 0.95, 10)[:, None]
    ratio = model.noise_at(points) / (0.05 + 0.5 * points[:, 0] ** 2)
    assert np.all((ratio > 0.5) & (ratio < 2.0))
    plain = surrogates.ExactGP(warp=False).fit(Data(features, x, y), None)
    left = np.linspace(0.0, 0.3, 30)[:, None]
    truth = np.sin(5 * left[:, 0])
    assert rmse(model, left, truth) < rmse(plain, left, truth)


def test_preferences_give_the_order_and_a_next_question():
    features, rng = Features(MIXED), np.random.default_rng(0)
    x = features.draw(25, rng)

    def f(x):
        return np.sin(4 * x[:, 0]) + (x[:, 3] == 1)

    pairs = rng.integers(25, size=(80, 2))
    first = f(x)[pairs[:, 0]] > f(x)[pairs[:, 1]]
    pairs = np.where(first[:, None], pairs, pairs[:, ::-1])
    model = surrogates.PairwiseGP().fit(Data(features, x, np.zeros(25), comparisons=pairs), None)
    utility, _ = model.predict(x)
    assert np.mean(utility[pairs[:, 0]] >= utility[pairs[:, 1]]) > 0.95
    with isolated(0, "cpu"):
        question = AnalyticExpectedUtilityOfBestOption(pref_model=model.botorch())
        worth = question(torch.tensor(x[:8]).reshape(4, 2, -1))
    assert torch.isfinite(worth).all()
    with pytest.raises(ValueError, match="comparisons"):
        surrogates.PairwiseGP().fit(Data(features, x, f(x)), None)
