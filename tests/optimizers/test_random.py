"""Random search is uniform, whatever it is told."""

from __future__ import annotations

import numpy as np
from scipy import stats

import blackbox as bb


def problem(**declared: object) -> bb.Problem:
    space = bb.Space(bb.Real("x", 0, 1), bb.Categorical("c", ["a", "b", "c"]))
    return bb.problem(lambda p: p["x"], space, **declared)  # type: ignore[arg-type]


def test_rows_are_uniform_and_independent_of_what_is_told() -> None:
    optimizer = bb.Random(problem(), seed=0)
    rows = []
    for _ in range(100):
        batch = optimizer.ask(50)
        rows.append(batch)
        optimizer.tell(batch.with_columns(y=batch["x"]))
    drawn = bb.Batch.concat(rows)
    assert stats.kstest(drawn["x"], "uniform").pvalue > 1e-4
    counts = np.unique(drawn["c"], return_counts=True)[1]
    assert stats.chisquare(counts).pvalue > 1e-4


def test_batches_do_not_matter_for_reals() -> None:
    """One row after another gives the rows of one large batch."""
    single = bb.Random(problem(), seed=3)
    rows = bb.Batch.concat([single.ask(1) for _ in range(7)])
    assert rows == bb.Random(problem(), seed=3).ask(7)


def test_takes_linear_constraints() -> None:
    space = bb.Space(
        bb.Real("x", 0, 1, size=6), constraints=[bb.LinearConstraint({"x": 1.0}, upper=0.3)]
    )
    batch = bb.Random(bb.problem(lambda p: 0.0, space), seed=0).ask(50)
    assert space.feasible(batch).all()
