"""What a model expects along each input, and how sure it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from blackbox.plot.data import Posterior, Slice, Source, thin
from blackbox.plot.data import posterior as sliced
from blackbox.plot.panels import AxesArray, input_axis, label_rows, panels_for, spread
from blackbox.plot.style import INK, colour, opacity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHADES = {0.95: 0.15, 0.68: 0.25}
_FAINTEST = 0.07
_BEYOND = 3.0  # how far the axis may follow the bands, in typical half widths of the inner one
_MARGIN = 0.05  # of the axis
_CROWDED = 0.5  # opacity of dots below which they would hide the line


def posterior(
    source: Source, *, ax: Axes | AxesArray | None = None, outcome: str | None = None
) -> AxesArray:
    """One panel for each input: the posterior of an outcome along it.

    The slices go through the recommended row, which is marked; all other inputs stay as they are
    there. Line and bands are the median of the noise-free outcome and what it lies between with
    68 and 95 % probability. Rows told are dots, the fainter the farther they are from the slice.
    Permutations and sequences have no axis and no panel.

    Args:
        source: a Bayes optimizer, or a study of one.
        ax: Axes to draw on, as many as inputs; by default a new figure.
        outcome: name of an objective or a constraint; by default the first objective.

    Returns:
        (k,) the Axes, one an input, those of an environment last; a vector has one for each of
        its elements.

    Raises:
        ProblemError: no Bayes, no such outcome, or the wrong number of Axes.
        TellError: no row has succeeded yet.
        MissingExtraError: matplotlib or SciPy is not installed.
    """
    drawn = sliced(source, outcome)
    panels = panels_for(len(drawn.slices), ax)
    for panel, one in zip(panels, drawn.slices, strict=True):
        _panel(panel, one, drawn)
    bottom, top = _limits(drawn)
    if top > bottom:
        for panel in panels:
            panel.set_ylim(bottom, top)
    label_rows(panels, drawn.name, given=ax is not None)
    return panels


def _panel(ax: Axes, one: Slice, drawn: Posterior) -> None:
    input_axis(ax, one.column)
    x, tone = one.column.values, colour(0)
    if one.column.levels:
        for share, shade in _SHADES.items():
            low, high = one.bands[share]
            ax.bar(x, high - low, bottom=low, width=0.7, color=tone, alpha=shade, lw=0)
        ax.hlines(one.mean, x - 0.35, x + 0.35, color=tone, lw=1.6)
    else:
        for share, shade in _SHADES.items():
            ax.fill_between(x, *one.bands[share], color=tone, alpha=shade, lw=0)
        ax.plot(x, one.mean, color=tone, lw=1.6)
    rows = thin(len(one.told), np.zeros(len(one.told), dtype=bool))
    most = opacity(len(rows), 0.9)
    alpha: Any = most * np.clip(one.near[rows], _FAINTEST, 1.0)  # one each
    places = spread(one.column, one.told)[rows]
    above = 3 if most > _CROWDED else 1
    ax.scatter(places, drawn.values[rows], s=10, color=INK, alpha=alpha, lw=0, zorder=above)
    ax.scatter([one.at], [drawn.here], s=34, color=colour(1), lw=0, zorder=4)


def _limits(drawn: Posterior) -> tuple[float, float]:
    """Bottom and top of the axis, which every row and line is inside of.

    A band may widen by orders of magnitude where nothing is known, as that of a warped outcome
    does; there it leaves the axis, or it would flatten everything else.
    """
    seen = np.concatenate([drawn.values, *[one.mean for one in drawn.slices]])
    low, high = np.nanmin(seen), np.nanmax(seen)
    inner, outer = (
        np.concatenate([one.bands[share] for one in drawn.slices], axis=1)
        for share in sorted(_SHADES)
    )
    beyond = _BEYOND * np.nanmedian(inner[1] - inner[0]) / 2.0
    bottom = min(low, max(np.nanmin(outer[0]), low - beyond))
    top = max(high, min(np.nanmax(outer[1]), high + beyond))
    margin = _MARGIN * (top - bottom)
    return float(bottom - margin), float(top + margin)
