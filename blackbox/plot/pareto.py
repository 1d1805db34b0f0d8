"""Two or three objectives against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blackbox.errors import ProblemError
from blackbox.formulation import Problem
from blackbox.plot.data import Data, Front, Source, axis_label, fronts, groups, recommended
from blackbox.plot.data.beliefs import bayes_of
from blackbox.plot.style import FAINT, INK, QUIET, SMALL, colour, need_axes, new_axes, opacity, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def pareto(
    data: Data,
    *,
    ax: Axes | None = None,
    problem: Problem | None = None,
    levels: tuple[float, float, float] = (0.25, 0.5, 0.75),
    uncertainty: Source | None = None,
) -> Axes:
    """Pareto front of two or three objectives, with attainment over repetitions.

    Of a single run all rows are drawn, those that break a constraint as crosses, and the front
    with the border of what it dominates. Of several runs of one name the border is drawn of what
    half of them attain, between those of the other two levels: the empirical attainment function
    (Fonseca and Fleming 1996).

    Args:
        data: a Study, a list of them, a dict from label to list, or Batches (see the module).
        ax: where to draw, for three objectives with ``projection="3d"``; by default a new figure.
        problem: the problem that Batches belong to.
        levels: shares of the runs: the better border of the band, the line, the worse border.
        uncertainty: a Bayes optimizer, or a study of one, whose recommended rows are drawn where
            it expects their noise-free outcomes, with bars of two standard deviations.

    Returns:
        The Axes.

    Raises:
        BatchError: nothing to draw.
        ProblemError: other than two or three objectives, flat Axes for three, or the objectives
            of ``uncertainty`` are others.
        MissingExtraError: matplotlib or moocore is not installed.
    """
    made = groups(data, problem)
    drawn = fronts(made, levels=levels)
    objectives = next(iter(made.values()))[0].problem.objectives
    solid = len(objectives) == 3
    if ax is None:
        ax = new_axes((5.0, 4.4), projection="3d") if solid else new_axes((4.6, 3.6))
        if solid:
            # A cube that fills its Axes pushes its labels off the figure.
            ax.set_box_aspect(None, zoom=0.84)  # type: ignore[call-arg]
    if solid != (need_axes(ax).name == "3d"):
        raise ProblemError(
            f"{len(objectives)} objectives on Axes of projection {ax.name!r}; give Axes made "
            f"with projection={'3d' if solid else 'rectilinear'!r}"
        )
    for i, front in enumerate(drawn):
        tone = colour(i)
        if front.runs == 1:
            _rows(ax, front, tone, alone=len(drawn) == 1)
        if not solid:
            _borders(ax, front, tone, levels)
        elif front.runs > 1:
            _surface(ax, front, tone, levels[1])
    if uncertainty is not None:
        _expected(ax, uncertainty, [o.name for o in objectives])
    _names(ax, [axis_label(o) for o in objectives])
    if uncertainty is not None or len(drawn) > 1 or drawn[0].runs > 1 or len(drawn[0].infeasible):
        _legend(ax, any(front.runs > 1 for front in drawn) and not solid, levels)
    return ax


def _rows(ax: Any, front: Front, tone: str, *, alone: bool) -> None:
    if alone and len(front.points):
        ax.scatter(*front.points.T, s=9, color=FAINT, lw=0, label="dominated")
    if alone and len(front.infeasible):
        alpha = opacity(len(front.infeasible))
        style = {"s": 14, "marker": "x", "color": QUIET, "lw": 0.7, "alpha": alpha}
        ax.scatter(*front.infeasible.T, label="infeasible", **style)
    label = "Pareto front" if alone else front.name
    ax.scatter(*front.front.T, s=18, color=tone, lw=0, zorder=3, label=label)


def _surface(ax: Any, front: Front, tone: str, level: float) -> None:
    label = f"{front.name}, {level:.0%} of {front.runs} runs"
    ax.scatter(*front.surfaces[level].T, s=16, color=tone, lw=0, label=label)


def _expected(ax: Any, source: Source, names: list[str]) -> None:
    optimizer = bayes_of(source)
    known = [o.name for o in optimizer.problem.objectives]
    if known != names:
        raise ProblemError(f"uncertainty= has objectives {known}, not {names}")
    means, deviations = recommended(optimizer)
    errors = dict(zip(("xerr", "yerr", "zerr"), 2 * deviations.T, strict=False))
    style = {"fmt": "o", "ms": 4, "mew": 0, "lw": 0, "elinewidth": 0.8, "color": colour(1)}
    ax.errorbar(*means.T, **errors, **style, zorder=4, label="expected, ± 2 deviations")


def _borders(ax: Axes, front: Front, tone: str, levels: tuple[float, float, float]) -> None:
    if front.runs == 1:
        ax.plot(*front.steps[1.0].T, color=tone, lw=1.0, alpha=0.7)
        return
    better, middle, worse = (front.steps[level] for level in levels)
    if len(better) and len(worse):
        outline = [*better.tolist(), *worse[::-1].tolist()]
        ax.fill(*zip(*outline, strict=True), color=tone, alpha=0.2, lw=0)
    share = f"{levels[1]:.0%} of {front.runs} runs"
    ax.plot(*middle.T, color=tone, lw=1.5, label=f"{front.name}, {share}")


def _legend(ax: Axes, banded: bool, levels: tuple[float, float, float]) -> None:
    title = f"band: {levels[0]:.0%} to {levels[2]:.0%} of runs" if banded else None
    legend = ax.legend(frameon=False, fontsize=SMALL, labelcolor=INK, title=title)
    legend.get_title().set(size=SMALL - 1, color=QUIET)
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1.0)


def _names(ax: Any, names: list[str]) -> None:
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    tidy(ax)
    if len(names) == 3:
        ax.set_zlabel(names[2])
        ax.zaxis.label.set(color=INK, size=SMALL + 1)
        for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
            axis.pane.set_visible(False)
            axis.line.set(color=QUIET, linewidth=0.6)
            axis._axinfo["grid"].update(color="#E6E6E6", linewidth=0.5)
