"""Dominated novelty, by its definition; and a fixed number of rows."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from blackbox.archives import DominatedArchive
from blackbox.errors import BatchError, ProblemError
from blackbox.metrics import illumination
from tests.archives.rows import problem, rows

PLANE = problem((-1.0, 1.0), (0.0, 100.0))


def by_definition(batch: bb.Batch, k: int) -> list[float]:
    """Mean distance to the k nearest rows that score more, or as much and stand before."""
    points = np.column_stack([(batch["a"] + 1) / 2, batch["b"] / 100])
    worth = []
    for i, loss in enumerate(batch["loss"]):
        before = np.arange(len(batch)) < i
        better = (batch["loss"] < loss) | ((batch["loss"] == loss) & before)
        away = np.sort(np.linalg.norm(points[better] - points[i], axis=1))[:k]
        worth.append(away.mean() if better.any() else np.inf)
    return worth


@pytest.mark.parametrize("n", [1, 2, 40, 600])
@pytest.mark.parametrize("k", [1, 3])
def test_worth_is_the_distance_to_better_rows(n: int, k: int) -> None:
    rng = np.random.default_rng(n)
    batch = rows(PLANE, n, rng).with_columns(b=rng.uniform(0, 100, n))
    archive = DominatedArchive(PLANE, 700, neighbours=k)
    assert archive.add(batch).gain.tolist() == pytest.approx(by_definition(batch, k))


def test_the_rows_of_most_worth_stay() -> None:
    rng = np.random.default_rng(0)
    archive = DominatedArchive(PLANE, 20)
    before = bb.Batch({})
    for first in range(0, 150, 30):
        new = rows(PLANE, 30, rng, first=first).with_columns(b=rng.uniform(0, 100, 30))
        pool = bb.Batch.concat([before, new.select(archive.elites.names)]) if first else new
        worth = np.array(by_definition(pool, 3))
        added = archive.add(new)
        kept = np.sort(np.argsort(-worth, kind="stable")[:20])
        assert archive.elites["id"].tolist() == pool["id"][kept].tolist()
        assert np.array_equal(added.status == 2, np.isin(new["id"], archive.elites["id"]))
        entered = added.cell >= 0
        assert archive.elites["id"][added.cell[entered]].tolist() == new["id"][entered].tolist()
        before = archive.elites
    assert archive.size == len(archive) == 20
    assert archive.cells.tolist() == list(range(20))


def test_a_copy_is_worth_nothing_and_a_failed_row_does_not_enter() -> None:
    row = rows(PLANE, 1, np.random.default_rng(0))
    batch = bb.Batch.concat([row, row, row.with_columns(loss=np.nan)])
    added = DominatedArchive(PLANE, 5).add(batch)
    assert added.gain[:2].tolist() == [np.inf, 0.0]
    assert added.status.tolist() == [2, 2, 0]


def test_bad_arguments_are_refused() -> None:
    for capacity in (0, "x", True, 1.5, 10**400):
        with pytest.raises(ProblemError, match=f"capacity={capacity!r} must be an int of at"):
            DominatedArchive(PLANE, capacity)  # type: ignore[arg-type]
    with pytest.raises(ProblemError, match="neighbours=0 must be an int of at least 1"):
        DominatedArchive(PLANE, neighbours=0)


def test_rows_that_are_their_own_cells_are_not_compared_by_them() -> None:
    made = [DominatedArchive(PLANE, 9) for _ in range(2)]
    for seed, archive in enumerate(made):
        archive.add(rows(PLANE, 9, np.random.default_rng(seed)))
    with pytest.raises(BatchError, match="without fixed cells are its own elites"):
        illumination(made, offset=-100)
