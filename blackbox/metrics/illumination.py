"""How well each of a set of runs illuminates the cells that any of them could fill.

Definitions of Mouret and Clune (*Illuminating search spaces by mapping elites*, 2015): each run is
measured against the best that all of them together found in each cell. So the numbers belong to
the set: with another run added, those of all may change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from blackbox.errors import BatchError
from blackbox.metrics.quality_diversity import Ints, best_of_cells
from blackbox.metrics.scores import Floats, finite, numbers


class Elites(Protocol):
    """What metrics and plots need of an archive: k elites in some of ``size`` cells."""

    @property
    def size(self) -> int:
        """Number of cells."""

    @property
    def cells(self) -> Ints:
        """(k,) cell of each elite."""

    @property
    def scores(self) -> Floats:
        """(k,) scores, larger is better; (k, m) where cells hold Pareto fronts."""

    @property
    def measures(self) -> Floats:
        """(k, d) measures."""

    @property
    def low(self) -> Floats:
        """(d,) least measures."""

    @property
    def high(self) -> Floats:
        """(d,) largest measures."""


#: An archive, or cells (n,) and scores (n,) of one run.
Run: TypeAlias = Elites | tuple[npt.ArrayLike, npt.ArrayLike]


@dataclass(frozen=True)
class Illumination:
    """Four numbers from 0 to 1 for each of r runs.

    With M the best score of each cell over all runs, and m that of one run:

    Args:
        global_performance: (r,) the best of m divided by the best of M.
        global_reliability: (r,) mean of m / M over all cells that any run filled, where a cell
            that this run left empty counts 0. The paper's main number.
        precision: (r,) mean of m / M over the cells that this run filled ("opt-in reliability");
            NaN for a run that filled none. The paper's text defines it so, though the formula
            printed beside it divides by the number of cells of M.
        coverage: (r,) cells that this run filled divided by those that any run filled. Not the
            share of all cells there are.
    """

    global_performance: Floats
    global_reliability: Floats
    precision: Floats
    coverage: Floats


def illumination(runs: Sequence[Run], *, offset: float = 0.0) -> Illumination:
    """The paper's four metrics over a set of runs of one or several methods.

    Args:
        runs: archives of the same cells, or pairs of (n,) cells and (n,) scores; at least one,
            all those that are to be compared.
        offset: the least possible score. It is taken off all scores first, as ratios of numbers
            that may be negative mean nothing.

    Returns:
        The four numbers of each run.

    Raises:
        BatchError: no run, what is none, none of them with an elite, archives of different
            cells, or a score below the offset.
    """
    if not isinstance(runs, Sequence) or not len(runs):
        raise BatchError(f"runs is {runs!r}; give a list of archives or (cells, scores) pairs")
    same_cells(runs)
    maps = [elites_of(run) for run in runs]
    filled, best = best_of_cells(
        np.concatenate([cells for cells, _ in maps]), np.concatenate([s for _, s in maps])
    )
    if not len(filled):
        raise BatchError("no run has an elite; there is nothing to compare")
    lowest = min(float(scores.min()) for _, scores in maps if len(scores))
    if lowest < finite("offset", offset, "the least possible score"):
        raise BatchError(
            f"offset={offset} but an elite scores {lowest}: ratios to the best need scores above "
            "it; give the least possible score as offset"
        )
    found = np.zeros((len(maps), len(filled)))
    has = np.zeros(found.shape, dtype=bool)
    for i, (cells, scores) in enumerate(maps):
        where = np.searchsorted(filled, cells)
        has[i, where] = True
        found[i, where] = scores - offset
    top = best - offset
    # Where even the best is worth nothing, who has filled the cell has done all that could be.
    ratio = np.divide(found, top, out=has.astype(np.float64), where=top > 0)
    number = has.sum(axis=1)
    peak = np.where(has.any(axis=1), 1.0, 0.0)
    if top.max() > 0:
        np.divide(found.max(axis=1), top.max(), out=peak)
    return Illumination(
        global_performance=peak,
        global_reliability=ratio.mean(axis=1),
        precision=np.divide(
            ratio.sum(axis=1), number, out=np.full(len(maps), np.nan), where=number > 0
        ),
        coverage=number / len(filled),
    )


def elites_of(run: Run) -> tuple[Ints, Floats]:
    """The filled cells of one run, increasing, and the best score in each.

    Raises:
        BatchError: wrong shapes or types, or several objectives.
    """
    cells, scores = run if isinstance(run, tuple) else (run.cells, run.scores)
    values = numbers("scores", scores)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2:
        raise BatchError(
            f"scores have shape {values.shape}: cells with Pareto fronts; take moqd_score"
        )
    return best_of_cells(cells, values)


def same_cells(runs: Sequence[Run]) -> None:
    """Refuse archives whose cells of the same number are not the same cell.

    Raises:
        BatchError: names the first difference, or what is no archive.
    """
    for run in runs:
        pair = isinstance(run, tuple) and len(run) == 2
        if not pair and not (hasattr(run, "cells") and hasattr(run, "scores")):
            raise BatchError(f"a run is {run!r}; give an archive or a pair (cells, scores)")
    archives = [run for run in runs if not isinstance(run, tuple)]
    if len(archives) > 1 and any(getattr(run, "elites_are_cells", False) for run in archives):
        raise BatchError(
            "the cells of an archive without fixed cells are its own elites; add the elites of "
            "each to a GridArchive and compare these"
        )
    for one in archives[1:]:
        first = archives[0]
        for field in ("size", "dims", "low", "high", "centroids"):
            theirs, ours = (np.asarray(getattr(run, field, ())) for run in (first, one))
            if not np.array_equal(theirs, ours):
                said = f": {theirs.tolist()} and {ours.tolist()}" if field != "centroids" else ""
                raise BatchError(
                    f"archives of different {field}{said}; compare archives of the same cells, or "
                    "add the elites of one to an archive made like the other"
                )
