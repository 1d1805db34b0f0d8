"""Regressions of losses on mixtures that are fitted once, task by task.

Notation: n rows, k shares, m tasks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from scipy.optimize import least_squares

from blackbox.batch import Array

#: From (n, k) mixtures and (n, m) positive losses to a function that predicts (N, m) at (N, k).
Regression: TypeAlias = Callable[[Array, Array], Callable[[Array], Array]]

_RIDGE = 1e-2  # of coefficients of standardised shares, for each row
_LEAST = 1e-6  # loss, for logarithms


def ridge(mixes: Array, losses: Array) -> Callable[[Array], Array]:
    """Linear in the shares."""
    center, spread = mixes.mean(axis=0), mixes.std(axis=0) + 1e-6
    x = (mixes - center) / spread
    shift = losses.mean(axis=0)
    penalty = _RIDGE * max(len(x), 1) * np.eye(x.shape[1])
    slopes = np.linalg.solve(x.T @ x + penalty, x.T @ (losses - shift))
    return lambda at: np.asarray(shift + (at - center) / spread @ slopes)


def log_linear(mixes: Array, losses: Array) -> Callable[[Array], Array]:
    """The logarithm is linear in the shares."""
    of = ridge(mixes, np.log(np.maximum(losses, _LEAST)))
    return lambda at: np.exp(of(at))


def mixing_law(mixes: Array, losses: Array) -> Callable[[Array], Array]:
    """``c + exp(t . h)`` for each task (Ye et al. 2024, *Data Mixing Laws*, arXiv 2403.16952).

    Shares sum to one, so the factor of the exponential is part of t. A start at the log-linear
    fit and a weak pull to it take the place of the many starts of the paper.
    """
    k = mixes.shape[1]
    fitted = np.empty((losses.shape[1], k + 1))
    for j, y in enumerate(losses.T):
        low = max(float(y.min()), _LEAST)
        coefficients = np.log(np.maximum(y - 0.5 * low, _LEAST))
        slopes = np.linalg.lstsq(
            np.concatenate([mixes, 0.1 * np.eye(k)]),
            np.concatenate([coefficients, np.full(k, 0.1 * coefficients.mean())]),
            rcond=None,
        )[0]
        fitted[j] = _law(mixes, y, np.append(slopes, 0.5 * low))
    return lambda at: fitted[:, -1] + np.exp(at @ fitted[:, :-1].T)


def _law(mixes: Array, y: Array, start: Array) -> Array:
    """(k + 1,) t and c of one task."""
    scale = float(y.std()) or 1.0
    pull = np.append(np.full(len(start) - 1, 0.05), 0.05 / max(abs(start[-1]), _LEAST))

    def miss(theta: Array) -> Array:
        law = theta[-1] + np.exp(np.minimum(mixes @ theta[:-1], 50.0))
        return np.concatenate([(law - y) / scale, pull * (theta - start)])

    def slopes(theta: Array) -> Array:
        steep = np.exp(np.minimum(mixes @ theta[:-1], 50.0))[:, None] * mixes
        own = np.column_stack([steep, np.ones(len(y))]) / scale
        return np.concatenate([own, np.diag(pull)])

    return np.asarray(least_squares(miss, start, slopes, max_nfev=40).x)


def trees(mixes: Array, losses: Array) -> Callable[[Array], Array]:
    """Boosted trees of the mean over tasks, as RegMix (Liu et al. 2024, arXiv 2407.01492).

    LightGBM there, scikit-learn's histogram trees here.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(
        learning_rate=0.05, max_iter=200, max_leaf_nodes=15, min_samples_leaf=5, random_state=0
    ).fit(mixes, losses.mean(axis=1))
    return lambda at: np.asarray(model.predict(at))[:, None]
