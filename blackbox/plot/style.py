"""One look for every picture: quiet axes, colours that colour-blind readers tell apart.

Set on the Axes that are drawn on, never in matplotlib's global settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from blackbox.errors import ProblemError, require

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats: TypeAlias = npt.NDArray[np.float64]

# Okabe and Ito's palette, the one Nature Methods recommends (Wong 2011), darkest contrasts first.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK = "#333333"
QUIET = "#8A8A8A"
FAINT = "#C9C9C9"
#: Perceptually uniform and safe for colour-blind readers.
RAMP = "viridis_r"
SMALL = 9.0


def new_axes(size: tuple[float, float], **options: Any) -> Axes:
    """Axes on a new figure of that size in inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    pyplot = require("matplotlib.pyplot", "plot")
    axes: Axes = pyplot.subplots(figsize=size, layout="constrained", subplot_kw=options)[1]
    return axes


def axes_on(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """The Axes given; where there are none, those on a new figure of that size in inches.

    Raises:
        ProblemError: what is given is no Axes.
        MissingExtraError: matplotlib is not installed.
    """
    return new_axes(size) if ax is None else need_axes(ax)


def need_axes(ax: Any) -> Axes:
    """What is given, refused where it is no Axes.

    Raises:
        ProblemError: so it is.
    """
    if not hasattr(ax, "transAxes"):
        raise ProblemError(f"ax={ax!r}; give Axes of matplotlib, or None")
    axes: Axes = ax
    return axes


def tidy(ax: Axes) -> None:
    """Thin grey axes without a frame."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(QUIET)
        ax.spines[side].set_linewidth(0.6)
    ax.tick_params(colors=INK, labelsize=SMALL, width=0.6, length=3, color=QUIET)
    ax.tick_params(which="minor", width=0.4, length=2, color=QUIET)
    ax.xaxis.label.set(color=INK, size=SMALL + 1)
    ax.yaxis.label.set(color=INK, size=SMALL + 1)


def colour_bar(ax: Axes, drawn: Any, label: str, shrink: float = 0.85) -> None:
    """A thin scale of colours beside the Axes, without a frame."""
    bar = ax.figure.colorbar(drawn, ax=ax, shrink=shrink, aspect=18, pad=0.03)
    bar.set_label(label, size=SMALL, color=INK)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=SMALL - 1, colors=INK, width=0.5, length=2)


def colour(i: int) -> str:
    """The i-th colour of the palette, which starts again after its last."""
    return PALETTE[i % len(PALETTE)]


def opacity(n: int, most: float = 1.0) -> float:
    """How opaque each of n marks is, so that crowds still show where they are dense."""
    return float(np.clip(most * 300 / max(n, 1), 0.15, most))


def label_ends(ax: Axes, ends: list[tuple[str, float, str]], gap: float = 0.065) -> None:
    """Name lines at their right ends, moved apart where they would overlap.

    Args:
        ax: the lines' Axes, whose y-limits are final.
        ends: label, y at the line's end, colour.
        gap: least distance of two labels, as a share of the axis.
    """
    to_share = ax.transData + ax.transAxes.inverted()
    right = ax.get_xlim()[1]
    if not ends:
        return
    shares = np.array([to_share.transform((right, y))[1] for _, y, _ in ends])
    for (name, _, tone), share in zip(ends, apart(shares, gap), strict=True):
        ax.text(1.015, share, name, color=tone, size=SMALL, va="center", transform=ax.transAxes)


def apart(places: Floats, gap: float) -> Floats:
    """Places from 0 to 1 moved as little as needed to be ``gap`` apart, in their order.

    Least squares under an order is pooling of neighbours that are too near (isotonic
    regression, Ayer et al. 1955); under bounds it is the same, clipped.
    """
    order = np.argsort(places, kind="stable")
    shift = np.arange(len(places)) * gap
    pools: list[list[float]] = []
    for value in places[order] - shift:
        pools.append([float(value), 1.0])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, m), (b, n) = pools[-2], pools.pop()
            pools[-1] = [(a * m + b * n) / (m + n), m + n]
    moved = np.empty(len(places))
    pooled = np.repeat([p[0] for p in pools], [int(p[1]) for p in pools])
    moved[order] = np.clip(pooled, 0.0, max(0.0, 1.0 - shift[-1])) + shift
    return moved
