"""Intervals hold what they promise, over functions drawn from a process."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from blackbox import surrogates
from blackbox.surrogates.features import Features
from blackbox.surrogates.kernel import Kernel
from blackbox.surrogates.model import Data

pytestmark = pytest.mark.slow

FEATURES = Features(bb.Space(bb.Real("x", 0, 1, size=2)))


def coverage(recipe, n, functions, told="nothing"):
    """Shares of true values in the intervals of 68 and of 95 percent."""
    rng = np.random.default_rng(0)
    kernel = Kernel(np.array([-1.0, -0.5, -14.0, -14.0, 0.0]), FEATURES.groups)
    inside = []
    for _ in range(functions):
        x = FEATURES.draw(n + 30, rng)
        rows = FEATURES.rows(x)
        factor = np.linalg.cholesky(kernel(rows, rows) + 1e-9 * np.eye(n + 30))
        f = factor @ rng.normal(size=n + 30)
        y = f[:n] + 0.1 * rng.normal(size=n)
        known = np.full(n, 0.1) if told == "size" else None
        data = Data(FEATURES, x[:n], y, noise=known, noisy=told == "noisy")
        mean, deviation = recipe.fit(data, None).predict(x[n:])
        away = np.abs(f[n:] - mean) / deviation
        inside.append([away < 0.9945, away < 1.9600])
    return np.mean(inside, axis=(0, 2))


COLLAPSE = pytest.mark.xfail(
    reason="with 30 rows the prior of the noise takes a tenth for none in every other fit"
)


@pytest.mark.parametrize(
    ("n", "told"),
    [
        (30, "size"),
        (30, "noisy"),
        (60, "nothing"),
        pytest.param(30, "nothing", marks=COLLAPSE),
    ],
)
def test_intervals_of_the_fast_engine_cover(n, told):
    found = coverage(surrogates.ExactGP(warp=False), n, 200, told)
    np.testing.assert_allclose(found, [0.68, 0.95], atol=0.05)


def test_intervals_of_torch_cover():
    # Forty functions would be too few where noise is inferred: there the shares of any engine still
    # vary by more than what is asserted.
    found = coverage(surrogates.TorchGP(), 30, 60, told="size")
    np.testing.assert_allclose(found, [0.68, 0.95], atol=0.05)
    exact = coverage(surrogates.ExactGP(warp=False, turn=False), 30, 60, told="size")
    np.testing.assert_allclose(found, exact, atol=0.01)
