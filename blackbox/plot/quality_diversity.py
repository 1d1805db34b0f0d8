"""How QD score, coverage and best grow with the evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from blackbox.errors import ProblemError, require
from blackbox.formulation import Problem
from blackbox.plot.convergence import check_band, draw_curve, limit_late
from blackbox.plot.data import Archive, TracedData, growth_curves
from blackbox.plot.panels import AxesArray
from blackbox.plot.style import INK, SMALL, colour, need_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MANY = 1e5


def quality_diversity(
    data: TracedData,
    *,
    ax: AxesArray | None = None,
    archive: Archive | None = None,
    problem: Problem | None = None,
    offset: float = 0.0,
    band: tuple[float, float] = (0.25, 0.75),
) -> AxesArray:
    """QD score, share of filled cells and best objective over the evaluations.

    Histories are replayed into the cells of one archive, so that methods with different archives,
    or with none, are compared in the same cells; what an optimizer itself kept does not matter.
    Of several runs of a method the median is drawn and a band between two quantiles.

    Args:
        data: studies with a history, Batches, or ``Trace`` (recorded numbers); one, a list, or a
            dict from label to one or a list. Studies of one name are runs of one method.
        ax: three Axes to draw on; by default a new figure.
        archive: whose cells are used; by default that of the first study's optimizer.
        problem: the problem that Batches belong to.
        offset: the least possible score, for the QD score.
        band: quantiles between which the bands lie.

    Returns:
        (3,) the Axes, with one line a method each.

    Raises:
        BatchError: nothing to draw, no archive, or a score below the offset.
        ProblemError: several objectives, cells that are not fixed, the wrong number of Axes, or a
            band that is none.
        MissingExtraError: matplotlib is not installed.
    """
    check_band(band)
    drawn = growth_curves(data, archive, problem=problem, offset=offset)
    if ax is None:
        pyplot = require("matplotlib.pyplot", "plot")
        ax = pyplot.subplots(1, 3, figsize=(10, 2.9), layout="constrained")[1]
    panels: AxesArray = np.ravel(np.asarray(ax, dtype=object))
    if len(panels) != 3:
        raise ProblemError(f"ax holds {len(panels)} Axes; give 3")
    for panel in panels:
        need_axes(panel)
    for panel, (metric, curves) in zip(panels, drawn.items(), strict=True):
        for i, curve in enumerate(curves):
            draw_curve(panel, curve, colour(i), band)
        panel.set(xlabel="evaluations", ylabel=metric)
        _extent(panel, [float(c.x[-1]) for c in curves if c.x.size])
        tidy(panel)
    panels[1].set_ylim(0, None)
    known = [curve for curve in drawn["best"] if curve.x.size]
    if known:
        limit_late(panels[2], known, band)
    if len(drawn["best"]) > 1:
        panels[0].legend(frameon=False, fontsize=SMALL, labelcolor=INK)
    return panels


def _extent(ax: Axes, ends: list[float]) -> None:
    if ends:
        ax.set_xlim(0, max(ends))
    if ax.get_xlim()[1] >= _MANY:
        ax.xaxis.set_major_formatter(require("matplotlib.ticker", "plot").EngFormatter(sep=""))
