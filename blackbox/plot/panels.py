"""One panel for each input, in rows that share their outcome's axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from blackbox.errors import ProblemError, require
from blackbox.plot.data import Column
from blackbox.plot.style import INK, SMALL, Floats, need_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AxesArray: TypeAlias = npt.NDArray[Any]

# The fractional part of its multiples spreads points evenly, with no random numbers.
_GOLDEN = (np.sqrt(5) - 1) / 2
_PER_ROW = 4


def panels_for(k: int, ax: Axes | AxesArray | None) -> AxesArray:
    """(k,) Axes: those given, or new ones, at most four in a row.

    Raises:
        ProblemError: another number of Axes is given.
        MissingExtraError: matplotlib is not installed.
    """
    if ax is not None:
        given = np.ravel(np.asarray(ax, dtype=object))
        if len(given) != k:
            raise ProblemError(f"ax holds {len(given)} Axes; give {k}, one an input")
        return np.array([need_axes(one) for one in given], dtype=object)
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


def label_rows(panels: AxesArray, label: str, *, given: bool) -> None:
    """Name the outcome at the first panel of each row; Axes that were given are one row."""
    for i in range(0, len(panels), len(panels) if given else min(len(panels), _PER_ROW)):
        panels[i].set_ylabel(label)


def input_axis(ax: Axes, column: Column) -> None:
    """Name and scale of an input along x: its whole range, whatever part of it was tried."""
    if column.levels:
        ax.set_xticks(range(len(column.levels)), column.levels)
        ax.set_xlim(-0.5, len(column.levels) - 0.5)
    else:
        _scale(ax, column)
    ax.set_xlabel(column.name)
    tidy(ax)
    ax.tick_params(axis="x", labelsize=SMALL - 1, colors=INK)


def spread(column: Column, places: Floats) -> Floats:
    """Places along an input; those of choices moved sideways, so that equal ones are seen."""
    if not column.levels:
        return places
    moved: Floats = places + 0.5 * ((np.arange(len(places)) * _GOLDEN) % 1 - 0.5)
    return moved


def _scale(ax: Axes, column: Column) -> None:
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
