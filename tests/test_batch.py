"""Laws of the columnar table: joining, taking, replacing; and who may write what."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from blackbox.batch import Batch, as_column
from blackbox.errors import BatchError

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
MIXED = st.none() | st.booleans() | INT64 | st.floats() | TEXT
KINDS: dict[str, tuple[Any, Any]] = {
    "float": (np.float64, st.floats()),
    "int": (np.int64, INT64),
    "bool": (np.bool_, st.booleans()),
    "str": (np.dtype("U6"), TEXT),
    "object": (np.dtype(object), MIXED),
}
NAMES = ("x", "mix", "act", "id", "ok")


@st.composite
def schemas(draw: st.DrawFn) -> dict[str, tuple[str, int | None]]:
    """Column name to kind and width."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    return {
        name: (draw(st.sampled_from(sorted(KINDS))), draw(st.none() | st.integers(1, 3)))
        for name in names
    }


@st.composite
def batches(draw: st.DrawFn, schema: dict[str, Any] | None = None) -> Batch:
    schema = schema or draw(schemas())
    n = draw(st.integers(0, 6))
    columns = {}
    for name, (kind, width) in schema.items():
        dtype, elements = KINDS[kind]
        shape = (n,) if width is None else (n, width)
        columns[name] = draw(hnp.arrays(dtype, shape, elements=elements))
    return Batch(columns)


@st.composite
def alike(draw: st.DrawFn, count: int = 3) -> list[Batch]:
    """Batches with the same columns."""
    schema = draw(schemas())
    return [draw(batches(schema)) for _ in range(count)]


@given(alike())
@settings(max_examples=50)
def test_concat_is_associative_with_lengths_that_add_up(parts: list[Batch]) -> None:
    a, b, c = parts
    joined = Batch.concat(parts)
    assert len(joined) == len(a) + len(b) + len(c)
    assert Batch.concat([Batch.concat([a, b]), c]) == joined
    assert Batch.concat([a, Batch.concat([b, c])]) == joined
    assert Batch.concat([joined]) == joined


@given(alike())
@settings(max_examples=50)
def test_slices_of_a_concat_are_its_parts(parts: list[Batch]) -> None:
    joined = Batch.concat(parts)
    start = 0
    for part in parts:
        assert joined[start : start + len(part)] == part
        start += len(part)


@given(batches(), st.data())
@settings(max_examples=50)
def test_masks_positions_and_slices_take_the_same_rows(batch: Batch, data: st.DataObject) -> None:
    n = len(batch)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=bool)
    taken = batch[mask]
    assert taken == batch[np.flatnonzero(mask)] == batch[np.flatnonzero(mask).tolist()]
    assert len(taken) == mask.sum()
    shuffled = data.draw(st.permutations(range(n)))
    again = batch[shuffled]
    assert again[np.argsort(shuffled)] == batch
    assert batch[::-1][::-1] == batch == batch[:]


@given(batches())
@settings(max_examples=50)
def test_select_and_drop_share_the_columns_out(batch: Batch) -> None:
    names = batch.names
    assert batch.select(names) == batch
    assert batch.select(reversed(names)).names == tuple(reversed(names))
    kept, rest = batch.select(names[:1]), batch.drop(names[0])
    assert len(kept) == len(rest) == len(batch)
    assert {*kept.names, *rest.names} == set(names)
    assert kept.with_columns(**rest.columns()) == batch
    assert batch.drop("absent") == batch


@given(batches())
@settings(max_examples=50)
def test_with_columns_adds_replaces_and_leaves_the_old_batch(batch: Batch) -> None:
    before = copy.deepcopy(batch.columns())
    made = batch.with_columns(new=1.5, x=np.arange(len(batch)))
    assert len(made) == len(batch)
    np.testing.assert_array_equal(made["new"], np.full(len(batch), 1.5))
    np.testing.assert_array_equal(made["x"], np.arange(len(batch)))
    assert batch == Batch(before)


@given(batches())
@settings(max_examples=50)
def test_rows_are_plain_python_the_same_by_number_and_by_iteration(batch: Batch) -> None:
    rows = list(batch)
    assert len(rows) == len(batch)
    for i, row in enumerate(rows):
        for other in (batch[i], batch[i - len(batch)], batch[np.int64(i)]):
            assert list(row) == list(other) == list(batch.names)
            for name, value in row.items():
                assert type(value) is type(other[name])
                if batch[name].ndim == 2:
                    assert isinstance(value, np.ndarray)
                    assert not value.flags.writeable
                    assert value.shape == batch[name].shape[1:]
                else:
                    assert type(value) in {bool, int, float, str, type(None)}
                    assert value == other[name] or value != value


@given(batches())
@settings(max_examples=50)
def test_every_column_is_read_only_whatever_made_it(batch: Batch) -> None:
    copies = [
        batch,
        batch[:1],
        batch[np.zeros(len(batch), bool)],
        Batch.concat([batch, batch]),
        batch.with_columns(extra=0),
        batch.drop("x"),
        pickle.loads(pickle.dumps(batch)),
        copy.deepcopy(batch),
    ]
    for made in copies:
        for name in made.names:
            assert not made[name].flags.writeable


@given(batches())
@settings(max_examples=50)
def test_pickle_and_equality(batch: Batch) -> None:
    assert pickle.loads(pickle.dumps(batch)) == batch == batch[:]
    assert batch != batch.with_columns(another=1)
    assert batch != "batch"
    if len(batch):
        assert batch != batch[1:]


def test_writing_into_the_given_array_changes_nothing() -> None:
    values = np.array([1.0, 2.0])
    grid = np.zeros((2, 3))
    batch = Batch({"x": values, "half": values[::-1], "grid": grid})
    values[:] = 9
    grid[:] = 9
    assert batch["x"].tolist() == [1, 2]
    assert batch["half"].tolist() == [2, 1]
    assert not batch["grid"].any()


@pytest.mark.parametrize("kind", ["view", "broadcast", "pandas"])
def test_a_read_only_view_of_what_others_write_is_copied(kind: str) -> None:
    owner = np.zeros(3)
    view: Any = owner[:]
    view.setflags(write=False)
    if kind == "broadcast":
        view = np.broadcast_to(owner[:1], (3,))
    if kind == "pandas":
        pd = pytest.importorskip("pandas")
        frame = pd.DataFrame({"x": owner, "y": owner})
        view = frame["x"].to_numpy()
    batch = Batch({"x": view})
    owner[0] = 7.0
    if kind == "pandas":
        frame.loc[0, "x"] = 7.0
    assert batch["x"].tolist() == [0.0, 0.0, 0.0]


def test_columns_of_batches_are_shared_without_a_copy() -> None:
    batch = Batch({"x": [1.0, 2.0], "y": [1, 2]})
    for column in (batch["x"], batch[1:]["x"], batch[[0]]["x"]):
        assert as_column("x", column) is column


def test_given_arrays_stay_writeable() -> None:
    values = np.array([1.0, 2.0])
    Batch({"x": values})
    values[0] = 5
    assert values[0] == 5


def test_nan_equals_nan_and_types_count() -> None:
    assert Batch({"x": [math.nan, 1.0]}) == Batch({"x": [math.nan, 1.0]})
    assert Batch({"x": [1]}) != Batch({"x": [1.0]})
    assert Batch({"x": [True]}) != Batch({"x": [1]})
    both = np.array([None, math.nan], dtype=object)
    assert Batch({"x": both}) == Batch({"x": both.copy()})
    assert Batch({"a": [1], "b": [2]}) != Batch({"b": [2], "a": [1]})


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, 2], "i", [1, 2]),
        (np.array([1, 2], np.uint8), "i", [1, 2]),
        (np.array([1, 2], np.float32), "f", [1.0, 2.0]),
        ([True, False], "b", [True, False]),
        ([1, 2.5], "f", [1.0, 2.5]),
        (["a", "bcd"], "U", ["a", "bcd"]),
        (["a", None], "O", ["a", None]),
        (["a", 1], "O", ["a", 1]),
        (["a", 1.5, True, None], "O", ["a", 1.5, True, None]),
        ([["a", 1], ["b", 2]], "O", [["a", 1], ["b", 2]]),
        (("a", np.int64(3)), "O", ["a", 3]),
        ([None, np.float64(0.5)], "O", [None, 0.5]),
        ([], "f", []),
    ],
)
def test_columns_have_one_type_for_each_kind_of_value(
    values: Any, kind: str, expected: Any
) -> None:
    column = as_column("x", values)
    assert column.dtype.kind == kind
    assert column.tolist() == expected
    flat = np.array(expected, dtype=object).ravel().tolist()
    assert [type(v) for v in column.ravel().tolist()] == [type(v) for v in flat]
    if kind in "fi":
        assert column.dtype.itemsize == 8


def test_concat_of_mixed_kinds_keeps_values() -> None:
    joined = Batch.concat([Batch({"c": ["a"]}), Batch({"c": [1]}), Batch({"c": [None]})])
    assert joined["c"].tolist() == ["a", 1, None]
    assert Batch.concat([Batch({"x": [1]}), Batch({"x": [0.5]})])["x"].dtype == np.float64
    longer = Batch.concat([Batch({"c": ["a"]}), Batch({"c": ["longer"]})])
    assert longer["c"].tolist() == ["a", "longer"]


def test_empty_batches() -> None:
    nothing = Batch({})
    assert (len(nothing), nothing.names, list(nothing)) == (0, (), [])
    assert Batch.concat([]) == nothing
    none = Batch({"x": [], "c": np.array([], dtype=str)})
    assert len(none) == 0
    assert list(none) == []
    assert Batch.concat([none, none]) == none
    assert none[np.zeros(0, bool)] == none == none[[]]
    assert Batch({"x": 2.0}, n=3)["x"].tolist() == [2, 2, 2]
    assert list(Batch({}, n=2)) == [{}, {}]
    assert Batch({}, n=2).with_columns(x=1)["x"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Batch({"x": [1, 2], "y": [1]}), r"column 'y' has 1 rows where the batch has 2"),
        (lambda: Batch([1, 2]), r"columns are \[1, 2\]; give a dict"),  # type: ignore[arg-type]
        (lambda: Batch({"x": 1}), r"column 'x' is the scalar 1; give one value a row"),
        (lambda: Batch({"": [1]}), r"column name '' must be a non-empty string"),
        (lambda: Batch({3: [1]}), r"column name 3 must be a non-empty string"),  # type: ignore[dict-item]
        (lambda: Batch({"x": [[1], [1, 2]]}), r"column 'x' is ragged: give every row the same"),
        (
            lambda: Batch({"x": np.zeros((1, 2, 3))}),
            r"column 'x' has shape \(1, 2, 3\); give \(n,\)",
        ),
        (lambda: Batch({"x": [1j]}), r"column 'x' has type complex128; give float, int, bool or"),
        (lambda: Batch({"x": np.array(["2020"], "M8[D]")}), r"column 'x' has type datetime64"),
        (lambda: Batch({"x": [b"raw"]}), r"column 'x' has type \|S3; give"),
        (lambda: Batch({"x": [{"a": 1}]}), r"column 'x' holds \{'a': 1\} of type dict; give None"),
        (
            lambda: Batch({"x": [2**63]}),
            r"column 'x' holds 9223372036854775808, which does not fit",
        ),
        (lambda: Batch({"x": [2**70]}), r"column 'x' holds 1180591620717411303424, which does not"),
        (lambda: Batch({"x": [1]})["y"], r"no column 'y'; the batch has \['x'\]"),
        (lambda: Batch({"x": [1]}).select(["y"]), r"no column 'y'; the batch has \['x'\]"),
        (
            lambda: Batch({"x": [1]})[np.array([True, False])],
            r"mask of shape \(2,\) for a batch of 1",
        ),
        (lambda: Batch({"x": [1]})[np.array([[0]])], r"rows \[\[0\]\] of a batch; give a boolean"),
        (
            lambda: Batch({"x": [1, 2]})[[0.5]],
            r"rows \[0.5\].*give a boolean mask or int positions",
        ),
        (
            lambda: Batch({"x": [1]}).with_columns(y=[1, 2]),
            r"column 'y' has 2 rows where the batch",
        ),
        (
            lambda: Batch.concat([Batch({"x": [1]}), Batch({"y": [1]})]),
            r"columns \['x'\] and \['y'\] cannot be joined: give both the same columns",
        ),
        (
            lambda: Batch.concat([Batch({"x": [[1]]}), Batch({"x": [[1, 2]]})]),
            r"column 'x' has another width in one of the batches",
        ),
    ],
)
def test_bad_input_is_refused_by_name_and_value(make: Any, message: str) -> None:
    with pytest.raises(BatchError, match=message):
        make()


def test_row_out_of_range_is_an_index_error() -> None:
    with pytest.raises(IndexError, match="row 2 of a batch of 2 rows"):
        Batch({"x": [1, 2]})[2]
    with pytest.raises(IndexError, match="row -3"):
        Batch({"x": [1, 2]})[-3]
    with pytest.raises(IndexError, match="index 3 is out of bounds"):
        Batch({"x": [1]})[[3]]


def test_dataframe_splits_vectors_by_their_labels() -> None:
    batch = Batch({"id": [0, 1], "mix": [[0.2, 0.8], [1, 0]], "act": ["a", "b"]})
    frame = batch.to_dataframe({"mix": ("web", "code")})
    assert list(frame.columns) == ["id", "mix[web]", "mix[code]", "act"]
    assert frame["mix[code]"].tolist() == [0.8, 0.0]
    assert list(batch.flat()) == ["id", "mix[0]", "mix[1]", "act"]


def test_html_escapes_and_says_what_it_leaves_out() -> None:
    html = Batch({"c": ["<b>"] * 25})._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert "25 rows, the first 20 shown" in html
