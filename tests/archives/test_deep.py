"""A deep grid forgets what was only lucky."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import blackbox as bb
from blackbox.archives import DeepArchive, GridArchive, UnstructuredArchive
from blackbox.errors import BatchError, ProblemError
from blackbox.metrics import illumination
from tests.archives.rows import problem, rows

PLANE = problem()


def test_each_cell_holds_at_most_its_depth_and_shows_its_best() -> None:
    rng = np.random.default_rng(0)
    archive = DeepArchive(GridArchive(PLANE, 3), 4)
    for first in range(0, 300, 50):
        added = archive.add(rows(PLANE, 50, rng, first=first))
        assert (added.status[added.cell >= 0] > 0).all()  # every row with a cell enters
    cells, counts = np.unique(archive._own["cell"], return_counts=True)
    assert counts.tolist() == [4] * 9
    assert archive.cells.tolist() == cells.tolist() == list(range(9))
    assert len(archive) == archive.size == 9
    for cell, score in zip(archive.cells, archive.scores, strict=True):
        assert score == archive._own["score"][archive._own["cell"] == cell].max()


def test_a_lucky_row_is_forgotten() -> None:
    archive = DeepArchive(GridArchive(PLANE, 1), 5, seed=1)
    row = PLANE.space.draw(1, np.random.default_rng(0)).with_columns(a=0.0, b=0.0)
    archive.add(row.with_columns(id=0, loss=-1000.0))
    for i in range(1, 100):
        archive.add(row.with_columns(id=i, loss=1.0))
    assert archive.elites["loss"].tolist() == [1.0]


def test_parents_come_from_uniform_cells_and_by_score_within_them() -> None:
    archive = DeepArchive(GridArchive(PLANE, 2), 3)
    batch = PLANE.space.draw(5, np.random.default_rng(0)).with_columns(
        id=np.arange(5), a=[-0.5, -0.5, -0.5, 0.5, 0.5], b=0.5, loss=[0.0, 1.0, 2.0, 4.0, 4.0]
    )
    archive.add(batch)
    drawn = archive.column("id")[archive.draw(30_000, np.random.default_rng(1))]
    shares = np.bincount(drawn, minlength=5) / 30_000
    # In the first cell scores 0, -1, -2 stand 2, 1 and 0 above the least; in the other none does.
    assert shares.tolist() == pytest.approx([1 / 3, 1 / 6, 0, 1 / 4, 1 / 4], abs=0.01)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ProblemError, match="give a grid or a CVTArchive"):
        DeepArchive(UnstructuredArchive(PLANE))
    with pytest.raises(ProblemError, match="grow, and members would lose their cells"):
        DeepArchive(GridArchive(PLANE, 3, outside="grow"))
    with pytest.raises(ProblemError, match="seed=-1 must be an int"):
        DeepArchive(GridArchive(PLANE, 3), seed=-1)
    with pytest.raises(ProblemError, match="depth=1 must be"):
        DeepArchive(GridArchive(PLANE, 2), 1)
    assert bb.archives.DeepArchive is DeepArchive


def test_the_cells_of_a_split_grid_are_taken_as_they_are(tmp_path: Path) -> None:
    grid = GridArchive(PLANE, 2)
    grid.split()
    archive = DeepArchive(grid, 3)
    grid.split()
    assert archive.size == 16
    archive.add(rows(PLANE, 90, np.random.default_rng(0)))
    archive.save(tmp_path / "deep.bbx")
    loaded = DeepArchive.load(tmp_path / "deep.bbx", PLANE)
    assert loaded.size == 16
    assert np.array_equal(loaded.cells, loaded.cell_of(loaded.measures))


def test_the_elite_near_to_what_is_wanted_is_that_of_its_cell() -> None:
    archive = DeepArchive(GridArchive(PLANE, (2, 1)), 3)
    batch = rows(PLANE, 4, np.random.default_rng(0)).with_columns(
        id=np.arange(4), a=[-0.9, -0.8, 0.01, 9.0], b=0.0, loss=[1.0, 0.0, 5.0, 0.0]
    )
    archive.add(batch)
    # The row of a = 0.01 is nearer, and lies in the other cell.
    assert archive.best_near([-0.01, 0.0])["id"].tolist() == [1]
    assert archive.best_near([[0.9, 0.0], [-9.0, 0.0]])["id"].tolist() == [2, 1]
    assert archive.merge(archive).outside == 2


def test_cells_that_are_not_the_same_are_not_compared() -> None:
    made = [DeepArchive(GridArchive(PLANE, dims), 3) for dims in ((2, 8), (4, 4))]
    for archive in made:
        archive.add(rows(PLANE, 9, np.random.default_rng(0)))
    with pytest.raises(BatchError, match="archives of different dims"):
        illumination(made, offset=-100)
    assert not hasattr(made[0], "centroids")
