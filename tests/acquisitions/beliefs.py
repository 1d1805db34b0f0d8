"""Beliefs to test acquisitions with, and what every acquisition function must satisfy."""

from __future__ import annotations

import numpy as np

from blackbox.acquisitions.base import Belief, Limit
from blackbox.space import Categorical, Real, Space
from blackbox.surrogates.exact import ExactGP
from blackbox.surrogates.features import Features
from blackbox.surrogates.model import Data

PLANE = Features(Space(Real("a", 0, 1), Real("b", 0, 1)))
MIXED = Features(Space(Real("a", 0, 1), Categorical("c", ["u", "v", "w"])))


def surface(x):
    return np.sin(5 * x[:, 0]) + (x[:, -1] - 0.4) ** 2


def belief(n=10, noise=0.0, m=1, features=PLANE, pending=0, seed=0, limited=False, device="cpu"):
    """A belief of the fast engine about smooth functions on the plane."""
    rng = np.random.default_rng(seed)
    x = features.draw(n, rng)
    scores = np.stack([surface(x) if i == 0 else -surface(x + 0.3 * i) for i in range(m)], axis=1)
    scores = scores + noise * rng.standard_normal(scores.shape)
    models = tuple(fit(features, x, y, noise) for y in scores.T)
    limits, feasible = (), np.ones(n, dtype=bool)
    if limited:
        c = x[:, 0] - 0.6 * x[:, -1]
        limits = (Limit(fit(features, x, c, 0.0), -np.inf, 0.3),)
        feasible = c <= 0.3
    waiting = features.draw(pending, rng)
    return Belief(features, models, limits, x, scores, feasible, waiting, device)


def fit(features, x, y, noise):
    errors = np.full(len(y), noise)
    return ExactGP(warp=False).fit(Data(features, x, y, noise=errors), None)


def slopes(function, points, columns, step=2e-6):
    """(n, c) central differences by some columns."""
    found = []
    for j in columns:
        shift = step * np.eye(points.shape[1])[j]
        ends = function.values(points + shift), function.values(points - shift)
        found.append((ends[0] - ends[1]) / (2 * step))
    return np.stack(found, axis=1)


def check_function(function, features, *, rtol=1e-4, atol=1e-5, n=5, seed=9, gaps=False):
    """Values agree with those beside gradients, and gradients with differences.

    With gaps, gradients that could not be computed are left out: they are 0.
    """
    points = features.draw(n, np.random.default_rng(seed))
    columns = features.continuous
    points[:, columns] = np.clip(points[:, columns], 0.01, 0.99)
    values, gradients = function.values_and_gradients(points)
    assert values.shape == (n,)
    assert gradients.shape == points.shape
    assert np.isfinite(values).all()
    np.testing.assert_allclose(function.values(points), values, rtol=1e-8, atol=1e-10)
    steady = values > -1e3  # differences of worse ones say nothing
    if gaps:
        steady &= gradients.any(axis=1)
    assert steady.any()
    found, expected = gradients[:, columns], slopes(function, points, columns)
    # Beside a steep slope the rounding of values hides a gentle one.
    atol += 1e-6 * np.abs(expected[steady]).max()
    np.testing.assert_allclose(found[steady], expected[steady], rtol=rtol, atol=atol)
    others = np.setdiff1d(np.arange(features.width), columns)
    np.testing.assert_array_equal(gradients[:, others], 0)
    assert function.values(points[:0]).shape == (0,)


def posterior_of(model, points):
    """Mean and covariance of the standardised values at points."""
    rows = model.rows(points)
    return model.posterior.moments(rows).mean[:, 0], model.posterior.covariance(rows, rows)


def samples_of(model, points, count, seed=0):
    """(count, n) joint draws."""
    mean, covariance = posterior_of(model, points)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    normal = np.random.default_rng(seed).standard_normal((count, len(mean)))
    return mean + normal @ root.T
