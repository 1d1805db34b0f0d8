"""What a writer stores, what it refuses, and that refusing leaves nothing behind."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

from blackbox.batch import Batch
from blackbox.errors import StorageError, StudyMismatchError, TellError
from blackbox.storage import AskEvent, StudyReader, StudyWriter, TellEvent

HEADER = {"space": {"x": {"low": 0, "high": 3}}, "info": {"version": "0.1"}}


def asked(*ids: int) -> Batch:
    return Batch({"id": list(ids), "x": [i / 2 for i in ids], "act": [f"a{i}" for i in ids]})


def told(*ids: int) -> Batch:
    return asked(*ids).with_columns(f=[-float(i) for i in ids], ok=True)


@pytest.fixture
def writer(tmp_path: Path):
    with StudyWriter(tmp_path / "study", HEADER) as made:
        yield made


def test_events_come_back_as_they_went_in(writer: StudyWriter) -> None:
    assert writer.ask(4, asked(0, 1, 2)) == 1
    assert writer.ask(None, asked(3)) == 2
    outcome = told(2, 0).with_columns(ok=[True, False])
    assert writer.tell(outcome, {0: "Traceback: ñ\0\ud800"}, seconds=1.5) == 3
    first, second, third = writer.events()
    assert isinstance(first, AskEvent)
    assert (first.seq, first.n, first.requested) == (1, 3, 4)
    assert first.batch == asked(0, 1, 2)
    assert isinstance(second, AskEvent)
    assert second.requested is None
    assert isinstance(third, TellEvent)
    assert third.seconds == 1.5
    assert third.reasons == {0: "Traceback: ñ\0\ud800"}
    assert third.batch == outcome.drop("x", "act")
    assert [event.seq for event in writer.events(after=1)] == [2, 3]


def test_asked_columns_are_not_stored_again(writer: StudyWriter) -> None:
    writer.ask(2, asked(0, 1))
    writer.tell(told(0))
    writer.tell(told(1).with_columns(x=[9.0]), changed=["x"])
    events = list(writer.events())
    assert events[1].batch.names == ("id", "f", "ok")
    assert events[2].batch.names == ("id", "x", "f", "ok")
    assert writer.history()["x"].tolist() == [0.0, 9.0]


def test_a_column_asked_for_one_row_and_told_for_another(writer: StudyWriter) -> None:
    writer.ask(1, Batch({"id": [0], "x": [1.0], "note": ["asked"]}))
    writer.ask(1, Batch({"id": [1], "x": [2.0]}))
    rows = Batch({"id": [0, 1], "x": [1.0, 2.0], "note": ["told 0", "told 1"], "f": [0.0, 0.0]})
    writer.tell(rows)
    assert list(writer.events())[2].batch.names == ("id", "note", "f")
    assert writer.history()["note"].tolist() == ["told 0", "told 1"]


def test_rows_from_outside_bring_all_columns(writer: StudyWriter) -> None:
    writer.ask(1, asked(0))
    outside = told(5, 6).with_columns(id=-1)
    writer.tell(outside)
    writer.tell(outside)
    mixed = Batch.concat([told(0), told(7).with_columns(id=-1)])
    writer.tell(mixed)
    events = list(writer.events())
    assert events[1].batch == outside
    assert events[3].batch == mixed
    assert events[1].packed_ids is None


def test_ids_of_any_order_and_distance(writer: StudyWriter) -> None:
    for ids in ([7, 3, 4095, 4096], [10**12, 5], [2**62], [8, 9, 10]):
        writer.ask(None, Batch({"id": ids}))
        writer.tell(Batch({"id": ids[::-1], "f": np.zeros(len(ids))}))
        assert list(writer.events())[-1].ids.tolist() == ids[::-1]
    assert writer.is_told(np.array([4096, 6, 2**62, -1])).tolist() == [True, False, True, False]
    assert writer.pending.tolist() == []


def test_an_empty_batch_is_an_event(writer: StudyWriter) -> None:
    writer.ask(3, asked(0)[:0])
    assert [(event.n, len(event.batch)) for event in writer.events()] == [(0, 0)]
    assert len(writer.history()) == 0


REFUSED_TELLS = [
    (told(9), r"ids \[9\] were never asked"),
    (told(0), r"ids \[0\] were told before"),
    (told(1, 1), r"ids \[1\] stand twice"),
    (told(1).with_columns(id=[-2]), r"ids \[-2\] must be -1"),
    (told(*range(100, 120)), r"\[100, .*109\] and 10 more were never asked"),
]


@pytest.mark.parametrize(("batch", "message"), REFUSED_TELLS, ids=lambda v: str(v)[:20])
def test_tells_that_are_refused(writer: StudyWriter, batch: Batch, message: str) -> None:
    writer.ask(2, asked(0, 1))
    writer.tell(told(0))
    with pytest.raises(TellError, match=message):
        writer.tell(batch)
    assert writer.last == 2
    assert writer.pending.tolist() == [1]
    assert writer.tell(told(1)) == 3


def test_a_reason_without_a_row_is_refused(writer: StudyWriter) -> None:
    writer.ask(2, asked(0, 1))
    with pytest.raises(TellError, match=r"reasons for ids \[7\]"):
        writer.tell(told(0), {7: "?"})


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (asked(1), r"ids \[1\] were asked before"),
        (asked(-1), r"ids \[-1\] are negative"),
        (asked(4, 4), r"ids \[4\] stand twice"),
        (Batch({"x": [1.0]}), "without column 'id'"),
        (Batch({"id": [1.0]}), r"column 'id' is float64\[1\]"),
    ],
    ids=lambda v: str(v)[:20],
)
def test_asks_that_are_refused(writer: StudyWriter, batch: Batch, message: str) -> None:
    writer.ask(2, asked(0, 1))
    with pytest.raises(StorageError, match=message):
        writer.ask(1, batch)
    assert writer.last == 1


def test_a_batch_that_cannot_be_stored_leaves_nothing(writer: StudyWriter) -> None:
    writer.ask(1, asked(0))
    odd = Batch.of({"id": np.array([1]), "new": np.array([{2}], dtype=object)}, 1)
    with pytest.raises(StorageError, match="column 'new'"):
        writer.ask(1, odd)
    writer.ask(1, asked(1))
    assert [event.seq for event in writer.events()] == [1, 2]


def test_what_was_asked_and_told_is_known_after_reopening(tmp_path: Path) -> None:
    with StudyWriter(tmp_path, HEADER) as writer:
        assert not writer.resumed
        writer.ask(5, asked(*range(5)))
        writer.tell(told(3, 1))
        writer.tell(told(8).with_columns(id=-1))
    with StudyWriter(tmp_path, HEADER) as writer:
        assert writer.resumed
        assert writer.last == 3
        assert writer.pending.tolist() == [0, 2, 4]
        with pytest.raises(TellError, match="told before"):
            writer.tell(told(3))
        with pytest.raises(StorageError, match="asked before"):
            writer.ask(1, asked(4))
        writer.tell(told(4))
        assert list(writer.events())[-1].batch.names == ("id", "f", "ok")


def test_summary(writer: StudyWriter) -> None:
    assert writer.summary().updated is None
    writer.ask(3, asked(0, 1, 2))
    writer.tell(told(0, 1), seconds=2.5)
    summary = writer.summary()
    assert (summary.events, summary.asked, summary.told, summary.seconds) == (2, 3, 2, 2.5)
    assert summary.updated is not None


def test_a_group_is_stored_as_a_whole(writer: StudyWriter, tmp_path: Path) -> None:
    with StudyReader(tmp_path / "study") as reader:
        with writer.transaction():
            writer.ask(1, asked(0))
            writer.tell(told(0))
            writer.checkpoint({"a": 1})
            assert list(reader.events()) == []
        assert len(list(reader.events())) == 2
    assert writer.latest_checkpoint() == (2, {"a": 1})


def test_an_error_undoes_the_group(writer: StudyWriter) -> None:
    writer.ask(1, asked(0))
    with pytest.raises(RuntimeError, match="mine"), writer.transaction():  # noqa: PT012
        writer.ask(1, asked(1).with_columns(other=2.0))
        writer.tell(told(0))
        raise RuntimeError("mine")
    assert writer.last == 1
    assert writer.pending.tolist() == [0]
    writer.ask(1, asked(1).with_columns(other=2.0))
    writer.tell(told(0))
    assert [event.seq for event in writer.events()] == [1, 2, 3]


def test_a_group_cannot_go_on_after_a_failed_write(writer: StudyWriter) -> None:
    odd = Batch.of({"id": np.array([1]), "new": np.array([{2}], dtype=object)}, 1)
    with pytest.raises(StorageError, match="undid this"), writer.transaction():  # noqa: PT012
        writer.ask(1, asked(0))
        with pytest.raises(StorageError, match="column 'new'"):
            writer.ask(1, odd)
        writer.ask(1, asked(2))
    with pytest.raises(StorageError, match="undid this"), writer.transaction():  # noqa: PT012
        writer.ask(1, asked(0))
        with pytest.raises(StorageError, match="column 'new'"):
            writer.ask(1, odd)
    writer.ask(1, asked(0))
    assert [event.seq for event in writer.events()] == [1]


def test_errors_of_the_user_stay_as_they_are(writer: StudyWriter) -> None:
    with pytest.raises(FileNotFoundError), writer.transaction():
        (Path(writer.header["info"]["version"]) / "absent").read_text()


def test_another_header_is_refused_with_every_difference(tmp_path: Path) -> None:
    stored = {"space": {"x": {"high": 3, "log": False}}, "seed": 1, "optimizer": ["a", "b"]}
    given = {"space": {"x": {"high": 4}, "y": 1}, "seed": True, "optimizer": ["a", "c"]}
    StudyWriter(tmp_path, stored).close()
    with pytest.raises(StudyMismatchError) as caught:
        StudyWriter(tmp_path, given)
    lines = str(caught.value).splitlines()
    assert [line.strip() for line in lines[1:-1]] == [
        'optimizer[1]: stored "b", given "c"',
        "seed: stored 1, given true",
        "space.x.high: stored 3, given 4",
        "space.x.log: stored false, given nothing",
        "space.y: stored nothing, given 1",
    ]
    with StudyWriter(tmp_path, stored):
        pass  # the refusal left neither lock nor change behind


def test_info_may_differ_and_stays_as_stored(tmp_path: Path) -> None:
    StudyWriter(tmp_path, HEADER).close()
    with StudyWriter(tmp_path, {**HEADER, "info": {"version": "9", "date": "now"}}) as writer:
        assert writer.header["info"] == {"version": "0.1"}
    with StudyWriter(tmp_path, {key: HEADER[key] for key in HEADER if key != "info"}) as writer:
        assert writer.header == HEADER


def test_only_the_whole_key_info_may_differ(tmp_path: Path) -> None:
    StudyWriter(tmp_path, {"information": 1}).close()
    with pytest.raises(StudyMismatchError, match="information: stored 1, given 2"):
        StudyWriter(tmp_path, {"information": 2})


def test_headers_of_numpy_values_tuples_and_nan(tmp_path: Path) -> None:
    header = {"low": np.float64(-np.inf), "x": float("nan"), "sizes": (1, 2), "a": np.arange(2)}
    StudyWriter(tmp_path, header).close()
    with StudyWriter(tmp_path, header) as writer:
        assert writer.header["sizes"] == [1, 2]


def test_a_header_that_cannot_be_stored(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"header cannot be stored: .*object"):
        StudyWriter(tmp_path / "study", {"problem": object()})
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"synchronous": "off"}, "synchronous='off': give one of 'full', 'normal'"),
        ({"journal": "memory"}, "journal='memory': give one of None, 'wal', 'delete'"),
    ],
)
def test_unknown_options(tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(StorageError, match=message):
        StudyWriter(tmp_path, {}, **options)


@pytest.mark.parametrize("synchronous", ["full", "normal"])
@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_every_mode_stores_and_the_next_may_be_another(
    tmp_path: Path, journal: str, synchronous: str
) -> None:
    StudyWriter(tmp_path, {}).close()
    with StudyWriter(tmp_path, {}, journal=journal, synchronous=synchronous) as writer:
        writer.ask(1, asked(0))
        with StudyReader(tmp_path) as reader:
            assert len(list(reader.events())) == 1
        writer.tell(told(0))
        assert (tmp_path / "study.db-wal").exists() == (journal == "wal")
    with StudyWriter(tmp_path, {}) as writer:
        assert len(writer.history()) == 1
        assert (tmp_path / "study.db-wal").exists()


def test_the_log_stays_bounded(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with StudyWriter(tmp_path, {}, synchronous="normal") as writer, StudyReader(tmp_path) as other:
        halfway = []
        for start in range(0, 80_000, 1000):
            ids = np.arange(start, start + 1000)
            writer.ask(None, Batch.of({"id": ids, "x": rng.random((1000, 20))}, 1000))
            # A reader in the midst of its events must not hold the log back.
            halfway.append(other.events())
            next(halfway[-1])
        assert (tmp_path / "study.db").stat().st_size > 10e6
        assert (tmp_path / "study.db-wal").stat().st_size < 6e6
    assert not (tmp_path / "study.db-wal").exists()


def test_closed_and_dropped_writers(tmp_path: Path) -> None:
    writer = StudyWriter(tmp_path, {})
    writer.ask(1, asked(0))
    writer.close()
    writer.close()
    with pytest.raises(StorageError, match="was closed"):
        writer.ask(1, asked(1))
    dropped = StudyWriter(tmp_path, {})
    del dropped
    gc.collect()
    with StudyWriter(tmp_path, {}) as again:
        assert again.last == 1
