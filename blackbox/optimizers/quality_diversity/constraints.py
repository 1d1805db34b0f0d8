"""Infeasible rows that guide: an archive of those that come near to satisfying the constraints."""

from __future__ import annotations

import math

import numpy as np

from blackbox.archives import Archive, CellArchive
from blackbox.batch import Batch
from blackbox.formulation import Floats, Problem


def nearness(problem: Problem, batch: Batch) -> Floats:
    """(n,) scores of infeasible rows: fewer broken constraints first, then broken by less.

    Each violation v counts ``v / (1 + v)``, at most 1, so that no unit outweighs a constraint.
    NaN for rows that failed or are feasible.
    """
    violations = problem.violations(batch)
    broken = violations > 0
    excess = np.where(np.isinf(violations), 1.0, violations / (1.0 + violations))
    scores = -np.where(broken, 1.0 + excess, 0.0).sum(axis=1)
    failed = ~batch["ok"] if "ok" in batch else False
    return np.where(failed | ~broken.any(axis=1), np.nan, scores)


def infeasible_archive(archive: Archive) -> Archive:
    """An empty archive for infeasible rows, of the shape of the elites' own."""
    if isinstance(archive, CellArchive):
        return archive.like(learning_rate=1.0, threshold_min=-math.inf)
    return archive.like()


def add_infeasible(archive: Archive, batch: Batch) -> None:
    """Keep in each cell the infeasible row that is nearest to satisfying the constraints."""
    problem = archive.problem
    measures = np.column_stack([batch[m.name] for m in problem.measures])
    archive.insert(nearness(problem, batch), measures, batch.columns())
