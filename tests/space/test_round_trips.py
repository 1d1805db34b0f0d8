"""Values to the unit cube and back, over generated spaces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from blackbox.batch import Batch, same_column
from blackbox.errors import SpaceError
from blackbox.space import (
    Categorical,
    Integer,
    Ordinal,
    Parameter,
    Permutation,
    Real,
    Sequence,
    Simplex,
    Space,
)

from .strategies import integers, parameters, reals, spaces


def corners(width: int) -> np.ndarray:
    """Points where decoding is most likely to leave the space."""
    inner, outer = np.nextafter(0, 1), np.nextafter(1, 0)
    rng = np.random.default_rng(width)
    mixed = rng.choice([0.0, inner, 0.5, outer, 1.0], (20, width))
    return np.vstack([*(np.full((1, width), u) for u in (0.0, inner, 0.5, outer, 1.0)), mixed])


def close(p: Parameter, found: np.ndarray, wanted: np.ndarray) -> bool:
    """Exactly the same for discrete values, within 1e-9 of the scale for others."""
    if not isinstance(p, Real | Simplex):
        return same_column(found, wanted)
    if isinstance(p, Real) and p.log:
        return bool(np.allclose(found, wanted, rtol=1e-9, atol=0))
    span = p.high - p.low if isinstance(p, Real) else 1.0
    return bool(np.allclose(found, wanted, rtol=0, atol=1e-9 * span))


@given(spaces())
@settings(max_examples=150)
def test_decode_is_total_and_encode_inverts_it(space: Space) -> None:
    points = corners(space.width)
    batch = space.decode(points)
    checked = space.check(batch)
    for p in space:
        assert same_column(checked[p.name], batch[p.name]), p
    cube = space.encode(batch)
    assert cube.shape == points.shape
    assert (cube >= 0).all()
    assert (cube <= 1).all()
    again = space.decode(cube)
    for p in space:
        assert close(p, again[p.name], batch[p.name]), p


@given(parameters())
@settings(max_examples=150)
def test_columns_have_the_declared_shape_and_type(p: Parameter) -> None:
    column = p.decode(corners(p.width))
    assert column.shape[1:] == (() if p.size is None else (p.size,))
    assert len(p.labels) == (p.size or 0)
    if isinstance(p, Real | Simplex):
        assert column.dtype == np.float64
    if isinstance(p, Integer):
        assert column.dtype == np.int64
    if isinstance(p, Categorical | Ordinal):
        chosen = {(type(v), v) for v in column.tolist()}
        assert chosen <= {(type(v), v) for v in p.values}


@given(parameters())
@settings(max_examples=100)
def test_space_decodes_as_its_parameters_do(p: Parameter) -> None:
    points = corners(p.width)
    assert same_column(Space(p).decode(points)["p"], p.decode(points))


@given(parameters())
@settings(max_examples=100)
def test_cardinality_counts_values_or_is_infinite(p: Parameter) -> None:
    assert p.cardinality >= 1
    endless = isinstance(p, Real) and p.high > p.low
    assert p.discrete == (not endless and not isinstance(p, Simplex))


@given(reals(), st.data())
def test_every_real_number_in_the_bounds_comes_back(p: Real, data: st.DataObject) -> None:
    shape = (3,) if p.size is None else (3, p.size)
    values = data.draw(hnp.arrays(float, shape, elements=st.floats(p.low, p.high)))
    assert close(p, p.decode(p.encode(values)), values)


@given(integers(), st.data())
def test_every_integer_in_the_bounds_comes_back(p: Integer, data: st.DataObject) -> None:
    shape = (3,) if p.size is None else (3, p.size)
    values = data.draw(hnp.arrays(np.int64, shape, elements=st.integers(p.low, p.high)))
    np.testing.assert_array_equal(p.decode(p.encode(values)), values)
    np.testing.assert_array_equal(Space(p).decode(p.encode(values))["p"], values)


@given(st.integers(2, 1200), st.integers(0, 2**32))
def test_every_mixture_comes_back(k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = Simplex("mix", k)
    shares = rng.dirichlet(np.full(k, rng.choice([0.01, 0.1, 1.0, 100.0])), size=4)
    shares = np.vstack([shares, np.eye(k)[:2], np.full((1, k), 1 / k), _lopsided(k)])
    np.testing.assert_allclose(p.decode(p.encode(shares)), shares, rtol=0, atol=1e-9)


def _lopsided(k: int) -> np.ndarray:
    row = np.zeros((1, k))
    row[0, :2] = 0.8, 0.2
    return row


VALUES: list[tuple[Parameter, Any]] = [
    (Categorical("c", ["a", None, 1, 2.5, False]), ["a", None, 1, 2.5, False]),
    (Categorical("c", [f"{i}" for i in range(10_000)]), [f"{i}" for i in range(10_000)]),
    (Ordinal("o", [1e6, 6e7, 1e9]), [1e6, 6e7, 1e9]),
    (Permutation("t", ["x", "yy", "z"]), [["z", "x", "yy"], ["yy", "z", "x"]]),
    (Permutation("t", [None, 1, "a"]), [[None, 1, "a"], ["a", None, 1]]),
    (Sequence("s", "AB", (0, 3)), [["", "", ""], ["A", "", ""], ["B", "A", "B"]]),
    (Sequence("s", ["ab", "c"], 2), [["ab", "c"], ["c", "c"]]),
]


@pytest.mark.parametrize(("p", "values"), VALUES, ids=lambda v: repr(v)[:30])
def test_listed_values_come_back_as_they_are(p: Parameter, values: Any) -> None:
    space = Space(p)
    checked = space.check(Batch({p.name: values}))
    assert checked[p.name].tolist() == values
    again = space.decode(space.encode(checked))[p.name].tolist()
    assert again == values
    flat = np.array(values, dtype=object).ravel()
    kinds = [type(v) for v in np.array(again, dtype=object).ravel()]
    assert kinds == [type(v) for v in flat]


def test_strings_are_short_for_lists_of_characters() -> None:
    space = Space(Sequence("s", "AB", (0, 3)))
    checked = space.check(Batch({"s": ["", "AB", "BBB"]}))
    assert checked["s"].tolist() == [["", "", ""], ["A", "B", ""], ["B", "B", "B"]]
    rows = [row["s"].tolist() for row in space.rows(checked)]
    assert rows == [[], ["A", "B"], ["B", "B", "B"]]


@given(spaces())
@settings(max_examples=50)
def test_spec_decides_equality(space: Space) -> None:
    assert space == Space(*space)
    assert space != Space(*space, Real("another", 0, 1))
    assert len({space, Space(*space)}) == 1
    assert all(name in repr(space) for name in space.names)


@given(spaces())
@settings(max_examples=50)
def test_blocks_tile_the_cube(space: Space) -> None:
    cells = [i for block in space.blocks.values() for i in range(block.start, block.stop)]
    assert cells == list(range(space.width))
    assert len(space) == len(space.names) == len(list(space))
    assert space.discrete == all(p.discrete for p in space)


@pytest.mark.parametrize(
    "points",
    [[[0.5, 0.5]], [0.5], [[np.nan]], [[-0.1]], [[1.0000001]], [[np.inf]], np.zeros((2, 1, 1))],
)
def test_points_outside_the_cube_are_refused(points: Any) -> None:
    with pytest.raises(SpaceError, match=r"points of (shape|the unit cube)"):
        Space(Real("x", 0, 1)).decode(points)


def test_no_points_are_no_rows() -> None:
    space = Space(Real("x", 0, 1), Sequence("s", "AB", (0, 3)), Permutation("t", 3))
    batch = space.decode(np.zeros((0, space.width)))
    assert len(batch) == 0
    assert space.encode(space.check(batch)).shape == (0, space.width)
    assert len(space.draw(0, np.random.default_rng(0))) == 0
