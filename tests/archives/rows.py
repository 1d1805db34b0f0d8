"""Problems and rows for the tests of archives."""

from __future__ import annotations

import numpy as np

import blackbox as bb


def problem(*measures: tuple[float, float], objective: bool = True) -> bb.Problem:
    """Mixed parameters, one objective, measures a, b, ... with these ranges."""
    names = "abcdefghijklmnopqrst"
    return bb.problem(
        lambda p: 0.0,
        bb.Space(bb.Real("x", -1, 1, size=3), bb.Categorical("kind", ["one", "three", None])),
        [bb.Minimize("loss")] if objective else [],
        measures=[
            bb.Measure(n, *m) for n, m in zip(names, measures or [(-1.0, 1.0)] * 2, strict=False)
        ],
    )


def rows(
    given: bb.Problem, n: int, rng: np.random.Generator, *, first: int = 0, spread: float = 0.7
) -> bb.Batch:
    """n rows with few different losses, so that there are ties, and normal measures."""
    batch = given.space.draw(n, rng).with_columns(id=first + np.arange(n))
    outcomes = {m.name: spread * rng.normal(size=n) for m in given.measures}
    if given.objectives:
        outcomes["loss"] = rng.integers(0, 6, n).astype(float)
    return batch.with_columns(**outcomes)
