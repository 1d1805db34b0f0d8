"""Voronoi cells: the nearest centroid, in few dimensions and in many."""

from __future__ import annotations

import numpy as np
import pytest

from blackbox.archives import CVTArchive, _neighbours
from blackbox.archives._neighbours import Neighbours
from blackbox.errors import ProblemError
from tests.archives.rows import problem, rows

PLANE = problem((-1.0, 1.0), (0.0, 100.0))


@pytest.mark.parametrize("m", [1, 2, 7, 8, 20])
@pytest.mark.parametrize("k", [1, 3])
def test_neighbours_are_those_of_brute_force(m: int, k: int) -> None:
    rng = np.random.default_rng(m)
    points, queries = rng.random((150, m)), rng.random((130, m))
    away = np.linalg.norm(queries[:, None] - points[None], axis=2)
    distances, at = Neighbours(points).several(queries, k)
    assert np.array_equal(at, np.argsort(away, axis=1)[:, :k])
    assert np.allclose(distances, np.sort(away, axis=1)[:, :k], atol=1e-12)
    everything, _ = Neighbours(points).several(queries, 150)
    assert np.allclose(everything, np.sort(away, axis=1), atol=1e-7)
    # However far from 0 all of them are.
    _, afar = Neighbours(points + 1e7).several(queries + 1e7, k)
    assert np.array_equal(afar, at)


@pytest.mark.parametrize("tree", [0, 7])
def test_a_row_belongs_to_the_nearest_centroid_in_units_of_the_ranges(
    tree: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_neighbours, "_TREE", tree)
    centroids = np.array([[-0.5, 50.0], [0.5, 50.0], [0.5, 90.0]])
    archive = CVTArchive(PLANE, centroids)
    assert archive.size == 3
    measures = [[-0.1, 99.0], [0.1, 1.0], [0.4, 71.0], [2.0, 50.0], [np.nan, 50.0]]
    assert archive.cell_of(measures).tolist() == [2, 1, 2, -1, -1]
    clipped = CVTArchive(PLANE, centroids, outside="clip")
    assert clipped.cell_of([[9.0, 50.0], [-1e300, 0.0]]).tolist() == [1, 0]


def test_centroids_are_spread_evenly() -> None:
    """Lloyd's rounds halve the mean squared distance of as many random points, or nearly."""
    archive = CVTArchive(PLANE, 100, seed=1)
    rng = np.random.default_rng(0)
    unit = (archive.centroids - archive.low) / (archive.high - archive.low)
    assert ((unit >= 0) & (unit <= 1)).all()
    queries = rng.random((20_000, 2))
    spread = (Neighbours(unit).several(queries, 1)[0] ** 2).mean()
    random = (Neighbours(rng.random((100, 2))).several(queries, 1)[0] ** 2).mean()
    # A hexagonal tessellation of k cells has 5 / (18 sqrt(3) k), the least there is.
    assert 5 / (18 * 3**0.5 * 100) < spread < 0.62 * random
    assert np.array_equal(archive.centroids, CVTArchive(PLANE, 100, seed=1).centroids)
    assert not np.array_equal(archive.centroids, CVTArchive(PLANE, 100, seed=2).centroids)


def test_it_keeps_the_best_of_each_cell() -> None:
    rng = np.random.default_rng(3)
    archive = CVTArchive(PLANE, 12)
    batch = rows(PLANE, 300, rng).with_columns(b=rng.uniform(0, 100, 300))
    archive.add(batch)
    cells = archive.cell_of(np.column_stack([batch["a"], batch["b"]]))
    for cell, row in zip(archive.cells, archive.elites, strict=True):
        here = np.flatnonzero(cells == cell)
        assert row["id"] == here[np.argmin(batch["loss"][here])]
    assert archive.outside == (cells < 0).sum() > 0


@pytest.mark.parametrize(
    "cells", [0, -3, True, 2.5, "many", [[0.0, 1.0, 2.0]], [], [[0.0, np.nan]], [0.0, 1.0]]
)
def test_bad_cells_are_refused(cells: object) -> None:
    with pytest.raises(ProblemError, match=r"give a positive int or \(k, 2\) centroids"):
        CVTArchive(PLANE, cells)  # type: ignore[arg-type]


@pytest.mark.parametrize("cells", [10**13, 10**400])
def test_more_cells_than_memory_are_refused(cells: int) -> None:
    with pytest.raises(ProblemError, match="more than there is"):
        CVTArchive(PLANE, cells)
