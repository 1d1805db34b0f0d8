"""A map of elites while it grows, as an animated picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from blackbox.arguments import is_finite, is_path, is_whole
from blackbox.batch import Batch
from blackbox.errors import BatchError, ProblemError, require
from blackbox.plot.data import Archive, EliteMap, archive_of, growth, map_at
from blackbox.plot.elites import EMPTY, draw_map, matrix
from blackbox.plot.style import INK, SMALL


def animation(
    data: Any,
    path: str | os.PathLike[str],
    *,
    archive: Archive | None = None,
    frames: int = 50,
    seconds: float = 6.0,
) -> Path:
    """Write an animated GIF of the map after more and more evaluations.

    The history is replayed, so each frame is the map as it was. Colours keep their meaning: their
    limits are those of the last map. Early frames are closer together in evaluations than late
    ones, as most happens at the start.

    Args:
        data: a study with a history, or a Batch of rows in the order of telling.
        path: file to write, ending in ``.gif``.
        archive: whose cells are used; by default that of the study's optimizer.
        frames: number of frames, at least 2; fewer where there are fewer rows.
        seconds: how long it lasts, the last frame held for a fifth of it.

    Returns:
        The path.

    Raises:
        BatchError: no history, or no archive.
        ProblemError: cells that are neither a grid of two or more measures nor Voronoi cells of
            two, several objectives, or an argument out of range.
        MissingExtraError: matplotlib is not installed, or SciPy for Voronoi cells.
    """
    history = data if isinstance(data, Batch) else getattr(data, "history", None)
    if not isinstance(history, Batch):
        raise BatchError(f"{data!r} is a {type(data).__name__}; give a study or a Batch of rows")
    if not is_whole(frames, 2) or not is_finite(seconds) or not seconds > 0:
        raise ProblemError(f"frames={frames}, seconds={seconds}; give at least 2 and more than 0")
    if not is_path(path) or Path(path).suffix.lower() != ".gif":
        raise ProblemError(f"path={path!r}; give one that ends in .gif")
    cells = archive_of(data, archive)
    grown = growth(history, cells)
    last = map_at(history, grown, cells, len(history))
    if last.kind not in ("grid", "voronoi"):
        raise ProblemError("an animation needs a grid of two or more measures, or Voronoi cells")
    told = np.unique((len(history) * np.linspace(0, 1, frames) ** 2).astype(np.int64))
    rate = len(told) / (0.8 * seconds)  # of a short history there are fewer frames
    writer = require("matplotlib.animation", "plot").PillowWriter(fps=rate)
    ax, mappable = draw_map(last)
    ax.set_title(" ", size=SMALL + 1, color=INK, loc="left")
    figure: Any = ax.figure
    # Laid out once: nothing moves from frame to frame, and layout is half of the time.
    figure.canvas.draw()
    figure.set_layout_engine("none")
    # Each frame at once: colours of cells that are empty so far are those of bad values.
    mappable.set_cmap(mappable.get_cmap().with_extremes(bad=EMPTY))
    hold = round(0.25 * len(told))
    with writer.saving(figure, os.fspath(path), dpi=100):
        for n in [*told.tolist(), *[len(history)] * hold]:
            _show(mappable, map_at(history, grown, cells, n), last)
            ax.set_title(f"after {n} evaluations", size=SMALL + 1, color=INK, loc="left")
            writer.grab_frame()
    require("matplotlib.pyplot", "plot").close(figure)
    return Path(path)


def _show(mappable: Any, now: EliteMap, last: EliteMap) -> None:
    """Put the values of a map into the picture of the last one."""
    if now.kind == "grid":
        mappable.set_data(matrix(now))
        return
    values = np.full(len(last.niches.centroids), np.nan)
    values[now.cells] = now.values
    # The polygons drawn are those of cells filled in the end.
    mappable.set_array(np.ma.masked_invalid(values[last.cells]))
