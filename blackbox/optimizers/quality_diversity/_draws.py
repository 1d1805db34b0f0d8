"""Normal draws, compiled where that is worth it: the same numbers either way."""

from __future__ import annotations

import ctypes
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from blackbox.formulation import Floats


def standard_normal(k: int, n: int, rng: np.random.Generator, *, compiled: bool) -> Floats:
    """(k, n) standard normal numbers.

    Args:
        k: rows.
        n: columns.
        rng: source of the numbers.
        compiled: whether to use compiled loops, which change no bit; needs numba.
    """
    if not compiled:
        return rng.standard_normal((k, n))
    table = np.empty((k, n))
    loops().fill_normal(table, addresses(rng))
    return table


@cache
def loops() -> ModuleType:
    """The compiled loops; needs numba."""
    from blackbox.optimizers.quality_diversity import _compiled

    return _compiled


def addresses(rng: np.random.Generator) -> tuple[int, int, int]:
    """Where compiled loops find a generator, which has to live as long as they run.

    These are its state and its functions ``next_uint64`` and ``next_double``. Handed over as an
    object it costs numba ten microseconds, as much as a thousand numbers.
    """
    bits = rng.bit_generator
    return (bits.ctypes.state_address, *_functions(type(bits)))


@cache
def _functions(kind: type[np.random.BitGenerator]) -> tuple[int, int]:
    """The addresses of ``next_uint64`` and ``next_double``, of all generators of a kind."""
    interface: Any = kind(0).ctypes
    found = (interface.next_uint64, interface.next_double)
    first, second = (ctypes.cast(f, ctypes.c_void_p).value or 0 for f in found)
    return first, second
