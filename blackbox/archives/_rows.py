"""Columns that grow by rows: room for the elites there are, not for every cell there could be."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

import numpy as np

from blackbox.batch import Array


class Rows:
    """Named arrays with one common first axis; rows are added and overwritten, never removed.

    Args:
        like: for each column an array (n, ...) of the type and width to hold.
    """

    def __init__(self, like: Mapping[str, Array]) -> None:
        self.arrays = {name: _room(array, 16) for name, array in like.items()}
        self.capacity = 16
        self.n = 0

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, name: str) -> Array:
        """The filled part of a column; writing into it writes into the table."""
        return self.arrays[name][: self.n]

    def extend(self, n: int) -> None:
        """Grow to n rows, of which the new ones hold anything.

        Room is at least doubled, so that many small steps stay cheap.
        """
        if n > self.capacity:
            self.capacity = max(n, 2 * self.capacity)
            for name, old in self.arrays.items():
                self.arrays[name] = new = _room(old, self.capacity)
                new[: self.n] = old[: self.n]
        self.n = n

    def put(
        self,
        rows: Array,
        columns: Mapping[str, Array],
        source: Array,
        loops: ModuleType | None = None,
    ) -> None:
        """Overwrite rows by the rows ``source`` of some columns, those that are kept here.

        Args:
            rows: (g,) rows to overwrite.
            columns: arrays (n, ...).
            source: (g,) rows of these.
            loops: the compiled loops, where there are some.
        """
        for name, array in self.arrays.items():
            if name not in columns:
                continue
            if loops is not None and array.ndim == 2 and array.dtype == np.float64:
                loops.put(array, rows, columns[name], source)
            else:
                array[rows] = columns[name][source]

    def columns(self) -> dict[str, Array]:
        """A copy of every filled column."""
        return {name: array[: self.n].copy() for name, array in self.arrays.items()}

    def joined(self, other: Rows) -> dict[str, Array]:
        """Columns with the rows of both, those of the other last."""
        return {name: np.concatenate([self[name], other[name]]) for name in self.arrays}

    def fill(self, columns: Mapping[str, Array], n: int) -> None:
        """Replace every row."""
        self.n = 0
        self.extend(n)
        for name, array in self.arrays.items():
            array[:n] = columns[name]


def _room(like: Array, n: int) -> Array:
    return np.empty((n, *like.shape[1:]), dtype=like.dtype)
