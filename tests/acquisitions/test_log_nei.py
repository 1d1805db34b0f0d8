"""Noisy expected improvement against closed form and against plain Monte Carlo."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm

from blackbox.acquisitions.log_nei import LogNoisyEI
from blackbox.surrogates.gp import GaussianProcess
from blackbox.surrogates.isolation import isolated

NONE = np.empty((0, 2))


@pytest.fixture(scope="module")
def noiseless():
    rng = np.random.default_rng(0)
    x = rng.random((10, 2))
    return x, GaussianProcess(x, np.sin(4 * x[:, 0]) + x[:, 1], noise=np.zeros(10))


@pytest.fixture(scope="module")
def noisy():
    rng = np.random.default_rng(1)
    x = rng.random((8, 2))
    y = np.sin(4 * x[:, 0]) + 0.5 * rng.normal(size=8)
    return x, GaussianProcess(x, y, noise=np.full(8, 0.5))


def test_without_noise_it_is_expected_improvement(noiseless):
    x, gp = noiseless
    new = np.random.default_rng(2).random((6, 2))
    mean, deviation = gp.predict(new)
    gap = mean - gp.predict(x)[0].max()
    exact = gap * norm.cdf(gap / deviation) + deviation * norm.pdf(gap / deviation)
    found = np.exp(LogNoisyEI(gp, x, NONE, seed=0).values(new)) * gp.scale
    np.testing.assert_allclose(found, exact, rtol=0.1, atol=2e-4)


@pytest.mark.parametrize("pending", [0, 2])
def test_with_noise_and_pending_rows_it_is_the_mean_of_sampled_improvements(noisy, pending):
    x, gp = noisy
    rng = np.random.default_rng(3)
    waiting, new = rng.random((pending, 2)), rng.random((4, 2))
    found = np.exp(LogNoisyEI(gp, x, waiting, seed=0).values(new))
    with torch.no_grad():
        joint = gp.model.posterior(gp.tensor(np.concatenate([x, waiting, new])))
    mean, cov = joint.mean[:, 0].numpy(), joint.covariance_matrix.numpy()
    samples = rng.multivariate_normal(mean, cov, size=200_000, method="cholesky")
    best = samples[:, : len(x) + pending].max(axis=1, keepdims=True)
    expected = np.maximum(samples[:, len(x) + pending :] - best, 0).mean(axis=0)
    np.testing.assert_allclose(found, expected, rtol=0.15, atol=3e-3)


def test_pending_rows_repel(noiseless):
    x, gp = noiseless
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 15)] * 2), axis=-1).reshape(-1, 2)
    first = grid[np.argmax(LogNoisyEI(gp, x, NONE, seed=0).values(grid))][None]
    alone = LogNoisyEI(gp, x, NONE, seed=0).values(first)[0]
    with isolated(0, "cpu"):  # the covariance of a row and itself is singular
        beside = LogNoisyEI(gp, x, first, seed=0).values(first)[0]
    assert beside < alone - 2


def test_gradient(noisy):
    x, gp = noisy
    value = LogNoisyEI(gp, x, NONE, seed=0)
    points = np.random.default_rng(4).random((3, 2))
    _, gradients = value.values_and_gradients(points)
    for j, step in enumerate(1e-5 * np.eye(2)):
        slopes = (value.values(points + step) - value.values(points - step)) / 2e-5
        np.testing.assert_allclose(gradients[:, j], slopes, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(value.values_and_gradients(points)[0], value.values(points))


def test_the_seed_decides(noisy):
    x, gp = noisy
    new = np.full((1, 2), 0.4)
    a, b, c = (LogNoisyEI(gp, x, NONE, seed=s).values(new)[0] for s in (1, 1, 2))
    assert a == b != c
