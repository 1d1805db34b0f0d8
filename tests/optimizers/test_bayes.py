"""Bayes: better than random search, exact on resume, never the same failure twice."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import blackbox as bb
from blackbox.errors import ProblemError, UnsupportedError
from blackbox.state import pack, unpack


def branin(p):
    x, y = p["u"], p["v"]
    bowl = (y - 5.1 / (4 * np.pi**2) * x * x + 5 / np.pi * x - 6) ** 2
    return bowl + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x) + 10


def mixed(p):
    r = np.log10(p["lr"]) + 2
    act = {"a": 1.0, "b": 0.6, "c": 0.0, "d": 0.8}[p["act"]]
    return (
        r * r + ((p["width"] - 37) / 20) ** 2 + act * (1 + 0.5 * r) ** 2 + 0.3 * abs(p["depth"] - 4)
    )


SHARES = np.array([0.5, 0.3, 0.15, 0.05, 0.0])

BRANIN = bb.problem(branin, bb.Space(bb.Real("u", -5, 10), bb.Real("v", 0, 15)))
MIXED = bb.problem(
    mixed,
    bb.Space(
        bb.Real("lr", 1e-5, 1, log=True),
        bb.Integer("width", 1, 100),
        bb.Categorical("act", ["a", "b", "c", "d"]),
        bb.Ordinal("depth", [1, 2, 4, 8]),
    ),
)
SIMPLEX = bb.problem(
    lambda p: float(10 * ((p["mix"] - SHARES) ** 2).sum()), bb.Space(bb.Simplex("mix", 5))
)
CONSTRAINED = bb.problem(
    lambda p: (
        (p["m"][0] - 1) ** 2
        + (p["m"][1] - 0.2) ** 2
        + np.log(p["x"]) ** 2
        + (p["k"] - 9) ** 2 / 50
        + (p["c"] == "q")
    ),
    bb.Space(
        bb.Simplex("m", 4),
        bb.Real("x", 1e-3, 10, log=True),
        bb.Integer("k", 1, 9),
        bb.Categorical("c", ["p", "q"]),
        constraints=[
            bb.LinearConstraint({"m[0]": 1, "m[1]": 1}, upper=0.3),
            bb.LinearConstraint({"x": 1, "k": 1}, lower=3, upper=12),
        ],
    ),
)
PROBLEMS = {"branin": BRANIN, "mixed": MIXED, "simplex": SIMPLEX, "constrained": CONSTRAINED}


def best(optimizer, evaluations):
    """The least outcome of a sequential run."""
    values = []
    for _ in range(evaluations):
        batch = optimizer.ask()
        outcomes = optimizer.problem.measure(batch)
        values.append(float(outcomes["y"][0]))
        optimizer.tell(batch.with_columns(**outcomes))
    return min(values)


def medians(problem, evaluations):
    """Median best of Bayes and of Random, three seeds each."""
    return [
        float(np.median([best(kind(problem, seed=seed), evaluations) for seed in range(3)]))
        for kind in (bb.Bayes, bb.Random)
    ]


@pytest.mark.slow
def test_branin():
    bayes, random = medians(BRANIN, 30)
    assert bayes - 0.397887 < 0.1
    assert random - 0.397887 > 0.3


@pytest.mark.parametrize("name", PROBLEMS)
def test_resume_is_exact_and_ignores_global_generators(name):
    problem = PROBLEMS[name]
    first = bb.Bayes(problem, seed=3, n_init=4)
    for i in range(5):
        again = bb.Bayes(problem, seed=3, n_init=4)
        again.load_state_dict(unpack(pack(first.state_dict())))
        batch = first.ask(2)
        torch.manual_seed(i)
        np.random.seed(i)  # noqa: NPY002
        assert again.ask(2).equals(batch)
        problem.space.check(batch)
        late = batch[:1]
        first.tell(late.with_columns(**problem.measure(late)))


def test_finite_space_is_exhausted_without_repetition():
    space = bb.Space(bb.Integer("a", 0, 3), bb.Categorical("c", ["x", "y", "z"]))
    problem = bb.problem(lambda p: p["a"] + (p["c"] == "x"), space)
    optimizer = bb.Bayes(problem, seed=0)
    seen = []
    while len(batch := optimizer.ask(5)):
        seen += [(row["a"], row["c"]) for row in batch]
        optimizer.tell(batch.with_columns(**problem.measure(batch), ok=np.arange(len(batch)) > 0))
    assert len(seen) == len(set(seen)) == 12


def test_wrong_arguments():
    with pytest.raises(ProblemError, match="n_init=-1"):
        bb.Bayes(BRANIN, n_init=-1)
    with pytest.raises(ProblemError, match="another problem"):
        bb.Bayes(BRANIN, init=bb.Random(MIXED))
    order = bb.problem(lambda p: 0.0, bb.Space(bb.Permutation("order", 4)))
    with pytest.raises(UnsupportedError, match="order"):
        bb.Bayes(order)
