"""Every recipe on every kind of data: deterministic, warm-started, robust."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import blackbox as bb
from blackbox import surrogates
from blackbox.state import pack, unpack
from blackbox.surrogates.features import Features
from blackbox.surrogates.isolation import isolated
from blackbox.surrogates.model import Data

MIXED = bb.Space(
    bb.Real("x", 0, 1, size=2), bb.Categorical("c", ["a", "b"]), bb.Permutation("p", list("xyz"))
)
RECIPES = {
    name: getattr(surrogates, name)()
    for name in ("TorchGP", "SaasGP", "GradientGP", "TaskGP", "LocalGP", "HeteroscedasticGP")
}
RECIPES["SparseGP"] = surrogates.SparseGP(inducing=8, exact=4)
RECIPES["PairwiseGP"] = surrogates.PairwiseGP()
each = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)


def f(x):
    return np.sin(5 * x[:, 0]) + x[:, 1] ** 2 + (x[:, 2] == 1)


def data(n=20, y=None, space=MIXED):
    features, rng = Features(space), np.random.default_rng(0)
    x = features.draw(n, rng)
    y = f(x) if y is None else np.asarray(y, dtype=float)
    gradients = np.full((n, len(features.numbers)), np.nan)
    gradients[::2, 0] = 5 * np.cos(5 * x[::2, 0])
    pairs = np.array([(i, j) for i in range(n) for j in range(n) if y[i] > y[j]] or [(0, n - 1)])
    tasks = np.where(np.arange(n) < (n + 1) // 2, 0, 3)
    return Data(features, x, y, gradients=gradients, tasks=tasks, comparisons=pairs[::5])


@each
def test_learns(recipe):
    model = recipe.fit(data(40), None)
    points = model.features.draw(60, np.random.default_rng(1))
    mean, deviation = model.predict(points)
    assert np.corrcoef(mean, f(points))[0, 1] > 0.8
    assert np.all(deviation > 0)


@each
def test_noise_that_is_announced_is_found(recipe):
    if recipe == surrogates.PairwiseGP():
        pytest.skip("its noise is that of comparisons")
    quiet, noisy = (recipe.fit(replace(data(16), noisy=told), None).noise for told in (False, True))
    assert noisy > max(0.002, 50 * quiet)


@each
def test_same_input_same_bits_and_no_global_generator(recipe):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    points = Features(MIXED).draw(5, np.random.default_rng(1))
    found = [recipe.fit(data(), None) for _ in range(2)]
    np.testing.assert_array_equal(*[m.predict(points) for m in found])
    memory = unpack(pack(found[0].memory()))
    again = [recipe.fit(data(22), memory) for _ in range(2)]
    np.testing.assert_array_equal(*[m.predict(points) for m in again])
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@each
def test_going_on_from_its_memory_changes_little(recipe):
    first = recipe.fit(data(30), None)
    second = recipe.fit(data(30), first.memory())
    points = Features(MIXED).draw(20, np.random.default_rng(1))
    # As far apart as two ends of a search for the same optimum may be.
    np.testing.assert_allclose(second.predict(points)[0], first.predict(points)[0], atol=0.2)


@each
@pytest.mark.parametrize(
    "y",
    [[1.0], [2.0] * 8, [1e300, -1e300, 1.0, 0.0, 5.0, 2.0], [1e-320, 0.0, 2e-320, 0.0]],
    ids=["one", "constant", "huge", "denormal"],
)
def test_extreme_outcomes(recipe, y):
    if len(y) == 1 and isinstance(recipe, surrogates.PairwiseGP):
        pytest.skip("one row compares with nothing")
    model = recipe.fit(data(len(y), y), None)
    mean, deviation = model.predict(model.features.draw(5, np.random.default_rng(1)))
    assert np.all(np.isfinite(mean))
    assert np.all(np.isfinite(deviation))


@each
def test_replicates(recipe):
    one = data(10)
    twice = one[np.r_[0:10, 0:10, np.zeros(5, int)]]
    mean, _ = recipe.fit(twice, None).predict(one.x)
    assert np.all(np.isfinite(mean))


@each
def test_derivatives(recipe):
    model = recipe.fit(data(30), None)
    rng = np.random.default_rng(1)
    point = np.repeat(model.features.draw(1, rng), 5, axis=0)
    step = 1e-5
    point[1, 0] += step
    point[2, 0] -= step
    point[3, 1] += step
    point[4, 1] -= step
    around = model.moments(point)
    here = model.moments(point[:1])
    for by in ((1.0, 0.0), (0.0, 1.0)):
        found = here.pull(np.array([[by[0]]]), np.array([by[1]]))[0]
        total = by[0] * around.mean[:, 0] + by[1] * around.deviation
        expected = np.array([total[1] - total[2], total[3] - total[4]]) / (2 * step)
        np.testing.assert_allclose(found[:2], expected, rtol=1e-3, atol=1e-4)
        assert not found[2:].any()


def test_comparisons_are_renumbered():
    chosen = data(10)[np.arange(9, 0, -1)]
    assert len(chosen.comparisons)
    assert np.all(chosen.y[chosen.comparisons[:, 0]] > chosen.y[chosen.comparisons[:, 1]])


def test_names_are_lazy():
    code = (
        "import sys, blackbox.surrogates as s; s.ExactGP; assert 'torch' not in sys.modules;"
        "s.SaasGP; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
    with pytest.raises(AttributeError, match="nonesuch"):
        surrogates.nonesuch  # noqa: B018


def test_fantasies():
    import torch
    from botorch.sampling.normal import SobolQMCNormalSampler

    for name, recipe in RECIPES.items():
        if name != "PairwiseGP":  # which conditions on comparisons alone
            with isolated(0, "cpu"):
                process = recipe.fit(data(), None).botorch()
                x = torch.tensor(data().x[:2, None])
                fantasies = process.fantasize(x, SobolQMCNormalSampler(torch.Size([3]), seed=0))
                assert fantasies.posterior(x).mean.shape == (3, 2, 1, 1), name
