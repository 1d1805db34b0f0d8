"""The best so far against what it took to find it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from blackbox.arguments import is_number
from blackbox.errors import ProblemError, require
from blackbox.formulation import Problem
from blackbox.plot.data import Curve, Data, Point, XAxis, axis_label, curves, groups
from blackbox.plot.style import FAINT, Floats, axes_on, colour, label_ends, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# From here on numbers are shortened: 200k, 1M.
_MANY = 1e5


def convergence(
    data: Data,
    *,
    ax: Axes | None = None,
    problem: Problem | None = None,
    x: XAxis = "evaluations",
    optimum: float | None = None,
    reference: Point | None = None,
    band: tuple[float, float] = (0.25, 0.75),
) -> Axes:
    """Best outcome so far, with a band over repetitions.

    Studies of one name are repetitions of one method: their median is a line and their quantiles
    a band. Of a single run all feasible outcomes are dots. With several objectives the
    hypervolume takes the place of the best outcome. Where the first tenth of the way would take
    up most of the height, the axis is cut to show the rest.

    Args:
        data: a Study, a list of them, a dict from label to list, or Batches (see the module).
        ax: where to draw; by default a new figure.
        problem: the problem that Batches belong to.
        x: ``"evaluations"``, or ``"cost"`` in the problem's own unit.
        optimum: best possible outcome; then simple regret is drawn, on a log scale.
        reference: outcomes of the hypervolume's reference point; by default the problem's, or the
            worst seen.
        band: quantiles between which the band lies.

    Returns:
        The Axes: one line a method, in the order given, then the bands.

    Raises:
        BatchError: nothing to draw.
        ProblemError: an argument out of range, or problems that do not belong together.
        MissingExtraError: matplotlib is not installed, or moocore for several objectives.
    """
    check_band(band)
    made = groups(data, problem)
    drawn = curves(made, x=x, optimum=optimum, reference=reference)
    ax = axes_on(ax, (5.2, 3.2))
    if len(drawn) == 1 and len(drawn[0].points):
        ax.scatter(drawn[0].points[:, 0], drawn[0].points[:, 1], s=9, color=FAINT, lw=0, zorder=0)
    for i, curve in enumerate(drawn):
        draw_curve(ax, curve, colour(i), band)
    owner = next(iter(made.values()))[0].problem
    ax.set_xlabel("cost" if x == "cost" else "evaluations")
    ax.set_ylabel(_ylabel(owner, optimum))
    curved = [(i, curve) for i, curve in enumerate(drawn) if curve.x.size]
    if optimum is not None:
        ax.set_yscale("log")
    elif curved:
        limit_late(ax, [curve for _, curve in curved], band)
    if curved:
        ax.set_xlim(0, max(float(curve.x[-1]) for _, curve in curved) or 1.0)
        if ax.get_xlim()[1] >= _MANY:
            ax.xaxis.set_major_formatter(require("matplotlib.ticker", "plot").EngFormatter(sep=""))
    tidy(ax)
    if len(drawn) > 1:
        label_ends(ax, [(c.name, float(c.quantile(0.5)[-1]), colour(i)) for i, c in curved])
    return ax


def check_band(band: object) -> None:
    """Refuse what is no pair of quantiles.

    Raises:
        ProblemError: so it is.
    """
    pair = isinstance(band, list | tuple) and len(band) == 2 and all(map(is_number, band))
    if not pair or not 0 <= band[0] <= band[1] <= 1:  # type: ignore[index]
        raise ProblemError(f"band={band!r}; give two quantiles from 0 to 1, the lower one first")


def draw_curve(ax: Axes, curve: Curve, tone: str, band: tuple[float, float]) -> None:
    """The median over runs as a step function, in a band between two quantiles."""
    middle = curve.quantile(0.5)
    ax.plot(curve.x, middle, drawstyle="steps-post", color=tone, lw=1.6, label=curve.name)
    if len(curve.values) > 1 and curve.x.size:
        low, high = curve.quantile(band[0]), curve.quantile(band[1])
        ax.fill_between(curve.x, low, high, step="post", color=tone, alpha=0.18, lw=0)


def limit_late(ax: Axes, drawn: list[Curve], band: tuple[float, float]) -> None:
    """Limits that the lines decide, not the dots, nor a first tenth that would flatten the rest."""
    whole, late = [], []
    for curve in drawn:
        ends = np.array([curve.quantile(band[0]), curve.quantile(band[1])])
        cut = curve.x[0] + 0.1 * (curve.x[-1] - curve.x[0])
        whole.append(ends)
        late.append(ends[:, np.searchsorted(curve.x, cut, side="right") - 1 :])
    low, high = _span(whole)
    if 0 < 3 * np.subtract(*_span(late)[::-1]) < high - low:
        low, high = _span(late)
    if high > low:
        ax.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))


def _span(parts: list[Floats]) -> tuple[float, float]:
    return min(float(p.min()) for p in parts), max(float(p.max()) for p in parts)


def _ylabel(problem: Problem, optimum: float | None) -> str:
    if len(problem.objectives) > 1:
        return "hypervolume"
    if optimum is not None:
        return f"regret of {problem.objectives[0].name}"
    return f"best {axis_label(problem.objectives[0])}"
