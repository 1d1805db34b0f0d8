"""Rows that differ enough are kept, one after another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import blackbox as bb
from blackbox.archives import UnstructuredArchive
from blackbox.errors import BatchError, ProblemError
from tests.archives.rows import problem, rows

PLANE = problem((-1.0, 1.0), (0.0, 100.0))


def by_definition(batch: bb.Batch, threshold: float, k: int, compete: bool) -> list[int]:
    """Ids kept, in the order of the places they took."""
    kept: list[int] = []
    points = np.column_stack([(batch["a"] + 1) / 2, batch["b"] / 100])
    for i in range(len(batch)):
        away = np.linalg.norm(points[kept] - points[i], axis=1)
        if not kept or np.sort(away)[:k].mean() >= threshold:
            kept.append(i)
        elif compete and batch["loss"][i] < batch["loss"][kept[int(np.argmin(away))]]:
            kept[int(np.argmin(away))] = i
    return kept


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 5), st.booleans(), st.integers(1, 60))
def test_batches_do_not_matter(seed: int, k: int, compete: bool, size: int) -> None:
    rng = np.random.default_rng(seed)
    batch = rows(PLANE, 120, rng).with_columns(b=rng.normal(50, 40, 120))
    archive = UnstructuredArchive(PLANE, 0.1, neighbours=k, compete=compete)
    for start in range(0, 120, size):
        archive.add(batch[start : start + size])
    assert archive.elites["id"].tolist() == by_definition(batch, 0.1, k, compete)
    assert archive.size == len(archive) == len(archive.elites)


def test_status_and_gain() -> None:
    line = problem((0.0, 1.0))
    archive = UnstructuredArchive(line, 0.2, neighbours=1)
    batch = line.space.draw(6, np.random.default_rng(0)).with_columns(
        a=[0.0, 0.5, 0.6, 0.45, np.nan, 9.0], loss=[3.0, 3.0, 4.0, 1.0, 0.0, 2.0]
    )
    added = archive.add(batch)
    assert added.status.tolist() == [2, 2, 0, 1, 0, 2]
    assert added.cell.tolist() == [0, 1, 1, 1, -1, 2]
    assert added.gain[[0, 1, 2, 3, 5]].tolist() == [-3, -3, -1, 2, -2]
    assert archive.elites["loss"].tolist() == [3, 1, 2]
    assert archive.cell_of([[0.1], [0.3], [0.44], [np.nan]]).tolist() == [0, 1, 1, -1]
    assert archive.novelty([[0.45], [0.95]]).tolist() == pytest.approx([0.0, 0.5])
    assert archive.best_near([8.0])["loss"].tolist() == [2]


def test_all_is_novel_to_an_empty_archive() -> None:
    archive = UnstructuredArchive(PLANE)
    assert archive.novelty([[0.0, 0.0]]).tolist() == [np.inf]
    assert archive.coverage == 0.0


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ProblemError, match="threshold='x' must be positive"):
        UnstructuredArchive(PLANE, "x")  # type: ignore[arg-type]
    for threshold in (0, np.inf, np.nan, True, 10**400):
        with pytest.raises(ProblemError, match=f"threshold={threshold!r} must be positive"):
            UnstructuredArchive(PLANE, threshold)
    with pytest.raises(ProblemError, match="neighbours=0 must be an int of at least 1"):
        UnstructuredArchive(PLANE, neighbours=0)
    with pytest.raises(ProblemError, match="compete='no' must be True or False"):
        UnstructuredArchive(PLANE, compete="no")  # type: ignore[arg-type]
    with pytest.raises(BatchError, match="hold NaN"):
        UnstructuredArchive(PLANE).novelty([[np.nan, 0.0]])
