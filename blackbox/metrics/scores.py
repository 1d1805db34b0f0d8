"""The form scores have, and the one place where moocore learns that they are maximized."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from blackbox.arguments import is_finite, is_whole
from blackbox.batch import Array
from blackbox.errors import BatchError, require

Floats: TypeAlias = npt.NDArray[np.float64]

# moocore counts objectives in one byte.
MAX_OBJECTIVES = 255


def call_moocore(name: str, points: Floats, **options: Any) -> Any:
    """Call moocore, which minimizes unless told otherwise: the one place where it is told."""
    function = getattr(require("moocore", "metrics"), name)
    return function(np.ascontiguousarray(points), maximise=True, **options)


def numbers(name: str, values: npt.ArrayLike) -> Floats:
    """Values as an array of floats.

    Raises:
        BatchError: they are no numbers.
    """
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise BatchError(f"{name} is {values!r}; give an array of numbers") from error


def array(name: str, values: npt.ArrayLike) -> Array:
    """Values as an array of any type.

    Raises:
        BatchError: they are lists of different lengths.
    """
    try:
        return np.asarray(values)
    except ValueError as error:
        raise BatchError(f"{name} is {values!r}; give lists of equal lengths") from error


def finite(name: str, value: object, what: str) -> float:
    """A finite number, which ``what`` describes.

    Raises:
        BatchError: it is none.
    """
    if not is_finite(value):
        raise BatchError(f"{name} is {value!r}; give {what}, a finite number")
    return float(value)


def count(name: str, value: object) -> int:
    """A positive int.

    Raises:
        BatchError: it is none.
    """
    if not is_whole(value, 1):
        raise BatchError(f"{name} is {value!r}; give an int of at least 1")
    return int(value)


def score_table(name: str, values: npt.ArrayLike) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The (n, m) table, and (n,) which of its rows hold no NaN."""
    table = numbers(name, values).copy()
    if table.ndim != 2 or not 1 <= table.shape[1] <= MAX_OBJECTIVES:
        raise BatchError(
            f"{name} has shape {table.shape}; give (n, m), one column per objective "
            f"(at most {MAX_OBJECTIVES}); for a single objective scores[:, None]"
        )
    return table, ~np.any(np.isnan(table), axis=1)


def score_point(name: str, values: npt.ArrayLike, m: int) -> Floats:
    """A finite point (m,); one number stands for all objectives."""
    point = numbers(name, values)
    if point.shape not in ((), (m,)):
        raise BatchError(f"{name} has shape {point.shape}; the scores need ({m},)")
    if not np.isfinite(point).all():
        raise BatchError(f"{name} is {point.tolist()}; give finite numbers")
    return np.array(np.broadcast_to(point, (m,)))


def places(table: Floats) -> tuple[Floats, list[Floats]]:
    """(n, m) place of each score among those of its objective, and these in order by objective.

    Finite, for what depends on the order alone: moocore 0.3.2 kills the process where one of three
    objectives is infinite.
    """
    found = [np.unique(column, return_inverse=True) for column in table.T]
    place = np.column_stack([where for _, where in found]).astype(np.float64)
    return place, [values for values, _ in found]


def attained(runs: Sequence[Floats], count: int) -> Floats:
    """(k, m) scores that span what at least ``count`` of the runs attain."""
    owner = np.repeat(np.arange(len(runs)), [len(run) for run in runs])
    # The attainment function alone cannot be told to maximize. Half a run less, so that
    # rounding of the percentage does not ask for one run more.
    percent = 100 * (count - 0.5) / len(runs)
    eaf = require("moocore", "metrics").eaf
    place, values = places(np.vstack(runs))
    surface = -eaf(-place, owner, percentiles=[percent])[:, :-1].astype(np.int64)
    return np.column_stack([values[j][surface[:, j]] for j in range(len(values))])


def weight_table(values: npt.ArrayLike, m: int) -> Floats:
    """(k, m) finite weights of at least 0."""
    weights = numbers("weights", values)
    if weights.ndim != 2 or not len(weights) or weights.shape[1] != m:
        raise BatchError(f"weights have shape {weights.shape}; give (k, {m}) with k >= 1")
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise BatchError("weights must be finite and at least 0")
    return weights
