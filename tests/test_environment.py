"""The environment: its scenarios, their weights, and the three risks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import blackbox as bb
from blackbox.errors import ProblemError, SpaceError

WIND = bb.Real("wind", 0, 10)
RISKS = st.sampled_from(["expectation", "worst", "cvar"])
ALPHAS = st.floats(0.01, 1)
SIGNS = st.sampled_from([1.0, -1.0])


def cases(weights: list[float], **arguments: Any) -> bb.Environment:
    """An environment of as many test cases as there are weights."""
    parameter = bb.Ordinal("case", range(len(weights)))
    return bb.Environment(parameter, weights=weights, **arguments)


@st.composite
def weighed(draw: Any) -> tuple[list[float], list[float]]:
    """Whole-number weights, not all 0, and a value for each."""
    s = draw(st.integers(1, 6))
    weights = draw(st.lists(st.integers(0, 5), min_size=s, max_size=s).filter(any))
    values = draw(st.lists(st.floats(-100, 100), min_size=s, max_size=s))
    return weights, values


@given(weighed(), SIGNS)
def test_expectation_and_worst_are_those_of_the_list(
    case: tuple[list[float], list[float]], sign: float
) -> None:
    weights, values = case
    repeated = np.repeat(values, weights)
    mean = cases(weights).risk_of(values, sign)
    assert mean == pytest.approx(repeated.mean(), abs=1e-9)
    worst = cases(weights, risk="worst").risk_of(values, sign)
    assert worst == sign * (sign * repeated).min()


@given(weighed(), SIGNS, st.integers(1, 20))
def test_cvar_is_the_mean_of_the_worst_share(
    case: tuple[list[float], list[float]], sign: float, twentieths: int
) -> None:
    weights, values = case
    # Each scenario as 20 times as many equal ones: the worst share is then a whole number of them.
    worst_first = np.sort(sign * np.repeat(values, np.multiply(weights, 20)))
    counted = len(worst_first) * twentieths // 20
    risk = cases(weights, risk="cvar", alpha=twentieths / 20).risk_of(values, sign)
    assert risk == pytest.approx(sign * worst_first[:counted].mean(), abs=1e-9)


@given(weighed(), SIGNS, RISKS, ALPHAS, st.floats(-10, 10), st.floats(0.1, 10))
def test_risks_follow_shifts_and_scales_and_lie_between_worst_and_mean(
    case: tuple[list[float], list[float]],
    sign: float,
    risk: Any,
    alpha: float,
    shift: float,
    scale: float,
) -> None:
    weights, values = case
    environment = cases(weights, risk=risk, alpha=alpha)
    found = environment.risk_of(values, sign)
    moved = environment.risk_of(scale * np.array(values) + shift, sign)
    assert moved == pytest.approx(scale * found + shift, abs=1e-8)
    mean = cases(weights).risk_of(values, sign)
    worst = cases(weights, risk="worst").risk_of(values, sign)
    assert sign * worst - 1e-9 <= sign * found <= sign * mean + 1e-9


@given(weighed(), SIGNS, RISKS, ALPHAS)
def test_risk_weights_are_the_derivative_and_take_any_leading_axes(
    case: tuple[list[float], list[float]], sign: float, risk: Any, alpha: float
) -> None:
    weights, values = case
    environment = cases(weights, risk=risk, alpha=alpha)
    table = np.array([[values, values[::-1]]] * 3)
    shares = environment.risk_weights(table, sign)
    assert shares.shape == table.shape
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=-1), 1)
    np.testing.assert_allclose((shares * table).sum(axis=-1), environment.risk_of(table, sign))
    one = environment.risk_of(values, sign)
    assert environment.risk_of(table, sign)[2, 0] == pytest.approx(one)


def test_cvar_of_everything_is_the_expectation_and_of_little_the_worst() -> None:
    values, weights = [3.0, 1.0, 2.0], [1, 2, 7]
    assert cases(weights, risk="cvar", alpha=1).risk_of(values, 1) == pytest.approx(1.9)
    assert cases(weights, risk="cvar", alpha=1e-12).risk_of(values, 1) == 1
    assert cases(weights, risk="cvar", alpha=0.15).risk_of(values, -1) == pytest.approx(
        (0.1 * 3 + 0.05 * 2) / 0.15
    )


@pytest.mark.parametrize("risk", ["expectation", "worst", "cvar"])
@pytest.mark.parametrize("sign", [1, -1])
def test_what_does_not_count_spoils_nothing_and_nan_is_not_hidden(risk: Any, sign: float) -> None:
    environment = cases([0, 1, 3], risk=risk, alpha=0.5)
    for value in (math.nan, math.inf, -math.inf):
        assert np.isfinite(environment.risk_of([value, 1, 2], sign))
    assert np.isnan(environment.risk_of([1, math.nan, 2], sign))


def test_points_are_spread_evenly_and_always_the_same() -> None:
    wide = [bb.Real(f"x{i}", 0, 1) for i in range(4)]
    table = bb.Environment(*wide, scenarios=256).table
    assert table == bb.Environment(*wide, scenarios=256).table
    points = np.stack([table[p.name] for p in wide], axis=1)
    middles = (np.arange(256) + 0.5) / 256
    assert all(np.allclose(np.sort(column), middles) for column in points.T)
    # The share of points in each of 16 boxes; of random points it is off by 0.012 on average.
    for i in range(4):
        for j in range(i):
            counts, _, _ = np.histogram2d(points[:, i], points[:, j], 4, [[0, 1], [0, 1]])
            assert np.abs(counts / 256 - 1 / 16).mean() < 0.006
    line = bb.Environment(WIND, scenarios=5).table["wind"]
    np.testing.assert_allclose(line, [1, 3, 5, 7, 9])
    assert len(bb.Environment(WIND).table) == 16


def test_small_finite_spaces_are_listed_whole() -> None:
    environment = bb.Environment(bb.Categorical("rain", [None, "wet"]), bb.Integer("year", 0, 2))
    assert [tuple(row.values()) for row in environment.table] == [
        *((None, year) for year in range(3)),
        *(("wet", year) for year in range(3)),
    ]
    assert environment.table == environment.space.check(environment.table)
    np.testing.assert_array_equal(environment.weights, np.full(6, 1 / 6))
    assert len(bb.Environment(bb.Integer("year", 0, 63)).table) == 64
    assert len(bb.Environment(bb.Integer("year", 0, 64)).table) == 16
    assert len(bb.Environment(bb.Integer("year", 0, 64), scenarios=65).table) == 65
    assert len(bb.Environment(bb.Permutation("p", 3)).table) == 16


def test_listed_scenarios_and_their_weights() -> None:
    for scenarios in ({"wind": [1, 5]}, bb.Batch({"wind": [1, 5], "more": [0, 0]})):
        environment = bb.Environment(WIND, scenarios=scenarios, weights=[1, 3])
        assert environment.names == ("wind",)
        assert environment.table == bb.Batch({"wind": [1.0, 5.0]})
        assert environment.weights.tolist() == [0.25, 0.75]
        assert not environment.weights.flags.writeable
    drawn = environment.draw(4000, np.random.default_rng(0))["wind"]
    assert (drawn == 5).mean() == pytest.approx(0.75, abs=0.03)
    assert set(drawn) == {1, 5}


def test_huge_and_tiny_weights_stay_in_proportion() -> None:
    assert cases([1e308, 1e308]).weights.tolist() == [0.5, 0.5]
    assert cases([1e-300, 3e-300]).weights.tolist() == [0.25, 0.75]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"scenarios": 0}, "scenarios=0 must be a positive int of at most .*, a dict of"),
    ({"scenarios": True}, "scenarios=True must be a positive int"),
    ({"scenarios": 1.5}, "scenarios=1.5 must be a positive int"),
    ({"scenarios": [1, 2]}, r"scenarios=\[1, 2\] must be a positive int"),
    ({"scenarios": {}}, "scenarios of the environment: column 'wind' is missing"),
    ({"scenarios": {"wind": []}}, "scenarios of the environment are empty; give at least one"),
    ({"scenarios": {"wind": [11]}}, "environment: parameter 'wind': row 0 is 11"),
    ({"scenarios": {"wind": [math.nan]}}, "environment: parameter 'wind': row 0 is nan"),
    ({"scenarios": 2, "weights": [1]}, r"weights=\[1\]; give 2 finite numbers of at least 0"),
    ({"scenarios": 2, "weights": [0, 0]}, r"weights=\[0, 0\]; give 2 finite numbers"),
    ({"scenarios": 2, "weights": [1, -1]}, r"weights=\[1, -1\]; give 2 finite numbers"),
    ({"scenarios": 2, "weights": [1, math.inf]}, r"weights=.*; give 2 finite numbers"),
    ({"scenarios": 2, "weights": "ab"}, "weights='ab'; give 2 finite numbers"),
    ({"risk": "mean"}, "risk='mean' must be one of expectation, worst, cvar"),
    ({"alpha": 0}, "alpha=0 must be a number above 0 and at most 1"),
    ({"alpha": 1.5}, "alpha=1.5 must be"),
    ({"alpha": math.nan}, "alpha=nan must be"),
    ({"alpha": "0.1"}, "alpha='0.1' must be"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        bb.Environment(WIND, **arguments)


def test_an_environment_without_parameters_is_refused() -> None:
    with pytest.raises(SpaceError, match="needs at least one parameter"):
        bb.Environment()
    with pytest.raises(SpaceError, match=r"names \['wind'\] are given twice"):
        bb.Environment(WIND, WIND)


@pytest.mark.parametrize("values", [1.0, [1.0], [[1.0, 2.0, 3.0]]])
def test_values_of_another_length_are_refused(values: Any) -> None:
    with pytest.raises(ProblemError, match="give 2 along the last axis, one for each scenario"):
        bb.Environment(WIND, scenarios=2).risk_of(values, 1)


def test_spec_and_repr_tell_environments_apart() -> None:
    made = [
        bb.Environment(WIND),
        bb.Environment(WIND, scenarios=8),
        bb.Environment(WIND, scenarios={"wind": [1, 2]}),
        bb.Environment(WIND, scenarios={"wind": [1, 2]}, weights=[1, 2]),
        bb.Environment(WIND, risk="worst"),
        bb.Environment(WIND, risk="cvar"),
        bb.Environment(WIND, risk="cvar", alpha=0.2),
    ]
    assert len({str(e.spec()) for e in made}) == len(made)
    assert bb.Environment(WIND).spec() == made[0].spec()
    assert repr(made[6]).endswith("16 scenarios, risk='cvar', alpha=0.2)")
