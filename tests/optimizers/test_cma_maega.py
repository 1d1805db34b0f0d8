"""CMA-MAEGA: it conforms, climbs along gradients, and gives up roots that cannot be measured."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from blackbox.errors import UnsupportedError
from blackbox.testing import Check, checks

SLOPED = bb.problem(
    lambda b: {},
    bb.Space(bb.Real("u", 1e-3, 1, log=True), bb.Real("v", -1, 1, size=2)),
    bb.Minimize("f", gradient="df"),
    measures=[bb.Measure("m", -1, 1, gradient="dm")],
    batch=True,
)


@pytest.mark.parametrize(
    "check",
    checks(
        lambda p, s: bb.CMAMAEGA(p, cells=8, emitters=2, batch_size=4, seed=s),
        budget=30,
        problems=[SLOPED],
    ),
    ids=str,
)
def test_conformance(check: Check) -> None:
    check()


def run(optimizer: bb.Optimizer, rows: int) -> bb.Optimizer:
    while optimizer.asked < rows:
        batch = optimizer.ask()
        optimizer.tell(batch.with_columns(**optimizer.problem.measure(batch)))
    return optimizer


def scored(optimizer: bb.Optimizer) -> float:
    return np.maximum(optimizer.archive.scores, 0).sum() / optimizer.archive.size


def test_a_thousand_inputs_are_filled_where_others_are_lost():
    options = {"cells": (20, 20), "emitters": 5, "batch_size": 20, "threshold_min": 0.0, "seed": 0}
    steep = bb.problems.SphereProjection(1000, gradients=True)
    with_gradients = run(bb.CMAMAEGA(steep, **options), 4000)
    without = run(
        bb.CMAMAE(bb.problems.SphereProjection(1000), strategy="separable", **options), 4000
    )
    assert scored(with_gradients) > 5 * scored(without)


@pytest.mark.parametrize("sense", [bb.Minimize, bb.Maximize])
def test_branches_lie_in_the_span_of_the_gradients_of_the_unit_cube(sense):
    space = bb.Space(bb.Real("a", 1e-2, 1e2, log=True), bb.Real("b", -4, 4, size=2))

    def outcomes(rows):
        a, b = np.log(rows["a"]), rows["b"]
        sign = 1.0 if sense is bb.Minimize else -1.0
        slope = np.column_stack([np.ones(len(a)) / rows["a"], 2 * np.ones((len(a), 2))])
        one = np.zeros((len(a), 3))
        one[:, 1] = 1.0
        return {
            "f": sign * (a + 2 * b.sum(1)),
            "df": sign * slope,
            "m": b[:, 0],
            "dm": one,
        }

    problem = bb.problem(
        outcomes,
        space,
        sense("f", gradient="df"),
        measures=[bb.Measure("m", -4, 4, gradient="dm")],
        batch=True,
    )
    optimizer = bb.CMAMAEGA(problem, cells=10, emitters=1, batch_size=12, sigma=0.01, seed=1)
    root = optimizer.ask()
    assert len(root) == 1
    optimizer.tell(root.with_columns(**problem.measure(root)))
    assert optimizer.batch_size == 12
    span = np.array([-np.array([np.log(1e4), 16, 16]), [0, 8, 0]])
    steps = space.encode(optimizer.ask()) - space.encode(root)
    kept = steps @ np.linalg.pinv(span) @ span
    np.testing.assert_allclose(kept, steps, atol=1e-12)
    # Linear: the strategy learns to go up, and the elites are near the better bound.
    run(optimizer, 600)
    assert optimizer.archive.scores.max() > 18


def test_a_root_that_fails_or_knows_no_gradient_is_given_up():
    problem = bb.problems.SphereProjection(4, gradients=True)
    optimizer = bb.CMAMAEGA(problem, emitters=1, batch_size=4, seed=2)
    emitter = optimizer.emitters[0]
    batch = optimizer.ask()
    optimizer.tell(batch.with_columns(**problem.measure(batch)).with_columns(ok=False))
    assert optimizer.batch_size == 1
    batch = optimizer.ask()
    assert emitter.starts == 2
    unknown = {name: np.full((1, 4), np.nan) for name in ("df", "dm1", "dm2")}
    optimizer.tell(batch.with_columns(**problem.measure(batch)).with_columns(**unknown))
    run(optimizer, 60)
    assert emitter.starts >= 3
    assert len(optimizer.archive) > 5


def test_rows_asked_while_a_root_is_out_are_near_it():
    problem = bb.problems.SphereProjection(6, gradients=True)
    optimizer = bb.CMAMAEGA(problem, emitters=1, batch_size=5, sigma=0.01, seed=3)
    root, *others = (optimizer.ask(3)["x"], optimizer.ask(2)["x"])
    np.testing.assert_allclose(root[0], 0, atol=1e-12)
    near = np.concatenate([root[1:], *others])
    assert (np.abs(near) < 2).all()
    assert (np.abs(near).max(axis=1) > 1e-6).all()


def test_gradients_must_be_declared():
    with pytest.raises(UnsupportedError, match=r"no gradients of \['f', 'm1', 'm2'\]"):
        bb.CMAMAEGA(bb.problems.SphereProjection(4))
