"""Infeasible rows that guide: an archive of those that come near to satisfying the constraints."""

from __future__ import annotations

import math

import numpy as np

from blackbox.archives import Archive, CellArchive
from blackbox.batch import Batch


def infeasible_archive(archive: Archive) -> Archive:
    """An empty archive for infeasible rows, of the shape of the elites' own."""
    if isinstance(archive, CellArchive):
        return archive.like(learning_rate=1.0, threshold_min=-math.inf)
    return archive.like()


def add_infeasible(archive: Archive, batch: Batch) -> None:
    """Keep in each cell the infeasible row that is nearest to satisfying the constraints."""
    problem = archive.problem
    measures = np.column_stack([batch[m.name] for m in problem.measures])
    archive.insert(problem.nearness(batch), measures, batch.columns())
