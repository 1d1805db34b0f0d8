"""The functions of the normal distribution against arithmetic of 60 digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from blackbox.acquisitions.feasibility import within
from blackbox.acquisitions.improvement import log_ei, log_pi
from blackbox.acquisitions.normal import log_h, normals, ratios

mpmath.mp.dps = 60
POINTS = np.array([-1e5, -3e4, -1001, -999, -300.0, -40, -8, -1.001, -1, -0.999, 0, 1.5, 9, 50])


def phi(z):
    return mpmath.npdf(z)


def cdf(z):
    return mpmath.erfc(-mpmath.mpf(z) / mpmath.sqrt(2)) / 2


def h(z):
    if z < -200:  # here even 60 digits cancel
        z = mpmath.mpf(z)
        terms = [1, -3, 15, -105, 945, -10395]
        return phi(z) / z**2 * sum(t / z ** (2 * k) for k, t in enumerate(terms))
    return phi(z) + z * cdf(z)


def test_log_h_and_its_ratios():
    exact = [float(mpmath.log(h(z))) for z in POINTS]
    np.testing.assert_allclose(log_h(POINTS), exact, rtol=1e-12)
    # What is beside the square is small, and exact too.
    beside = [float(mpmath.log(h(z)) + mpmath.mpf(z) ** 2 / 2) for z in POINTS[:7]]
    np.testing.assert_allclose(
        -np.log(ratios(POINTS[:7])[1]) - 0.5 * np.log(2 * np.pi), beside, rtol=1e-8
    )
    big, small = ratios(POINTS)
    np.testing.assert_allclose(big, [float(cdf(z) / h(z)) for z in POINTS], rtol=1e-7)
    np.testing.assert_allclose(small, [float(phi(z) / h(z)) for z in POINTS], rtol=1e-7)


def test_log_ei_is_exact_where_ei_underflows():
    mean, deviation, best = np.array([[-60.0]]), np.array([1.5]), np.array([3.0])
    z = (mpmath.mpf(-60) - 3) / mpmath.mpf(1.5)
    exact = mpmath.log(mpmath.mpf(1.5) * h(z))
    assert float(mpmath.exp(exact)) < 1e-300
    np.testing.assert_allclose(log_ei(mean, deviation, best)[0], float(exact), rtol=1e-13)


@pytest.mark.parametrize("measure", [log_ei, log_pi])
def test_derivatives_and_averages_of_components(measure):
    rng = np.random.default_rng(0)
    mean, deviation = 3 * rng.standard_normal((6, 4)), np.exp(rng.standard_normal(6))
    best = rng.standard_normal(4)
    value, by_mean, by_deviation = measure(mean, deviation, best)
    each = [measure(mean[:, [k]], deviation, best[[k]])[0] for k in range(4)]
    np.testing.assert_allclose(value, np.log(np.mean(np.exp(each), axis=0)))
    e = 1e-6
    for k in range(4):
        step = e * np.eye(4)[k]
        slope = measure(mean + step, deviation, best)[0] - measure(mean - step, deviation, best)[0]
        np.testing.assert_allclose(by_mean[:, k], slope / (2 * e), rtol=1e-5, atol=1e-8)
    slope = measure(mean, deviation + e, best)[0] - measure(mean, deviation - e, best)[0]
    np.testing.assert_allclose(by_deviation, slope / (2 * e), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("measure", [log_ei, log_pi])
def test_extreme_inputs_are_finite(measure):
    mean = np.array([[-1e8], [1e8], [0.0], [0.0], [-1.0]])
    deviation = np.array([1e-10, 1e-10, 1e-10, 1e8, 1e-10])
    for part in measure(mean, deviation, np.zeros(1)):
        assert np.isfinite(part).all()


BOUNDS = [(-np.inf, 1.0), (0.5, np.inf), (-1.0, 2.0), (-40.0, -39.0), (39.0, 40.0), (0.0, 1e-9)]


@pytest.mark.parametrize(("lower", "upper"), BOUNDS)
@pytest.mark.parametrize("mean", [-3.0, 0.2, 4.0])
def test_probability_between_bounds(lower, upper, mean):
    s = 0.7
    a, b = ((mpmath.mpf(v) - mpmath.mpf(mean)) / mpmath.mpf(s) for v in (lower, upper))
    low = cdf(a) if lower > -np.inf else mpmath.mpf(0)
    high = cdf(b) if upper < np.inf else mpmath.mpf(1)
    if a > 0:
        low, high = cdf(-b) if upper < np.inf else mpmath.mpf(0), cdf(-a)
    exact = float(mpmath.log(high - low))
    value, by_mean, by_deviation = within(np.array([mean]), np.array([s]), lower, upper)
    narrow = 1e-6 if upper - lower < 1e-6 else 1e-10
    np.testing.assert_allclose(value, exact, rtol=narrow)
    up = phi(b) / (high - low) if upper < np.inf else mpmath.mpf(0)
    down = phi(a) / (high - low) if lower > -np.inf else mpmath.mpf(0)
    np.testing.assert_allclose(by_mean, float((down - up) / s), rtol=1e-5, atol=1e-8)
    inner = (a * down if down else 0) - (b * up if up else 0)
    np.testing.assert_allclose(by_deviation, float(inner / s), rtol=1e-5, atol=1e-8)


def test_probability_between_bounds_is_finite_far_away():
    mean, deviation = np.array([1e9, -1e9, 0.0]), np.array([1e-9, 1.0, 1e-10])
    for lower, upper in [(-np.inf, 0.0), (-1.0, 1.0), (0.0, np.inf), (2.0, 3.0), (-np.inf, np.inf)]:
        for part in within(mean, deviation, lower, upper):
            assert np.isfinite(part).all(), (lower, upper, part)


def test_quasi_random_normals():
    drawn = normals(3, 1024, np.random.default_rng(0))
    assert drawn.shape == (3, 1024)
    np.testing.assert_allclose(drawn.mean(axis=1), 0, atol=0.01)
    np.testing.assert_allclose(np.cov(drawn), np.eye(3), atol=0.03)
    again = normals(3, 1024, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, again)
    assert normals(30_000, 2, np.random.default_rng(0)).shape == (30_000, 2)
