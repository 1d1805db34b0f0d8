"""States survive the trip to bytes exactly, and damage never survives the trip back."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from blackbox.errors import StateError
from blackbox.state import generator_state, load, pack, restore_generator, save, unpack

KEYS = st.text(max_size=8).filter(lambda key: not key.startswith("__"))
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**200), 2**200) | st.floats() | st.text(max_size=12)
)
DTYPES = (
    hnp.boolean_dtypes()
    | hnp.integer_dtypes(endianness="?")
    | hnp.unsigned_integer_dtypes(endianness="?")
    | hnp.floating_dtypes(endianness="?")
    | hnp.unicode_string_dtypes(endianness="?", max_len=5)
)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
ARRAYS = hnp.arrays(DTYPES, SHAPES)
OBJECTS = hnp.arrays(np.dtype(object), SHAPES, elements=SCALARS)
TREES = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS | ARRAYS | OBJECTS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
        max_leaves=12,
    ),
    max_size=5,
)


def same(a: Any, b: Any) -> bool:
    """Equal in type and value, bit by bit for floats; NaN equals NaN."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        alike = a.shape == b.shape and a.dtype.newbyteorder("<") == b.dtype.newbyteorder("<")
        return alike and same(a.tolist(), b.tolist())
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or struct.pack("d", a) == struct.pack("d", b)
    return bool(a == b)


@given(TREES)
@settings(max_examples=60)
def test_any_tree_comes_back(tree: dict[str, Any]) -> None:
    data = pack(tree)
    back = unpack(data)
    assert same(tree, back)
    assert pack(back) == data


@given(ARRAYS)
@settings(max_examples=50)
def test_arrays_come_back_writeable_and_alone(array: np.ndarray) -> None:
    first, second = unpack(pack({"a": array, "b": array})).values()
    assert first.flags.writeable
    assert not np.may_share_memory(first, second)
    assert not np.may_share_memory(first, array)


def test_tuples_come_back_as_lists_and_numpy_scalars_as_python() -> None:
    back = unpack(pack({"t": (1, (2.5, None)), "n": np.float64(0.1), "b": np.bool_(True)}))
    assert back == {"t": [1, [2.5, None]], "n": 0.1, "b": True}
    assert [type(back[k]) for k in "nb"] == [float, bool]


def test_arrays_in_any_layout_come_back_in_the_same_order() -> None:
    grid = np.arange(24).reshape(2, 3, 4)
    for view in (grid.T, grid[:, ::-2], np.asfortranarray(grid), grid.astype(">i4")):
        np.testing.assert_array_equal(unpack(pack({"a": view}))["a"], view)


EXAMPLE = {
    "step": 0.25,
    "name": "naïve ☃",
    "inf": -math.inf,
    "points": np.linspace(0, 1, 12).reshape(4, 3),
    "words": np.array(["a", "bc"]),
    "mixed": np.array([None, 1, "x"], dtype=object),
    "rng": generator_state(np.random.default_rng(0)),
}


def test_damage_to_any_byte_is_detected() -> None:
    data = pack(EXAMPLE)
    for i in range(len(data)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(data)
            damaged[i] ^= flip
            with pytest.raises(StateError):
                unpack(bytes(damaged))


def test_truncation_anywhere_and_a_tail_are_detected() -> None:
    data = pack(EXAMPLE)
    for end in range(len(data)):
        with pytest.raises(StateError):
            unpack(data[:end])
    with pytest.raises(StateError, match="truncated or damaged"):
        unpack(data + b"\0")


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(StateError):
        unpack(data)


@given(TREES, st.data())
@settings(max_examples=30)
def test_random_damage_is_detected(tree: dict[str, Any], data: st.DataObject) -> None:
    packed = bytearray(pack(tree))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(StateError):
        unpack(bytes(packed))


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"a": {"b": [1, {2}]}}, r"state\.a\.b\[1\] is a set; give arrays, numbers"),
        ({"a": object()}, r"state\.a is a object"),
        ({"f": print}, r"state\.f is a builtin_function_or_method"),
        ({"z": 1j}, r"state\.z is a complex"),
        ({"z": np.array([1j])}, r"state\.z is an array of type complex128"),
        ({"d": np.array(["2020"], "datetime64[D]")}, r"state\.d is an array of type datetime64"),
        ({"o": np.array([{1}], dtype=object)}, r"state\.o is a set"),
        ({"o": b"raw"}, r"state\.o is a bytes"),
        ({1: 2}, r"state: key 1 must be a string"),
        ({"a": {"__array__": 0}}, r"state\.a: key '__array__' must be a string without leading"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_its_place(tree: Any, message: str) -> None:
    with pytest.raises(StateError, match=message):
        pack(tree)


def test_file_round_trip_replaces_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "state"
    save({"a": 1}, path)
    save(EXAMPLE, str(path))
    assert same(unpack(pack(EXAMPLE)), load(path))
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


def test_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "state"
    save({"a": 1}, path)
    with pytest.raises(StateError):
        save({"a": object()}, path)
    assert load(path) == {"a": 1}


@given(st.integers(0, 2**64), st.integers(0, 100))
def test_generator_goes_on_exactly(seed: int, used: int) -> None:
    rng = np.random.default_rng(seed)
    rng.random(used)
    rng.integers(0, 10, 3, dtype=np.uint32)  # leaves half a word in the generator's buffer
    state = unpack(pack(generator_state(rng)))
    other = np.random.default_rng()
    restore_generator(other, state)
    halves = [g.integers(0, 9, 5, np.uint32) for g in (rng, other)]
    np.testing.assert_array_equal(*halves)
    np.testing.assert_array_equal(rng.random(5), other.random(5))


def test_generator_state_is_a_snapshot() -> None:
    rng = np.random.default_rng(0)
    state = generator_state(rng)
    before = pack(state)
    rng.random(7)
    assert pack(state) == before


@pytest.mark.parametrize(
    "state",
    [
        generator_state(np.random.Generator(np.random.MT19937(0))),
        {"bit_generator": "PCG64"},
        {
            "bit_generator": "PCG64",
            "state": {"state": "x", "inc": 1},
            "has_uint32": 0,
            "uinteger": 0,
        },
        {},
    ],
)
def test_foreign_generator_state_is_refused(state: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    before = pack(generator_state(rng))
    with pytest.raises(StateError, match="build the optimizer as it was first built"):
        restore_generator(rng, state)
    assert pack(generator_state(rng)) == before
