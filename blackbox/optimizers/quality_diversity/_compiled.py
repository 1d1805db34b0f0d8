"""Compiled variation; importing this module needs numba."""

from __future__ import annotations

import numpy as np
from numba import float64, int64, njit, types

from blackbox.batch import Array

_MATRIX = types.Array(float64, 2, "C", readonly=True)
_ROWS = types.Array(int64, 1, "C", readonly=True)
_ALONG = types.Array(float64, 1, "C", readonly=True)
_SCALE = types.UniTuple(float64, 3)  # type: ignore[no-untyped-call]

# Rows whose parents are fetched from memory at once, few enough to stay in the cache.
_BLOCK = 64


@njit([(_MATRIX, _ROWS, _ROWS, _ALONG, _SCALE, types.npy_rng)], cache=True)
def iso_line(
    column: Array,
    first: Array,
    second: Array,
    along: Array,
    scale: tuple[float, float, float],
    rng: np.random.Generator,
) -> Array:
    """Children by Iso+LineDD in one pass, bit for bit and draw for draw as NumPy makes them.

    Args:
        column: (k, d) elites.
        first: (n,) first parents.
        second: (n,) second parents.
        along: (n,) steps along the line to the second.
        scale: standard deviation of the isotropic step, lower bound, upper bound.
        rng: the optimizer's generator.
    """
    step, low, high = scale
    n, d = len(first), column.shape[1]
    made = np.empty((n, d))
    for start in range(0, n, _BLOCK):
        stop = min(start + _BLOCK, n)
        for i in range(start, stop):
            a, b, t = first[i], second[i], along[i]
            for j in range(d):
                made[i, j] = column[a, j] + t * (column[b, j] - column[a, j])
        for i in range(start, stop):
            for j in range(d):
                made[i, j] = min(max(made[i, j] + step * rng.standard_normal(), low), high)
    return made
