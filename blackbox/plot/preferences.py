"""What a sampler that takes preferences answers to each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array, Batch
from blackbox.errors import BatchError, ProblemError
from blackbox.formulation import Problem, need_problem
from blackbox.metrics.scores import numbers
from blackbox.plot.data import axis_label
from blackbox.plot.style import FAINT, INK, SMALL, colour_bar, need_axes, new_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def preferences(
    samples: Batch,
    weights: npt.ArrayLike,
    problem: Problem,
    *,
    front: Batch | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Outcomes of samples coloured by the preference they were drawn for.

    Args:
        samples: (n,) rows with the outcomes of two or three objectives; failed rows are left out.
        weights: (n, m) preferences of at least 0 that sum to one. Two are a ramp of the first
            one's weight; three are shares of red, green and blue.
        problem: the problem that the rows belong to.
        front: outcomes of the true Pareto front, drawn in grey.
        ax: where to draw, for three objectives with ``projection="3d"``; by default a new figure.

    Returns:
        The Axes.

    Raises:
        BatchError: weights of another shape, or that do not sum to one; or what is no Batch.
        ProblemError: other than two or three objectives, or Axes that do not fit them.
        MissingExtraError: matplotlib is not installed.
    """
    need_problem(problem)
    objectives = problem.objectives
    if not isinstance(samples, Batch):
        raise BatchError(f"samples={samples!r} is a {type(samples).__name__}; give a Batch")
    if len(objectives) not in (2, 3):
        raise ProblemError(
            f"{problem.name} has {len(objectives)} objectives; two or three are drawn"
        )
    w = numbers("weights", weights)
    if w.shape != (len(samples), len(objectives)) or not np.allclose(w.sum(axis=1), 1, atol=1e-6):
        raise BatchError(
            f"weights of shape {w.shape}; give ({len(samples)}, {len(objectives)}) preferences "
            "that sum to one"
        )
    solid = len(objectives) == 3
    if ax is None:
        ax = new_axes((5.0, 4.4), projection="3d") if solid else new_axes((5.0, 3.6))
    if solid != (need_axes(ax).name == "3d"):
        raise ProblemError(
            f"{len(objectives)} objectives on Axes of projection {ax.name!r}; give Axes made "
            f"with projection={'3d' if solid else 'rectilinear'!r}"
        )
    names = [o.name for o in objectives]
    if front is not None and not (isinstance(front, Batch) and set(names) <= set(front.names)):
        raise BatchError(f"front={front!r}; give a Batch with {names}")
    points = np.column_stack([samples[name] for name in names])
    good = np.isfinite(points).all(axis=1)
    if "ok" in samples:
        good &= samples["ok"]
    if front is not None:
        _rings(ax, [front[name] for name in names])
    _dots(ax, points[good], w[good], names)
    labels = [axis_label(o) for o in objectives]
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    tidy(ax)
    if solid:
        ax.set_zlabel(labels[2])  # type: ignore[attr-defined]
    if front is not None:
        ax.legend(frameon=False, fontsize=SMALL, labelcolor=INK)
    return ax


def _rings(ax: Any, front: list[Array]) -> None:
    ax.scatter(*front, s=26, facecolors="none", edgecolors=FAINT, lw=1.0, label="true front")


def _dots(
    ax: Any, points: npt.NDArray[np.float64], w: npt.NDArray[np.float64], names: list[str]
) -> None:
    if points.shape[1] == 3:
        ax.scatter(*points.T, c=np.clip(0.9 * w, 0, 1), s=12, lw=0)
        said = ", ".join(f"{n} {c}" for n, c in zip(names, ("red", "green", "blue"), strict=True))
        ax.set_title(f"preference: {said}", size=SMALL, color=INK)
        return
    dots = ax.scatter(*points.T, c=w[:, 0], cmap="viridis", vmin=0, vmax=1, s=12, lw=0)
    colour_bar(ax, dots, f"weight of {names[0]}")
