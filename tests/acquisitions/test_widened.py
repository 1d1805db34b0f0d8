"""More uncertainty than there is, and the search that takes it away by and by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from blackbox.acquisitions import EHVI, EI
from blackbox.acquisitions.base import Widening
from blackbox.acquisitions.search import Search
from blackbox.space import Real, Space
from blackbox.surrogates.features import Features
from tests.acquisitions.beliefs import PLANE, belief, check_function

NEW = PLANE.draw(6, np.random.default_rng(5))


def built(recipe, state):
    function = recipe.build(state, np.random.default_rng(0))
    assert isinstance(function, Widening)
    return function


@pytest.mark.parametrize("limited", [False, True], ids=["free", "limited"])
@pytest.mark.parametrize(("recipe", "m"), [(EI(), 1), (EHVI(), 2)], ids=["EI", "EHVI"])
def test_gradients_agree_with_differences_and_none_more_changes_nothing(recipe, m, limited):
    function = built(recipe, belief(m=m, limited=limited))
    check_function(function.widened(0.2), PLANE, rtol=1e-3, atol=2e-4)
    np.testing.assert_array_equal(function.widened(0.0).values(NEW), function.values(NEW))
    assert (function.widened(0.2).values(NEW) != function.values(NEW)).all()


def test_expected_improvement_and_feasibility_are_those_of_the_sum_of_variances():
    state = belief(limited=True)
    model, limit = state.objectives[0], state.limits[0]
    moments = model.moments(NEW)
    mean, s = moments.mean[:, 0], np.hypot(moments.deviation, 0.5)
    best = model.moments(state.x[state.feasible]).mean.max()
    ei = (mean - best) * norm.cdf((mean - best) / s) + s * norm.pdf((mean - best) / s)
    center, deviation = limit.model.predict(NEW)
    wider = np.hypot(deviation, 0.5 * limit.model.outcomes.scale)
    held = norm.logcdf((limit.upper - center) / wider)
    found = built(EI(), state).widened(0.5).values(NEW)
    np.testing.assert_allclose(found, np.log(ei) + held, rtol=1e-6)
    nothing = replace(state, feasible=np.zeros(len(state.x), dtype=bool))
    found = built(EI(), nothing).widened(0.5).values(NEW)
    np.testing.assert_allclose(found, held, rtol=1e-6)


def test_beliefs_are_sharp_under_limits_and_for_several_objectives():
    assert [belief(m=m, limited=c).sharp for m in (1, 2) for c in (False, True)] == [
        False,
        True,
        True,
        True,
    ]


class Ridge:
    """The first coordinate, as far as the squares of the others are known to follow it.

    Args:
        deviation: with which each is known.
    """

    def __init__(self, deviation=1e-6, width=0.0):
        self.deviation, self.variance = deviation, deviation**2 + width**2

    def widened(self, by):
        return Ridge(self.deviation, by)

    def values_and_gradients(self, points):
        first, others = points[:, :1], points[:, 1:]
        slope = np.arange(1, others.shape[1] + 1) / 8
        missed = others**2 - first * slope
        gradients = np.column_stack([np.ones(len(points)), -2 * missed * others / self.variance])
        gradients[:, 0] += (missed * slope).sum(axis=1) / self.variance
        return first[:, 0] - 0.5 * (missed**2).sum(axis=1) / self.variance, gradients

    def values(self, points):
        return self.values_and_gradients(points)[0]


def test_a_narrow_ridge_is_climbed_from_draws():
    features = Features(Space(Real("x", 0, 1, size=6)))
    nothing = np.empty((0, 6))

    def heights(sharp):
        for seed in range(4):
            rng = np.random.default_rng(seed)
            row = Search(features).best(Ridge(), nothing, nothing, rng, sharp=sharp)
            yield float(Ridge().values(row[None])[0])

    assert min(heights(sharp=True)) > 0.95  # its end is at 1
    assert max(heights(sharp=False)) < 0.9
