"""How far a single objective is from its optimum, after each evaluation.

All traces are in scores: larger is better. Simple regret judges the best value *seen*; inference
regret judges the point a method would *recommend*, at its true value, and is the honest one under
noise (Frazier 2018, *A tutorial on Bayesian optimization*, section 2).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from blackbox.errors import BatchError
from blackbox.metrics.scores import Floats, finite, numbers


def best_so_far(scores: npt.ArrayLike) -> Floats:
    """Best score seen after each evaluation.

    Args:
        scores: (n,) or (n, 1) scores in the order they were told; NaN marks a failed row.

    Returns:
        (n,) values that never decrease; ``-inf`` until the first row that did not fail.

    Raises:
        BatchError: more than one objective, or not numbers.
    """
    column = _column("scores", scores)
    return np.maximum.accumulate(np.where(np.isnan(column), -np.inf, column))


def incumbents(scores: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Row that holds the best score seen after each evaluation; the first one among equals.

    Args:
        scores: (n,) or (n, 1) scores in the order they were told; NaN marks a failed row.

    Returns:
        (n,) row numbers; -1 until the first row that did not fail.

    Raises:
        BatchError: more than one objective, or not numbers.
    """
    column = _column("scores", scores)
    before = np.concatenate([[-np.inf], best_so_far(column)[:-1]])[: len(column)]
    first = np.cumsum(~np.isnan(column)) == 1
    # A first valid row of -inf is an incumbent too, though it beats nothing.
    better = (column > before) | (first & ~np.isnan(column))
    rows = np.where(better, np.arange(len(column)), -1)
    return np.maximum.accumulate(rows)


def simple_regret(scores: npt.ArrayLike, optimum: float) -> Floats:
    """Distance from the optimum to the best score seen, after each evaluation.

    Args:
        scores: (n,) or (n, 1) scores in the order they were told; NaN marks a failed row.
        optimum: best possible score (minus the minimum of a minimized outcome).

    Returns:
        (n,) values that never increase; ``inf`` until the first row that did not fail.

    Raises:
        BatchError: more than one objective, or an optimum that is not finite.
    """
    return _optimum(optimum) - best_so_far(scores)


def inference_regret(recommended: npt.ArrayLike, optimum: float) -> Floats:
    """Distance from the optimum to the point recommended after each evaluation.

    Args:
        recommended: (n,) or (n, 1) *true* score of the point that would be returned if the run
            ended there, for instance ``true_scores[incumbents(observed_scores)]``; NaN where
            nothing can be recommended yet.
        optimum: best possible score.

    Returns:
        (n,) regrets, ``inf`` where nothing is recommended; they may go up as well as down.

    Raises:
        BatchError: more than one objective, or an optimum that is not finite.
    """
    column = _column("recommended", recommended)
    return _optimum(optimum) - np.where(np.isnan(column), -np.inf, column)


def _column(name: str, values: npt.ArrayLike) -> Floats:
    column = numbers(name, values)
    if column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    if column.ndim != 1:
        raise BatchError(
            f"{name} has shape {column.shape}; give (n,) scores of one objective "
            "(for several, use hypervolume_trace)"
        )
    return column


def _optimum(value: float) -> float:
    return finite("optimum", value, "the best possible score")
