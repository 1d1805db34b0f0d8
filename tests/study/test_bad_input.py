"""What a user can get wrong around a study: one clear error each, and a store that stays whole."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

import blackbox as bb
from blackbox.errors import (
    ProblemError,
    SpaceError,
    StorageError,
    StudyMismatchError,
    TellError,
)

SPACE = bb.Space(bb.Real("x", -1, 1), bb.Integer("n", 1, 5))


def square(p):
    return p["x"] ** 2 + p["n"]


def problem_of(space=SPACE):
    return bb.problem(square, space)


def study_of(path=None, space=SPACE):
    problem = problem_of(space)
    return bb.Study(problem, bb.Random(problem, seed=0), path)


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ({"x": [0.5], "n": [2]}, TellError, r"outcome 'y' is missing"),
        ({"x": [0.5], "y": [1.0]}, SpaceError, r"column 'n' is missing"),
        ({"x": [np.nan], "n": [2], "y": [1.0]}, SpaceError, r"'x': row 0 is nan; give a number"),
        ({"x": [3.0], "n": [2], "y": [1.0]}, SpaceError, r"'x': row 0 is 3.0; .* from -1.0 to 1"),
        ({"x": [0.5], "n": [2.5], "y": [1.0]}, SpaceError, r"'n': row 0 is 2.5; .*whole number"),
        ({"x": ["a"], "n": [2], "y": [1.0]}, SpaceError, r"'x': values of type <U1.*'a'"),
        ({"x": [0.5], "n": [2], "y": ["good"]}, TellError, r"outcome 'y' is .*good"),
        ({"x": [0.5], "n": [2], "y": [[1.0, 2.0]]}, TellError, r"outcome 'y'"),
        ({"id": [9], "y": [1.0]}, TellError, r"id 10 was never asked for"),
        ({"id": [0, 0], "y": [1.0, 1.0]}, TellError, r"id 1 stands twice"),
        ({"id": [0.0], "y": [1.0]}, TellError, r"'id' is float64"),
        ({"id": [0], "y": [1.0], "ok": [2]}, TellError, r"'ok' is int64"),
    ],
)
def test_wrong_tells_are_refused_and_change_nothing(tmp_path, rows, error, message):
    with study_of(tmp_path / "s") as study:
        study.run(1)
        study.ask(1)
        with pytest.raises(error, match=message):
            study.tell(bb.Batch({k: v if k != "id" else np.add(v, 1) for k, v in rows.items()}))
        before = study.history
        pending = study.optimizer.pending
    with study_of(tmp_path / "s") as study:
        assert study.history.equals(before)
        assert study.optimizer.pending.equals(pending)
        assert study.run(3).told == 3


def test_a_negative_standard_error_is_refused_when_told_and_fails_its_row_when_measured():
    problem = bb.problem(
        lambda p: {"y": p["x"], "sem": p["x"]}, SPACE, bb.Minimize("y", noise="sem")
    )
    study = bb.Study(problem, bb.Random(problem, seed=0))
    with pytest.raises(TellError, match=r"noise 'sem' is -1.0; a standard error is at least 0"):
        study.tell(bb.Batch({"x": [0.5], "n": [2], "y": [1.0], "sem": [-1.0]}))
    study.run(20, on_error="record")
    assert np.array_equal(study.history["ok"], study.history["x"] >= 0)
    assert 0 < study.failed < 20


def test_a_repeat_is_passed_over_unless_it_says_otherwise():
    study = study_of()
    asked = study.ask(1)
    study.tell(asked.with_columns(y=[1.0]))
    assert len(study.tell(bb.Batch({"id": [0]}).with_columns(y=[1]))) == 0
    with pytest.raises(TellError, match=r"outcome 'y' is .*good"):
        study.tell(bb.Batch({"id": [0], "y": ["good"]}))
    with pytest.raises(TellError, match=r"outcome 'y' is missing"):
        study.tell(bb.Batch({"id": [0]}))
    assert study.told == 1


@pytest.mark.parametrize("durable", [True, False])
def test_reasons_are_of_failed_rows_of_the_batch(tmp_path, durable):
    study = study_of(tmp_path / "s" if durable else None)
    rows = study.ask(3).with_columns(y=[np.nan, 1.0, np.nan])
    with pytest.raises(TellError, match=r"reasons for ids \[7\] that are not in the batch"):
        study.tell(rows, {7: "lost"})
    assert study.told == 0
    study.tell(rows[:1], {0: "cold"})
    # Told before, with the same outcome; and one that did not fail at all.
    assert len(study.tell(rows, {0: "again", 1: "fine", 2: "hot"})) == 2
    assert study.failures == {0: "cold", 2: "hot"}
    assert study.run(5).told == 5
    study.close()
    if durable:
        assert bb.open_study(tmp_path / "s").failures == study.failures


def test_what_is_no_problem_or_no_optimizer_is_refused():
    problem = bb.problem(lambda p: p["x"], SPACE)
    with pytest.raises(ProblemError, match="problem is 3; give a Problem"):
        bb.Study(3, bb.Random(problem))
    with pytest.raises(ProblemError, match="give an Optimizer"):
        bb.Study(problem, bb.Random)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda s: s.tell(s.ask(1).with_columns(y=[1.0]), "x"), TellError, "reasons='x'; give a d"),
        (lambda s: s.tell(s.ask(1).with_columns(y=[1.0]), {"a": "b"}), TellError, "dict from the"),
        (lambda s: s.run(3, progress="x"), ProblemError, "progress='x' must be True or False"),
        (lambda s: s.run(3, retries=-1), ProblemError, "retries=-1 must be an int of at least 0"),
        (lambda s: s.run(3, workers=1.5), ProblemError, "workers=1.5 must be a positive int or"),
        (lambda s: bb.Study(s.problem, s.optimizer, 3), StorageError, "path=3; give the path"),
        (lambda s: bb.Study(s.problem, s.optimizer, "a\0"), StorageError, "give the path"),
        (lambda s: bb.Study(s.problem, s.optimizer, name=3), ProblemError, "name=3 must be a str"),
        (
            lambda s: bb.Study(s.problem, s.optimizer, keep_history=0),
            ProblemError,
            "keep_history=0 must be True or False",
        ),
        (lambda s: bb.open_study(3), StorageError, "path=3; give the path"),
        (lambda s: s.problem.measure({"x": 0.5}), ProblemError, "give a Batch"),
        (lambda s: s.problem.scores({"y": [1.0]}), ProblemError, r"scores\(.*give a Batch"),
        (lambda s: s.problem.feasible(3), ProblemError, r"violations\(3\): give a Batch"),
        (lambda s: s.problem.costs(None), ProblemError, r"costs\(None\): give a Batch"),
    ],
)
def test_wrong_arguments_are_named_and_change_nothing(call, error, message):
    study = study_of()
    with pytest.raises(error, match=message):
        call(study)
    assert study.told == 0


def test_a_space_that_does_not_match_names_every_difference(tmp_path):
    study_of(tmp_path / "s").close()
    other = bb.Space(bb.Real("x", -1, 2), bb.Integer("n", 1, 5), bb.Real("z", 0, 1))
    with pytest.raises(StudyMismatchError) as caught:
        study_of(tmp_path / "s", other)
    message = str(caught.value)
    assert "x.high" in message
    assert "1" in message
    assert "2" in message
    assert "z" in message


def test_a_foreign_file_is_left_alone(tmp_path):
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "study.db").write_bytes(b"shopping list" * 100)
    with pytest.raises(StorageError, match=r"study\.db"):
        study_of(folder)
    assert (folder / "study.db").read_bytes() == b"shopping list" * 100


def test_a_store_of_a_newer_version_is_refused(tmp_path):
    study_of(tmp_path / "s").close()
    connection = sqlite3.connect(tmp_path / "s" / "study.db")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.execute(f"PRAGMA user_version = {version + 1}")
    connection.commit()
    connection.close()
    with pytest.raises(StorageError, match=r"(?i)newer|version"):
        study_of(tmp_path / "s")


def test_a_missing_study_cannot_be_read(tmp_path):
    with pytest.raises(StorageError, match=r"nothing"):
        bb.open_study(tmp_path / "nothing")


def test_a_full_disk_loses_nothing_and_the_run_goes_on_when_space_returns(tmp_path):
    whole = study_of().run(400).history
    with study_of(tmp_path / "s") as study:
        connection = study._journal._writer._log.connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 4}")
        with pytest.raises(StorageError, match=r"(?i)full|space"):
            study.run(400)
        told = study.told
        assert 0 < told < 400
        with pytest.raises(StorageError):
            study.run(400)
        assert study.told == told  # nothing more is evaluated while nothing can be written
        stored = bb.open_study(tmp_path / "s").history
        assert stored.equals(whole[: len(stored)])
        assert told - len(stored) in (0, 1)
        if told > len(stored):  # else what closing writes may fit into the last page
            with pytest.raises(StorageError, match=r"(?i)full|space"):
                study.close()
        connection.execute("PRAGMA max_page_count = 1000000")
        assert study.run(400).history.equals(whole)
    assert bb.open_study(tmp_path / "s").history.equals(whole)


def test_a_problem_declared_wrongly_lists_everything_at_once():
    class Wrong(bb.Problem):
        space = SPACE
        objectives = [bb.Minimize("x"), bb.Minimize("id")]
        constraints = [bb.Constraint("g")]
        fidelity = bb.Fidelity(bb.Ordinal("size", [1, 2]), target=3)

    with pytest.raises(ProblemError) as caught:
        bb.Random(Wrong())
    for part in ("'x' is used 2 times", "'id'", "constraint 'g'", "target 3", "neither evaluate"):
        assert part in str(caught.value)
