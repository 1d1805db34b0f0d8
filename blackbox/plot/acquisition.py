"""What a candidate is worth along each input, and which one is asked for next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from blackbox.plot.data import Map, Slice, Source, Worth
from blackbox.plot.data import acquisition as sliced
from blackbox.plot.panels import AxesArray, input_axis, label_rows, panels_for
from blackbox.plot.style import INK, RAMP, Floats, colour, colour_bar, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DEPTH = 12.0  # nats, or deviations, below the best that are shown; the rest is not worth its ink


def acquisition(source: Source, *, ax: Axes | AxesArray | None = None) -> AxesArray:
    """The acquisition as a map of two numbers, or along each input of another space.

    The rows asked for next are marked; slices go through the first of them. Most recipes are
    logarithms, so the axis is cut far below the best. Recipes that draw samples draw others for
    the picture than for the ask, so that looking changes nothing.

    Args:
        source: a Bayes optimizer, or a study of one.
        ax: Axes to draw on: one for two numbers, else as many as inputs; by default a new figure.

    Returns:
        (k,) the Axes: one of a map, else one an input; permutations and sequences have none.

    Raises:
        ProblemError: no Bayes, or the wrong number of Axes.
        TellError: no row has succeeded yet.
        MissingExtraError: matplotlib or SciPy is not installed.
    """
    drawn = sliced(source)
    if isinstance(drawn, Map):
        panels = panels_for(1, ax)
        if ax is None:
            panels[0].figure.set_size_inches(4.6, 3.6)
        _map(panels[0], drawn)
        return panels
    panels = panels_for(len(drawn.slices), ax)
    for panel, one, asked in zip(panels, drawn.slices, drawn.asked, strict=True):
        _panel(panel, one, asked, drawn.worth)
    bottom, top = _limits(drawn)
    if top > bottom:
        for panel in panels:
            panel.set_ylim(bottom, top)
    label_rows(panels, drawn.name, given=ax is not None)
    return panels


def _panel(ax: Axes, one: Slice, asked: Floats, worth: Floats) -> None:
    input_axis(ax, one.column)
    x = one.column.values
    if one.column.levels:
        ax.hlines(one.mean, x - 0.35, x + 0.35, color=colour(0), lw=1.6)
    else:
        ax.plot(x, one.mean, color=colour(0), lw=1.6)
    ax.scatter(asked, worth, s=34, color=colour(1), lw=0, zorder=3)


def _map(ax: Axes, drawn: Map) -> None:
    first, second = drawn.axes
    known = drawn.worth[np.isfinite(drawn.worth)]
    low, high = _cut(known) if known.size else (0.0, 1.0)
    image = ax.pcolormesh(
        drawn.x, drawn.y, np.maximum(drawn.worth, low), vmin=low, vmax=high, cmap=RAMP,
        shading="nearest", rasterized=True,
    )  # fmt: skip
    ax.scatter(first.values, second.values, s=14, color="white", edgecolors=INK, lw=0.7, zorder=2)
    ax.scatter(
        drawn.asked[:, 0],
        drawn.asked[:, 1],
        s=60,
        color=colour(1),
        edgecolors="white",
        lw=0.8,
        zorder=3,
    )
    ax.set(xlabel=first.name, ylabel=second.name)
    if first.log:
        ax.set_xscale("log")
    if second.log:
        ax.set_yscale("log")
    tidy(ax)
    colour_bar(ax, image, drawn.name, shrink=1.0)


def _limits(drawn: Worth) -> tuple[float, float]:
    values = np.concatenate([drawn.worth, *(one.mean for one in drawn.slices)])
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 0.0
    low, high = _cut(known)
    return low - 0.06 * (high - low), high + 0.06 * (high - low)


def _cut(values: Floats) -> tuple[float, float]:
    """Lowest and highest value shown."""
    high = float(values.max())
    return max(float(values.min()), high - _DEPTH), high
