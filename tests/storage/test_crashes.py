"""A store whose writer is killed, and whose files are damaged, loses nothing in silence."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from blackbox.storage import StudyReader
from studies.benchmarks.faults import (
    Found,
    Promised,
    damage,
    inspect,
    kill_once,
    outcome_of_damage,
    outcomes,
    parameters,
    write_and_die,
)

KILLS = 15
KILLS_OF_THE_OTHER_JOURNAL = 5


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose writer was killed; its log is still beside it."""
    folder = tmp_path_factory.mktemp("killed") / "study"
    write_and_die(folder, 1, 40)
    assert (folder / "study.db-wal").stat().st_size > 0
    return folder


def test_killed_again_and_again_nothing_promised_is_lost(tmp_path: Path) -> None:
    promised = Promised(set(), set())
    events = 0
    for seed in range(KILLS):
        kill_once(tmp_path / "study", seed, promised)
        found = inspect(tmp_path / "study", promised)
        assert (found.lost, found.wrong) == (0, 0)
        assert found.events > events
        events = found.events
    assert len(promised.told) > KILLS


def test_the_rollback_journal_loses_nothing_either(tmp_path: Path) -> None:
    promised = Promised(set(), set())
    for seed in range(KILLS_OF_THE_OTHER_JOURNAL):
        kill_once(tmp_path / "study", seed, promised, journal="delete")
        found = inspect(tmp_path / "study", promised)
        assert (found.lost, found.wrong) == (0, 0)
    assert promised.told


@pytest.mark.parametrize("shared_memory", [True, False])
def test_a_killed_study_can_be_read_without_a_writer(
    killed: Path, tmp_path: Path, shared_memory: bool
) -> None:
    folder = tmp_path / "study"
    shutil.copytree(killed, folder)
    if not shared_memory:
        (folder / "study.db-shm").unlink()
    with StudyReader(folder) as reader:
        events = list(reader.events())
        told = reader.history()
    assert len(events) >= 80
    assert told.select(["id", "f", "ok"]) == outcomes(told["id"])
    assert told.select(["id", "x", "word"]) == parameters(told["id"])


def test_inspection_notices_a_lost_and_a_wrong_row(killed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    shutil.copytree(killed, folder)
    promised = Promised({10**9}, {10**9})
    assert inspect(folder, promised).lost == 2
    assert isinstance(inspect(folder, Promised(set(), set())), Found)


@pytest.mark.parametrize("way", ["cut", "remove", "flip"])
def test_damaged_log_reopens_as_a_prefix(killed: Path, way: str) -> None:
    seen = Counter(outcome_of_damage(killed, "study.db-wal", way, seed) for seed in range(12))
    assert set(seen) <= {"prefix", "whole"}, seen
    assert seen["prefix"] > 0


@pytest.mark.parametrize("way", ["cut", "remove", "flip"])
def test_damaged_file_is_whole_a_prefix_or_refused(killed: Path, tmp_path: Path, way: str) -> None:
    clean = tmp_path / "clean"
    shutil.copytree(killed, clean)
    inspect(clean, Promised(set(), set()))  # opens and closes it: the log goes into the file
    seen = Counter(outcome_of_damage(clean, "study.db", way, seed) for seed in range(15))
    assert "WRONG" not in seen, seen
    assert seen["refused"] > 0


def test_damage_changes_the_file(tmp_path: Path) -> None:
    for way in ("cut", "remove", "flip"):
        path = tmp_path / way
        path.write_bytes(bytes(range(256)) * 10)
        damage(path, random.Random(3), way)
        assert path.read_bytes() != bytes(range(256)) * 10
