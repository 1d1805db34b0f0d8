"""Runs to draw, made without a study: the plots need a problem, a history and a name alone."""

from __future__ import annotations

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from blackbox import problems
from blackbox.batch import Batch
from blackbox.formulation import Maximize, Minimize, Problem
from blackbox.space import Categorical, Integer, Permutation, Real, Sequence, Simplex, Space


class Trade(Problem):
    """One objective each way, a cost, and every kind of column."""

    space = Space(
        Real("u", 1, 10, log=True),
        Integer("k", 1, 9),
        Categorical("kind", ["a", None, 3]),
        Permutation("order", ["p", "q", "r"]),
        Sequence("word", "xyz", length=(1, 3)),
        Simplex("mix", ["one", "two"]),
    )
    objectives = (Maximize("gain"), Minimize("ms"))

    def evaluate_batch(self, batch):
        u, k = batch["u"], batch["k"]
        return {"gain": 1 - 1 / u + 0.01 * k, "ms": u**2 / k}

    def cost(self, batch):
        return batch["u"]


def told(problem, n=60, seed=0, name="Random", failed=()):
    """A study's history: random rows, some of them failed with wild values in them."""
    rows = problem.space.draw(n, np.random.default_rng(seed))
    history = rows.with_columns(id=np.arange(n), **problem.measure(rows))
    ok = ~np.isin(np.arange(n), failed)
    wild = {o: np.where(ok, history[o], -1e9) for o in problem.outcomes}
    history = history.with_columns(ok=ok, **wild)
    if problem.has_cost:
        history = history.with_columns(cost=problem.costs(rows))
    return SimpleNamespace(problem=problem, history=history, name=name)


def history_of(problem, name="A", **columns):
    """Given outcomes under random inputs."""
    n = len(next(iter(columns.values())))
    rows = problem.space.draw(n, np.random.default_rng(0))
    history = Batch({**rows.columns(), "ok": np.ones(n, dtype=bool), **columns})
    return SimpleNamespace(problem=problem, history=history, name=name)


@pytest.fixture(autouse=True)
def closed():
    """No figure is left open, and no global setting is changed."""
    before = dict(plt.rcParams)
    yield
    plt.close("all")
    assert dict(plt.rcParams) == before


@pytest.fixture
def branin():
    return problems.Branin()


@pytest.fixture
def trade():
    return Trade()
