"""How a map of elites grew: which rows entered it, and its scores after each evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from blackbox.batch import Batch
from blackbox.errors import BatchError, ProblemError
from blackbox.formulation import Problem
from blackbox.metrics.scores import finite
from blackbox.plot.data.curves import Curve
from blackbox.plot.data.elites import Archive, EliteMap, Ints, niches
from blackbox.plot.data.runs import Floats, axis_label, groups

# Points of a curve; a line has no room for more.
_POINTS = 400


@dataclass(frozen=True)
class Growth:
    """The rows of a history that became the elite of their cell, in the order of telling.

    Args:
        rows: (e,) row numbers.
        cells: (e,) cell of each.
        scores: (e,) its score.
        beaten: (e,) the score that it had to beat, NaN where the cell was empty.
    """

    rows: Ints
    cells: Ints
    scores: Floats
    beaten: Floats

    def at(self, told: int) -> Ints:
        """Events of the elites after the first ``told`` rows, by increasing cell."""
        n = int(np.searchsorted(self.rows, told))
        # The last event of each cell so far is the first of the reversed ones.
        last: Ints = n - 1 - np.unique(self.cells[:n][::-1], return_index=True)[1]
        return last


@dataclass(frozen=True)
class Trace:
    """What a run had reached after some numbers of evaluations.

    A study without a history can record one: a list of these numbers after each batch.

    Args:
        evaluations: (t,) rows told, increasing.
        qd_score: (t,) QD score.
        coverage: (t,) share of all cells that are filled.
        best: (t,) best objective, in the user's own units.
    """

    evaluations: npt.ArrayLike
    qd_score: npt.ArrayLike
    coverage: npt.ArrayLike
    best: npt.ArrayLike


Traced: TypeAlias = Any  # a study, a Batch with ``problem=``, or a Trace
TracedData: TypeAlias = Traced | Sequence[Traced] | Mapping[str, Traced | Sequence[Traced]]


def archive_of(data: TracedData, archive: Archive | None = None) -> Archive:
    """The archive given, or that of the first study whose optimizer has one.

    Raises:
        BatchError: there is none.
    """
    if archive is not None:
        return archive
    listed = list(data.values()) if isinstance(data, Mapping) else [data]
    for group in listed:
        for one in group if isinstance(group, list | tuple) else [group]:
            found = getattr(getattr(one, "optimizer", one), "archive", None)
            if found is not None:
                return found  # type: ignore[no-any-return]
    raise BatchError("nothing given has an archive: give archive=, whose cells are to be used")


def growth(history: Batch, archive: Archive) -> Growth:
    """Rows that became elites, replayed into the cells of an archive.

    Args:
        history: rows in the order of telling, with measures and the objective.
        archive: its cells are used; what is in it does not matter.

    Raises:
        ProblemError: the problem has several objectives, or the archive no cells of its own.
        BatchError: what is given is no archive, or the history lacks a measure or the objective.
    """
    fixed = niches(archive).fixed
    problem: Problem = archive.problem
    if len(problem.objectives) > 1:
        raise ProblemError(f"{problem.name} has several objectives; a cell has no one elite")
    if not fixed:
        raise ProblemError(f"{archive!r} has no fixed cells; give archive=GridArchive(...)")
    names = [measure.name for measure in problem.measures]
    measures = np.column_stack([history[name] for name in names]).astype(np.float64)
    scores = problem.scores(history)[:, 0] if problem.objectives else np.zeros(len(history))
    good = problem.feasible(history) & np.isfinite(scores) & np.isfinite(measures).all(axis=1)
    fidelity = problem.fidelity
    if fidelity is not None and fidelity.name in history:
        good &= history[fidelity.name] == fidelity.target
    cells = np.full(len(history), -1, dtype=np.int64)
    cells[good] = archive.cell_of(measures[good])
    rows = np.flatnonzero(cells >= 0)
    order = rows[np.argsort(cells[rows], kind="stable")]  # by cell, then by time
    before = _best_before(cells[order], scores[order])
    entered = np.isnan(before) | (scores[order] > before)
    order, before = order[entered], before[entered]
    by_time = np.argsort(order)
    rows = order[by_time]
    return Growth(rows, cells[rows], scores[rows], before[by_time])


def map_at(history: Batch, grown: Growth, archive: Archive, told: int) -> EliteMap:
    """The map as it was after the first ``told`` rows of a history.

    Args:
        history: rows in the order of telling.
        grown: its ``growth`` in the archive's cells.
        archive: whose cells are used.
        told: number of rows.

    Returns:
        The map, whose ``rows`` are those of the history.
    """
    events = grown.at(told)
    rows = grown.rows[events]
    problem = archive.problem
    places = np.column_stack([history[m.name][rows] for m in problem.measures])
    shown = problem.objectives[0] if problem.objectives else None
    return EliteMap(
        niches(archive),
        rows,
        grown.cells[events],
        places,
        history[shown.name][rows].astype(np.float64) if shown else rows.astype(np.float64),
        axis_label(shown) if shown else "evaluation",
        shown is None or shown.sign > 0,
    )


def _best_before(cells: Ints, scores: Floats) -> Floats:
    """(n,) best score earlier in the same cell, NaN for its first; cells come in blocks."""
    if not len(cells):
        return np.empty(0)
    # Ranks that rise from block to block, so that one running maximum serves all blocks.
    levels, rank = np.unique(scores, return_inverse=True)
    block = np.concatenate([[0], np.cumsum(np.diff(cells) != 0)])
    running = np.maximum.accumulate(rank + block * len(levels)) - block * len(levels)
    before = np.full(len(cells), np.nan)
    before[1:] = np.where(block[1:] == block[:-1], levels[running[:-1]], np.nan)
    return before


def trace(history: Batch, archive: Archive, offset: float = 0.0) -> Trace:
    """QD score, coverage and best after every row of a history.

    Args:
        history: rows in the order of telling.
        archive: its cells are used; what is in it does not matter.
        offset: the least possible score.

    Raises:
        BatchError: an elite scores less than the offset, or that is no number.
    """
    offset = finite("offset", offset, "the least possible score")
    grown = growth(history, archive)
    if len(grown.scores) and grown.scores.min() < offset:
        raise BatchError(
            f"a row scores {grown.scores.min()}, below offset={offset}; give the least possible "
            "score as offset"
        )
    n = len(history)
    gain, first, peak = np.zeros(n), np.zeros(n), np.full(n, -np.inf)
    new = np.isnan(grown.beaten)
    gain[grown.rows] = grown.scores - np.where(new, offset, grown.beaten)
    first[grown.rows] = new
    peak[grown.rows] = grown.scores
    signs = [o.sign for o in archive.problem.objectives] or [1.0]
    best = np.maximum.accumulate(peak) if n else peak
    best = np.where(np.isfinite(best), signs[0] * best, np.nan)
    filled = np.cumsum(first) / archive.size
    return Trace(np.arange(1, n + 1), np.cumsum(gain), filled, best)


def growth_curves(
    data: TracedData,
    archive: Archive | None = None,
    *,
    problem: Problem | None = None,
    offset: float = 0.0,
) -> dict[str, list[Curve]]:
    """QD score, coverage and best of methods over their evaluations.

    Args:
        data: studies with a history, Batches, or traces; one, a list, or lists by label.
        archive: whose cells are used; by default that of the first study's optimizer.
        problem: the problem that Batches belong to.
        offset: the least possible score.

    Returns:
        ``"QD score"``, ``"coverage"`` and ``"best"``: one curve a method, over the evaluations
        that all its runs have.

    Raises:
        BatchError: nothing to draw, no archive, or a score below the offset.
    """
    named: dict[str, list[Trace]] = {}
    cells: Archive | None = None
    for label, one in _labelled(data):
        if isinstance(one, Trace):
            named.setdefault(label or "archive", []).append(one)
            continue
        cells = cells or archive_of(data, archive)
        made = groups({label: one} if label else one, problem)
        for name, runs in made.items():
            found = [trace(run.history, cells, offset) for run in runs]
            named.setdefault(name, []).extend(found)
    if not named:
        raise BatchError("there is nothing to draw: give at least one study, Batch or Trace")
    fields = {"QD score": "qd_score", "coverage": "coverage", "best": "best"}
    return {
        metric: [_curve(name, runs, field) for name, runs in named.items()]
        for metric, field in fields.items()
    }


def _labelled(data: TracedData) -> list[tuple[str, Traced]]:
    """Every run with its label; "" where it is to be named after itself."""
    items = data.items() if isinstance(data, Mapping) else [("", data)]
    return [
        (str(label), one)
        for label, group in items
        for one in (group if isinstance(group, list | tuple) else [group])
    ]


def _curve(name: str, runs: list[Trace], field: str) -> Curve:
    steps = [
        (np.asarray(run.evaluations, np.float64), np.asarray(getattr(run, field), np.float64))
        for run in runs
    ]
    if any(x.shape != y.shape or x.ndim != 1 for x, y in steps):
        raise BatchError(f"{name}: a trace's {field} and evaluations differ in shape; give (t,)")
    steps = [(x[~np.isnan(y)], y[~np.isnan(y)]) for x, y in steps]
    none = np.empty((0, 2))
    if not all(x.size for x, _ in steps):
        return Curve(name, np.empty(0), np.empty((len(steps), 0)), none)
    start, end = max(x[0] for x, _ in steps), min(x[-1] for x, _ in steps)
    grid = np.unique(np.linspace(start, max(start, end), _POINTS).round())
    values = [y[np.maximum(np.searchsorted(x, grid, side="right") - 1, 0)] for x, y in steps]
    return Curve(name, grid, np.array(values), none)
