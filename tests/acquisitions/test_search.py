"""The search finds maxima that are known, and never what is taken."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import blackbox as bb
from blackbox.acquisitions.search import Box, Search
from blackbox.surrogates.features import Features


class Bowl:
    """Minus the squared distance to a peak, in features; categories count when unequal."""

    def __init__(self, features, peak, weights=1.0):
        self.peak, self.weights = np.asarray(peak, float), weights
        self.categorical = list(features.categorical)

    def values(self, points):
        gaps = points - self.peak
        gaps[:, self.categorical] = gaps[:, self.categorical] != 0
        return -(self.weights * gaps**2).sum(axis=1)

    def values_and_gradients(self, points):
        gradients = -2 * self.weights * (points - self.peak)
        gradients[:, self.categorical] = 0
        return self.values(points), gradients


def search(space, peak, taken=None, weights=1.0):
    features = Features(space)
    nothing = np.empty((0, features.width))
    taken = nothing if taken is None else taken
    rng = np.random.default_rng(0)
    found = Search(features).best(Bowl(features, peak, weights), taken, nothing, rng)
    return features, found


def test_box():
    _, found = search(bb.Space(bb.Real("x", -1, 1, size=5)), [0.1, 0.9, 0.5, 1.3, -0.2])
    np.testing.assert_allclose(found, [0.1, 0.9, 0.5, 1, 0], atol=1e-4)


MIXED = bb.Space(
    bb.Categorical("a", ["p", "q", "r"]),
    bb.Categorical("b", ["p", "q", "r"]),
    bb.Integer("n", 0, 10),
    bb.Real("x", 0, 1, size=2),
)


def test_within_a_box_the_best_row_is_that_of_the_box():
    features = Features(MIXED)
    center = np.array([0.0, 0.0, 0.5, 0.5, 0.5])
    box = Box(center - 0.2, center + 0.2, center, changes=1)
    # Category a is worth more than b, so only a may change; numbers go to the box's corner.
    bowl = Bowl(features, [2.0, 2.0, 1.0, 1.0, 0.0], np.array([2.0, 1.0, 1.0, 1.0, 1.0]))
    rng = np.random.default_rng(0)
    search = Search(features)
    found = search.best(bowl, np.empty((0, 5)), center[None], rng, box)
    np.testing.assert_allclose(found, [2, 0, 7.5 / 11, 0.7, 0.3], atol=1e-6)  # n = 7


@pytest.mark.parametrize("changes", [1, 2])
def test_every_row_of_a_pool_lies_in_the_box_and_fills_it(changes):
    features = Features(MIXED)
    center = np.array([1.0, 1.0, 0.4, 0.3, 0.8])
    box = Box(center - 0.15, center + 0.15, center, changes)
    pool = Search(features).pool(np.empty((0, 5)), center[None], np.random.default_rng(0), box)
    assert (np.abs(pool[:, 2:] - center[2:]) <= 0.15 + 1e-9).all()
    changed = (pool[:, :2] != 1).sum(axis=1)
    assert changed.max() == changes
    assert set(np.rint(pool[:, 2] * 10)) == {3, 4, 5}
    assert np.ptp(pool[:, 3:], axis=0).min() > 0.28


def test_a_finite_space_is_searched_in_the_box_until_nothing_is_left_there():
    space = bb.Space(bb.Categorical("a", ["p", "q"]), bb.Categorical("b", ["p", "q"]))
    search, rng = Search(Features(space)), np.random.default_rng(0)
    center = np.zeros(2)
    box = Box(center, center, center, changes=1)
    taken = center[None]
    near = search.pool(taken, taken, rng, box)
    assert sorted(map(tuple, near)) == [(0, 1), (1, 0)]
    rest = search.pool(np.concatenate([taken, near]), taken, rng, box)
    assert [tuple(row) for row in rest] == [(1, 1)]


def test_simplex_with_its_best_on_a_face():
    _, found = search(bb.Space(bb.Simplex("m", 4)), [0.7, 0.5, -0.1, -0.4])
    # The projection of the peak on the simplex.
    np.testing.assert_allclose(found, [0.6, 0.4, 0, 0], atol=1e-4)


def test_linear_constraint_that_binds():
    space = bb.Space(
        bb.Real("x", 0, 2, size=2),
        constraints=[bb.LinearConstraint({"x": [1, 1]}, upper=1)],
    )
    features, found = search(space, [0.6, 0.4])
    # Nearest point of x + y <= 1, that is of the features' sum <= 0.5.
    np.testing.assert_allclose(found, [0.35, 0.15], atol=1e-4)
    space.check(features.decode(found[None]))


def test_constraint_on_logarithm_and_shares():
    space = bb.Space(
        bb.Real("lr", 1e-4, 1, log=True),
        bb.Simplex("m", 3),
        constraints=[
            bb.LinearConstraint({"lr": 10, "m[0]": 1}, upper=0.6),
            bb.LinearConstraint({"m[2]": 1}, lower=0.2),
        ],
    )
    features, found = search(space, [0.5, 1, 0, 0], weights=np.array([100, 1, 1, 1]))
    row = features.decode(found[None])
    space.check(row)
    rows = space.draw(20_000, np.random.default_rng(1))
    bowl = Bowl(features, [0.5, 1, 0, 0], np.array([100, 1, 1, 1]))
    assert bowl.values(found[None])[0] >= bowl.values(features.encode(rows)).max() - 1e-6
    assert 10 * row["lr"][0] + row["m"][0, 0] == pytest.approx(0.6, abs=1e-6)


def test_mixed_space_agrees_with_enumeration():
    space = bb.Space(
        bb.Real("x", 0, 1),
        bb.Integer("n", 1, 10_000, log=True),
        bb.Integer("k", 0, 30, size=2),
        bb.Categorical("c", ["p", "q", "r"]),
        bb.Ordinal("o", [1, 2, 4, 8]),
    )
    features = Features(space)
    row = bb.Batch({"x": [0.3], "n": [137], "k": [[3, 29]], "c": ["q"], "o": [4]})
    peak = features.encode(row)[0]
    _, found = search(space, peak)
    best = features.decode(found[None])[0]
    assert (best["n"], best["k"].tolist(), best["c"], best["o"]) == (137, [3, 29], "q", 4)
    assert best["x"] == pytest.approx(0.3, abs=1e-4)


def test_finite_space_gives_rows_from_best_to_worst_and_then_none():
    space = bb.Space(bb.Integer("a", 0, 3), bb.Categorical("c", ["p", "q"]))
    features = Features(space)
    peak = features.encode(bb.Batch({"a": [1], "c": ["q"]}))[0]
    taken = np.empty((0, 2))
    values = []
    for _ in range(8):
        _, found = search(space, peak, taken)
        values.append(Bowl(features, peak).values(found[None])[0])
        taken = np.concatenate([taken, found[None]])
    assert search(space, peak, taken)[1] is None
    assert values == sorted(values, reverse=True)
    assert len(np.unique(taken, axis=0)) == 8


def test_taken_corner_is_not_proposed_again():
    space = bb.Space(bb.Real("x", 0, 1, size=2))
    corner = np.array([[1.0, 1.0]])
    _, first = search(space, [2, 2])
    np.testing.assert_array_equal(first, corner[0])
    _, second = search(space, [2, 2], corner)
    assert 0 < np.abs(second - corner).max() < 0.2


def test_spread_keeps_away():
    features = Features(bb.Space(bb.Real("x", 0, 1, size=2), bb.Categorical("c", ["p", "q"])))
    corners = np.array([[a, b, c] for a, b, c in itertools.product([0, 1], [0, 1], [0.0, 1.0])])
    found = Search(features).spread(corners, np.random.default_rng(0))
    np.testing.assert_allclose(found[:2], 0.5, atol=0.1)
