"""The initial design of Bayes: what has a middle begins there."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from blackbox.optimizers.bayes.design import Design

NUMBERS = (
    bb.Real("x", 1, 100, log=True),
    bb.Integer("n", 0, 10),
    bb.Ordinal("o", [1, 2, 5]),
    bb.Simplex("mix", 4),
)
NAMES = (bb.Categorical("c", list("pqrst")), bb.Permutation("order", 5))


def first(parameters, seed):
    problem = bb.problem(lambda p: 0.0, bb.Space(*parameters), bb.Minimize("f"))
    return problem.space, Design(problem, seed=seed).ask(4)


@pytest.mark.parametrize("others", [(), NAMES], ids=["numbers", "beside names"])
def test_numbers_orders_and_shares_begin_in_the_middle(others):
    _, rows = first((*NUMBERS, *others), seed=0)
    assert rows["x"][0] == pytest.approx(10.0)
    assert (rows["n"][0], rows["o"][0]) == (5, 2)
    np.testing.assert_allclose(rows["mix"][0], 0.25)
    assert len(np.unique(rows["x"])) == 4


@pytest.mark.parametrize("others", [(), NUMBERS], ids=["alone", "beside numbers"])
def test_names_have_no_middle_and_are_drawn(others):
    rows = [first((*NAMES, *others), seed)[1] for seed in range(20)]
    assert {row["c"][0] for row in rows} == set("pqrst")
    assert len({tuple(row["order"][0]) for row in rows}) > 10


def test_a_design_goes_on_after_its_state_is_loaded():
    space, whole = first((*NAMES, *NUMBERS), seed=3)
    problem = bb.problem(lambda p: 0.0, space, bb.Minimize("f"))
    begun, resumed = Design(problem, seed=3), Design(problem, seed=3)
    begun.ask(1)
    resumed.load_state_dict(begun.state_dict())
    rest = resumed.ask(3)
    for name in space.names:
        np.testing.assert_array_equal(rest[name], whole[name][1:])
