"""The Pareto front of every cell, where the cell lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from blackbox.errors import ProblemError, require
from blackbox.plot.data import Archive, axis_label, niches
from blackbox.plot.style import FAINT, INK, SMALL, axes_on, colour, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from blackbox.plot.style import Floats

_CELLS = 900  # more fronts than this cannot be told apart
_MARGIN = 0.12


def cell_fronts(archive: Archive, *, ax: Axes | None = None) -> Axes:
    """Two objectives' Pareto fronts in the cells of two measures.

    Each cell is a small picture of its front: right is a better first objective, up a better
    second one, on the same scale in all cells, from the worst to the best that any elite has.

    Args:
        archive: a FrontArchive of at most 900 filled cells.
        ax: where to draw; by default a new figure.

    Returns:
        The Axes.

    Raises:
        ProblemError: other than two objectives and two measures, no grid, or too many cells.
        MissingExtraError: matplotlib is not installed.
    """
    cells = niches(archive)
    problem = archive.problem
    if len(problem.objectives) != 2 or len(cells.names) != 2 or not cells.dims:
        raise ProblemError(
            f"{problem.name} has {len(problem.objectives)} objectives and {len(cells.names)} "
            "measures; cell_fronts draws two of each, in the cells of a grid"
        )
    filled = np.unique(archive.cells)
    if len(filled) > _CELLS:
        raise ProblemError(
            f"{len(filled)} filled cells; at most {_CELLS} fronts can be told apart: take a "
            "coarser grid, or plot.elites with value="
        )
    require("matplotlib", "plot")
    from matplotlib.collections import LineCollection

    ax = axes_on(ax, (5.4, 5.0))
    size = (cells.high - cells.low) / np.array(cells.dims)
    corners = cells.low + size * np.column_stack(np.unravel_index(filled, cells.dims))
    ax.add_collection(LineCollection(list(_frames(corners, size)), colors=FAINT, lw=0.4))
    scores = np.asarray(archive.scores, np.float64)
    if len(scores):
        span = np.ptp(scores, axis=0)
        share = (scores - scores.min(axis=0)) / np.where(span > 0, span, 1.0)
        at = np.searchsorted(filled, archive.cells)
        x, y = (corners[at] + size * (_MARGIN + (1 - 2 * _MARGIN) * share)).T
        ax.scatter(x, y, s=float(np.clip(2_500 / len(filled), 2, 14)), color=colour(0), lw=0)
    first, second = (axis_label(o) for o in problem.objectives)
    ax.set_title(f"in each cell, better is\n→ {first}, ↑ {second}", size=SMALL)
    ax.title.set_color(INK)
    ax.set_xlim(cells.low[0], cells.high[0])
    ax.set_ylim(cells.low[1], cells.high[1])
    ax.set(xlabel=cells.names[0], ylabel=cells.names[1])
    tidy(ax)
    return ax


def _frames(corners: Floats, size: Floats) -> Floats:
    """(f, 5, 2) outlines of the boxes."""
    outline = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]) * size
    frames: Floats = corners[:, None, :] + outline
    return frames
