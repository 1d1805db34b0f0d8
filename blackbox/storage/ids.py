"""Which rows were asked and which were told: two bytes a row, so that a million rows are 2 MB."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

LAYOUTS = np.iinfo(np.int16).max  # how many layouts can be told apart

_BITS = 12
_SIZE = 1 << _BITS
_MASK = _SIZE - 1

Ids = npt.NDArray[np.int64]
States = npt.NDArray[np.int16]


class RowStates:
    """A number for every id: 0 never asked, l asked in layout l, -l told as well.

    Pages of 4096 ids are made when first used, so that ids may start anywhere.
    """

    def __init__(self) -> None:
        self._pages: dict[int, States] = {}

    def get(self, ids: Ids) -> States:
        """States (n,) of ids (n,); ids below zero have state 0."""
        states = np.zeros(len(ids), np.int16)
        for number, rows in _pages(ids):
            page = self._pages.get(number)
            if page is not None:
                states[rows] = page[ids[rows] & _MASK]
        return states

    def set(self, ids: Ids, states: Ids | States | int) -> None:
        """Set states (n,), or one state for all, of ids (n,), none below zero."""
        for number, rows in _pages(ids):
            page = self._pages.get(number)
            if page is None:
                page = self._pages[number] = np.zeros(_SIZE, np.int16)
            page[ids[rows] & _MASK] = states if isinstance(states, int) else states[rows]

    def pending(self) -> Ids:
        """Ids that were asked and not told, in ascending order."""
        parts = [
            np.flatnonzero(page > 0) + (number << _BITS)
            for number, page in sorted(self._pages.items())
        ]
        return np.concatenate(parts).astype(np.int64) if parts else np.empty(0, np.int64)

    def highest(self) -> int:
        """The highest id known, -1 when there is none."""
        if not self._pages:
            return -1
        number = max(self._pages)
        return int(np.flatnonzero(self._pages[number])[-1]) + (number << _BITS)


def _pages(ids: Ids) -> Iterator[tuple[int, slice | npt.NDArray[np.intp]]]:
    """Page numbers and, for each, which of the ids lie on it; ids below zero lie on none."""
    if len(ids) == 0:
        return
    numbers = ids >> _BITS
    first = int(numbers[0])
    if first >= 0 and (len(ids) == 1 or bool((numbers == first).all())):
        yield first, slice(None)
        return
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1))
    for start, stop in zip(starts, [*starts[1:], len(ids)], strict=True):
        if ordered[start] >= 0:
            yield int(ordered[start]), order[start:stop]
