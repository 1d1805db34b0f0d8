"""On a GPU: what is learnt, proposed and restored there is as good as on a CPU."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import blackbox as bb
from blackbox import acquisitions, surrogates
from blackbox.optimizers.gflownets import Policy
from blackbox.state import pack, unpack
from blackbox.surrogates.features import Features
from blackbox.surrogates.model import Data
from tests.optimizers.test_bayes import Taste, Windy

pytestmark = pytest.mark.gpu

SPACE = bb.Space(bb.Real("x", 0, 1, size=2), bb.Categorical("c", ["a", "b"]))
CATS = bb.Space(*(bb.Categorical(name, [0, 1, 2, 3]) for name in "abcd"))


def f(x):
    return np.sin(5 * x[:, 0]) + x[:, 1] ** 2 + (x[:, 2] == 1)


def data(n=40):
    features, rng = Features(SPACE), np.random.default_rng(0)
    x = features.draw(n, rng)
    slopes = np.full((n, len(features.numbers)), np.nan)
    slopes[::2, 0] = 5 * np.cos(5 * x[::2, 0])
    y = f(x)
    pairs = np.array([(i, j) for i in range(n) for j in range(n) if y[i] > y[j]])
    tasks = np.where(np.arange(n) < (n + 1) // 2, 0, 3)
    return Data(features, x, y, gradients=slopes, tasks=tasks, comparisons=pairs[::5])


@pytest.mark.parametrize(
    "name", ["TorchGP", "SaasGP", "GradientGP", "TaskGP", "SparseGP", "PairwiseGP"]
)
def test_recipes_learn_the_same(name):
    recipe = getattr(surrogates, name)()
    points = Features(SPACE).draw(60, np.random.default_rng(1))
    here, there = (
        replace(recipe, device=device).fit(data(), None).predict(points)
        for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(there[0], here[0], atol=0.05 * np.ptp(here[0]))
    assert np.all(there[1] > 0)


def shape(b):
    return {"y": ((b["x"] - 0.3) ** 2).sum(axis=1) + 0.1 * (b["c"] == "b")}


ONE = bb.problem(shape, SPACE, bb.Minimize("y"), batch=True)
TWO = bb.problem(
    lambda b: shape(b) | {"z": ((b["x"] - 0.7) ** 2).sum(axis=1)},
    SPACE,
    [bb.Minimize("y"), bb.Minimize("z")],
    batch=True,
)
LIMITED = bb.problem(
    lambda b: shape(b) | {"total": b["x"].sum(axis=1)},
    SPACE,
    bb.Minimize("y"),
    batch=True,
    constraints=[bb.Constraint("total", lower=0.8)],
)


class Slopes(bb.Problem):
    """A bowl that tells its slopes."""

    space = bb.Space(bb.Real("x", 0, 1, size=2))
    objectives = [bb.Minimize("y", gradient="dy")]

    def evaluate(self, p):
        return {"y": float(((p["x"] - 0.3) ** 2).sum()), "dy": 2 * (p["x"] - 0.3)}


SUBJECTS = {
    "EI": (ONE, acquisitions.EI),
    "PI": (ONE, acquisitions.PI),
    "UCB": (ONE, acquisitions.UCB),
    "NoisyEI": (ONE, acquisitions.NoisyEI),
    "KG": (ONE, acquisitions.KnowledgeGradient),
    "Thompson": (ONE, acquisitions.Thompson),
    "MES": (ONE, acquisitions.MES),
    "JES": (ONE, acquisitions.JES),
    "PES": (ONE, acquisitions.PES),
    "limited": (LIMITED, None),
    "EHVI": (TWO, acquisitions.EHVI),
    "ParEGO": (TWO, acquisitions.ParEGO),
    "EUBO": (Taste(), None),
    "slopes": (Slopes(), None),
    "environment": (Windy(), None),
}


@pytest.mark.parametrize(("problem", "acquisition"), SUBJECTS.values(), ids=SUBJECTS)
def test_bayes_proposes_and_resumes(problem, acquisition):
    def make():
        chosen = None if acquisition is None else acquisition()
        return bb.Bayes(problem, acquisition=chosen, device="cuda", seed=0)

    optimizer = make()
    bb.Study(problem, optimizer).run(12, batch=2)
    again = make()
    again.load_state_dict(unpack(pack(optimizer.state_dict())))
    rows = optimizer.ask(2)
    assert rows == again.ask(2)
    assert len(rows) == 2


def test_bayes_finds_the_minimum():
    problem = bb.problems.Branin()
    best = [
        bb.Study(problem, bb.Bayes(problem, device=device, seed=0)).run(25).best["f"]
        for device in ("cpu", "cuda")
    ]
    assert max(best) < problem.optimum + 0.05


def matches(b):
    return {"y": sum((b[name] == i).astype(float) for i, name in enumerate("abcd"))}


MATCHES = bb.problem(matches, CATS, bb.Maximize("y"), batch=True)
FRONT = bb.problem(
    lambda b: matches(b) | {"z": (b["a"] == 3) + 1.0 * (b["b"] == 3)},
    CATS,
    [bb.Maximize("y"), bb.Maximize("z")],
    batch=True,
)
QUICK = Policy(hidden=(32,), steps=4)


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (bb.GFlowNet, MATCHES),
        (bb.OrderPreservingGFN, MATCHES),
        (bb.OrderPreservingGFN, FRONT),
        (bb.PreferenceGFN, FRONT),
        (bb.ActiveGFN, MATCHES),
    ],
)
def test_samplers_learn_and_resume(kind, problem):
    def make():
        return kind(problem, n_init=10, policy=QUICK, device="cuda", seed=0)

    optimizer = make()
    best = bb.Study(problem, optimizer).run(80, batch=10).history["y"].max()
    assert best == 4
    again = make()
    again.load_state_dict(unpack(pack(optimizer.state_dict())))
    assert optimizer.sample(50) == again.sample(50)


@pytest.mark.parametrize("backbone", ["FlowMatching", "DetailedBalance", "SubTrajectoryBalance"])
def test_every_balance_learns_the_order(backbone):
    from blackbox import gflownets

    policy = Policy(hidden=(32, 32), steps=4)
    optimizer = bb.OrderPreservingGFN(
        MATCHES, backbone=getattr(gflownets, backbone)(), policy=policy, device="cuda", seed=1
    )
    bb.Study(MATCHES, optimizer).run(80, batch=10)
    assert matches(optimizer.sample(400))["y"].mean() > 1.3  # uniform: 1
