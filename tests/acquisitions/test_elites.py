"""Expected joint improvement of elites against brute force, sampling and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from blackbox.acquisitions.elites import log_ejie

EDGES = (np.array([-1.5, -0.5, 0.3, 1.2]), np.array([-np.inf, 0.0, np.inf]))


def _case(seed, n=5):
    rng = np.random.default_rng(seed)
    mean, deviation = rng.normal(size=(n, 3)), rng.uniform(0.2, 1.5, size=(n, 3))
    return mean, deviation, rng.normal(size=6)


def _by_hand(mean, deviation, best):
    """The definition, cell by cell."""
    total = np.zeros(len(mean))
    for c, (i, j) in enumerate(np.ndindex(3, 2)):
        p = np.ones(len(mean))
        for k, (edges, b) in enumerate(zip(EDGES, (i, j), strict=True), start=1):
            z = (edges[b : b + 2] - mean[:, k, None]) / deviation[:, k, None]
            p *= norm.cdf(z[:, 1]) - norm.cdf(z[:, 0])
        s = deviation[:, 0]
        z = (mean[:, 0] - best[c]) / s
        total += p * ((mean[:, 0] - best[c]) * norm.cdf(z) + s * norm.pdf(z))
    return total


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_sum_over_cells(seed):
    mean, deviation, best = _case(seed)
    found = log_ejie(mean, deviation, EDGES, best).value
    np.testing.assert_allclose(np.exp(found), _by_hand(mean, deviation, best), rtol=2e-5)


@pytest.mark.parametrize(("mu", "s", "best"), [(1, 0.1, 1), (1, 0.01, 1), (0.9, 0.1, 1), (0, 3, 1)])
def test_it_agrees_with_sampling_for_small_and_large_deviations(mu, s, best):
    """The cases in which an improvement without its deviation is wrong by up to a hundredfold."""
    rng = np.random.default_rng(0)
    n = 400_000
    scores = rng.normal(mu, s, n)
    first, second = rng.normal(0.1, 0.4, n), rng.normal(-0.2, 0.8, n)
    table = np.array([best, best + s, best - s, best, best, best + 2 * s])
    i = np.searchsorted(EDGES[0], first, side="right") - 1
    inside = (i >= 0) & (i < 3)
    cell = np.where(inside, i * 2 + (second >= 0), 0)
    gains = np.where(inside, np.maximum(scores - table[cell], 0.0), 0.0)
    value = log_ejie(
        np.array([[mu, 0.1, -0.2]], dtype=float), np.array([[s, 0.4, 0.8]]), EDGES, table
    ).value
    assert abs(np.exp(value[0]) - gains.mean()) < 4 * gains.std() / np.sqrt(n)


def test_derivatives_are_those_of_the_value():
    mean, deviation, best = _case(3)
    found, step = log_ejie(mean, deviation, EDGES, best), 1e-6
    for j in range(3):
        for table, slope in ((mean, found.by_mean), (deviation, found.by_deviation)):
            moved = [table.copy(), table.copy()]
            moved[0][:, j] += step
            moved[1][:, j] -= step
            values = [
                log_ejie(*((m, deviation) if table is mean else (mean, m)), EDGES, best).value
                for m in moved
            ]
            np.testing.assert_allclose(
                slope[:, j], (values[0] - values[1]) / (2 * step), rtol=2e-4, atol=1e-5
            )


def test_far_from_any_improvement_it_still_has_a_slope():
    mean = np.array([[-60.0, 40.0, 0.0]])
    found = log_ejie(mean, np.full((1, 3), 0.5), EDGES, np.zeros(6))
    assert np.isfinite(found.value).all()
    assert found.by_mean[0, 0] > 0  # a better score would help
    assert found.by_mean[0, 1] < 0  # so would measures nearer to the grid
