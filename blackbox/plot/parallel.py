"""Every row as a line through all its inputs and objectives."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from blackbox.arguments import check_flag
from blackbox.batch import Batch
from blackbox.errors import require
from blackbox.formulation import Problem
from blackbox.plot.data import Archive, Column, Data, inputs, measures, outcomes, ranked, single
from blackbox.plot.style import FAINT, INK, QUIET, RAMP, SMALL, axes_on, opacity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More names than this on one axis would overlap.
_NAMES = 10


def parallel_coordinates(
    data: Data | Archive,
    *,
    ax: Axes | None = None,
    problem: Problem | None = None,
    objective: str | None = None,
    show_inputs: bool = True,
) -> Axes:
    """One vertical axis for each input, measure and objective, one line for each feasible row.

    Colour follows one objective, dark where it is best; better rows lie on top. With several
    objectives only the Pareto front is coloured.

    Args:
        data: a Study, several of one space (drawn together), Batches, or an archive of elites.
        ax: where to draw; by default a new figure.
        problem: the problem that Batches belong to.
        objective: the objective that gives the colour; by default the first.
        show_inputs: False draws measures and objectives alone.

    Returns:
        The Axes; its LineCollection holds the lines from the worst to the best.

    Raises:
        BatchError: no row to draw.
        ProblemError: no such objective, runs of different spaces, or no switch.
        MissingExtraError: matplotlib is not installed, or moocore for several objectives.
    """
    check_flag("show_inputs", show_inputs)
    elites = getattr(data, "elites", None)
    if isinstance(elites, Batch):
        run = single(elites, getattr(data, "problem", problem))
    else:
        run = single(cast("Data", data), problem)
    drawn = ranked(run, objective)
    columns = inputs(run, drawn.rows) if show_inputs else []
    columns += [*measures(run, drawn.rows), *outcomes(run, drawn.rows)]
    ax = axes_on(ax, (max(4.0, 1.05 * len(columns)), 3.4))
    require("matplotlib", "plot")
    from matplotlib import colormaps
    from matplotlib.collections import LineCollection

    heights = np.column_stack([column.heights for column in columns])
    across = np.broadcast_to(np.arange(len(columns)), heights.shape)
    n = len(drawn.rows)
    ranks = np.linspace(0, 1, n) if n > 1 else np.ones(1)
    tones = np.asarray(colormaps[RAMP](ranks))
    if len(run.problem.objectives) > 1:
        tones[~drawn.best] = (*_rgb(FAINT), 0.5)
    tones[~drawn.best, 3] *= opacity(n)
    order = np.argsort(drawn.best, kind="stable")
    lines = LineCollection(
        list(np.stack([across, heights], axis=2)[order]),
        colors=tones[order],
        linewidths=np.where(drawn.best, 1.4, 0.7)[order],
    )
    ax.add_collection(lines)
    for i, column in enumerate(columns):
        _axis(ax, i, column)
    ax.set_xlim(-0.35, len(columns) - 0.5)
    ax.set_ylim(-0.04, 1.04)
    better = [type(o).__name__.lower() for o in run.problem.objectives]
    names = [column.name for column in columns[: -len(better)]]
    goals = zip(columns[-len(better) :], better, strict=True)
    names += [f"{column.name}\n({way})" for column, way in goals]
    ax.set_xticks(range(len(columns)), names)
    ax.tick_params(axis="x", length=0, labelsize=SMALL, colors=INK, pad=6)
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax


def _axis(ax: Axes, i: int, column: Column) -> None:
    """One vertical line with the names or numbers along it."""
    ax.plot([i, i], [0, 1], color=QUIET, lw=0.6, zorder=3)
    for text, place in _marks(column):
        ax.plot([i, i + 0.03], [place, place], color=QUIET, lw=0.6, zorder=3)
        ax.text(
            i + 0.05, place, text, size=SMALL - 2, color=INK, va="center", zorder=4,
            bbox={"facecolor": "white", "alpha": 0.7, "lw": 0, "pad": 0.6},
        )  # fmt: skip


def _marks(column: Column) -> list[tuple[str, float]]:
    """Texts along an axis and their places from 0 to 1."""
    if column.levels:
        step = -(-len(column.levels) // _NAMES)
        shown = range(0, len(column.levels), step)
        return [(column.levels[j], float(column.place(j))) for j in shown]
    low, high = column.limits
    if column.log:
        first, last = np.ceil(np.log10(low)), np.floor(np.log10(high))
        powers = 10.0 ** np.arange(first, last + 1, max(1, (last - first) // 4))
        ticks = powers if len(powers) > 1 else np.geomspace(low, high, 4)
    else:
        from matplotlib.ticker import MaxNLocator

        ticks = np.asarray(MaxNLocator(5).tick_values(low, high))
    inside = [t for t in ticks if low <= t <= high] or [low, high]
    return [(_number(t, log=column.log), float(column.place(t))) for t in inside]


def _number(value: float, *, log: bool) -> str:
    power = np.log10(value) if log else 0.5
    return f"$10^{{{power:.0f}}}$" if power == np.rint(power) else f"{value:.3g}"


def _rgb(tone: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(tone)
