"""Archives of this package as archives of pyribs, and back.

A solution of pyribs is a point of the unit cube of the problem's space; an objective is a score,
larger is better; measures are in the user's units.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from blackbox.archives import Archive, CVTArchive, GridArchive
from blackbox.errors import ProblemError, require
from blackbox.formulation import Problem, missing


def to_ribs(archive: Archive, *, seed: Any = None) -> Any:
    """The elites of an archive in one of pyribs, with the same cells and thresholds.

    Distances to the centroids of a ``CVTArchive`` are in units of the measures' ranges, as here.
    Ids, parents and outcomes other than objective and measures stay behind.

    Args:
        archive: a ``GridArchive`` or a ``CVTArchive``.
        seed: seeds the draws of elites by pyribs.

    Raises:
        ProblemError: an archive of another kind.
        MissingExtraError: pyribs is not installed (extra ``ribs``).
    """
    kinds = require("ribs", "ribs").archives
    if not isinstance(archive, GridArchive | CVTArchive):
        raise ProblemError(f"to_ribs: {archive!r}; give a GridArchive or a CVTArchive")
    common = {
        "solution_dim": archive.problem.space.width,
        "ranges": list(zip(archive.low, archive.high, strict=True)),
        "learning_rate": archive.learning_rate,
        "threshold_min": archive.threshold_min,
        "seed": seed,
    }
    if isinstance(archive, GridArchive):
        made = kinds.GridArchive(dims=archive.dims, **common)
    else:
        made = kinds.CVTArchive(centroids=archive.centroids, **common, **_distance(archive))
    if len(archive):
        solutions = archive.problem.space.encode(archive.elites)
        made.add(solutions, archive.scores, archive.measures)
        # ``add`` has moved thresholds as for rows that are new; these have a history.
        index = made.index_of(archive.measures)
        _, elites = made.retrieve(archive.measures)
        del elites["index"]
        made._store.add(index, {**elites, "threshold": archive.thresholds})
    return made


def _distance(archive: CVTArchive) -> dict[str, Any]:
    """Arguments with which pyribs finds the centroid that is nearest in units of the ranges."""
    span = archive.high - archive.low
    if (span == span[0]).all():
        return {}
    scaled = {"metric": "seuclidean", "metric_params": {"V": span**2}}
    return {"nearest_neighbors": "sklearn_nn", "sklearn_nn_kwargs": scaled}


def from_ribs(archive: Any, problem: Problem) -> Archive:
    """The elites of an archive of pyribs in one of this package.

    Rows outside the ranges lie in the nearest cell, where pyribs puts them, and later ones go there
    too. Of elites that share a cell here the best is kept: cells of a ``CVTArchive`` differ where
    pyribs measured distances without regard to the ranges. Ids and parents are -1, and outcomes
    that pyribs does not know NaN.

    Args:
        archive: a ``GridArchive`` or a ``CVTArchive`` of pyribs, its solutions in the unit cube of
            the problem's space.
        problem: declares as many measures, in the same order.

    Raises:
        ProblemError: an archive of another kind, or one that does not fit the problem.
        MissingExtraError: pyribs is not installed (extra ``ribs``).
    """
    made = _like(archive, problem)
    ranges = {"low": archive.lower_bounds, "high": archive.upper_bounds}
    made.load_state({**made.state(), **ranges})
    found = {k: archive.data(k) for k in ("solution", "objective", "measures", "threshold")}
    scores, measures = found["objective"].astype(float), found["measures"].astype(float)
    ids = np.full(len(scores), -1)
    own = {
        "cell": made.cell_of(measures),
        "parent": ids,
        "score": scores,
        "threshold": found["threshold"].astype(float),
        "measures": measures,
    }
    columns = problem.space.decode(np.clip(found["solution"].astype(float), 0.0, 1.0)).columns()
    if problem.fidelity is not None:
        columns[problem.fidelity.name] = np.full(len(scores), problem.fidelity.target)
    columns |= {"id": ids, **missing(problem, len(scores))}
    columns |= {o.name: o.sign * scores for o in problem.objectives}
    columns |= {m.name: measures[:, j] for j, m in enumerate(problem.measures)}
    made.load_state({**made.state(), "own": own, "table": columns})
    return made


def _like(archive: Any, problem: Problem) -> GridArchive | CVTArchive:
    """An empty archive of this package with the cells of one of pyribs."""
    kinds = require("ribs", "ribs").archives
    if not isinstance(archive, kinds.GridArchive | kinds.CVTArchive):
        raise ProblemError(f"from_ribs: {archive!r}; give a GridArchive or a CVTArchive of pyribs")
    if problem.environment is not None:
        raise ProblemError(f"from_ribs: {problem.name} has an environment, which pyribs forgets")
    check_fits(archive, problem)
    thresholds: dict[str, Any] = {
        "learning_rate": float(archive.learning_rate),
        "threshold_min": float(archive.threshold_min),
    }
    if isinstance(archive, kinds.GridArchive):
        return GridArchive(problem, archive.dims.tolist(), outside="clip", **thresholds)
    return CVTArchive(problem, archive.centroids, outside="clip", **thresholds)


def check_fits(archive: Any, problem: Problem) -> None:
    """Check the shape of an archive of pyribs.

    Raises:
        ProblemError: its solutions or measures have another width than the problem's.
    """
    shape = (archive.solution_dim, archive.measure_dim)
    wanted = (problem.space.width, len(problem.measures))
    if shape != wanted:
        raise ProblemError(
            f"solution_dim and measure_dim of pyribs' archive are {shape}; {problem.name} needs "
            f"{wanted}: the width of its unit cube and the number of its measures"
        )
