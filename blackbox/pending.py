"""Which rows were asked for and are not yet told."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array, Batch
from blackbox.errors import TellError


@dataclass
class _Chunk:
    """Rows of one ask, and which of them are still open (None: all)."""

    batch: Batch
    left: int
    some: npt.NDArray[np.bool_] | None = None

    @property
    def open(self) -> npt.NDArray[np.bool_]:
        """(n,) mask; most chunks are told as a whole, and never need one."""
        if self.some is None:
            self.some = np.ones(len(self.batch), dtype=bool)
        return self.some

    def positions(self, ids: Array) -> npt.NDArray[np.intp]:
        """Positions of the ids among the chunk's sorted ids, -1 where they are not pending."""
        own = self.batch["id"]
        at = np.minimum(np.searchsorted(own, ids), len(own) - 1)
        return np.where((own[at] == ids) & self.open[at], at, -1)


class Pending:
    """Open rows in chunks, one for each ask.

    Chunks rather than a dict of rows: a batch of ten thousand is added, found and removed as a
    whole, at the cost of a few array operations.
    """

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._chunks: list[_Chunk] = []

    def add(self, batch: Batch) -> None:
        """Add rows with increasing ids, all larger than those added before."""
        n = len(batch)
        if n:
            self._firsts.append(int(batch["id"][0]))
            self._chunks.append(_Chunk(batch, n))

    def rows(self) -> Batch:
        """All open rows, by increasing id."""
        return Batch.concat(c.batch[c.open] for c in self._chunks)

    def find(self, ids: Array, asked: int) -> Batch | None:
        """The asked rows with these ids, or None where some of them are from outside (-1).

        Args:
            ids: (n,) ids, in any order.
            asked: number of rows asked so far.

        Raises:
            TellError: an id was never given, was told before, or stands twice.
        """
        if self._is_last(ids):
            return self._chunks[-1].batch
        known = ids[ids >= 0]
        if known.size == 0:
            self._refuse(ids, asked, ids < -1)
            return None
        if known.size > 1 and len(np.unique(known)) < known.size:
            values, counts = np.unique(known, return_counts=True)
            raise TellError(f"tell: id {values[counts > 1][0]} stands twice; tell each row once")
        found, at = self._locate(known)
        bad = np.ones(len(ids), dtype=bool)
        bad[ids >= 0] = at < 0
        bad[ids == -1] = False
        self._refuse(ids, asked, bad)
        if known.size < len(ids):
            return None
        if len(set(found.tolist())) == 1:
            return self._chunks[int(found[0])].batch.take(at)
        return Batch.concat(
            self._chunks[c].batch[int(i) : int(i) + 1] for c, i in zip(found, at, strict=True)
        )

    def remove(self, ids: Array) -> None:
        """Close rows that ``find`` has found."""
        if self._is_last(ids):
            del self._chunks[-1], self._firsts[-1]
            return
        known = ids[ids >= 0]
        if known.size == 0:
            return
        found, at = self._locate(known)
        for c in np.unique(found)[::-1].tolist():
            chunk = self._chunks[c]
            chunk.open[at[found == c]] = False
            chunk.left = int(np.count_nonzero(chunk.open))
            if chunk.left == 0:
                del self._chunks[c], self._firsts[c]

    def _is_last(self, ids: Array) -> bool:
        """Whether these are the very ids of the last ask, all open: the everyday case."""
        if not self._chunks:
            return False
        chunk = self._chunks[-1]
        return chunk.left == len(ids) and ids is chunk.batch["id"]

    def _locate(self, ids: Array) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """For each id the chunk it may be in and its position there, -1 where not pending."""
        at = np.full(len(ids), -1, dtype=np.intp)
        if not self._chunks:
            return np.zeros(len(ids), dtype=np.intp), at
        if len(ids) == 1:
            found = np.array([max(bisect_right(self._firsts, int(ids[0])) - 1, 0)])
        else:
            found = np.maximum(np.searchsorted(self._firsts, ids, side="right") - 1, 0)
        for c in set(found.tolist()):
            here = found == c
            at[here] = self._chunks[c].positions(ids[here])
        return found, at

    @staticmethod
    def _refuse(ids: Array, asked: int, bad: npt.NDArray[np.bool_]) -> None:
        if not bad.any():
            return
        first = int(ids[bad][0])
        if 0 <= first < asked:
            raise TellError(f"tell: id {first} was told before; tell each row once")
        raise TellError(
            f"tell: id {first} was never asked for (ids so far: 0 to {asked - 1}); "
            "give id -1 to data from outside"
        )
