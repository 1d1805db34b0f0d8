"""The shares of mixtures as the fast engine compares them."""

from __future__ import annotations

import math

import numpy as np
import pytest

import blackbox as bb
from blackbox.acquisitions.base import Belief
from blackbox.acquisitions.improvement import EI
from blackbox.acquisitions.knowledge import KnowledgeGradient
from blackbox.acquisitions.thompson import Thompson
from blackbox.surrogates.exact import ExactGP, ExactModel, _likelihood
from blackbox.surrogates.features import Features
from blackbox.surrogates.likelihood import fitted
from blackbox.surrogates.model import Data
from blackbox.surrogates.shares import SHARES, ShareMap

SPACE = bb.Space(bb.Real("x", 0, 1), bb.Simplex("m", 4), bb.Categorical("c", ["a", "b"]))
FEATURES = Features(SPACE)


def data(n=25):
    x = FEATURES.draw(n, np.random.default_rng(0))
    shares = x[:, FEATURES.blocks["m"]]
    y = shares @ [1, 2, 3, 4] - np.sqrt(shares).sum(axis=1) + x[:, 0] ** 2
    return Data(FEATURES, x, y, noise=np.full(n, 0.3))


def model_of(kind, given=None):
    given = data() if given is None else given
    shares = ShareMap(FEATURES, kind)
    outcomes, likelihood = _likelihood(given, shares, math.inf)
    return ExactModel(shares, outcomes, likelihood, fitted(likelihood, None), {})


@pytest.mark.parametrize("kind", SHARES)
def test_a_map_is_undone(kind):
    shares = ShareMap(FEATURES, kind)
    points = FEATURES.draw(50, np.random.default_rng(1))
    points[0, FEATURES.blocks["m"]] = [0, 0, 0, 1]
    numbers = shares.rows(points).numbers
    assert numbers.min() >= 0
    assert numbers.max() <= 1 + 1e-12
    np.testing.assert_allclose(shares.plain(numbers), FEATURES.rows(points).numbers, atol=1e-12)


@pytest.mark.parametrize("kind", SHARES)
@pytest.mark.parametrize("recipe", [EI(), KnowledgeGradient(), Thompson()], ids=repr)
def test_slopes_are_by_the_shares_themselves(kind, recipe):
    given = data()
    model = model_of(kind, given)
    scores, feasible = given.y[:, None], np.ones(len(given.y), dtype=bool)
    belief = Belief(FEATURES, (model,), (), given.x, scores, feasible, given.x[:0])
    function = recipe.build(belief, np.random.default_rng(0))
    points = FEATURES.draw(5, np.random.default_rng(2))
    m = FEATURES.blocks["m"]
    points[:, m] = 0.8 * points[:, m] + 0.05
    _, gradients = function.values_and_gradients(points)
    for j in (FEATURES.blocks["x"].start, *range(m.start, m.stop)):
        step = 1e-6 * np.eye(FEATURES.width)[j]
        slope = (function.values(points + step) - function.values(points - step)) / 2e-6
        np.testing.assert_allclose(gradients[:, j], slope, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", SHARES)
def test_botorch_gets_the_same_process(kind):
    pytest.importorskip("botorch")
    from blackbox.surrogates.torch.moments import moments

    model = model_of(kind)
    points, rng = FEATURES.draw(20, np.random.default_rng(3)), np.random.default_rng(4)
    points[0, FEATURES.blocks["m"]] = [0, 0, 0, 1]
    weights = rng.normal(size=(20, 1)), rng.normal(size=20)
    there, here = moments(model, points), model.moments(points)
    np.testing.assert_allclose(there.mean, here.mean, atol=1e-6)
    np.testing.assert_allclose(there.deviation, here.deviation, rtol=1e-6)
    np.testing.assert_allclose(there.pull(*weights)[1:], here.pull(*weights)[1:], atol=1e-5)


def test_likelihood_finds_the_map_and_a_later_fit_keeps_it():
    given = data(40)
    shares = given.x[:, FEATURES.blocks["m"]]
    law = Data(FEATURES, given.x, np.log(shares + 0.01) @ [1.0, -1.0, 2.0, 0.5])
    first = ExactGP().fit(law, None)
    assert first.shares.kind == "log"
    again = ExactGP().fit(law, first.memory())
    assert again.shares.kind == "log"
    np.testing.assert_array_equal(again.theta, first.theta)
    plain = Data(Features(bb.Space(bb.Real("x", 0, 1))), given.x[:, :1], given.x[:, 0])
    assert ExactGP().fit(plain, None).shares.kind == "plain"


class Coding(bb.Problem):
    """Bits lost when seven symbols are coded for other frequencies; steep where a share is 0."""

    space = bb.Space(bb.Simplex("mix", 7))
    objectives = (bb.Minimize("bits"),)

    def __init__(self, seed):
        self.best = np.random.default_rng(seed + 100).dirichlet(np.ones(7))

    def evaluate(self, p):
        mix = np.maximum(p["mix"], 1e-6)
        return float((self.best * np.log(self.best / mix)).sum())


def test_a_mixture_of_seven_is_found():
    found = []
    for seed in range(3):
        problem = Coding(seed)
        study = bb.Study(problem, bb.Bayes(problem, seed=seed)).run(30)
        found.append(study.history["bits"].min())
    assert np.median(found) < 0.02  # .1 with shares as they are, over eight seeds
