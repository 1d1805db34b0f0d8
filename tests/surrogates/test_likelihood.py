"""The priors of the fast engine's hyperparameters."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from blackbox.surrogates.features import Features
from blackbox.surrogates.likelihood import TIED, Likelihood
from blackbox.surrogates.shares import ShareMap


def likelihood(categories: int, n: int = 12, *, mixture: bool = False) -> Likelihood:
    """Of scores at rows of two numbers and some categories of three names, perhaps a mixture."""
    names = [bb.Categorical(f"c{i}", ["a", "b", "c"]) for i in range(categories)]
    names += [bb.Simplex("m", 3)] if mixture else []
    features = Features(bb.Space(bb.Real("x", 0, 1, size=2), *names))
    rng = np.random.default_rng(0)
    rows = features.rows(features.draw(n, rng))
    shares = ShareMap(features, "plain").among
    return Likelihood(rows, features.groups, rng.normal(size=n), None, shares=shares)


@pytest.mark.parametrize("categories", [1, 5, 20])
def test_rows_that_differ_in_every_category_are_as_related_however_many_there_are(categories):
    kernel, _ = (own := likelihood(categories)).split(own.mode)
    first = own.rows[:1]
    codes = np.roll(first.codes.reshape(categories, 3), 1, axis=1).reshape(1, -1)
    second = type(first)(first.numbers, codes)
    factor = kernel(first, second) - kernel._trend(kernel.along(first), kernel.along(second))
    assert factor[0, 0] == pytest.approx(np.exp(-1.0) * kernel.signal)


@pytest.mark.parametrize("j", [0, 2])  # a length scale, a code scale
def test_below_its_mode_a_scale_is_less_likely_than_as_far_above(j):
    own = likelihood(3)
    away = np.zeros(len(own.mode))
    away[j] = 1.0
    assert own.prior(own.mode - away)[0] < own.prior(own.mode + away)[0] - 1.0


def test_shares_are_likely_to_matter_alike():
    own = likelihood(1, mixture=True)
    scales = np.flatnonzero(own.shares)
    assert scales.tolist() == [2, 3, 4]  # after the two numbers
    alike, apart = own.mode.copy(), own.mode.copy()
    alike[scales] += 0.5
    apart[scales] += [0.5, -0.5, 0.5]
    # Above the mode all is level but the tie: half the squared distances from the mean, by TIED^2.
    tie = 0.5 * ((apart[scales] - apart[scales].mean()) ** 2).sum() / TIED**2
    below = 0.125 / own.below[3] ** 2 - 0.125 / own.above[3] ** 2
    assert own.prior(alike)[0] - own.prior(apart)[0] == pytest.approx(tie + below)


@pytest.mark.parametrize("mixture", [False, True])
def test_the_gradient_is_that_of_differences_on_both_sides_of_the_mode(mixture):
    own, rng = likelihood(3, mixture=mixture), np.random.default_rng(1)
    theta = own.mode + 0.5 * rng.normal(size=len(own.mode))
    _, gradient = own(theta)
    for j, step in enumerate(1e-5 * np.eye(len(theta))):
        slope = (own(theta + step)[0] - own(theta - step)[0]) / 2e-5
        assert gradient[j] == pytest.approx(slope, rel=1e-5, abs=1e-6)
