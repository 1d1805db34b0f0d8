"""The fast engine's process as a BoTorch model: the same numbers, and fit for acquisitions."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import blackbox as bb
from blackbox.surrogates.exact import ExactGP
from blackbox.surrogates.features import Features
from blackbox.surrogates.isolation import isolated
from blackbox.surrogates.model import Data
from blackbox.surrogates.torch.inverse import features_of
from blackbox.surrogates.torch.moments import moments

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torch
    from botorch.acquisition.joint_entropy_search import qJointEntropySearch
    from botorch.acquisition.knowledge_gradient import qKnowledgeGradient
    from botorch.acquisition.max_value_entropy_search import qMaxValueEntropy
    from botorch.acquisition.multi_objective import logei
    from botorch.acquisition.multi_objective.logei import (
        qLogNoisyExpectedHypervolumeImprovement,
    )
    from botorch.acquisition.predictive_entropy_search import qPredictiveEntropySearch
    from botorch.models import ModelListGP
    from botorch.sampling.normal import SobolQMCNormalSampler
    from gpytorch.mlls import ExactMarginalLogLikelihood

MIXED = bb.Space(
    bb.Real("x", 0, 1, size=2),
    bb.Integer("k", 1, 9),
    bb.Categorical("c", ["a", "b", "c"]),
    bb.Permutation("p", list("wxyz")),
    bb.Sequence("s", list("AB"), length=(1, 4)),
    bb.Simplex("m", ["u", "v", "w"]),
    bb.Real("fixed", 2, 2),
)
CUBE = bb.Space(bb.Real("x", 0, 1, size=2))


def data(space, n=30, noise=False, tasks=False):
    features, rng = Features(space), np.random.default_rng(0)
    x = features.draw(n, rng)
    y = np.sin(5 * x[:, 0]) + x[:, 1] ** 2 + 0.1 * rng.normal(size=n)
    return Data(
        features,
        x,
        y,
        noise=np.full(n, 0.1) if noise else None,
        tasks=np.arange(n) * 3 // (2 * n) * (1 + np.arange(n) % 2) if tasks else None,
    )


@pytest.mark.parametrize("space", [MIXED, CUBE], ids=["mixed", "cube"])
@pytest.mark.parametrize("noise", [False, True], ids=["inferred", "known"])
@pytest.mark.parametrize("tasks", [False, True], ids=["alone", "with-earlier"])
def test_posterior_is_that_of_the_fast_engine(space, noise, tasks):
    model = ExactGP(warp=False).fit(data(space, noise=noise, tasks=tasks), None)
    points = model.features.draw(20, np.random.default_rng(1))
    with isolated(0, "cpu"), torch.no_grad():
        posterior = model.botorch().posterior(torch.tensor(points))
        mean, covariance = posterior.mean[:, 0], posterior.distribution.covariance_matrix
    rows = model.rows(points)
    expected = model.posterior.moments(rows).mean[:, 0]
    np.testing.assert_allclose(mean.numpy(), expected, atol=1e-6)
    expected = model.posterior.covariance(rows, rows)
    np.testing.assert_allclose(covariance.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("tasks", [False, True], ids=["alone", "with-earlier"])
def test_derivatives_are_those_of_the_fast_engine(tasks):
    model = ExactGP(warp=False).fit(data(MIXED, tasks=tasks), None)
    rng = np.random.default_rng(1)
    points = model.features.draw(20, rng)
    weights = rng.normal(size=(20, 1)), rng.normal(size=20)
    there, here = moments(model, points), model.moments(points)
    np.testing.assert_allclose(there.deviation, here.deviation, rtol=1e-6)
    np.testing.assert_allclose(there.pull(*weights), here.pull(*weights), atol=1e-6)
    np.testing.assert_allclose(there.pull(*weights), here.pull(*weights), atol=1e-6)  # again


def test_marginal_likelihood_is_that_of_the_fast_engine():
    model = ExactGP(warp=False).fit(data(MIXED), None)
    with isolated(0, "cpu"):
        process = model.botorch().train()
        mll = ExactMarginalLogLikelihood(process.likelihood, process)
        prior = process.likelihood.noise_covar.noise_prior.log_prob(
            process.likelihood.noise_covar.raw_noise
        )
        value = mll(process(*process.train_inputs), process.train_targets)
        found = float(value) * 30 - float(prior.sum())
    expected = -model.likelihood(model.theta)[0] - model.likelihood.prior(model.theta)[0]
    assert found == pytest.approx(expected, abs=1e-6)


def test_axes_are_those_of_the_fast_engine():
    space = bb.Space(*(p for p in MIXED if not isinstance(p, bb.Simplex)))  # else they stay
    features, rng = Features(space), np.random.default_rng(0)
    x = features.draw(120, rng)
    y = np.cos(6 * (x[:, 0] + x[:, 1]))
    model = ExactGP(warp=False).fit(Data(features, x, y), None)
    assert model.posterior.kernel.axes is not None
    points, weights = features.draw(20, rng), (rng.normal(size=(20, 1)), rng.normal(size=20))
    there, here = moments(model, points), model.moments(points)
    np.testing.assert_allclose(there.mean, here.mean, atol=1e-6)
    np.testing.assert_allclose(there.deviation, here.deviation, rtol=1e-6)
    np.testing.assert_allclose(there.pull(*weights), here.pull(*weights), rtol=1e-6, atol=1e-6)


def test_features_come_back_from_what_the_kernel_compares():
    features = Features(MIXED)
    rows = features.rows(features.draw(50, np.random.default_rng(0)))
    again = features.rows(features_of(features, rows))
    np.testing.assert_allclose(again.numbers, rows.numbers)
    np.testing.assert_allclose(again.codes, rows.codes)


@pytest.mark.parametrize("noise", [False, True], ids=["inferred", "known"])
@pytest.mark.parametrize("tasks", [False, True], ids=["alone", "with-earlier"])
def test_conditioning_is_that_of_the_fast_engine(noise, tasks):
    model = ExactGP(warp=False).fit(data(MIXED, noise=noise, tasks=tasks), None)
    rng = np.random.default_rng(1)
    new, points = model.features.draw(3, rng), model.features.draw(10, rng)
    values = rng.normal(size=3)
    variance = model.noise
    with isolated(0, "cpu"), torch.no_grad():
        process = model.botorch()
        process.posterior(torch.tensor(points))  # fills the caches that conditioning extends
        more = {"noise": torch.full((3, 1), variance).double()} if noise else {}
        process = process.condition_on_observations(
            torch.tensor(new), torch.tensor(values[:, None]), **more
        )
        mean = process.posterior(torch.tensor(points)).mean[:, 0].numpy()
    given = model.posterior.given(model.rows(new), values[:, None], np.full(3, variance))
    expected = given.moments(model.rows(points)).mean[:, 0]
    np.testing.assert_allclose(mean, expected, atol=1e-5)


def acquisitions(model, x):
    candidates = torch.tensor(x)
    best = candidates[:4, None], model.posterior(candidates[:4, None]).mean.detach()
    yield qKnowledgeGradient(model, num_fantasies=4).evaluate(
        candidates[:2, None],
        bounds=torch.tensor([[0.0, 0.0], [1.0, 1.0]]).double(),
        num_restarts=1,
        raw_samples=4,
    )
    yield qMaxValueEntropy(model, candidates)(candidates[:2, None])
    yield qJointEntropySearch(model, best[0][:, 0], best[1][:, 0])(candidates[5:7, None])
    yield qPredictiveEntropySearch(model, candidates[:4])(candidates[5:7, None])
    yield qLogNoisyExpectedHypervolumeImprovement(
        ModelListGP(model, model),
        torch.tensor([-1.0, -1.0]).double(),
        candidates,
        sampler=SobolQMCNormalSampler(torch.Size([16]), seed=0),
    )(candidates[:2, None])


@pytest.mark.parametrize("tasks", [False, True], ids=["alone", "with-earlier"])
def test_acquisitions_take_it(tasks, monkeypatch):
    monkeypatch.setattr(logei, "_load_attempted", True)  # or it compiles for a minute at first
    observed = data(CUBE, tasks=tasks)
    model = ExactGP(warp=False).fit(observed, None)
    with isolated(0, "cpu"):
        values = [*acquisitions(model.botorch(), observed.x)]
    assert len(values) == 5
    for value in values:
        assert torch.isfinite(value).all()


@pytest.mark.gpu
def test_device():
    model = ExactGP(warp=False).fit(data(MIXED), None)
    points = model.features.draw(5, np.random.default_rng(1))
    mean = moments(model, points, "cuda").mean
    np.testing.assert_allclose(mean, model.moments(points).mean, atol=1e-6)
