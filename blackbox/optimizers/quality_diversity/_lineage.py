"""Whom the rows that are out were varied from."""

from __future__ import annotations

from bisect import bisect_right, insort

import numpy as np
import numpy.typing as npt

from blackbox.state import State

Ids = npt.NDArray[np.int64]


class Lineage:
    """Parents of rows asked for and not yet told, in one array for each ask.

    An array is forgotten when the last of its rows is told.
    """

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._parents: dict[int, Ids] = {}
        self._left: dict[int, int] = {}

    def __bool__(self) -> bool:
        return bool(self._parents)

    def add(self, first: int, parents: Ids) -> None:
        """Rows with the ids ``first``, ``first + 1``, ... were varied from ``parents``."""
        if len(parents):
            insort(self._firsts, first)
            self._parents[first] = parents
            self._left[first] = len(parents)

    def take(self, ids: Ids) -> Ids:
        """(n,) parents of rows that are told now, -1 where there are none."""
        first, n = int(ids[0]), len(ids)
        known = self._parents.get(first)
        if known is not None and len(known) == n and _as_asked(ids, first):
            self._forget(first)  # the everyday case
            return known
        parents = np.full(n, -1)
        for first in {self._firsts[i] for i in self._chunks(ids)}:
            at = ids - first
            here = (at >= 0) & (at < len(self._parents[first]))
            parents[here] = self._parents[first][at[here]]
            self._left[first] -= int(np.count_nonzero(here))
            if self._left[first] == 0:
                self._forget(first)
        return parents

    def _chunks(self, ids: Ids) -> set[int]:
        chunks = {bisect_right(self._firsts, i) - 1 for i in ids.tolist()}
        return chunks - {-1}

    def _forget(self, first: int) -> None:
        self._firsts.remove(first)
        del self._parents[first], self._left[first]

    def state(self) -> State:
        """What ``load`` needs."""
        return {str(f): {"parents": p, "left": self._left[f]} for f, p in self._parents.items()}

    def load(self, state: State) -> None:
        """Go on where ``state`` was taken."""
        self._firsts = sorted(map(int, state))
        self._parents = {int(f): np.array(chunk["parents"]) for f, chunk in state.items()}
        self._left = {int(f): int(chunk["left"]) for f, chunk in state.items()}


def _as_asked(ids: Ids, first: int) -> bool:
    """Whether they count up from the first, compared as bytes: a third of the time of arrays."""
    return ids.tobytes() == np.arange(first, first + len(ids)).tobytes()
