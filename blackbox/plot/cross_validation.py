"""Each row predicted from all others, and how often the intervals hold what they promise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from blackbox.errors import ProblemError, require
from blackbox.plot.data import LeaveOneOut, Source, leave_one_out
from blackbox.plot.panels import AxesArray
from blackbox.plot.style import FAINT, INK, QUIET, SMALL, colour, need_axes, opacity, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def cross_validation(
    source: Source, *, ax: AxesArray | None = None, outcome: str | None = None
) -> AxesArray:
    """Leave-one-out predictions against what was observed, and their calibration.

    Left: each row predicted from all others, exactly and without refitting (see
    ``blackbox.plot.data.leave_one_out``), with 95 % intervals; those that miss the observation are
    in the second colour. Right: the share of rows inside the central interval of each nominal
    share; of a calibrated model it follows the diagonal, below it the model is too sure. The grey
    band holds about 95 % of calibrated models with as many independent rows.

    Args:
        source: a Bayes optimizer, or a study of one, whose model is of the fast engine.
        ax: two Axes to draw on; by default a new figure.
        outcome: name of an objective or a constraint; by default the first objective.

    Returns:
        (2,) the Axes.

    Raises:
        ProblemError: no Bayes, no such outcome, another engine, or the wrong number of Axes.
        TellError: fewer than three rows have succeeded.
        MissingExtraError: matplotlib or SciPy is not installed.
    """
    drawn = leave_one_out(source, outcome)
    if ax is None:
        pyplot = require("matplotlib.pyplot", "plot")
        ax = pyplot.subplots(1, 2, figsize=(6.8, 3.2), layout="constrained")[1]
    panels: AxesArray = np.ravel(np.asarray(ax, dtype=object))
    if len(panels) != 2:
        raise ProblemError(f"ax holds {len(panels)} Axes; give 2")
    for panel in panels:
        need_axes(panel)
    _predictions(panels[0], drawn)
    _calibration(panels[1], drawn)
    return panels


def _predictions(ax: Axes, drawn: LeaveOneOut) -> None:
    low, high = drawn.bands[0.95]
    inside = (low <= drawn.observed) & (drawn.observed <= high)
    ends = [float(f(np.concatenate([drawn.observed, drawn.mean]))) for f in (np.min, np.max)]
    ax.plot(ends, ends, color=QUIET, lw=0.8, zorder=0)
    alpha = opacity(len(inside), 0.9)
    for rows, tone in ((inside, colour(0)), (~inside, colour(1))):
        ax.vlines(
            drawn.observed[rows], low[rows], high[rows], color=tone, lw=0.9, alpha=0.5 * alpha
        )
        ax.scatter(drawn.observed[rows], drawn.mean[rows], s=12, color=tone, alpha=alpha, lw=0)
    ax.set(xlabel=f"observed {drawn.name}", ylabel="predicted from the other rows")
    # The intervals decide the height unless a few of them would flatten everything.
    span = ends[1] - ends[0]
    if span > 0:
        bottom = max(float(low.min()), ends[0] - span)
        top = min(float(high.max()), ends[1] + span)
        ax.set_ylim(bottom - 0.04 * span, top + 0.04 * span)
    tidy(ax)


def _calibration(ax: Axes, drawn: LeaveOneOut) -> None:
    from scipy.special import betaincinv

    n, levels = len(drawn.observed), drawn.levels
    low, high = (betaincinv(n * levels + 0.5, n * (1 - levels) + 0.5, q) for q in (0.025, 0.975))
    ax.fill_between(levels, low, high, color=FAINT, alpha=0.5, lw=0)
    ax.plot([0, 1], [0, 1], color=QUIET, lw=0.8)
    ax.plot(levels, drawn.coverage, color=colour(0), lw=1.6)
    seen = {share: float(np.interp(share, levels, drawn.coverage)) for share in drawn.bands}
    ax.scatter([*seen], [*seen.values()], s=18, color=colour(0), lw=0, zorder=3, clip_on=False)
    lines = [f"{share:.0%} intervals hold {found:.0%}" for share, found in seen.items()]
    ax.text(0.98, 0.03, "\n".join(lines), ha="right", size=SMALL - 1, color=INK)
    ax.set(xlabel="nominal coverage", ylabel="observed coverage", xlim=(0, 1), ylim=(0, 1.02))
    ax.set_aspect("equal")
    tidy(ax)
