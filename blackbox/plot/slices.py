"""One objective against each input, as observed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blackbox.formulation import Problem
from blackbox.plot.data import Column, Data, Rows, axis_label, chosen, inputs, ranked, single
from blackbox.plot.panels import AxesArray, input_axis, label_rows, panels_for, spread
from blackbox.plot.style import colour, opacity

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    panels = panels_for(len(columns), ax)
    for panel, column in zip(panels, columns, strict=True):
        _panel(panel, column, drawn)
    label_rows(panels, axis_label(chosen(run.problem, objective)), given=ax is not None)
    return panels


def _panel(ax: Axes, column: Column, drawn: Rows) -> None:
    x = spread(column, column.values)
    input_axis(ax, column)
    y, best = drawn.values, drawn.best
    alpha = opacity(len(x), 0.6)
    ax.scatter(x[~best], y[~best], s=12, color=colour(0), alpha=alpha, lw=0)
    ax.scatter(x[best], y[best], s=30, color=colour(1), lw=0, zorder=3)
