"""Told rows joined with what was asked, whatever the order, the sizes and the gaps."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from blackbox.batch import Batch
from blackbox.errors import StorageError
from blackbox.storage import StudyWriter, history, reasons


@pytest.fixture
def writer(tmp_path: Path):
    with StudyWriter(tmp_path / "study", {}, synchronous="normal") as made:
        yield made


def rows(ids) -> Batch:
    ids = np.asarray(ids)
    names = np.array([f"name {i % 5}" for i in ids.tolist()])
    return Batch(
        {"id": ids, "x": ids / 8, "mix": np.stack([ids, -ids], 1) / 2.0, "k": ids * 3, "a": names}
    )


def test_random_asks_and_tells_against_a_plain_model(writer: StudyWriter) -> None:
    rng = np.random.default_rng(0)
    pending: list[int] = []
    model: list[dict] = []
    start = 0
    for _ in range(60):
        n = int(rng.choice([1, 1, 1, 5, 30]))
        ids = np.arange(start, start + n)
        start += n + int(rng.integers(0, 2)) * 3  # ids with gaps
        writer.ask(None, rows(ids))
        pending += ids.tolist()
        rng.shuffle(pending)
        done = np.array([pending.pop() for _ in range(min(len(pending), n))])
        outcome = {"f": rng.standard_normal(len(done)), "ok": rng.random(len(done)) < 0.9}
        writer.tell(Batch({"id": done, **outcome}))
        for i, row in enumerate(rows(done)):
            model.append({**row, "f": outcome["f"][i], "ok": outcome["ok"][i]})
    told = writer.history()
    assert told.names == ("id", "x", "mix", "k", "a", "f", "ok")
    assert len(told) == len(model)
    for got, expected in zip(told, model, strict=True):
        assert got["mix"].tolist() == expected["mix"].tolist()
        assert {k: v for k, v in got.items() if k != "mix"} == {
            k: v for k, v in expected.items() if k != "mix"
        }


def test_outside_rows_and_columns_that_come_and_go(writer: StudyWriter) -> None:
    writer.ask(2, Batch({"id": [0, 1], "x": [0.1, 0.2], "k": [1, 2], "a": ["u", "v"]}))
    writer.tell(Batch({"id": [-1], "x": [9.0], "f": [0.5], "flag": [True], "count": [7]}))
    writer.tell(Batch({"id": [1], "f": [1.5], "ok": [False]}), {1: "boom"})
    writer.tell(Batch({"id": [0], "f": [2.5], "note": ["late"]}))
    told = writer.history()
    assert told["id"].tolist() == [-1, 1, 0]
    assert told["x"].tolist() == [9.0, 0.2, 0.1]
    assert told["a"].tolist() == [None, "v", "u"]
    assert told["f"].tolist() == [0.5, 1.5, 2.5]
    assert told["note"].tolist() == [None, None, "late"]
    assert told["flag"].tolist() == [True, None, None]
    assert told["ok"].tolist() == [True, False, True]
    np.testing.assert_array_equal(told["k"], [np.nan, 2, 1])
    np.testing.assert_array_equal(told["count"], [7, np.nan, np.nan])
    assert told["ok"].dtype == np.bool_
    assert reasons(writer.events()) == {1: "boom"}


def test_integers_text_and_flags_keep_their_types(writer: StudyWriter) -> None:
    writer.ask(2, Batch({"id": [0], "k": [2**62 + 1], "a": ["u"], "b": [True]}))
    writer.ask(2, Batch({"id": [1], "k": [-(2**62) - 1], "a": ["longer"], "b": [False]}))
    writer.tell(Batch({"id": [1, 0], "f": [0.0, 1.0]}))
    told = writer.history()
    assert told["k"].tolist() == [-(2**62) - 1, 2**62 + 1]
    assert told["a"].tolist() == ["longer", "u"]
    assert [told[name].dtype.kind for name in ("k", "a", "b")] == ["i", "U", "b"]


def test_none_beside_numbers(writer: StudyWriter) -> None:
    first = Batch.of({"id": np.array([0]), "v": np.array([None], dtype=object)}, 1)
    writer.ask(1, first)
    writer.ask(1, Batch({"id": [1], "v": [0.5]}))
    writer.tell(Batch({"id": [1, 0], "f": [0.0, 1.0]}))
    assert writer.history()["v"].tolist() == [0.5, None]


def test_no_rows(writer: StudyWriter) -> None:
    assert len(writer.history()) == 0
    writer.ask(1, rows([0]))
    assert len(writer.history()) == 0
    assert "x" in writer.history()


def test_events_from_the_middle_are_refused(writer: StudyWriter) -> None:
    writer.ask(1, rows([3]))
    writer.tell(Batch({"id": [3], "f": [1.0]}))
    with pytest.raises(StorageError, match="row 3 was told but never asked"):
        history(writer.events(after=1))


def test_a_column_of_changing_width_is_refused(writer: StudyWriter) -> None:
    writer.ask(1, Batch({"id": [0], "v": np.zeros((1, 2))}))
    writer.ask(1, Batch({"id": [1], "v": np.zeros((1, 3))}))
    writer.tell(Batch({"id": [0, 1], "f": [0.0, 0.0]}))
    with pytest.raises(StorageError, match="column 'v' changes its width"):
        writer.history()


def test_a_million_rows_are_read_in_a_few_cpu_seconds(writer: StudyWriter) -> None:
    n, size = 1_000_000, 10_000
    values = np.random.default_rng(0).random((size, 5))
    for start in range(0, n, size):
        ids = np.arange(start, start + size)
        writer.ask(size, Batch.of({"id": ids, "x": values}, size))
        writer.tell(Batch.of({"id": ids[::-1].copy(), "f": values[:, 0]}, size))
    begin = time.process_time()
    told = writer.history()
    # Measured 0.2 s; ten times that catches a loop over rows without measuring the machine.
    assert time.process_time() - begin < 2
    assert told["x"].shape == (n, 5)
    assert told["id"][:2].tolist() == [size - 1, size - 2]
    assert told["x"][0].tolist() == values[-1].tolist()
