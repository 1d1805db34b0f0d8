"""The elites of an archive in the space of their measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from blackbox.arguments import is_finite
from blackbox.errors import ProblemError, require
from blackbox.plot.data import Archive, EliteMap, Niches, map_of, projected
from blackbox.plot.style import INK, RAMP, SMALL, axes_on, colour_bar, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Colour of empty cells.
EMPTY = "#F2F2F2"


def elites(
    archive: Archive,
    *,
    ax: Axes | None = None,
    value: str | None = None,
    measures: Sequence[str] | None = None,
    limits: tuple[float, float] | None = None,
) -> Axes:
    """The map of elites: each cell in the colour of its elite, dark where it is best.

    One measure makes bars, two a map: the cells of a grid, or Voronoi cells. A grid of more
    measures is laid out flat, with grids inside the cells of a grid: the first measure runs along
    x, the second along y, the third divides each column, the fourth each row, and so on. Elites
    without such cells are points at the two measures named, or the first two. Empty cells are
    pale; an archive without elites is drawn with a note.

    Args:
        archive: a GridArchive, CVTArchive, DeepArchive, UnstructuredArchive or FrontArchive.
        ax: where to draw; by default a new figure.
        value: what the colour shows: an objective, another outcome or a scalar input. By
            default the objective, or the hypervolume of each cell's front.
        measures: names of two measures to look along all others at: of the cells behind each
            other the best elite is shown.
        limits: least and largest value of the colours; by default those of the elites.

    Returns:
        The Axes.

    Raises:
        ProblemError: no such value, or none of numbers; or limits that are none.
        BatchError: not two of the measures, or what is given is no archive.
        MissingExtraError: matplotlib is not installed, SciPy for Voronoi cells, or moocore for
            hypervolumes.
    """
    if limits is not None and not (
        isinstance(limits, list | tuple) and len(limits) == 2 and all(map(is_finite, limits))
    ):
        raise ProblemError(f"limits={limits!r}; give the least and the largest value, or None")
    drawn = map_of(archive, value)
    if measures is not None:
        drawn = projected(drawn, measures)
    elif drawn.kind == "points" and len(drawn.niches.names) > 2:
        drawn = projected(drawn, drawn.niches.names[:2])
    return draw_map(drawn, ax, limits)[0]


def draw_map(
    drawn: EliteMap, ax: Axes | None = None, limits: tuple[float, float] | None = None
) -> tuple[Axes, Any]:
    """The Axes with a map on them, and what holds its values (None where that is bars)."""
    ax = axes_on(ax, (5.0, 3.0 if drawn.kind == "line" else 3.9))
    draw = {"line": _bars, "grid": _grid, "voronoi": _voronoi, "points": _points}[drawn.kind]
    mappable = draw(ax, drawn, limits)
    tidy(ax)
    if not len(drawn.cells):
        ax.text(
            0.5, 0.5, "no elites yet", transform=ax.transAxes, ha="center", va="center",
            color=INK, size=SMALL + 1,
        )  # fmt: skip
    return ax, mappable


def shades(drawn: EliteMap, limits: tuple[float, float] | None) -> dict[str, Any]:
    """Colour map and limits: dark where the value is best."""
    low, high = (0.0, 1.0) if limits is None else limits
    if limits is None and len(drawn.values):
        low, high = float(drawn.values.min()), float(drawn.values.max())
    return {
        "cmap": RAMP if drawn.rising else RAMP.removesuffix("_r"),
        "norm": require("matplotlib.colors", "plot").Normalize(low, high),
    }


def matrix(drawn: EliteMap) -> Any:
    """(rows, columns) values of a grid laid out flat, empty cells masked."""
    table = np.full(drawn.niches.nested, np.nan)
    table[drawn.niches.flat(drawn.cells)] = drawn.values
    return np.ma.masked_invalid(table)


def _grid(ax: Axes, drawn: EliteMap, limits: tuple[float, float] | None) -> Any:
    niches = drawn.niches
    low, high = niches.low, niches.high
    deep = len(niches.dims) > 2
    tall, wide = niches.nested
    ends = (0, 0, wide, tall) if deep else (low[0], low[1], high[0], high[1])
    left, bottom, right, top = map(float, ends)
    ax.set_facecolor(EMPTY)
    image = ax.imshow(
        matrix(drawn), origin="lower", extent=(left, right, bottom, top), aspect="auto",
        interpolation="nearest", **shades(drawn, limits),
    )  # fmt: skip
    if deep:
        _nested(ax, niches)
    else:
        ax.set(xlabel=niches.names[0], ylabel=niches.names[1])
    colour_bar(ax, image, drawn.label, shrink=1.0)
    return image


def _nested(ax: Axes, niches: Niches) -> None:
    """Lines between the outer cells, which carry the ticks; inner measures are named."""
    for i, (axis, line) in enumerate(((ax.xaxis, ax.axvline), (ax.yaxis, ax.axhline))):
        dims, names = niches.dims[i::2], niches.names[i::2]
        inner = int(np.prod(dims[1:]))
        for j in range(1, dims[0]):
            line(j * inner, color="white", lw=1.2)
        step = max(1, dims[0] // 5)
        ends = np.linspace(niches.low[i], niches.high[i], dims[0] + 1)[::step]
        axis.set_ticks(np.arange(0, dims[0] + 1, step) * inner, [f"{end:.3g}" for end in ends])
        ranges = [
            f"{name} {low:.3g} to {high:.3g}"
            for name, low, high in zip(
                names[1:], niches.low[i + 2 :: 2], niches.high[i + 2 :: 2], strict=True
            )
        ]
        within = "; within each: " + ", ".join(ranges) if ranges else ""
        axis.set_label_text(names[0] + within)


def _voronoi(ax: Axes, drawn: EliteMap, limits: tuple[float, float] | None) -> Any:
    require("matplotlib", "plot")
    from matplotlib.collections import PolyCollection

    niches = drawn.niches
    corners = niches.polygons()
    crowded = len(corners) > 2_000
    # In a crowd lines would hide the colours: each cell is outlined in its own.
    edge = {"edgecolors": "face", "lw": 0.3} if crowded else {"edgecolors": "white", "lw": 0.4}
    empty = np.setdiff1d(np.arange(len(corners)), drawn.cells)
    style: dict[str, Any] = {"rasterized": len(corners) > 500, **edge}
    ax.add_collection(PolyCollection([corners[c] for c in empty], facecolors=EMPTY, **style))
    filled = PolyCollection(
        [corners[c] for c in drawn.cells], array=drawn.values, **shades(drawn, limits), **style
    )
    ax.add_collection(filled)
    _ranges(ax, niches)
    colour_bar(ax, filled, drawn.label, shrink=1.0)
    return filled


def _points(ax: Axes, drawn: EliteMap, limits: tuple[float, float] | None) -> Any:
    # The best on top.
    order = np.argsort(drawn.values if drawn.rising else -drawn.values, kind="stable")
    x = drawn.places[order, 0]
    y = drawn.places[order, 1] if len(drawn.niches.names) > 1 else drawn.values[order]
    size = float(np.clip(6_000 / max(len(order), 1), 5, 40))
    # Dots on the border are drawn whole.
    style = {"s": size, "lw": 0, "clip_on": False, "zorder": 3, **shades(drawn, limits)}
    dots = ax.scatter(x, y, c=drawn.values[order], **style)
    if len(drawn.niches.names) > 1:
        _ranges(ax, drawn.niches)
    else:
        ax.set(xlabel=drawn.niches.names[0], ylabel=drawn.label)
    colour_bar(ax, dots, drawn.label, shrink=1.0)
    return dots


def _bars(ax: Axes, drawn: EliteMap, limits: tuple[float, float] | None) -> None:
    require("matplotlib", "plot")
    from matplotlib import colormaps

    niches, edges = drawn.niches, drawn.niches.edges
    place = (
        drawn.cells if niches.dims else np.argsort(np.argsort(niches.centroids[:, 0]))[drawn.cells]
    )
    ends = shades(drawn, limits)
    low, high = ends["norm"].vmin, ends["norm"].vmax
    floor = low - 0.08 * ((high - low) or 1.0)
    tones = colormaps[ends["cmap"]](ends["norm"](drawn.values))
    ax.bar(
        edges[place], drawn.values - floor, width=np.diff(edges)[place], bottom=floor,
        align="edge", color=tones, lw=0,
    )  # fmt: skip
    ax.set_ylim(floor, high + 0.04 * ((high - low) or 1.0))
    ax.set_xlim(edges[0], edges[-1])
    ax.set(xlabel=niches.names[0], ylabel=drawn.label)


def _ranges(ax: Axes, niches: Niches) -> None:
    ax.set_xlim(niches.low[0], niches.high[0])
    ax.set_ylim(niches.low[1], niches.high[1])
    ax.set(xlabel=niches.names[0], ylabel=niches.names[1])
