"""Linear constraints on inputs: draws are inside and uniform, also where the inside is thin."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from blackbox.batch import Batch
from blackbox.errors import SpaceError
from blackbox.space import (
    Categorical,
    Integer,
    LinearConstraint,
    Ordinal,
    Parameter,
    Real,
    Simplex,
    Space,
)

SMALLEST = 1e-4


def constrained(parameters: list[Parameter], *constraints: LinearConstraint) -> Space:
    return Space(*parameters, constraints=constraints)


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


TEN = [Real(f"x{i}", 0, 1) for i in range(10)]
TOTAL = {f"x{i}": 1.0 for i in range(10)}


def test_thin_corner_is_uniform() -> None:
    """x1 + ... + x10 <= 1/2 is 3e-10 of the cube; within it the sum is Beta(10, 1)."""
    space = constrained(TEN, LinearConstraint(TOTAL, upper=0.5))
    batch = space.draw(3000, rng())
    x = np.stack([batch[name] for name in space.names], axis=1)
    assert (x.sum(axis=1) <= 0.5 + 1e-9).all()
    assert stats.kstest(2 * x.sum(axis=1), stats.beta(10, 1).cdf).pvalue > SMALLEST
    for column in x.T:
        assert stats.kstest(2 * column, stats.beta(1, 10).cdf).pvalue > SMALLEST
    pair = 2 * (x[:, 0] + x[:, 9])
    assert stats.kstest(pair, stats.beta(2, 9).cdf).pvalue > SMALLEST
    assert len(np.unique(x, axis=0)) == len(x)


def test_thin_draws_of_few_rows_are_cheap_and_repeatable() -> None:
    space = constrained(TEN, LinearConstraint(TOTAL, upper=0.5))
    space.draw(1, rng())
    start = time.process_time()
    used = [space.draw(1, rng()) for _ in range(5)]
    assert (time.process_time() - start) / 5 < 0.5
    fresh = constrained(TEN, LinearConstraint(TOTAL, upper=0.5))
    assert fresh.draw(1, rng()) == used[0] == used[-1]


def test_thick_half_is_uniform() -> None:
    space = constrained(TEN[:2], LinearConstraint({"x0": 1, "x1": 1}, upper=1))
    batch = space.draw(5000, rng())
    assert stats.kstest(batch["x0"], stats.beta(1, 2).cdf).pvalue > SMALLEST
    assert stats.kstest(batch["x0"] + batch["x1"], stats.beta(2, 1).cdf).pvalue > SMALLEST


def test_thin_corner_of_a_vector_beside_free_parameters() -> None:
    parameters = [Real("v", 0, 1, size=10), Categorical("c", ["a", "b"]), Real("free", 0, 1)]
    space = constrained(parameters, LinearConstraint({"v": 1.0}, upper=0.5))
    batch = space.draw(2000, rng())
    assert stats.kstest(2 * batch["v"].sum(axis=1), stats.beta(10, 1).cdf).pvalue > SMALLEST
    assert stats.kstest(batch["free"], "uniform").pvalue > SMALLEST
    assert stats.binomtest(int((batch["c"] == "a").sum()), 2000).pvalue > SMALLEST


def test_thin_part_of_a_simplex_is_uniform() -> None:
    """Given a share of at least 0.9 of ten, 1 minus it is 0.1 times a maximum of nine."""
    space = constrained([Simplex("mix", 10)], LinearConstraint({"mix[3]": 1.0}, lower=0.9))
    mix = space.draw(2000, rng())["mix"]
    np.testing.assert_allclose(mix.sum(axis=1), 1, atol=1e-9)
    assert (mix >= 0).all()
    assert stats.kstest(10 * (1 - mix[:, 3]), stats.beta(9, 1).cdf).pvalue > SMALLEST
    others = np.delete(mix, 3, axis=1) / (1 - mix[:, [3]])
    for share in others.T:
        assert stats.kstest(share, stats.beta(1, 8).cdf).pvalue > SMALLEST


def test_thin_set_of_integers_is_uniform() -> None:
    """Eight integers of 0 to 19 with a sum of at most 3: 165 vectors of 2.6e10."""
    names = [f"k{i}" for i in range(8)]
    parameters = [Integer(name, 0, 19) for name in names]
    space = constrained(parameters, LinearConstraint(dict.fromkeys(names, 1.0), upper=3))
    batch = space.draw(6000, rng())
    found = Counter(zip(*(batch[name].tolist() for name in names), strict=True))
    assert all(sum(row) <= 3 for row in found)
    assert len(found) == 165
    assert stats.chisquare(list(found.values())).pvalue > SMALLEST


def test_integers_between_two_close_bounds_move() -> None:
    """Eight integers with a sum of exactly 3: 120 vectors, between which no single input moves."""
    names = [f"k{i}" for i in range(8)]
    parameters = [Integer(name, 0, 19) for name in names]
    space = constrained(
        parameters, LinearConstraint(dict.fromkeys(names, 2.0), lower=5.5, upper=6.5)
    )
    batch = space.check(space.draw(6000, rng()))
    found = Counter(zip(*(batch[name].tolist() for name in names), strict=True))
    assert len(found) == 120
    assert stats.chisquare(list(found.values())).pvalue > SMALLEST


def test_reals_between_two_close_bounds_move() -> None:
    """Ten numbers that sum to 1 within 1e-6 are shares: Beta(1, 9) each."""
    space = constrained(TEN, LinearConstraint(TOTAL, lower=1 - 1e-6, upper=1 + 1e-6))
    batch = space.check(space.draw(2000, rng()))
    for name in space.names:
        assert stats.kstest(batch[name], stats.beta(1, 9).cdf).pvalue > SMALLEST


def test_integers_of_different_weights_move_between_two_close_bounds() -> None:
    weights = [1.0, 2.0, 3.0]
    table = np.indices([41] * 3).reshape(3, -1).T
    inside = table[table @ weights == 20]
    space = constrained(
        [Integer("k", 0, 40, size=3)], LinearConstraint({"k": weights}, lower=19.5, upper=20.5)
    )
    assert len(inside) / len(table) < 1e-3  # else draws are rejected, not walked to
    drawn = space.check(space.draw(6000, rng()))["k"]
    counts = [(drawn == row).all(axis=1).sum() for row in inside]
    assert sum(counts) == 6000
    assert stats.chisquare(counts).pvalue > SMALLEST


def test_integers_of_large_weights_move_together() -> None:
    """No two of them can change and leave the sum between its bounds."""
    weights = [101.0, 103.0, 107.0, 109.0]
    table = np.indices([21] * 4).reshape(4, -1).T
    inside = table[(table @ weights == 3000) | (table @ weights == 3001)]
    space = constrained(
        [Integer("k", 0, 20, size=4)], LinearConstraint({"k": weights}, lower=3000, upper=3001)
    )
    drawn = space.check(space.draw(4000, rng()))["k"]
    counts = [(drawn == row).all(axis=1).sum() for row in inside]
    assert sum(counts) == 4000
    assert stats.chisquare(counts).pvalue > SMALLEST


def test_steps_of_integers_stay_exact_beyond_what_floats_can_reduce() -> None:
    parameters = [Integer("a", 0, 2**49), Integer("b", 0, 2**49), Integer("c", 0, 3)]
    weights = {"a": 123456789.0, "b": 987654321.0, "c": 1e-3}
    space = constrained(parameters, LinearConstraint(weights, lower=1e12, upper=1e12 + 1e-3))
    batch = space.check(space.draw(50, rng()))
    assert len(batch) == 50


def test_shares_exchange_with_real_numbers() -> None:
    """x follows the share of a, which is Beta(1, 2)."""
    space = constrained(
        [Simplex("mix", 3), Real("x", 0, 1)],
        LinearConstraint({"x": 1.0, "mix[0]": -1.0}, lower=0, upper=1e-4),
    )
    batch = space.check(space.draw(2000, rng()))
    assert stats.kstest(batch["x"], stats.beta(1, 2).cdf).pvalue > SMALLEST


@pytest.mark.parametrize("log", [False, True])
def test_shares_exchange_with_integers(log: bool) -> None:
    """Given k / 20, the share of three has the density 1 - k / 20; k itself is uniform or log."""
    space = constrained(
        [Simplex("mix", 3), Integer("k", 1, 19, log=log)],
        LinearConstraint({"mix[0]": 20.0, "k": -1.0}, lower=-1e-3, upper=1e-3),
    )
    counts = np.bincount(space.check(space.draw(4000, rng()))["k"], minlength=20)[1:]
    k = np.arange(1, 20)
    likely = (20 - k) * (np.log((k + 0.5) / (k - 0.5)) if log else 1)
    assert stats.chisquare(counts, 4000 * likely / likely.sum()).pvalue > SMALLEST


def test_shares_of_different_weights_move_between_two_close_bounds() -> None:
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    space = constrained(
        [Simplex("mix", 4)], LinearConstraint({"mix": weights.tolist()}, lower=2.5, upper=2.5001)
    )
    drawn = space.check(space.draw(2000, rng()))["mix"]
    rejected = rng().dirichlet(np.ones(4), 10**6)
    kept = rejected[np.abs(rejected @ weights - 2.5) < 0.002]
    for walked, exact in zip(drawn.T, kept.T, strict=True):
        assert stats.ks_2samp(walked, exact).pvalue > SMALLEST


def test_a_real_number_answers_many_small_shares() -> None:
    # Each share moves the sum by little, and the number has far to go.
    values = np.linspace(0, 1, 100)
    space = Space(
        Simplex("mix", 100),
        Real("x", 0, 1),
        constraints=[LinearConstraint({"mix": values, "x": 1.0}, lower=0.7, upper=0.7001)],
    )
    x = space.draw(400, np.random.default_rng(0))["x"]
    wanted = 0.7 - np.random.default_rng(1).dirichlet(np.ones(100), 20_000) @ values
    assert abs(x.mean() - wanted.mean()) < 4 * wanted.std() / 20
    assert x.std() == pytest.approx(wanted.std(), rel=0.15)  # four standard errors


def test_reals_between_two_pairs_of_close_bounds_move() -> None:
    """x + y + z = 1 and x = y leave x uniform from 0 to 1/2."""
    space = constrained(
        TEN[:3],
        LinearConstraint({"x0": 1.0, "x1": 1.0, "x2": 1.0}, lower=1, upper=1 + 1e-6),
        LinearConstraint({"x0": 1.0, "x1": -1.0}, lower=0, upper=1e-6),
    )
    batch = space.check(space.draw(2000, rng()))
    assert stats.kstest(2 * batch["x0"], "uniform").pvalue > SMALLEST


def test_log_scales_between_two_close_bounds_move() -> None:
    """x + y = 1 with both log-uniform: log(x / y) is uniform."""
    parameters = [Real("x", 0.01, 1, log=True), Real("y", 0.01, 1, log=True)]
    total = LinearConstraint({"x": 1.0, "y": 1.0}, lower=1 - 1e-6, upper=1 + 1e-6)
    batch = constrained(parameters, total).draw(2000, rng())
    logit = np.log(batch["x"] / batch["y"]) / np.log(99)
    assert stats.kstest(logit / 2 + 0.5, "uniform").pvalue > SMALLEST


def test_ordinals_between_two_close_bounds_move() -> None:
    parameters = [Ordinal("a", range(3000)), Ordinal("b", range(3000))]
    total = LinearConstraint({"a": 1.0, "b": 1.0}, lower=2998.5, upper=2999.5)
    batch = constrained(parameters, total).draw(2000, rng())
    assert stats.kstest(batch["a"] / 2999, "uniform").pvalue > SMALLEST


def test_log_scale_is_uniform_in_the_logarithm_inside_the_constraint() -> None:
    """exp(-7 E) below 1e-6 given log-uniform on [1e-7, 1]: again log-uniform, on [1e-7, 1e-6]."""
    parameters = [Real(f"x{i}", 1e-7, 1, log=True) for i in range(6)]
    limits = [LinearConstraint({p.name: 1.0}, upper=1e-6) for p in parameters]
    batch = constrained(parameters, *limits).draw(1500, rng())
    for p in parameters:
        assert stats.kstest(np.log10(batch[p.name]) + 7, "uniform").pvalue > SMALLEST


def test_log_scale_over_many_orders_stays_inside() -> None:
    parameters = [Real(f"x{i}", 1e-30, 1, log=True) for i in range(4)]
    space = constrained(
        parameters, LinearConstraint({p.name: 1.0 for p in parameters}, lower=3.999)
    )
    batch = space.check(space.draw(200, rng()))
    assert all((batch[p.name] > 0.99).all() for p in parameters)


def test_log_scale_beside_a_thin_corner_stays_uniform() -> None:
    """A wide log scale that the constraint hardly touches is drawn over all of its range."""
    constraint = LinearConstraint({**TOTAL, "l": 1e-9}, upper=0.5)
    batch = constrained([*TEN, Real("l", 1e-30, 1, log=True)], constraint).draw(1000, rng())
    assert stats.kstest(np.log10(batch["l"]) / 30 + 1, "uniform").pvalue > SMALLEST


def test_a_wide_range_does_not_loosen_a_constraint_on_small_values() -> None:
    reals = constrained(
        [Real("a", 1e-3, 1e9, log=True), Real("b", 0, 1)],
        LinearConstraint({"a": 1.0, "b": 1.0}, upper=0.5),
    )
    rows = Batch({"a": [1.2, 0.4, 0.3], "b": [0.2, 0.1001, 0.2]})
    assert reals.feasible(rows).tolist() == [False, False, True]
    drawn = reals.draw(2000, rng())
    assert (drawn["a"] + drawn["b"]).max() <= 0.5 * (1 + 1e-4)
    whole = constrained(
        [Integer("p", 1, 10**10, log=True), Integer("q", 1, 10)],
        LinearConstraint({"p": 1.0, "q": 1.0}, upper=5),
    )
    drawn = whole.draw(2000, rng())
    assert (drawn["p"] + drawn["q"]).max() == 5


def test_ordinals_and_several_constraints() -> None:
    parameters: list[Parameter] = [
        Ordinal("o", [1, 10, 100, 1000]),
        Integer("k", 1, 1000, log=True),
        Real("x", -1000, 1000),
    ]
    space = constrained(
        parameters,
        LinearConstraint({"o": 1.0, "k": 1.0, "x": -1.0}, lower=0, upper=1),
        LinearConstraint({"k": 1.0, "o": -1.0}, lower=0),
    )
    batch = space.check(space.draw(500, rng()))
    gap = batch["o"] + batch["k"] - batch["x"]
    assert ((gap >= -1e-6) & (gap <= 1 + 1e-6)).all()
    assert (batch["k"] >= batch["o"]).all()
    assert {1, 10, 100} <= set(batch["o"].tolist())


@st.composite
def feasible_spaces(draw: st.DrawFn) -> Space:
    """A space with constraints that a drawn row satisfies."""
    kinds: list[Parameter] = [
        Real("x", -5, 5),
        Real("l", 1e-4, 10, log=True),
        Integer("k", 0, 9),
        Integer("m", 1, 64, log=True),
        Ordinal("o", [1, 2, 4, 8]),
        Simplex("mix", ["web", "code", "books"]),
        Real("v", 0, 1, size=2),
    ]
    parameters = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=4, unique=True))
    inputs = [
        key
        for p in parameters
        for key in ([p.name] if p.size is None else [f"{p.name}[{x}]" for x in p.labels])
    ]
    inside = Space(*parameters).draw(1, np.random.default_rng(draw(st.integers(0, 99))))
    flat = {k: float(v[0]) for k, v in inside.flat(Space(*parameters).labels).items()}
    constraints = []
    for _ in range(draw(st.integers(1, 3))):
        keys = draw(st.lists(st.sampled_from(inputs), min_size=1, max_size=3, unique=True))
        weights = {key: draw(st.sampled_from([-2.0, -1.0, 0.5, 1.0, 3.0])) for key in keys}
        value = sum(weight * flat[key] for key, weight in weights.items())
        room = draw(st.sampled_from([0.05, 0.5, 5.0]))
        sides = draw(st.sampled_from([(room, room), (np.inf, room), (room, np.inf)]))
        constraints.append(
            LinearConstraint(weights, lower=value - sides[0], upper=value + sides[1])
        )
    return Space(*parameters, constraints=constraints)


@given(feasible_spaces())
@settings(max_examples=25)
def test_draws_always_satisfy_constraints_and_bounds(space: Space) -> None:
    batch = space.draw(20, rng())
    assert len(batch) == 20
    assert space.check(batch) == batch
    assert space.feasible(batch).all()


def test_decode_does_not_apply_constraints_but_feasible_tells() -> None:
    space = constrained(TEN[:2], LinearConstraint({"x0": 1, "x1": 1}, upper=1))
    batch = space.decode([[0.2, 0.2], [0.9, 0.9]])
    assert space.feasible(batch).tolist() == [True, False]
    with pytest.raises(SpaceError, match=r"row 1 breaks a linear constraint: \{'x0': 0.9"):
        space.check(batch)


def test_names_of_vectors_and_elements() -> None:
    parameters: list[Parameter] = [Simplex("mix", ["web", "code"]), Real("v", 0, 1, size=2)]
    space = constrained(
        parameters,
        LinearConstraint({"mix[web]": 2.0, "v": [1.0, -1.0]}, upper=1.0),
        LinearConstraint({"v": 1.0}, lower=0.5),
    )
    assert space.polytope is not None
    a, lower, upper = space.polytope.matrix
    assert a.tolist() == [[2, 0, 1, -1], [0, 0, 1, 1]]
    assert lower.tolist() == [-np.inf, 0.5]
    assert upper.tolist() == [1.0, np.inf]


def test_spec_holds_the_constraints() -> None:
    free = Space(*TEN)
    bound = constrained(TEN, LinearConstraint(TOTAL, upper=0.5))
    assert free != bound
    assert bound == constrained(TEN, LinearConstraint(TOTAL, upper=0.5))
    assert bound != constrained(TEN, LinearConstraint(TOTAL, upper=0.6))


CONTRADICTORY = [
    constrained(TEN, LinearConstraint(TOTAL, lower=10.5)),
    constrained(
        TEN[:2],
        LinearConstraint({"x0": 1, "x1": 1}, upper=0.4),
        LinearConstraint({"x0": 1}, lower=0.3),
        LinearConstraint({"x1": 1}, lower=0.3),
    ),
    constrained([Integer("k", 0, 9)], LinearConstraint({"k": 2.0}, lower=2.5, upper=3.5)),
    constrained([Ordinal("o", [1, 10])], LinearConstraint({"o": 1.0}, lower=2, upper=9)),
    constrained(
        [Simplex("mix", 3)],
        LinearConstraint({"mix[0]": 1.0}, lower=0.6),
        LinearConstraint({"mix[1]": 1.0}, lower=0.6),
    ),
]


@pytest.mark.parametrize("space", CONTRADICTORY, ids=range(len(CONTRADICTORY)))
def test_contradictory_constraints_are_refused_by_a_draw(space: Space) -> None:
    with pytest.raises(SpaceError, match=r"no input satisfies all linear constraints: .*<="):
        space.draw(3, rng())


WRONG: list[tuple[Any, str]] = [
    (lambda: LinearConstraint({}, upper=1), "coefficients are empty; name at least one input"),
    (lambda: LinearConstraint({"x0": 1}), "give lower=, upper= or both"),
    (lambda: LinearConstraint({"x0": 1}, lower=2, upper=1), "lower=2 must not be above upper=1"),
    (lambda: LinearConstraint({"x0": 1}, upper=float("nan")), "upper=nan"),
    (lambda: LinearConstraint({"x0": 1}, upper="1"), "upper='1' must be a number"),  # type: ignore[arg-type]
    (lambda: LinearConstraint({"x0": 1}, lower=None), "lower=None must be a number"),  # type: ignore[arg-type]
    (lambda: LinearConstraint({"x0": 1}, lower=1, upper=1), "are both 1; for shares that sum to"),
    (
        lambda: constrained(TEN, LinearConstraint({"y": 1}, upper=1)),
        r"names 'y'; the space has \['x0'",
    ),
    (
        lambda: constrained([Categorical("c", [1, 2])], LinearConstraint({"c": 1}, upper=1)),
        "names 'c', a Categorical; only Real, Integer, Ordinal with numbers and Simplex",
    ),
    (
        lambda: constrained([Ordinal("o", ["a", "b"])], LinearConstraint({"o": 1}, upper=1)),
        "names 'o', a Ordinal; only",
    ),
    (lambda: LinearConstraint(["x0"], upper=1), r"coefficients=\['x0'\] must be a dict"),  # type: ignore[arg-type]
    (lambda: LinearConstraint({0: 1.0}, upper=1), "must be a dict from the name of an input"),  # type: ignore[dict-item]
    (
        lambda: constrained(TEN, LinearConstraint({"x0": float("inf")}, upper=1)),
        "coefficient of 'x0' is inf; give a finite number",
    ),
    (
        lambda: constrained(TEN, LinearConstraint({"x0": "2"}, upper=1)),
        "coefficient of 'x0' is '2'; give a finite number",
    ),
    (
        lambda: constrained([Real("v", 0, 1, size=3)], LinearConstraint({"v": [1, 2]}, upper=1)),
        "2 coefficients for 'v', which has 3",
    ),
    (
        lambda: constrained([Simplex("m", ["a", "b"])], LinearConstraint({"m[c]": 1}, upper=1)),
        r"'m\[c\]' is no single element of 'm'; its elements are \['a', 'b'\]",
    ),
]


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_wrong_constraints_are_refused(make: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        make()


def test_check_names_the_row_of_told_data() -> None:
    space = constrained(TEN[:2], LinearConstraint({"x0": 1, "x1": 1}, upper=1))
    with pytest.raises(SpaceError, match="row 2 breaks"):
        space.check(Batch({"x0": [0.1, 0.2, 0.8], "x1": [0.1, 0.2, 0.8]}))


def test_no_rows_at_all_are_valid() -> None:
    space = constrained([Real("x", 0, 1), Simplex("s", 3)], LinearConstraint({"x": 1.0}, upper=0.5))
    nothing = space.draw(4, rng())[:0]
    assert space.check(nothing).equals(nothing)
    assert space.feasible(nothing).shape == (0,)
