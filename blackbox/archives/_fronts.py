"""One pass over a batch into the Pareto fronts of cells.

Written once, in loops: it runs as plain Python for archives that see few rows, and ``compiled``
gives the same function to those that see enough to be worth the compiler's start.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array

Ints = npt.NDArray[np.int64]
#: ``place`` or its compiled version.
Place = Callable[[Ints, Array, Array, Ints, Ints], None]


def place(cells: Ints, scores: Array, values: Array, rows: Ints, count: Ints) -> None:
    """Place n rows one after another.

    A row enters the front of its cell unless a member is at least as good in every score, and
    drives out the members it dominates. Where a front then has one too many, the member in the
    most crowded place leaves, which may be the new one (Janmohamed, Pierrot and Cully 2023).

    Args:
        cells: (n,) cell of each row, -1 for none.
        scores: (n, m) scores, larger is better.
        values: (C, F + 1, m) scores of the members of each cell, the last place is scratch.
        rows: (C, F + 1) what stands for the members; row i of the batch enters as -2 - i.
        count: (C,) members of each cell.
    """
    m, most = scores.shape[1], values.shape[1] - 1
    for i in range(len(cells)):
        c, score = cells[i], scores[i]
        if c < 0:
            continue
        kept = 0
        for f in range(count[c]):
            if np.all(values[c, f] >= score):
                kept = -1  # and nobody has been driven out: members do not dominate one another
                break
            if not np.all(score >= values[c, f]):
                rows[c, kept], values[c, kept] = rows[c, f], values[c, f]
                kept += 1
        if kept < 0:
            continue
        rows[c, kept], values[c, kept] = -2 - i, score
        if kept == most:
            room = np.zeros(kept + 1)  # the crowding distance of NSGA-II (Deb et al. 2002)
            for j in range(m):
                column = values[c, :, j]
                order = np.argsort(column, kind="mergesort")  # stable, compiled or not
                span = max(column[order[-1]] - column[order[0]], 1e-300)
                room[order[0]] = room[order[-1]] = np.inf
                for p in range(1, kept):
                    room[order[p]] += (column[order[p + 1]] - column[order[p - 1]]) / span
            leaver = kept - np.argmin(room[::-1])  # of equals the newest
            rows[c, leaver], values[c, leaver] = rows[c, kept], values[c, kept]
        else:
            kept += 1
        count[c] = kept


@cache
def compiled() -> Place:
    """``place``, compiled; needs numba."""
    import numba

    fast: Any = numba.njit(cache=True)(place)
    return fast  # type: ignore[no-any-return]
