"""What a data set looks like, in a few words that a language model can use."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from blackbox.arguments import check_flag
from blackbox.errors import ProblemError

_STRONG = 0.5


def data_card(x: npt.ArrayLike, y: npt.ArrayLike, *, full: bool = False) -> str:
    """A description of a supervised data set, to put into ``about``.

    The partial and the full context of LLAMBO (Liu et al. 2024, arXiv 2402.03921, section 4).

    Args:
        x: (n, d) features; columns of whole numbers with at most ten values count as categorical.
        y: (n,) target; whole numbers or texts with at most twenty values are classes.
        full: add skewness and kurtosis of the features and the numbers of strong correlations.

    Returns:
        A few sentences.

    Raises:
        ProblemError: arrays of other shapes, or features that are no numbers.
    """
    try:
        features, target = np.asarray(x, dtype=np.float64), np.asarray(y)
    except (TypeError, ValueError) as error:
        raise ProblemError(f"data_card: x and y must be arrays, x of numbers: {error}") from error
    if features.ndim != 2 or not len(features) or target.shape != features.shape[:1]:
        raise ProblemError(
            f"data_card: x has shape {features.shape}, y {target.shape}; give (n, d) and (n,), "
            "n >= 1"
        )
    check_flag("data_card: full", full)
    n, d = features.shape
    categorical = sum(_few(column, 10) for column in features.T)
    lines = [f"{n} samples, {d} features ({d - categorical} numerical, {categorical} categorical)."]
    values, counts = np.unique(target, return_counts=True)
    classes = target.dtype.kind not in "fc" and len(values) <= 20
    if classes:
        lines.append(f"Classification, {len(values)} classes with {counts.tolist()} samples.")
    else:
        lines.append("Regression.")
    if full:
        labels = np.searchsorted(values, target) if classes else target
        lines += _statistics(features, labels.astype(np.float64))
    return " ".join(lines)


def _few(column: npt.NDArray[np.float64], most: int) -> bool:
    return bool(np.all(column == np.rint(column)) and len(np.unique(column)) <= most)


def _statistics(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> list[str]:
    varying = x[:, np.ptp(x, axis=0) > 0]
    z = (varying - varying.mean(axis=0)) / varying.std(axis=0)
    skewness, kurtosis = (z**3).mean(axis=0), (z**4).mean(axis=0) - 3.0
    correlations = np.abs(np.atleast_2d(np.corrcoef(z, rowvar=False)))
    pairs = int(np.count_nonzero(np.triu(correlations, 1) > _STRONG))
    lines = [
        f"Skewness of the features {_range(skewness)}, excess kurtosis {_range(kurtosis)}.",
        f"{pairs} pairs of features correlate by more than {_STRONG}.",
    ]
    if np.ptp(y) > 0:
        t = (y - y.mean()) / y.std()
        strong = int(np.count_nonzero(np.abs(z.T @ t / len(t)) > _STRONG))
        lines.append(f"{strong} features correlate with the target by more than {_STRONG}.")
    return lines


def _range(values: npt.NDArray[np.float64]) -> str:
    if not len(values):
        return "unknown"
    low, middle, high = np.quantile(values, [0, 0.5, 1])
    return f"{low:.2g} to {high:.2g}, median {middle:.2g}"
