"""Correlation of two columns: of their values, and of their ranks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def pearson(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Of the pairs that are finite: 0 where either is constant, NaN of fewer than three pairs."""
    a, b = _finite(x, y)
    return _correlation(a, b) if len(a) > 2 else float("nan")


def spearman(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """The same of their ranks, of which equal values share the mean."""
    a, b = _finite(x, y)
    return _correlation(_ranks(a), _ranks(b)) if len(a) > 2 else float("nan")


#: Both by name.
CORRELATIONS: Mapping[str, Callable[[npt.ArrayLike, npt.ArrayLike], float]] = {
    "spearman": spearman,
    "pearson": pearson,
}


def _finite(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Floats, Floats]:
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    both = np.isfinite(a) & np.isfinite(b)
    return a[both], b[both]


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / size) if size > 0 else 0.0


def _ranks(x: Floats) -> Floats:
    _, where, counts = np.unique(x, return_inverse=True, return_counts=True)
    ranks: Floats = np.cumsum(counts) - (counts - 1) / 2
    return ranks[where]
