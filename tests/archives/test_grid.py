"""A grid keeps the best row of each cell, whatever comes, in whatever batches."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import blackbox as bb
from blackbox.archives import Archive, GridArchive, _placing
from blackbox.errors import BatchError, ProblemError, UnsupportedError
from blackbox.plot.data import growth
from tests.archives.rows import problem, rows

PLANE = problem()


def by_hand(batch: bb.Batch, cells: int) -> dict[tuple[int, int], int]:
    """The winner of each cell of a square grid over [-1, 1]^2, by the definition."""
    best: dict[tuple[int, int], int] = {}
    for i, row in enumerate(batch):
        if abs(row["a"]) > 1 or abs(row["b"]) > 1:
            continue
        cell = tuple(min(int((row[m] + 1) / 2 * cells), cells - 1) for m in "ab")
        if cell not in best or row["loss"] < batch["loss"][best[cell]]:
            best[cell] = i
    return best


@pytest.fixture(params=["numpy", "compiled"])
def loops(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    after = math.inf if request.param == "numpy" else 0
    monkeypatch.setattr(_placing, "_COMPILE_AFTER", after)
    return str(request.param)


def test_keeps_the_best_row_of_each_cell_and_the_first_of_equals(loops: str) -> None:
    rng = np.random.default_rng(0)
    batch = rows(PLANE, 400, rng)
    archive = GridArchive(PLANE, 6)
    added = archive.add(batch, parents=batch["id"] + 1000)
    best = by_hand(batch, 6)
    order = sorted(best)
    assert archive.elites == batch.take(np.array([best[c] for c in order])).select(
        archive.elites.names
    )
    assert archive.cells.tolist() == [6 * i + j for i, j in order]
    assert archive.parents.tolist() == [best[c] + 1000 for c in order]
    assert np.array_equal(archive.scores, -archive.elites["loss"])
    assert np.array_equal(archive.measures, np.column_stack([archive.elites[m] for m in "ab"]))
    outside = (np.abs(np.column_stack([batch["a"], batch["b"]])) > 1).any(axis=1)
    assert archive.outside == outside.sum()
    assert np.array_equal(added.cell < 0, outside)
    assert (added.status[~outside] == 2).all()  # all against the archive as it was: empty
    assert np.array_equal(np.isnan(added.gain), outside)
    assert archive.coverage == len(best) / 36


def test_status_and_gain_are_against_the_archive_before_the_batch(loops: str) -> None:
    archive = GridArchive(PLANE, 2)
    space = PLANE.space.draw(1, np.random.default_rng(0))

    def told(*losses: float) -> list[tuple[int, float]]:
        many = bb.Batch.concat([space] * len(losses)).with_columns(loss=losses, a=0.5, b=0.5)
        added = archive.add(many)
        return list(zip(added.status.tolist(), added.gain.tolist(), strict=True))

    assert told(3, 5) == [(2, -3), (2, -5)]
    assert told(2, 4, 3, 1) == [(1, 1), (0, -1), (0, 0), (1, 2)]
    assert archive.best is not None
    assert archive.best["loss"] == 1


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_both_ways_of_placing_agree_bit_for_bit(seed: int, dims: int) -> None:
    rng = np.random.default_rng(seed)
    archives = [GridArchive(PLANE, (dims, 3), learning_rate=0.3, threshold_min=-5) for _ in "ab"]
    for _ in range(3):
        batch = rows(PLANE, int(rng.integers(0, 40)), rng)
        batch = batch.with_columns(
            loss=np.where(rng.random(len(batch)) < 0.1, np.nan, batch["loss"])
        )
        answers = []
        for archive, after in zip(archives, (math.inf, 0), strict=True):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(_placing, "_COMPILE_AFTER", after)
                answers.append(archive.add(batch))
        for one, other in zip(*answers, strict=True):
            assert np.array_equal(one, other, equal_nan=True)
            assert one.dtype == other.dtype
    one, other = archives
    assert one.elites == other.elites
    assert np.array_equal(one.thresholds, other.thresholds)
    assert np.array_equal(one.column("id"), other.column("id"))  # the order of rows too
    assert one.outside == other.outside


def test_plain_numpy_is_used_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_placing, "_COMPILE_AFTER", 0)
    monkeypatch.setattr(_placing, "_numba", lambda: False)
    archive = GridArchive(PLANE, 5)
    archive.add(rows(PLANE, 50, np.random.default_rng(0)))
    assert archive._compiled is None


def test_failed_rows_cost_no_other(loops: str) -> None:
    rng = np.random.default_rng(1)
    batch = rows(PLANE, 60, rng, spread=0.3)
    bad = np.zeros(60, dtype=bool)
    bad[[0, 7, 20, 33, 59]] = True
    spoilt = batch.with_columns(
        loss=np.where(np.arange(60) == 0, np.nan, batch["loss"]),
        a=np.where(np.arange(60) == 7, np.nan, batch["a"]),
        b=np.where(np.arange(60) == 20, np.inf, batch["b"]),
        ok=~np.isin(np.arange(60), [33, 59]),
    )
    archive, clean = GridArchive(PLANE, 4), GridArchive(PLANE, 4)
    added = archive.add(spoilt)
    clean.add(batch[~bad])
    assert (added.status[bad] == 0).all()
    assert np.isnan(added.gain[bad]).all()
    assert (added.cell[bad] == -1).all()
    assert archive.elites == clean.elites


def test_infeasible_rows_are_no_elites() -> None:
    bounded = bb.problem(
        lambda p: 0.0,
        bb.Space(bb.Real("x", 0, 1)),
        bb.Maximize("f"),
        constraints=[bb.Constraint("c", upper=1)],
        measures=[bb.Measure("a", 0, 1)],
    )
    archive = GridArchive(bounded, 1)
    archive.add(bb.Batch({"x": [0.1, 0.2], "f": [1.0, 9.0], "c": [0.5, 2.0], "a": [0.5, 0.5]}))
    assert archive.elites["x"].tolist() == [0.1]


def test_a_value_on_a_boundary_belongs_to_the_cell_that_begins_there(loops: str) -> None:
    line = problem((0.0, 1.0))
    tenths = np.arange(11) / 10
    cells = GridArchive(line, 10).cell_of(tenths[:, None])
    assert cells.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9]
    shifted = problem((-0.7, 0.5))  # no boundary of this is an exact number
    edges = np.array([-0.7 + 0.1 * i for i in range(13)])
    assert GridArchive(shifted, 12).cell_of(edges[:, None]).tolist() == [*range(12), 11]
    assert GridArchive(line, 10).cell_of([[-0.01], [1.01], [np.nan]]).tolist() == [-1, -1, -1]


def test_clipping_puts_what_is_outside_into_the_edge_cells(loops: str) -> None:
    archive = GridArchive(problem((0.0, 1.0)), 4, outside="clip")
    assert archive.cell_of([[-3.0], [1e300], [0.6], [np.nan]]).tolist() == [0, 3, 2, -1]


@settings(max_examples=50)
@given(st.integers(0, 2**32), st.integers(1, 7), st.floats(0.5, 30))
def test_a_grid_that_has_grown_is_the_grid_of_the_range_it_has_grown_to(
    seed: int, dims: int, spread: float
) -> None:
    rng = np.random.default_rng(seed)
    grown = GridArchive(PLANE, (dims, 4), outside="grow")
    batches = [rows(PLANE, 30, rng, spread=s) for s in (0.5, spread / 3, spread)]
    for batch in batches:
        grown.add(batch)
    wide = problem(*zip(grown.low, grown.high, strict=True))
    known = GridArchive(wide, (dims, 4))
    for batch in batches:
        known.add(batch)
    assert grown.outside == known.outside == 0
    assert np.array_equal(grown.cells, known.cells)
    assert np.array_equal(grown.scores, known.scores)
    doublings = np.log2((grown.high - grown.low) / 2)
    assert np.array_equal(doublings, np.rint(doublings))


def test_growing_ends_before_the_numbers_do() -> None:
    archive = GridArchive(PLANE, 4, outside="grow")
    batch = rows(PLANE, 2, np.random.default_rng(0)).with_columns(a=[1.7e308, 0.1], b=[0.0, 0.2])
    assert archive.add(batch).status.tolist() == [0, 2]
    assert np.isfinite(archive.high - archive.low).all()


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 3))
def test_splitting_loses_no_elite_and_merging_cells_again_gives_the_grid_back(
    seed: int, factor: int
) -> None:
    rng = np.random.default_rng(seed)
    archive = GridArchive(PLANE, (4, 3))
    archive.add(rows(PLANE, 60, rng))
    before, cells = archive.elites, archive.cells
    archive.split(factor)
    assert archive.dims == (4 * factor, 3 * factor)
    assert sorted(archive.elites["id"]) == sorted(before["id"])
    fine = np.column_stack(np.unravel_index(archive.cells, archive.dims)) // factor
    coarse = np.ravel_multi_index(tuple(fine.T), (4, 3))
    assert sorted(coarse) == sorted(cells)
    archive.add(rows(PLANE, 60, rng, first=100))
    assert np.array_equal(archive.cells, np.unique(archive.cell_of(archive.measures)))


def test_what_lies_on_the_edge_within_rounding_stays_there_when_cells_are_split() -> None:
    archive = GridArchive(PLANE, 2)
    row = PLANE.space.draw(1, np.random.default_rng(0)).with_columns(loss=0.0)
    archive.add(row.with_columns(a=1 + 9e-7, b=-1 - 9e-7))
    assert archive.cells.tolist() == [2]
    archive.split(4)
    assert archive.cells.tolist() == [56]


def test_thresholds_follow_accepted_scores_by_the_batch_rule(loops: str) -> None:
    archive = GridArchive(PLANE, 1, learning_rate=0.25, threshold_min=-10)
    row = PLANE.space.draw(1, np.random.default_rng(0)).with_columns(a=0.0, b=0.0)

    def tell(*losses: float) -> list[int]:
        many = bb.Batch.concat([row] * len(losses)).with_columns(loss=losses)
        return archive.add(many).status.tolist()

    assert tell(12.0) == [0]  # a score of -12 is below the least threshold: no elite
    assert len(archive) == 0
    assert tell(2.0, 4.0) == [2, 2]
    t = 0.75**2 * -10 + (1 - 0.75**2) * -3.0
    assert archive.thresholds.tolist() == [t]
    assert tell(5.0, 20.0) == [1, 0]  # above the threshold, below the elite
    t = 0.75 * t + 0.25 * -5.0
    assert archive.thresholds.tolist() == pytest.approx([t], abs=1e-15)
    assert archive.scores.tolist() == [-2.0]  # the elite is the best row all the same


def test_best_near_gives_the_elite_of_the_cell_or_the_nearest() -> None:
    archive = GridArchive(PLANE, 2)
    batch = PLANE.space.draw(3, np.random.default_rng(0)).with_columns(
        id=[1, 2, 3], loss=[0.0, 1.0, 2.0], a=[-0.9, -0.1, 0.9], b=[-0.9, -0.1, 0.2]
    )
    archive.add(batch)  # row 2 loses to row 1
    assert archive.best_near([-0.1, -0.1])["id"].tolist() == [1]
    assert archive.best_near([[0.9, -0.9], [5, 5], [-0.9, 0.9]])["id"].tolist() == [3, 3, 1]


def test_samples_are_uniform_over_elites() -> None:
    archive = GridArchive(PLANE, 3)
    archive.add(rows(PLANE, 300, np.random.default_rng(0)))
    drawn = archive.sample(9000, np.random.default_rng(1))
    _, counts = np.unique(drawn["id"], return_counts=True)
    assert len(counts) == len(archive) == 9
    assert ((counts - 1000) ** 2 / 1000).sum() < 26.1  # chi square, 8 degrees, 1 in 1000


def test_a_large_grid_takes_four_bytes_a_cell_and_room_for_its_elites() -> None:
    archive = GridArchive(PLANE, (10_000, 1_000))
    archive.add(rows(PLANE, 1000, np.random.default_rng(0)))
    assert archive.size == 10**7
    assert 600 < len(archive) < 1000
    assert archive._index.nbytes == 4 * archive.size
    assert archive._table.capacity <= 2000


def test_a_problem_without_objective_fills_cells() -> None:
    plane = problem(objective=False)
    archive = GridArchive(plane, 3)
    archive.add(rows(plane, 100, np.random.default_rng(0)))
    assert archive.scores.tolist() == [0.0] * 9


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="no measures; declare some"):
        GridArchive(bb.problem(lambda p: 0.0, bb.Space(bb.Real("x", 0, 1))), ())
    for cells in (0, (3,), (3, 2.5), (3, True), (3, -1)):
        with pytest.raises(ProblemError, match="give one positive int for each of 2 measures"):
            GridArchive(PLANE, cells)  # type: ignore[arg-type]
    for many in (10**7, 10**400):
        with pytest.raises(ProblemError, match="more than there is; take fewer"):
            GridArchive(PLANE, (many, many))
    with pytest.raises(ProblemError, match="more than there is"):
        GridArchive(PLANE, 10).split(10**9)
    with pytest.raises(ProblemError, match="outside='drop'; give 'refuse', 'clip' or 'grow'"):
        GridArchive(PLANE, 10, outside="drop")  # type: ignore[arg-type]
    for least in (np.inf, np.nan, "x", True, 10**400):
        with pytest.raises(ProblemError, match="must be finite or -inf"):
            GridArchive(PLANE, 10, threshold_min=least)  # type: ignore[arg-type]
    with pytest.raises(ProblemError, match="needs a finite threshold_min"):
        GridArchive(PLANE, 10, learning_rate=0.1)
    with pytest.raises(ProblemError, match=r"learning_rate=1.5 must be a number from 0 to 1"):
        GridArchive(PLANE, 10, learning_rate=1.5)
    for wrong in ((1.0, 1.0), (2.0, 1.0), (0.0, 1e-310), (-1e308, 1e308), (0, 10**400), ("x", 1)):
        with pytest.raises(ProblemError, match="give low < high"):
            GridArchive(problem(wrong), 10)  # type: ignore[arg-type]


def test_bad_rows_are_refused_and_change_nothing() -> None:
    archive = GridArchive(PLANE, 3)
    batch = rows(PLANE, 5, np.random.default_rng(0))
    with pytest.raises(BatchError, match="column 'b' of shape"):
        archive.add(batch.drop("b"))
    with pytest.raises(BatchError, match="column 'x' of shape"):
        archive.add(batch.with_columns(x=batch["x"][:, :2]))
    with pytest.raises(BatchError, match="give one id a row"):
        archive.add(batch, parents=[3])
    with pytest.raises(BatchError, match="hold NaN"):
        archive.best_near([0.0, np.nan])
    with pytest.raises(BatchError, match=r"give \(n, 2\): a, b"):
        archive.cell_of([[0.1, 0.2, 0.3]])
    for call in (archive.best_near, lambda m: archive.sample(2, np.random.default_rng(0))):
        with pytest.raises(BatchError, match="the archive is empty"):
            call([0.0, 0.0])
    assert len(archive) == 0
    assert archive.best is None
    assert isinstance(archive, Archive)


def test_clipping_takes_no_measure_that_is_not_finite() -> None:
    archive = GridArchive(PLANE, 4, outside="clip")
    batch = rows(PLANE, 3, np.random.default_rng(0)).with_columns(a=[np.inf, 0.1, 9.0])
    assert archive.add(batch).status.tolist() == [0, 2, 2]
    assert np.isfinite(archive.measures).all()
    archive.like().load_state(archive.state())


def test_an_archive_like_a_grid_takes_other_cells() -> None:
    grid = GridArchive(PLANE, (4, 3), outside="grow")
    grid.add(rows(PLANE, 30, np.random.default_rng(0), spread=9.0))
    made = grid.like(cells=(7, 2))
    assert made.dims == (7, 2)
    assert np.array_equal(made.low, grid.low)
    grid.split()
    assert grid.like(outside="clip").dims == (8, 6)


def test_what_was_measured_at_less_fidelity_is_no_elite() -> None:
    class Sized(bb.Problem):
        space = bb.Space(bb.Real("x", 0, 1))
        objectives = [bb.Maximize("f")]
        measures = [bb.Measure("m", 0, 1)]
        fidelity = bb.Fidelity(bb.Ordinal("size", [1, 10]), target=10)

        def evaluate(self, p: dict[str, float]) -> dict[str, float]:
            return {"f": p["x"] + (p["size"] < 10), "m": p["x"]}

    told = Sized()
    batch = bb.Batch({"x": [0.1, 0.12, 0.9], "size": [1, 10, 1]})
    batch = batch.with_columns(**told.measure(batch))
    archive = GridArchive(told, 4)
    assert archive.add(batch).status.tolist() == [0, 2, 0]
    assert archive.elites["size"].tolist() == [10]
    assert growth(batch, archive).rows.tolist() == [1]
