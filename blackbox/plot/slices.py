"""One objective against each input, as observed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from blackbox.errors import ProblemError, require
from blackbox.formulation import Problem
from blackbox.plot.data import Column, Data, Rows, axis_label, chosen, inputs, ranked, single
from blackbox.plot.style import INK, SMALL, colour, opacity, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    AxesArray: TypeAlias = npt.NDArray[Any]

# The fractional part of its multiples spreads points evenly, with no random numbers.
_GOLDEN = (np.sqrt(5) - 1) / 2
_PER_ROW = 4


def slices(
    data: Data,
    *,
    ax: Axes | AxesArray | None = None,
    problem: Problem | None = None,
    objective: str | None = None,
) -> AxesArray:
    """One panel for each input: the objective of every feasible row against it.

    Choices are spread sideways so that equal ones do not hide each other. The best row, or the
    Pareto front of several objectives, is marked.

    Args:
        data: a Study, several of one space (drawn together), or Batches (see the module).
        ax: Axes to draw on, as many as inputs; by default a new figure.
        problem: the problem that Batches belong to.
        objective: the objective shown; by default the first.

    Returns:
        (k,) the Axes, one an input; a vector has one for each of its elements.

    Raises:
        BatchError: no row to draw.
        ProblemError: no such objective, or the wrong number of Axes.
        MissingExtraError: matplotlib is not installed, or moocore for several objectives.
    """
    run = single(data, problem)
    drawn = ranked(run, objective)
    columns = inputs(run, drawn.rows)
    panels = _new_panels(len(columns)) if ax is None else np.ravel(np.asarray(ax, dtype=object))
    if len(panels) != len(columns):
        raise ProblemError(f"ax holds {len(panels)} Axes; give {len(columns)}, one an input")
    for panel, column in zip(panels, columns, strict=True):
        _panel(panel, column, drawn)
    columns_in_row = min(len(panels), _PER_ROW) if ax is None else len(panels)
    for i in range(0, len(panels), columns_in_row):
        panels[i].set_ylabel(axis_label(chosen(run.problem, objective)))
    return panels


def _new_panels(k: int) -> AxesArray:
    pyplot = require("matplotlib.pyplot", "plot")
    wide = min(k, _PER_ROW)
    tall = -(-k // wide)
    size = (max(3.4, 0.6 + 2.1 * wide), 0.4 + 2.2 * tall)
    figure, grid = pyplot.subplots(
        tall, wide, figsize=size, layout="constrained", sharey=True, squeeze=False
    )
    for spare in grid.ravel()[k:]:
        figure.delaxes(spare)
    panels: AxesArray = grid.ravel()[:k]
    return panels


def _panel(ax: Axes, column: Column, drawn: Rows) -> None:
    x = column.values
    if column.levels:
        x = x + 0.5 * ((np.arange(len(x)) * _GOLDEN) % 1 - 0.5)
        ax.set_xticks(range(len(column.levels)), column.levels)
        ax.set_xlim(-0.5, len(column.levels) - 0.5)
    else:
        _scale(ax, column)
    y, best = drawn.values, drawn.best
    alpha = opacity(len(x), 0.6)
    ax.scatter(x[~best], y[~best], s=12, color=colour(0), alpha=alpha, lw=0)
    ax.scatter(x[best], y[best], s=30, color=colour(1), lw=0, zorder=3)
    ax.set_xlabel(column.name)
    tidy(ax)
    ax.tick_params(axis="x", labelsize=SMALL - 1, colors=INK)


def _scale(ax: Axes, column: Column) -> None:
    """The whole range of a number, whatever part of it was tried."""
    low, high = column.limits
    if column.log:
        ax.set_xscale("log")
        edge = (high / low) ** 0.04
        low, high = low / edge, high * edge
    else:
        whole = bool((column.values == np.rint(column.values)).all())
        ax.locator_params(axis="x", nbins=4, integer=whole)
        edge = 0.04 * (high - low)
        low, high = low - edge, high + edge
    if high > low:
        ax.set_xlim(low, high)
