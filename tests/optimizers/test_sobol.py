"""Sobol points are balanced, and a resumed sequence goes on where it stopped."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import qmc

import blackbox as bb
from blackbox.errors import SpaceError, UnsupportedError


def problem(*parameters: object, **options: object) -> bb.Problem:
    space = bb.Space(*parameters, **options)  # type: ignore[arg-type]
    return bb.problem(lambda p: 0.0, space)


CUBE = problem(bb.Real("x", 0, 1, size=3))


def test_a_power_of_two_of_points_is_balanced_in_every_coordinate() -> None:
    """64 points: one in each of 64 equal intervals of each coordinate (a (0, 6, 1)-net)."""
    x = bb.Sobol(CUBE, seed=0).ask(64)["x"]
    for column in x.T:
        assert np.array_equal(np.sort((column * 64).astype(int)), np.arange(64))


def test_points_are_far_more_even_than_random_ones() -> None:
    even = qmc.discrepancy(bb.Sobol(CUBE, seed=1).ask(256)["x"])
    random = qmc.discrepancy(bb.Random(CUBE, seed=1).ask(256)["x"])
    assert even < random / 5


def test_batches_do_not_matter() -> None:
    single = bb.Sobol(CUBE, seed=2)
    parts = bb.Batch.concat([single.ask(1), single.ask(4), single.ask(11)])
    assert parts == bb.Sobol(CUBE, seed=2).ask(16)


def test_categories_are_balanced_too() -> None:
    batch = bb.Sobol(problem(bb.Categorical("c", list("abcd"))), seed=0).ask(64)
    assert np.unique(batch["c"], return_counts=True)[1].tolist() == [16] * 4


def test_infeasible_points_are_skipped() -> None:
    half = bb.LinearConstraint({"a": 1, "b": 1}, upper=1)
    bounded = problem(bb.Real("a", 0, 1), bb.Real("b", 0, 1), constraints=[half])
    batch = bb.Sobol(bounded, seed=0).ask(32)
    assert bounded.space.feasible(batch).all()
    free = bb.Sobol(problem(bb.Real("a", 0, 1), bb.Real("b", 0, 1)), seed=0).ask(128)
    kept = free[bounded.space.feasible(free)][:32]
    assert kept.drop("id") == batch.drop("id")


def test_too_many_coordinates_are_refused() -> None:
    wide = problem(bb.Real("x", 0, 1, size=21_202))
    with pytest.raises(
        UnsupportedError, match="at most 21201 coordinates, the space has 21202; use"
    ):
        bb.Sobol(wide)


def test_a_thin_region_is_refused_after_many_points(monkeypatch: pytest.MonkeyPatch) -> None:
    import blackbox.optimizers.sobol as module

    monkeypatch.setattr(module, "_MAX_TRIES", 50)
    thin = problem(
        bb.Real("x", 0, 1, size=6), constraints=[bb.LinearConstraint({"x": 1.0}, upper=0.05)]
    )
    with pytest.raises(
        SpaceError, match="50 points in a row break the linear constraints; use Ran"
    ):
        bb.Sobol(thin, seed=0).ask(1)
