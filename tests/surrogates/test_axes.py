"""Axes of the length scales: found where a function has its own, and the same process whatever."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from blackbox.acquisitions.paths import draw_paths
from blackbox.state import pack, unpack
from blackbox.surrogates.axes import Tilted
from blackbox.surrogates.exact import ExactGP
from blackbox.surrogates.features import Features
from blackbox.surrogates.kernel import Kernel, Rows
from blackbox.surrogates.likelihood import Likelihood
from blackbox.surrogates.model import Data

CUBE = bb.Space(bb.Real("x", 0, 1, size=4))
MIXED = bb.Space(bb.Real("x", 0, 1, size=4), bb.Categorical("c", ["a", "b"]))


def turn(p, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(p, p)))[0]


def waves(x, axes):
    """Waves across one axis, slow along another, flat along the others."""
    across, along = ((x[:, :4] - 0.5) @ axes)[:, :2].T
    return np.cos(9 * across) + np.sin(2 * along)


def data(n, axes, space=CUBE, noise=0.0):
    features, rng = Features(space), np.random.default_rng(1)
    x = features.draw(n, rng)
    return Data(features, x, waves(x, axes) + noise * rng.normal(size=n))


def differences(function, at, step=1e-5):
    """Central differences of a function of a vector, by each of its entries."""
    return np.array(
        [(function(at + e) - function(at - e)) / (2 * step) for e in step * np.eye(len(at))]
    )


@pytest.mark.parametrize("known", [False, True], ids=["inferred", "known"])
def test_gradient_of_the_whole_metric_is_a_difference_of_its_likelihood(known):
    rng = np.random.default_rng(0)
    n, p = 15, 3
    rows = Rows(rng.random((n, p)), rng.random((n, 2)))
    noise = np.full(n, 0.01) if known else None
    tilted = Tilted(rows, np.array([0, 0]), rng.normal(size=n), noise)
    theta = tilted.start(0.3, -3.0) + 0.4 * rng.normal(size=len(tilted.mode))
    assert len(theta) == p + 1 + 3 + p * (p - 1) // 2 + (not known)
    gradient = differences(lambda t: tilted(t)[0], theta)
    np.testing.assert_allclose(tilted(theta)[1], gradient, rtol=1e-6, atol=1e-7)
    untilted = np.delete(theta, np.arange(p + 4, p + 7))
    flat = theta.copy()
    flat[p + 4 : p + 7] = 0.0
    plain = Likelihood(rows, tilted.groups, tilted.z, noise)
    assert tilted(flat)[0] == pytest.approx(plain(untilted)[0], rel=1e-12)
    np.testing.assert_allclose(np.delete(tilted(flat)[1], np.s_[p + 4 : p + 7]), plain(untilted)[1])


def test_a_kernel_along_axes_is_the_plain_one_of_turned_rows():
    rng, axes = np.random.default_rng(2), turn(3)
    theta, groups = np.r_[rng.normal(size=3), -1.0, -2.0, 0.3], np.zeros(0, dtype=np.intp)
    a, b = (Rows(rng.random((k, 3)), np.empty((k, 0))) for k in (5, 4))
    kernel, plain = Kernel(theta, groups, axes), Kernel(theta, groups)
    np.testing.assert_allclose(kernel(a, b), plain(kernel.along(a), kernel.along(b)), rtol=1e-12)
    np.testing.assert_allclose(np.diag(kernel(a, a)), kernel.variance(a), rtol=1e-12)
    np.testing.assert_allclose(kernel.along(Rows(np.full((1, 3), 0.5), a.codes[:1])).numbers, 0.5)
    # A step of this length along one number is as far as r = 1.
    for i, reach in enumerate(kernel.reach):
        assert np.linalg.norm(reach * axes[i] / kernel.lengths) == pytest.approx(1.0)
    np.testing.assert_allclose(plain.reach, plain.lengths)


def test_the_axes_of_a_valley_are_found_and_help():
    axes = turn(4)
    seen = data(80, axes)
    model, plain = (ExactGP(warp=False, turn=t).fit(seen, None) for t in (True, False))
    found = model.posterior.kernel
    narrow = found.axes[:, np.argmin(found.lengths)]
    assert abs(narrow @ axes[:, 0]) > 0.99
    points = model.features.draw(400, np.random.default_rng(3))
    errors = [np.abs(m.predict(points)[0] - waves(points, axes)).mean() for m in (model, plain)]
    assert plain.posterior.kernel.axes is None
    assert errors[0] < 0.5 * errors[1]


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_axes_of_the_cube_stay_where_they_are_those_of_the_function(noise):
    for n in (8, 20, 60):
        model = ExactGP(warp=False).fit(data(n, np.eye(4), noise=noise), None)
        assert model.posterior.kernel.axes is None


@pytest.mark.parametrize("space", [CUBE, MIXED], ids=["cube", "mixed"])
def test_derivatives_along_found_axes(space):
    model = ExactGP(warp=False).fit(data(80, turn(4), space), None)
    assert model.posterior.kernel.axes is not None
    points = model.features.draw(5, np.random.default_rng(4))
    paths = draw_paths(model, 3, np.random.default_rng(5), "cpu")
    pulled = model.moments(points).pull(np.ones((5, 1)), np.full(5, 0.7))
    _, along = paths.along(points, 1)

    def total(point):
        moments = model.moments(point[None])
        return (moments.mean[:, 0] + 0.7 * moments.deviation)[0]

    for row, slope, walked in zip(points, pulled, along, strict=True):
        expected = differences(total, row)[:4]
        np.testing.assert_allclose(slope[:4], expected, rtol=1e-4, atol=1e-5)
        expected = differences(lambda point: paths.values(point[None])[0, 1], row)[:4]
        np.testing.assert_allclose(walked[:4], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(paths.values(points)[:, 1], paths.along(points, 1)[0])


def test_going_on_from_stored_axes_is_going_on():
    axes = turn(4)
    recipe, seen = ExactGP(warp=False), data(83, axes)
    memory = recipe.fit(seen[np.arange(80)], None).memory()
    first, second = (recipe.fit(seen, m) for m in (memory, unpack(pack(memory))))
    assert first.posterior.kernel.axes is not None
    np.testing.assert_array_equal(first.theta, second.theta)
    np.testing.assert_array_equal(first.posterior.alpha, second.posterior.alpha)
