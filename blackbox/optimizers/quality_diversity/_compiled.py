"""Compiled draws and variation; importing this module needs numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float64, int64, njit, types, uintp
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.random import distributions

from blackbox.batch import Array

_MATRIX = types.Array(float64, 2, "C", readonly=True)
_ROWS = types.Array(int64, 1, "C", readonly=True)
_ALONG = types.Array(float64, 1, "C", readonly=True)
_SCALE = types.UniTuple(float64, 3)  # type: ignore[no-untyped-call]
_ADDRESSES = types.UniTuple(uintp, 3)  # type: ignore[no-untyped-call]
_GENERATOR: Any = types.NumPyRandomBitGeneratorType("bit_generator")

# Rows whose parents are fetched from memory at once, few enough to stay in the cache.
_BLOCK = 64


def _typed(context: Any, state: Any, next_uint64: Any, next_double: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, addresses: Any) -> Any:
        proxy = cgutils.create_struct_proxy(_GENERATOR)  # type: ignore[no-untyped-call]
        made = proxy(context, builder)
        made.state, made.fnptr_next_uint64, made.fnptr_next_double = addresses
        return made._getvalue()

    return _GENERATOR(uintp, uintp, uintp), build


_standard_normal: Any = distributions.random_standard_normal
# Of the three addresses a generator as numba's own functions take one.
_generator: Any = intrinsic(_typed)


@njit([(float64[:, ::1], _ADDRESSES)], cache=True)
def fill_normal(table: Array, addresses: tuple[int, int, int]) -> None:
    """Fill with standard normal numbers, bit for bit and draw for draw those of NumPy."""
    generator = _generator(*addresses)
    for i in range(table.shape[0]):
        for j in range(table.shape[1]):
            table[i, j] = _standard_normal(generator)


@njit([(_MATRIX, _ROWS, _ROWS, _ALONG, _SCALE, _ADDRESSES)], cache=True)
def iso_line(
    column: Array,
    first: Array,
    second: Array,
    along: Array,
    scale: tuple[float, float, float],
    addresses: tuple[int, int, int],
) -> Array:
    """Children by Iso+LineDD in one pass, bit for bit and draw for draw as NumPy makes them.

    Args:
        column: (k, d) elites.
        first: (n,) first parents.
        second: (n,) second parents.
        along: (n,) steps along the line to the second.
        scale: standard deviation of the isotropic step, lower bound, upper bound.
        addresses: of the optimizer's generator.
    """
    generator = _generator(*addresses)
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
                child = made[i, j] + step * _standard_normal(generator)
                made[i, j] = min(max(child, low), high)
    return made
