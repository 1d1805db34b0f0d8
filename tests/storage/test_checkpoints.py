"""Checkpoints are caches: whole or passed over, never a reason to fail."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from blackbox.batch import Batch
from blackbox.errors import StateError
from blackbox.storage import StudyWriter

LARGE = np.arange(300_000.0)  # 2.4 MB


@pytest.fixture
def writer(tmp_path: Path):
    with StudyWriter(tmp_path / "study", {}) as made:
        yield made


def side_files(folder: Path) -> list[Path]:
    return sorted((folder / "study").glob("state-*"))


def grow(writer: StudyWriter) -> int:
    return writer.ask(1, Batch({"id": [writer.last]}))


def test_the_newest_comes_back(writer: StudyWriter) -> None:
    assert writer.latest_checkpoint() is None
    writer.checkpoint({"step": 0})
    assert writer.latest_checkpoint() == (0, {"step": 0})
    for step in range(1, 5):
        assert grow(writer) == step
        writer.checkpoint({"step": step, "rng": {"words": [1, 2]}, "nan": float("inf")})
    expected = {"step": 4, "rng": {"words": [1, 2]}, "nan": float("inf")}
    assert writer.latest_checkpoint() == (4, expected)


def test_large_states_lie_beside_and_two_are_kept(writer: StudyWriter, tmp_path: Path) -> None:
    for step in range(4):
        grow(writer)
        writer.checkpoint({"array": LARGE + step})
    seq, state = writer.latest_checkpoint()
    assert seq == 4
    assert (state["array"] == LARGE + 3).all()
    assert len(side_files(tmp_path)) == 2
    assert (tmp_path / "study" / "study.db").stat().st_size < 100_000
    for step in range(2):
        writer.checkpoint({"step": step})
    assert side_files(tmp_path) == []


def test_two_checkpoints_of_one_state_share_a_file(writer: StudyWriter, tmp_path: Path) -> None:
    writer.checkpoint({"array": LARGE})
    grow(writer)
    writer.checkpoint({"array": LARGE})
    assert len(side_files(tmp_path)) == 1
    grow(writer)
    writer.checkpoint({"small": 1})
    assert len(side_files(tmp_path)) == 1  # the older checkpoint still needs it
    writer.checkpoint({"small": 2})
    assert side_files(tmp_path) == []


DAMAGES = {
    "missing": lambda path: path.unlink(),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "empty": lambda path: path.write_bytes(b""),
    "flipped": lambda path: path.write_bytes(path.read_bytes()[:-1] + b"?"),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("hurt", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_side_file_is_passed_over(tmp_path: Path, hurt) -> None:
    with StudyWriter(tmp_path / "study", {}) as writer:
        writer.checkpoint({"step": 0})
        grow(writer)
        writer.checkpoint({"array": LARGE})
        hurt(side_files(tmp_path)[0])
        with pytest.warns(RuntimeWarning, match="checkpoint at event 1 cannot be used"):
            assert writer.latest_checkpoint() == (0, {"step": 0})
    with StudyWriter(tmp_path / "study", {}) as writer:
        grow(writer)
        writer.checkpoint({"step": 2})
        assert writer.latest_checkpoint() == (2, {"step": 2})


def test_without_any_whole_checkpoint_there_is_none(writer: StudyWriter, tmp_path: Path) -> None:
    for step in range(2):
        writer.checkpoint({"array": LARGE + step})
    for path in side_files(tmp_path):
        path.write_bytes(b"BBX1")
    with pytest.warns(RuntimeWarning) as caught:
        assert writer.latest_checkpoint() is None
    assert len(caught) == 2


def test_a_state_damaged_in_the_database(tmp_path: Path) -> None:
    with StudyWriter(tmp_path / "study", {}) as writer:
        writer.checkpoint({"step": 0})
        writer.checkpoint({"step": 1})
    connection = sqlite3.connect(tmp_path / "study" / "study.db")
    connection.execute("UPDATE checkpoints SET state = x'42425831' WHERE number = 2")
    connection.commit()
    connection.close()
    with StudyWriter(tmp_path / "study", {}) as writer, pytest.warns(RuntimeWarning):
        assert writer.latest_checkpoint() == (0, {"step": 0})


def test_orphans_of_a_crash_are_swept_and_other_files_left(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    StudyWriter(folder, {}).close()
    name = "state-" + "0" * 64 + ".bin"
    for orphan in (name, name + ".tmp", "state-notes.bin", "state-0.bin"):
        (folder / orphan).write_bytes(b"x")
    StudyWriter(folder, {}).close()
    assert [path.name for path in side_files(tmp_path)] == ["state-0.bin", "state-notes.bin"]


def test_a_state_that_cannot_be_stored(writer: StudyWriter) -> None:
    writer.checkpoint({"step": 0})
    with pytest.raises(StateError, match=r"state\.model is a object"):
        writer.checkpoint({"model": object()})
    assert writer.latest_checkpoint() == (0, {"step": 0})
    grow(writer)


def test_a_group_that_is_undone_keeps_the_older_files(writer: StudyWriter, tmp_path: Path) -> None:
    writer.checkpoint({"array": LARGE})
    writer.checkpoint({"array": LARGE + 1})
    with pytest.raises(RuntimeError), writer.transaction():  # noqa: PT012
        writer.checkpoint({"array": LARGE + 2})
        writer.checkpoint({"array": LARGE + 3})
        raise RuntimeError
    assert (writer.latest_checkpoint()[1]["array"] == LARGE + 1).all()
    writer.checkpoint({"array": LARGE + 4})
    assert len(side_files(tmp_path)) == 2
