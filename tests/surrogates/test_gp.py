"""The Gaussian process against its closed form, and on data meant to break it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from blackbox.surrogates.gp import GaussianProcess, standardise
from blackbox.surrogates.isolation import isolated


def data(n=12, d=3, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.random((n, d))
    return x, np.sin(5 * x[:, 0]) + x[:, 1] ** 2 + 0.1 * rng.normal(size=n)


def covariance(a, b, lengthscales):
    """Matern 5/2: (1 + r + r**2 / 3) exp(-r) with r = sqrt(5) |a - b| / lengthscale."""
    gaps = (a[:, None] - b[None]) / lengthscales
    r = np.sqrt(5 * (gaps**2).sum(axis=-1))
    return (1 + r + r**2 / 3) * np.exp(-r)


def fitted(gp):
    noise = gp.model.likelihood.noise.detach().numpy()
    return (
        gp.model.covar_module.lengthscale.detach().numpy()[0],
        noise,
        float(gp.model.mean_module.constant.detach()),
    )


@pytest.mark.parametrize("known", [False, True])
def test_posterior_is_the_closed_form(known):
    x, y = data()
    noise = np.linspace(0.05, 0.2, len(y)) if known else None
    gp = GaussianProcess(x, y, noise=noise)
    lengthscales, variance, mean = fitted(gp)
    if known:
        np.testing.assert_allclose(variance, (noise / y.std()) ** 2)
    z = (y - y.mean()) / y.std()
    new = np.random.default_rng(1).random((4, 3))
    k = covariance(x, x, lengthscales) + np.eye(len(x)) * variance
    cross = covariance(new, x, lengthscales)
    expected = mean + cross @ np.linalg.solve(k, z - mean)
    spread = np.sqrt(1 - np.einsum("ij,ji->i", cross, np.linalg.solve(k, cross.T)))
    found, deviation = gp.predict(new)
    np.testing.assert_allclose(found, y.mean() + y.std() * expected, atol=1e-6)
    np.testing.assert_allclose(deviation, y.std() * spread, atol=1e-6)


def test_fit_maximises_likelihood_times_prior():
    from gpytorch.mlls import ExactMarginalLogLikelihood  # loaded, without its warnings, by gp

    x, y = data()
    gp = GaussianProcess(x, y)
    model = gp.model.train()
    mll = ExactMarginalLogLikelihood(model.likelihood, model)

    def objective():
        return float(mll(model(*model.train_inputs), model.train_targets).detach())

    best = objective()
    parameters = dict(model.named_parameters())
    for name, parameter in parameters.items():
        for factor in (0.9, 1.1):
            kept = parameter.detach().clone()
            with torch.no_grad():
                parameter.copy_(kept * factor)
            assert objective() <= best + 1e-4, name
            with torch.no_grad():
                parameter.copy_(kept)


def test_likelihood_is_the_closed_form():
    x, y = data()
    gp = GaussianProcess(x, y)
    lengthscales, variance, mean = fitted(gp)
    z = (y - y.mean()) / y.std()
    k = covariance(x, x, lengthscales) + np.eye(len(x)) * variance
    expected = -0.5 * (
        (z - mean) @ np.linalg.solve(k, z - mean)
        + np.linalg.slogdet(k)[1]
        + len(z) * np.log(2 * np.pi)
    )
    model = gp.model.train()
    found = model.likelihood(model(*model.train_inputs)).log_prob(model.train_targets)
    assert float(found.detach()) == pytest.approx(expected, abs=1e-6)


def test_categories_differ_without_order():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.random(30), np.arange(30) % 3])
    y = np.array([0.0, 5.0, 1.0])[np.arange(30) % 3] + x[:, 0]
    gp = GaussianProcess(x, y, categorical=[1])
    new = np.column_stack([np.full(3, 0.5), np.arange(3.0)])
    np.testing.assert_allclose(gp.predict(new)[0], [0.5, 5.5, 1.5], atol=0.2)


@pytest.mark.parametrize(
    "y",
    [
        np.zeros(1),
        np.full(6, 1e300),
        np.array([1e300, -1e300, 1.0, 0.0]),
        1 + 1e-12 * np.arange(5),
        np.array([1e-320, 0.0, 2e-320]),
        np.array([0.0, 0.0, 1e200]),
    ],
    ids=["one", "constant", "huge", "tiny-range", "denormal", "outlier"],
)
def test_extreme_outcomes(y):
    x = np.linspace(0, 1, len(y))[:, None]
    mean, deviation = GaussianProcess(x, y).predict(np.array([[0.3], [0.9]]))
    assert np.all(np.isfinite(mean))
    assert np.all(np.isfinite(deviation))


@pytest.mark.parametrize("known", [False, True])
def test_replicates_and_near_duplicates(known):
    rng = np.random.default_rng(0)
    x = np.concatenate([np.full((20, 2), 0.5), 0.5 + 1e-12 * rng.random((20, 2))])
    y = rng.normal(size=40)
    gp = GaussianProcess(x, y, noise=np.zeros(40) if known else None)
    mean, deviation = gp.predict(np.full((1, 2), 0.5))
    assert mean[0] == pytest.approx(y.mean(), abs=0.1)
    assert np.isfinite(deviation[0])


def test_standardise():
    z, shift, scale = standardise(np.array([3.0, 5.0, 10.0]))
    assert z.mean() == pytest.approx(0)
    assert z.std() == pytest.approx(1)
    np.testing.assert_allclose(shift + scale * z, [3, 5, 10])
    tiny = 1 + 1e-12 * np.arange(3)
    assert standardise(tiny)[0].std() == pytest.approx(1)
    assert standardise(np.full(4, 0.1 + 0.2))[0].tolist() == [0, 0, 0, 0]


def test_isolation_leaves_global_state_alone():
    before = torch.get_rng_state(), torch.get_num_threads(), torch.get_default_dtype()
    drawn = []
    for _ in range(2):
        with isolated(7, "cpu"):
            drawn.append(float(torch.rand(1)))
    after = torch.get_rng_state(), torch.get_num_threads(), torch.get_default_dtype()
    assert drawn[0] == drawn[1]
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
