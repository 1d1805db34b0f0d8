"""Mixtures: a triangle for three parts, bars for any other number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from blackbox.errors import ProblemError
from blackbox.formulation import Problem
from blackbox.plot.data import Data, Rows, axis_label, chosen, ranked, single
from blackbox.plot.style import FAINT, INK, QUIET, RAMP, SMALL, axes_on, colour, colour_bar, tidy
from blackbox.space import Simplex

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from blackbox.batch import Array

# Corners of an equilateral triangle: first part left, second right, third on top.
_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])


def simplex(
    data: Data,
    *,
    ax: Axes | None = None,
    problem: Problem | None = None,
    parameter: str | None = None,
    objective: str | None = None,
) -> Axes:
    """Mixtures tried and how well they did.

    Three parts make a ternary triangle: each corner is a part alone, colour is the objective,
    dark where it is best, and a ring marks the best mixture (all of the Pareto front). Any other
    number of parts makes a bar each: the best mixture's share, with a line over the shares of
    the best tenth of all rows, and a dashed line at equal shares.

    Args:
        data: a Study, several of one space (drawn together), or Batches (see the module).
        ax: where to draw; by default a new figure.
        problem: the problem that Batches belong to.
        parameter: name of the Simplex; by default the first.
        objective: the objective shown; by default the first.

    Returns:
        The Axes.

    Raises:
        BatchError: no row to draw.
        ProblemError: no such Simplex or objective.
        MissingExtraError: matplotlib is not installed, or moocore for several objectives.
    """
    run = single(data, problem)
    named = {p.name: p for p in run.problem.space if isinstance(p, Simplex)}
    if not named or not (parameter is None or (isinstance(parameter, str) and parameter in named)):
        raise ProblemError(f"no Simplex {parameter!r}; {run.problem.name} has {list(named)}")
    mixed = next(iter(named.values())) if parameter is None else named[parameter]
    drawn = ranked(run, objective)
    shares = run.history[mixed.name][drawn.rows]
    label = axis_label(chosen(run.problem, objective))
    if len(mixed.parts) == 3:
        ax = axes_on(ax, (4.6, 3.7))
        _triangle(ax, shares, drawn, mixed.parts, label)
    else:
        ax = axes_on(ax, (4.6, 0.8 + 0.34 * len(mixed.parts)))
        _bars(ax, shares, mixed)
    return ax


def _triangle(ax: Axes, shares: Array, drawn: Rows, parts: tuple[str, ...], label: str) -> None:
    for share in (0.2, 0.4, 0.6, 0.8):
        for i in range(3):
            ends = np.zeros((2, 3))
            ends[:, i] = share
            ends[0, (i + 1) % 3] = ends[1, (i + 2) % 3] = 1 - share
            ax.plot(*(ends @ _CORNERS).T, color=FAINT, lw=0.4, zorder=0)
    ax.plot(*_CORNERS[[0, 1, 2, 0]].T, color=QUIET, lw=0.8, zorder=1)
    x, y = (shares @ _CORNERS).T
    dots = ax.scatter(x, y, c=drawn.values, cmap=_ramp(drawn), s=22, lw=0, zorder=2)
    ax.scatter(
        x[drawn.best], y[drawn.best], s=70, facecolors="none", edgecolors=colour(1), lw=1.4,
        zorder=3, label="best",
    )  # fmt: skip
    if drawn.best.sum() == 1:
        at = float(x[drawn.best][0]) + 0.035, float(y[drawn.best][0])
        box = {"facecolor": "white", "alpha": 0.8, "lw": 0, "pad": 0.8}
        ax.text(*at, "best", color=colour(1), size=SMALL, va="center", zorder=4, bbox=box)
    for part, (cx, cy) in zip(parts, _CORNERS, strict=True):
        dy, va = (0.03, "bottom") if cy > 0 else (-0.03, "top")
        ax.text(cx, cy + dy, part, ha="center", va=va, size=SMALL + 1, color=INK)
    ax.set_aspect("equal")
    ax.set_xlim(-0.06, 1.06)
    ax.set_ylim(-0.1, _CORNERS[2, 1] + 0.1)
    ax.set_axis_off()
    colour_bar(ax, dots, label, shrink=0.7)


def _bars(ax: Axes, shares: Array, mixed: Simplex) -> None:
    k = len(mixed.parts)
    best = shares[-max(1, len(shares) // 10) :]
    where = np.arange(k)[::-1]
    ax.barh(where, shares[-1], height=0.62, color=colour(0), alpha=0.85, lw=0)
    ax.hlines(where, best.min(axis=0), best.max(axis=0), color=INK, lw=1.2)
    ax.axvline(1 / k, color=QUIET, lw=0.7, ls=(0, (4, 3)))
    ax.set_yticks(where, mixed.parts)
    ax.set_xlabel(f"share of {mixed.name} (bar: the best; line: range of the best tenth)")
    ax.set_xlim(0, None)
    tidy(ax)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def _ramp(drawn: Rows) -> str:
    """Dark where the objective is best: the ramp as it is, or turned round."""
    values = drawn.values
    rises = len(values) > 1 and values[-1] > values[0]  # rows come from the worst to the best
    return RAMP if rises else RAMP.removesuffix("_r")
