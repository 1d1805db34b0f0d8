"""What a sampler learnt: its law over a grid, and its reward against the true order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from blackbox.arguments import is_whole
from blackbox.errors import BatchError
from blackbox.metrics import nondominated_ranks
from blackbox.metrics.scores import numbers
from blackbox.plot.data.runs import thin
from blackbox.plot.style import INK, SMALL, axes_on, colour, colour_bar, opacity, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def law(
    probabilities: npt.ArrayLike,
    shape: tuple[int, int],
    *,
    marks: npt.ArrayLike | None = None,
    ax: Axes | None = None,
    label: str = "probability",
) -> Axes:
    """A law, or the flow through the states, over a grid of two numbers.

    Colour grows with the logarithm, so that rare candidates are seen; cells below a thousandth of
    the largest value look alike.

    Args:
        probabilities: (N,) numbers of at least 0, the second number of a cell varying fastest, as
            in the ``table`` of ``blackbox.problems.HyperGrid``; (a, b) is taken too.
        shape: (a, b) cells along the first number, drawn to the right, and the second, upwards.
        marks: (N,) cells that get a ring: modes, or the Pareto front.
        ax: where to draw; by default a new figure.
        label: what the numbers are.

    Returns:
        The Axes.

    Raises:
        BatchError: numbers that are negative, all 0 or not finite, or of another shape.
        MissingExtraError: matplotlib is not installed.
    """
    pair = isinstance(shape, list | tuple) and len(shape) == 2
    if not pair or not all(is_whole(side, 1) for side in shape):
        raise BatchError(f"shape={shape!r}; give the numbers of cells along both, such as (8, 8)")
    values = numbers("probabilities", probabilities)
    if values.size != shape[0] * shape[1] or not np.isfinite(values).all():
        raise BatchError(f"probabilities of shape {values.shape}; give {shape} finite numbers")
    if not (values >= 0).all() or not values.any():
        raise BatchError("probabilities must be at least 0, and not all 0")
    ringed = np.zeros(shape, dtype=bool)
    if marks is not None:
        ringed = np.asarray(marks, dtype=bool)
        if ringed.size != values.size:
            raise BatchError(f"marks have shape {ringed.shape}; give {shape}")
    ax = axes_on(ax, (4.4, 3.6))
    from matplotlib.colors import LogNorm

    top = float(values.max())
    floor = top / 1e3
    drawn = np.maximum(values.reshape(shape), floor).T
    image = ax.imshow(
        drawn, origin="lower", cmap="Blues", norm=LogNorm(floor, top), interpolation="nearest"
    )
    cells = np.argwhere(ringed.reshape(shape))
    if len(cells):
        x, y = cells.T
        size = 3_000 / max(shape)
        ax.scatter(x, y, s=size, facecolors="none", edgecolors=colour(1), lw=0.9)
    colour_bar(ax, image, label)
    ax.locator_params(integer=True, nbins=5)
    tidy(ax)
    return ax


def learnt_order(
    log_rewards: npt.ArrayLike, scores: npt.ArrayLike, *, ax: Axes | None = None
) -> Axes:
    """Learnt log-reward of candidates against their true order.

    Each candidate is a dot at its true rank, the best to the right; equal scores share a rank,
    and several objectives are ranked by repeated non-dominated sorting. An order-preserving
    reward rises from left to right. The title counts the pairs that it orders rightly.

    Args:
        log_rewards: (n,) learnt log-rewards, up to a constant.
        scores: (n, m) scores, larger is better; (n,) for one objective.
        ax: where to draw; by default a new figure.

    Returns:
        The Axes.

    Raises:
        BatchError: wrong shapes, fewer than two candidates, or numbers that are not finite.
        MissingExtraError: matplotlib is not installed, or moocore for several objectives.
    """
    learnt, table = numbers("log_rewards", log_rewards), numbers("scores", scores)
    table = table[:, None] if table.ndim == 1 else table
    if learnt.ndim != 1 or table.ndim != 2 or table.shape[0] != len(learnt) or len(learnt) < 2:
        raise BatchError(
            f"log_rewards have shape {learnt.shape} and scores {table.shape}; give (n,) and "
            "(n, m), n > 1"
        )
    if not (np.isfinite(learnt).all() and np.isfinite(table).all()):
        raise BatchError("log_rewards and scores must be finite; leave failed rows out")
    if table.shape[1] == 1:
        order = np.unique(table[:, 0], return_inverse=True)[1].ravel()
    else:
        ranks = nondominated_ranks(table)
        order = ranks.max() - ranks
    ax = axes_on(ax, (4.4, 3.4))
    some = thin(len(learnt), np.zeros(len(learnt), dtype=bool))
    tone, alpha = colour(0), opacity(len(some), 0.8)
    ax.scatter(order[some], learnt[some], s=12, lw=0, color=tone, alpha=alpha)
    ax.set_xlabel("true rank, the best to the right")
    ax.set_ylabel("learnt log-reward")
    ax.set_title(f"{_agreement(learnt, order):.1%} of pairs in order", size=SMALL + 1, color=INK)
    tidy(ax)
    return ax


def _agreement(learnt: npt.NDArray[np.float64], order: npt.NDArray[np.int64]) -> float:
    """Share of the pairs of different rank whose learnt rewards are in their order."""
    some = np.linspace(0, len(learnt) - 1, min(len(learnt), 2_000)).astype(np.int64)
    first, second = np.triu_indices(len(some), 1)
    truth = order[some][second] - order[some][first]
    found = (learnt[some][second] - learnt[some][first]) * np.sign(truth)
    return float((found[truth != 0] > 0).mean()) if truth.any() else 1.0
