"""Fronts of cells against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import blackbox as bb
from blackbox.archives import Archive, FrontArchive
from blackbox.archives._fronts import compiled, place
from blackbox.errors import BatchError, ProblemError, StateError
from blackbox.metrics import is_nondominated


class Two(bb.Problem):
    space = bb.Space(bb.Real("x", -1, 1, size=2))
    objectives = [bb.Maximize("f"), bb.Minimize("g")]
    measures = [bb.Measure("m", 0, 1)]

    def evaluate_batch(self, batch):
        raise NotImplementedError


PROBLEM = Two()


def _archive(cells=3, front=50):
    return FrontArchive(PROBLEM, cells, front=front)


def _batch(table):
    """Rows of (n, 3) numbers: both scores and the measure; x tells them apart."""
    n = len(table)
    x = np.column_stack([np.linspace(-1, 1, n), np.zeros(n)])
    return bb.Batch(
        {"id": np.arange(n), "x": x, "f": table[:, 0], "g": -table[:, 1], "m": table[:, 2]}
    )


def _fronts(batch, cells):
    """By brute force: for each cell the sorted scores that no other row of it dominates."""
    scores = PROBLEM.scores(batch)
    found = {}
    for c in np.unique(cells):
        rows = np.unique(scores[cells == c], axis=0)
        found[c] = rows[is_nondominated(rows)].tolist()
    return found


def _held(archive):
    cells, scores = archive.cells, archive.scores
    return {c: np.unique(scores[cells == c], axis=0).tolist() for c in np.unique(cells)}


TABLES = arrays(
    np.float64, st.tuples(st.integers(1, 30), st.just(3)), elements=st.integers(0, 6).map(float)
).map(lambda table: table / [1, 1, 6])


@given(TABLES, st.integers(1, 4))
def test_a_front_with_room_holds_what_no_row_dominates(table, parts):
    archive, batch = _archive(), _batch(table)
    for part in np.array_split(np.arange(len(batch)), parts):
        added = archive.add(batch[part])
        held = np.isin(batch["id"][part], archive.elites["id"])
        np.testing.assert_array_equal(added.status > 0, held)
    assert _held(archive) == _fronts(batch, archive.cell_of(table[:, 2:]))
    assert len(archive) == len(archive.elites) == sum(map(len, _held(archive).values()))
    # Every member is the row it was, measures and inputs too.
    elites = archive.elites
    np.testing.assert_array_equal(elites["x"], batch[elites["id"]]["x"])
    np.testing.assert_array_equal(archive.measures[:, 0], batch[elites["id"]]["m"])
    np.testing.assert_array_equal(archive.scores, PROBLEM.scores(elites))


@given(TABLES, st.integers(2, 5))
def test_compiled_and_plain_agree(table, front):
    states = []
    for run in (place, compiled()):
        values, members = np.zeros((3, front + 1, 2)), np.zeros((3, front + 1), dtype=np.int64)
        count = np.zeros(3, dtype=np.int64)
        run((table[:, 2] * 2.9).astype(np.int64), table[:, :2].copy(), values, members, count)
        inside = np.arange(front + 1) < count[:, None]
        states.append((values[inside].tolist(), members[inside].tolist(), count.tolist()))
    assert states[0] == states[1]


def test_a_full_front_keeps_its_ends_and_loses_its_densest_place():
    archive = _archive(cells=1, front=4)
    f = np.array([0.0, 0.1, 0.15, 0.6, 1.0, 0.12])
    archive.add(_batch(np.column_stack([f, 1 - f, np.full(6, 0.5)])))
    assert sorted(archive.scores[:, 0]) == [0.0, 0.15, 0.6, 1.0]


@given(TABLES)
def test_crowding_is_that_of_its_definition(table):
    archive = _archive(cells=1)
    archive.add(_batch(table * [1, 1, 0.9]))
    room = archive._crowding(np.array([0]))[0, : len(archive)]
    scores = archive.scores
    order = np.argsort(scores[:, 0])
    wanted = np.full(len(scores), np.inf)
    for before, here, after in zip(order, order[1:], order[2:], strict=False):
        wanted[here] = sum(np.abs(scores[after] - scores[before]) / np.ptp(scores, axis=0))
    np.testing.assert_allclose(room, wanted)


def test_what_failed_or_lies_outside_costs_no_other():
    archive = _archive()
    batch = _batch(
        np.array([[1, 1, 0.1], [np.nan, 1, 0.1], [5, 5, 9.0], [5, 5, np.nan], [9, 9, 1]])
    )
    batch = batch.with_columns(ok=[True, False, True, True, False])
    added = archive.add(batch)
    assert added.status.tolist() == [2, 0, 0, 0, 0]
    assert np.isnan(added.gain).tolist() == [False, True, True, True, True]
    assert archive.elites["id"].tolist() == [0]


def test_rooms_of_those_that_left_are_used_again():
    archive = _archive(cells=1)
    for step in range(50):
        archive.add(_batch(np.array([[step, step, 0.5], [step + 0.5, step - 0.5, 0.5]])))
    assert len(archive) == 2
    assert sorted(archive.column("id")) == [0, 1]


def test_draws_are_uniform_among_cells_and_favour_the_ends_of_fronts():
    archive = _archive(cells=2)
    f = np.linspace(0, 1, 5)
    table = np.column_stack([f, 1 - f, np.where(f == 1, 0.9, 0.1)])
    archive.add(_batch(table))
    ids = archive.sample(8000, np.random.default_rng(0))["id"]
    counts = np.bincount(ids, minlength=5) / 8000
    # Of two of four members the one at an end wins: an inner one needs two inner ones.
    wanted = np.array([3, 1, 1, 3, 8]) / 16
    np.testing.assert_allclose(counts, wanted, atol=4 * np.sqrt(0.25 / 8000))
    with pytest.raises(BatchError, match="empty"):
        _archive().sample(1, np.random.default_rng(0))


@given(TABLES)
def test_state_and_merge(table):
    batch = _batch(table)
    one, two, both = _archive(), _archive(), _archive()
    half = len(batch) // 2
    one.add(batch[:half])
    two.add(batch[half:])
    both.add(batch)
    merged = one.merge(two)
    assert _held(merged) == _held(both)
    copy = _archive()
    copy.load_state(merged.state())
    assert copy.elites == merged.elites
    assert copy.best_near([[0.4]]) == merged.best_near([[0.4]])
    drawn = [a.sample(9, np.random.default_rng(1)) for a in (copy, merged) if len(a)]
    assert all(d == drawn[0] for d in drawn)


def test_a_file_brings_everything_back(tmp_path):
    archive = _archive()
    rng = np.random.default_rng(0)
    archive.add(_batch(rng.random((40, 3))), parents=np.arange(40)[::-1])
    archive.save(tmp_path / "fronts")
    copy = Archive.load(tmp_path / "fronts", PROBLEM)
    assert copy.elites == archive.elites
    np.testing.assert_array_equal(copy.parents, archive.parents)
    more = _batch(rng.random((40, 3)))
    np.testing.assert_array_equal(copy.add(more).status, archive.add(more).status)
    assert copy.elites == archive.elites
    reference = np.zeros(2) - 1
    assert copy.moqd_score(reference) > 0
    assert copy.coverage == 1.0


def test_refusals():
    with pytest.raises(ProblemError, match="front=1"):
        _archive(front=1)
    with pytest.raises(ProblemError, match="more than memory"):
        FrontArchive(PROBLEM, 10**8, front=10**9)
    with pytest.raises(ProblemError, match="differ"):
        _archive(cells=2).merge(_archive(cells=3))
    full = _archive(front=9)
    full.add(_batch(np.column_stack([np.arange(9), -np.arange(9), np.full(9, 0.5)])))
    for other in (_archive(cells=2), _archive(front=3)):
        with pytest.raises(StateError, match="first built"):
            other.load_state(full.state())
    with pytest.raises(BatchError):
        _archive().add(_batch(np.ones((1, 3))).drop("f"))


@pytest.mark.parametrize("seed", range(5))
def test_compiled_and_plain_agree_where_scores_are_equal(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 8, (200, 3)).astype(float)
    scores[:, 2] = 18 - scores[:, 0] - scores[:, 1]
    held = []
    for run in (place, compiled()):
        values, members = np.zeros((1, 21, 3)), np.zeros((1, 21), dtype=np.int64)
        count = np.zeros(1, dtype=np.int64)
        run(np.zeros(200, dtype=np.int64), scores.copy(), values, members, count)
        held.append(members[0, : count[0]].tolist())
    assert held[0] == held[1]
