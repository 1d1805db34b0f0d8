"""Every batch survives the way to bytes and back, bit by bit."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox.batch import Batch
from blackbox.errors import StorageError
from blackbox.storage import StudyReader, StudyWriter
from blackbox.storage.blocks import Layout

TEXT = st.text(st.characters(), max_size=8)  # surrogates and NUL included
ANY_FLOAT = st.floats(width=64, allow_nan=True, allow_infinity=True)
INT64 = st.integers(-(2**63), 2**63 - 1)
OBJECTS = st.none() | st.booleans() | INT64 | ANY_FLOAT | TEXT
VALUES: dict[str, tuple[st.SearchStrategy, type]] = {
    "f": (ANY_FLOAT, np.float64),
    "i": (INT64, np.int64),
    "b": (st.booleans(), np.bool_),
    "U": (TEXT, np.str_),
    "O": (OBJECTS, np.object_),
}


@st.composite
def batches(draw: Callable, columns: int = 5) -> Batch:
    n = draw(st.integers(0, 6))
    made = {"id": np.arange(n)}
    for name in draw(st.lists(TEXT.filter(bool), max_size=columns, unique=True)):
        if name == "id":
            continue
        values, dtype = VALUES[draw(st.sampled_from(sorted(VALUES)))]
        width = draw(st.none() | st.integers(0, 3))
        size = n if width is None else n * width
        column = np.empty(size, dtype=object)
        column[:] = draw(st.lists(values, min_size=size, max_size=size))
        column = column.astype(dtype if size or dtype is not np.str_ else "U1")
        made[name] = column if width is None else column.reshape(n, width)
    return Batch.of(made, n)


def identical(a: Batch, b: Batch) -> bool:
    """Same names, kinds, shapes and bits: NaN payloads and the sign of zero count."""
    return a.names == b.names and all(
        a[name].shape == b[name].shape
        and a[name].dtype.kind == b[name].dtype.kind
        and _bits(a[name]) == _bits(b[name])
        for name in a.names
    )


def _bits(column: np.ndarray) -> object:
    if column.dtype.kind in "fib":
        return column.tobytes()
    # repr tells 1 from True and from 1.0, and 0.0 from -0.0.
    return [repr(value) for value in column.ravel().tolist()]


@given(batches())
def test_any_batch_round_trips(batch: Batch) -> None:
    layout = Layout.of(batch)
    again = Layout.from_json(layout.to_json())
    assert again == layout
    columns = again.decode([layout.encode(batch)], len(batch))
    assert identical(Batch.of(columns, len(batch)), batch.drop("id"))


@given(batches(), st.integers(1, 4))
def test_like_blocks_decode_together(batch: Batch, times: int) -> None:
    layout = Layout.of(batch)
    if not layout.fixed:
        times = 1
    columns = layout.decode([layout.encode(batch)] * times, len(batch))
    expected = Batch.concat([batch.drop("id")] * times)
    assert identical(Batch.of(columns, len(batch) * times), expected)


def test_nan_payloads_and_signed_zeros_keep_their_bits() -> None:
    bits = np.array([0x7FF8000000000001, 0xFFF800000000BEEF, 0x8000000000000000], np.uint64)
    batch = Batch.of({"x": bits.view(np.float64)}, 3)
    layout = Layout.of(batch)
    decoded = layout.decode([layout.encode(batch)], 3)["x"]
    assert decoded.view(np.uint64).tolist() == bits.tolist()


def test_text_with_nul_and_lone_surrogates_is_kept() -> None:
    words = ["a\0b", "\ud800", "", "日本", "a\0b"]
    batch = Batch({"word": np.array(words)})
    layout = Layout.of(batch)
    assert layout.decode([layout.encode(batch)], 5)["word"].tolist() == words


@pytest.mark.parametrize("count", [1, 256, 257, 65_536, 65_537])
def test_many_different_words(count: int) -> None:
    batch = Batch({"word": np.array([f"w{i}" for i in range(count)])})
    layout = Layout.of(batch)
    decoded = layout.decode([layout.encode(batch)], count)
    assert (decoded["word"] == batch["word"]).all()


def test_repeated_words_take_a_byte_each() -> None:
    batch = Batch({"act": np.array(["relu", "gelu"] * 5000)})
    assert len(Layout.of(batch).encode(batch)) < 10_100


def test_decoded_columns_are_read_only_and_aligned() -> None:
    batch = Batch({"ok": [True] * 3, "x": [0.5] * 3, "n": [1, 2, 3]})
    layout = Layout.of(batch)
    for column in layout.decode([layout.encode(batch)], 3).values():
        assert not column.flags.writeable
        assert column.flags.aligned


def test_other_types_are_refused() -> None:
    with pytest.raises(StorageError, match=r"column 'when' has type datetime64\[s\]"):
        Layout.of(Batch.of({"when": np.zeros(2, "datetime64[s]")}, 2))
    odd = np.array([{1}], dtype=object)
    batch = Batch.of({"odd": odd}, 1)
    with pytest.raises(StorageError, match="column 'odd' cannot be stored"):
        Layout.of(batch).encode(batch)


def test_an_integer_too_long_for_json_is_refused_by_name() -> None:
    batch = Batch.of({"big": np.array([10**5000], dtype=object)}, 1)
    with pytest.raises(StorageError, match="column 'big' cannot be stored"):
        Layout.of(batch).encode(batch)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_block_of_another_size_is_refused(change: int) -> None:
    batch = Batch({"x": [1.0, 2.0], "word": ["a", "b"]})
    layout = Layout.of(batch)
    block = layout.encode(batch)
    block = block[:change] if change < 0 else block + b"x"
    with pytest.raises(StorageError, match="does not fit its columns"):
        layout.decode([block], 2)


@pytest.mark.parametrize("text", ["", "{}x", "[1]", '[["x","V",null]]', '[["x","f"]]'])
def test_a_damaged_layout_is_refused(text: str) -> None:
    with pytest.raises(StorageError):
        Layout.from_json(text)


@settings(max_examples=15)
@given(st.lists(batches(), min_size=1, max_size=4))
def test_any_batch_survives_the_store(given_batches: list[Batch]) -> None:
    # tempfile and not tmp_path: hypothesis runs many examples in one test.
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        start, stored = 0, []
        with StudyWriter(Path(folder), {}, synchronous="normal") as writer:
            for batch in given_batches:
                ids = np.arange(start, start + len(batch))
                start += len(batch)
                stored.append(batch.with_columns(id=ids) if len(batch) else batch)
                writer.ask(None, stored[-1])
        with StudyReader(folder) as reader:
            for event, batch in zip(reader.events(), stored, strict=True):
                assert identical(event.batch, batch)


def test_infinite_and_missing_objects() -> None:
    column = np.array([None, math.inf, -math.inf, math.nan, True, 1, 1.0, "1"], dtype=object)
    batch = Batch({"o": column})
    layout = Layout.of(batch)
    decoded = layout.decode([layout.encode(batch)], 8)["o"].tolist()
    assert list(map(repr, decoded)) == list(map(repr, column.tolist()))
