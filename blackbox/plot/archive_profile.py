"""How many cells hold an elite that is at least so good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blackbox.plot.convergence import check_band, draw_curve
from blackbox.plot.data import ArchiveData, axis_label, by_method, profiles
from blackbox.plot.style import INK, SMALL, axes_on, colour, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def archive_profile(
    data: ArchiveData,
    *,
    ax: Axes | None = None,
    band: tuple[float, float] = (0.25, 0.75),
) -> Axes:
    """Share of cells whose elite is at least as good as each level, better levels to the right.

    A curve that lies above another is of the better archives, whatever level is asked for; where
    they cross, one fills more cells and the other fills them better. Of several runs of a method
    the median is drawn and a band between two quantiles. (Vassiliades et al. 2018.)

    Args:
        data: archives; one, a list of one method, or a dict from label to one or a list.
        ax: where to draw; by default a new figure.
        band: quantiles between which the band lies.

    Returns:
        The Axes: one line a method.

    Raises:
        BatchError: there is no archive.
        ProblemError: a problem has not exactly one objective, or the band is none.
        MissingExtraError: matplotlib is not installed.
    """
    check_band(band)
    drawn, share = profiles(data)
    objective = next(iter(by_method(data).values()))[0].problem.objectives[0]
    ax = axes_on(ax, (5.0, 3.2))
    for i, curve in enumerate(drawn):
        draw_curve(ax, curve, colour(i), band)
    ax.set_xlim(float(drawn[0].x[0]), float(drawn[0].x[-1]))
    if objective.sign < 0:
        ax.invert_xaxis()
    ax.set_ylim(0, None)
    ax.set_xlabel(axis_label(objective))
    ax.set_ylabel(f"{share} at least as good")
    tidy(ax)
    if len(drawn) > 1:
        ax.legend(frameon=False, fontsize=SMALL, labelcolor=INK)
    return ax
