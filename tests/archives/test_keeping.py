"""Every kind of archive: states, files, tables and merging."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import blackbox as bb
from blackbox.archives import (
    Archive,
    CVTArchive,
    DeepArchive,
    DominatedArchive,
    FrontArchive,
    GridArchive,
    UnstructuredArchive,
)
from blackbox.errors import BatchError, ProblemError, StateError
from blackbox.state import pack, save, unpack
from tests.archives.rows import problem, rows

PLANE = problem()
KINDS: dict[str, Callable[[bb.Problem], Archive]] = {
    "grid": lambda p: GridArchive(p, (5, 4)),
    "soft": lambda p: GridArchive(p, (5, 4), learning_rate=0.1, threshold_min=-9),
    "growing": lambda p: GridArchive(p, 4, outside="grow"),
    "voronoi": lambda p: CVTArchive(p, 15),
    "unstructured": lambda p: UnstructuredArchive(p, 0.1),
    "dominated": lambda p: DominatedArchive(p, 25),
    "deep": lambda p: DeepArchive(GridArchive(p, 3), 3),
}
FIXED = ["grid", "soft", "voronoi"]
EVERY = {**KINDS, "fronts": lambda p: FrontArchive(p, 4, front=3)}


def filled(kind: str, seed: int, n: int = 80) -> Archive:
    archive = EVERY[kind](PLANE)
    rng = np.random.default_rng(seed)
    for first in range(0, n, 40):
        archive.add(rows(PLANE, 40, rng, first=1000 * seed + first), parents=np.arange(40))
    return archive


def same(one: Archive, other: Archive) -> bool:
    return (
        pack({"rows": one.elites.columns(), "parents": one.parents, "cells": one.cells})
        == pack({"rows": other.elites.columns(), "parents": other.parents, "cells": other.cells})
        and np.array_equal(one.low, other.low)
        and np.array_equal(one.high, other.high)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_and_a_file_go_on_exactly(kind: str, tmp_path: Path) -> None:
    archive, fresh = filled(kind, 1), KINDS[kind](PLANE)
    if kind == "grid":
        archive.split()  # type: ignore[attr-defined]
    fresh.load_state(unpack(pack(archive.state())))
    archive.save(tmp_path / "elites.bbx")
    loaded = Archive.load(tmp_path / "elites.bbx", PLANE)
    assert type(loaded) is type(archive)
    batch = rows(PLANE, 60, np.random.default_rng(9), first=5000)
    answers = [a.add(batch) for a in (archive, fresh, loaded)]
    for again, answer in zip((fresh, loaded), answers[1:], strict=True):
        assert same(again, archive)
        assert again.outside == archive.outside
        assert all(map(np.array_equal, answer[:1] + answer[2:], answers[0][:1] + answers[0][2:]))
        draws = [a.sample(20, np.random.default_rng(0)) for a in (again, archive)]
        assert draws[0] == draws[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_is_a_copy(kind: str) -> None:
    archive = filled(kind, 1)
    state = archive.state()
    before = pack(state)
    other = KINDS[kind](PLANE)
    other.load_state(state)
    for changed in (archive, other):
        changed.add(rows(PLANE, 60, np.random.default_rng(9)).with_columns(loss=-50.0))
    assert pack(state) == before


@pytest.mark.parametrize("kind", KINDS)
def test_merging_changes_neither_and_keeps_the_better(kind: str) -> None:
    one, other = filled(kind, 1), filled(kind, 2)
    states = [pack(a.state()) for a in (one, other)]
    merged = one.merge(other)
    assert [pack(a.state()) for a in (one, other)] == states
    known = np.concatenate([one.elites["id"], other.elites["id"], other._table["id"]])
    assert np.isin(merged.elites["id"], np.concatenate([known, one._table["id"]])).all()
    assert max(merged.scores) == max(*one.scores, *other.scores)


@pytest.mark.parametrize("kind", EVERY)
def test_a_merged_archive_has_no_parents_that_are_rows_of_another_run(kind: str) -> None:
    # Both runs number their rows from 0, so that the parent of one is an elite of the other.
    one, other = (EVERY[kind](PLANE) for _ in range(2))
    rng = np.random.default_rng(3)
    one.add(rows(PLANE, 60, rng), parents=np.arange(60) - 1)
    other.add(rows(PLANE, 60, rng), parents=np.arange(60) - 1)
    before = one.parents.copy()
    merged = one.merge(other)
    assert set(merged.parents) == {-1}
    assert np.isin(merged.elites["id"], np.arange(60)).all()
    np.testing.assert_array_equal(one.parents, before)


@pytest.mark.parametrize("kind", FIXED)
@settings(max_examples=25)
@given(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6)))
def test_merging_is_associative_thresholds_included(kind: str, seeds: tuple[int, int, int]) -> None:
    a, b, c = (filled(kind, seed, 40) for seed in seeds)
    left, right = a.merge(b).merge(c), a.merge(b.merge(c))
    assert pack(left.state()) == pack(right.state())
    swapped = b.merge(a)
    assert np.array_equal(a.merge(b).scores, swapped.scores)
    assert np.array_equal(a.merge(b).thresholds, swapped.thresholds)  # type: ignore[attr-defined]


def test_grids_that_have_grown_differently_are_merged() -> None:
    one, other = KINDS["growing"](PLANE), KINDS["growing"](PLANE)
    rng = np.random.default_rng(0)
    one.add(rows(PLANE, 30, rng).with_columns(a=rng.uniform(-5, 0, 30)))
    other.add(rows(PLANE, 30, rng, first=50).with_columns(a=rng.uniform(0, 9, 30)))
    merged = one.merge(other)
    assert (merged.low <= np.minimum(one.low, other.low)).all()
    assert (merged.high >= np.maximum(one.high, other.high)).all()
    assert merged.outside == 0
    assert np.array_equal(merged.cells, merged.cell_of(merged.measures))


def test_grids_whose_empty_cells_have_other_thresholds_are_merged() -> None:
    soft = [GridArchive(PLANE, 4, learning_rate=0.1, threshold_min=least) for least in (-9, -20)]
    for seed, archive in enumerate(soft):
        archive.add(rows(PLANE, 30, np.random.default_rng(seed)))
    merged = soft[0].merge(soft[1])
    assert merged.threshold_min == -20  # type: ignore[attr-defined]
    assert set(merged.cells) == {*soft[0].cells, *soft[1].cells}
    with pytest.raises(ProblemError, match="differ in learning_rate"):
        soft[0].merge(GridArchive(PLANE, 4, threshold_min=-9))


def test_archives_that_differ_are_not_merged() -> None:
    grid = filled("grid", 1)
    with pytest.raises(ProblemError, match="differ in cells"):
        grid.merge(GridArchive(PLANE, (4, 5)))
    with pytest.raises(ProblemError, match="differ in type, cells"):
        grid.merge(filled("voronoi", 1))
    with pytest.raises(ProblemError, match="differ in problem"):
        grid.merge(GridArchive(problem((0.0, 1.0), (0.0, 1.0)), (5, 4)))
    split = filled("grid", 2)
    split.split()  # type: ignore[attr-defined]
    with pytest.raises(ProblemError, match="are split differently"):
        grid.merge(split)


def test_foreign_files_and_states_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "elites.bbx"
    grid = filled("grid", 1)
    grid.save(path)
    with pytest.raises(StateError, match=r"of another problem than .*: they differ in measures"):
        Archive.load(path, problem((0.0, 1.0), (0.0, 1.0)))
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    with pytest.raises(StateError, match="truncated or damaged"):
        Archive.load(path, PLANE)
    save({**unpack(whole), "schema": 99}, path)
    with pytest.raises(StateError, match="schema 99 where 1 is read"):
        Archive.load(path, PLANE)
    with pytest.raises(StateError, match="12 cells, the archive 15"):
        KINDS["voronoi"](PLANE).load_state(CVTArchive(PLANE, 12).state())
    other = bb.problem(lambda p: 0.0, bb.Space(bb.Real("z", 0, 1)), measures=PLANE.measures)
    with pytest.raises(StateError, match="the state has columns"):
        GridArchive(other, (5, 4)).load_state(grid.state())


def test_a_file_that_is_not_there_and_what_is_no_path(tmp_path: Path) -> None:
    grid = filled("grid", 1)
    with pytest.raises(StateError, match="cannot be read: No such file"):
        Archive.load(tmp_path / "none", PLANE)
    with pytest.raises(StateError, match="cannot be written: No such file"):
        grid.save(tmp_path / "none" / "elites")
    for call in (grid.save, grid.to_parquet, lambda path: Archive.load(path, PLANE)):
        for path in (None, 1, [], ""):
            with pytest.raises(StateError, match="give the path of a file"):
                call(path)  # type: ignore[arg-type]
    with pytest.raises(ProblemError, match="give a Problem"):
        Archive.load(tmp_path / "none", "plane")  # type: ignore[arg-type]


UNFIT = r"give what state\(\) returned|as it was first built"


def spoilt(state: dict[str, Any], path: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The state without one entry, and with others in its place."""
    key, *rest = path
    if rest:
        for part in spoilt(state[key], tuple(rest)):
            yield {**state, key: part}
        return
    yield {k: v for k, v in state.items() if k != key}
    for wrong in (None, "x", -2, 1.5, np.nan, [], {}, np.zeros((2, 2, 2)), np.array([None, "x"])):
        yield {**state, key: wrong}


@pytest.mark.parametrize("kind", EVERY)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(kind: str) -> None:
    archive = filled(kind, 1)
    state = archive.state()
    before = pack(state)
    paths = [(key,) for key in state]
    paths += [(table, key) for table in ("own", "table") for key in state[table]]
    for path in paths:
        for wrong in spoilt(state, path):
            with pytest.raises(StateError, match=UNFIT):
                archive.load_state(wrong)
    for wrong in (None, "x", 3, [], archive):
        with pytest.raises(StateError, match="give what"):
            archive.load_state(wrong)  # type: ignore[arg-type]
    own = state["own"]
    for change in (
        {"cell": own["cell"] + 10**6},
        {"score": np.full(len(own["cell"]), np.nan)},
        {"measures": np.full((len(own["cell"]), 2), np.inf)},
    ):
        with pytest.raises(StateError, match=UNFIT):
            archive.load_state({**state, "own": {**own, **change}})
    assert pack(archive.state()) == before


@pytest.mark.parametrize("kind", EVERY)
def test_what_is_no_archive_batch_measure_or_number_is_refused(kind: str) -> None:
    archive, rng = filled(kind, 1), np.random.default_rng(0)
    before, batch = pack(archive.state()), rows(PLANE, 5, rng)
    for wrong in (None, "x", 3, 1.5, [], True, batch, object()):
        with pytest.raises(ProblemError, match="is no archive; give one like"):
            archive.merge(wrong)  # type: ignore[arg-type]
        if wrong is not batch:
            with pytest.raises(BatchError, match="give a Batch"):
                archive.add(wrong)  # type: ignore[arg-type]
        for call in (archive.cell_of, archive.nearest, archive.best_near):
            if wrong != []:
                with pytest.raises(BatchError, match=r"give \(n, 2\): a, b|hold NaN"):
                    call(wrong)  # type: ignore[operator]
        with pytest.raises(BatchError, match="no column"):
            archive.column([wrong])  # type: ignore[arg-type]
        with pytest.raises(ProblemError, match="give a numpy"):
            archive.sample(2, wrong)  # type: ignore[arg-type]
    for n in (None, "x", -1, 1.5, True, [], 10**400):
        for draw in (archive.sample, archive.draw):
            with pytest.raises(ProblemError, match="sample: n="):
                draw(n, rng)  # type: ignore[arg-type]
    with pytest.raises(BatchError, match="the archive is empty"):
        EVERY[kind](PLANE).nearest([[0.0, 0.0]])
    assert pack(archive.state()) == before


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": ["low"] * 5}, "column 'a' holds <U3 values; give float64"),
        ({"loss": ["low"] * 5}, "column 'loss' holds <U3 values"),
        ({"x": [["low"] * 3] * 5}, "column 'x' holds <U3 values"),
        ({"id": np.full(5, 0.5)}, "column 'id' holds float64 values; give int64"),
        ({"id": [None] * 5}, "column 'id' holds object values"),
        ({"ok": np.ones(5)}, "column 'ok' is float64"),
        ({"ok": "yes"}, "column 'ok' is <U3"),
        ({"ok": np.ones((5, 2), bool)}, r"column 'ok' is bool\(5, 2\)"),
    ],
)
def test_rows_of_another_type_are_refused_and_change_nothing(
    kind: str, change: dict[str, Any], message: str
) -> None:
    archive = filled(kind, 1)
    before, batch = pack(archive.state()), rows(PLANE, 5, np.random.default_rng(0))
    with pytest.raises(BatchError, match=message):
        archive.add(batch.with_columns(**change))
    for parents in (["a"] * 5, [0.5] * 5, [None] * 5, [[1], [1, 2]], np.zeros((5, 1), int), "x"):
        with pytest.raises(BatchError, match="give one id a row"):
            archive.add(batch, parents)  # type: ignore[arg-type]
    assert pack(archive.state()) == before


@pytest.mark.parametrize("kind", EVERY)
def test_whole_numbers_and_none_count_as_floats(kind: str) -> None:
    batch = rows(PLANE, 5, np.random.default_rng(0))
    one, other = EVERY[kind](PLANE), EVERY[kind](PLANE)
    one.add(batch.with_columns(a=np.arange(5) - 2, loss=[1.0, None, 2.0, 3.0, 4.0]))
    other.add(batch.with_columns(a=np.arange(5) - 2.0, loss=[1.0, np.nan, 2.0, 3.0, 4.0]))
    assert pack(one.state()) == pack(other.state())


def test_tables_hold_elites_cells_and_parents(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    archive = filled("grid", 1)
    frame = archive.to_dataframe()
    assert frame["cell"].tolist() == archive.cells.tolist()
    assert frame["parent"].tolist() == archive.parents.tolist()
    assert frame["x[1]"].tolist() == archive.elites["x"][:, 1].tolist()
    archive.to_parquet(tmp_path / "elites.parquet")
    again = pd.read_parquet(tmp_path / "elites.parquet")
    assert again["loss"].tolist() == frame["loss"].tolist()
    assert list(again) == list(frame)


def test_a_column_of_mixed_types_is_text_in_parquet(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    mixed = bb.problem(
        lambda p: 0.0,
        bb.Space(bb.Categorical("kind", ["auto", None, 2.5, True])),
        [],
        measures=[bb.Measure("a", 0, 4)],
    )
    archive = GridArchive(mixed, 4)
    archive.add(bb.Batch({"kind": ["auto", None, 2.5, True], "a": [0.5, 1.5, 2.5, 3.5]}))
    archive.to_parquet(tmp_path / "elites.parquet")
    kinds = pd.read_parquet(tmp_path / "elites.parquet")["kind"].tolist()
    assert [None if pd.isna(kind) else kind for kind in kinds] == ["auto", None, "2.5", "True"]


def test_a_state_whose_first_column_alone_is_empty_is_refused() -> None:
    archive = filled("grid", 1)
    state = archive.state()
    first = next(iter(state["own"]))
    state["own"][first] = state["own"][first][:0]
    with pytest.raises(StateError, match="of the state is"):
        KINDS["grid"](PLANE).load_state(state)
