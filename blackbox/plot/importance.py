"""Which parameters matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from blackbox.plot.data import Source, importances
from blackbox.plot.style import INK, SMALL, axes_on, colour, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def importance(source: Source, *, ax: Axes | None = None, outcome: str | None = None) -> Axes:
    """Share of an outcome's variance due to each parameter, under the posterior mean.

    Dark bars are first-order Sobol indices, what a parameter does alone; light ones the total
    indices, with all interactions it takes part in (see ``blackbox.plot.data.importances``).

    Args:
        source: a Bayes optimizer, or a study of one.
        ax: where to draw; by default a new figure.
        outcome: name of an objective or a constraint; by default the first objective.

    Returns:
        The Axes, the most important parameter on top.

    Raises:
        ProblemError: no Bayes, or no such outcome.
        TellError: no row has succeeded yet.
        MissingExtraError: matplotlib or SciPy is not installed.
    """
    drawn = importances(source, outcome)
    d = len(drawn.names)
    ax = axes_on(ax, (4.8, 1.1 + 0.3 * d))
    where = np.arange(d)[::-1]
    tone = colour(0)
    ax.barh(where, drawn.total, height=0.66, color=tone, alpha=0.3, lw=0, label="with interactions")
    ax.barh(where, drawn.first, height=0.66, color=tone, lw=0, label="alone")
    ax.set_yticks(where, drawn.names)
    ax.set_xlabel(f"share of the variance of {drawn.outcome}")
    ax.set_xlim(0, max(1.0, float(drawn.total.max(initial=0.0))))
    tidy(ax)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(
        handles[::-1], labels[::-1], frameon=False, fontsize=SMALL, labelcolor=INK,
        loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2, ncols=2,
    )  # fmt: skip
    return ax
