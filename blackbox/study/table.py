"""A batch that grows: columns with room to spare, so that appending a row costs no copy."""

from __future__ import annotations

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.errors import BatchError

_ROOM = 64


class Table:
    """Rows appended batch by batch, read as one Batch without a copy."""

    def __init__(self, batch: Batch | None = None) -> None:
        self._columns: dict[str, Array] = {}
        self._n = 0
        if batch is not None:
            self.append(batch)

    def __len__(self) -> int:
        return self._n

    @property
    def batch(self) -> Batch:
        """All rows so far; rows appended later do not show in it."""
        views = {name: column[: self._n] for name, column in self._columns.items()}
        return Batch.of(views, self._n)

    def append(self, batch: Batch) -> None:
        """Add rows; every batch must have the columns of the first.

        Raises:
            BatchError: a column is missing, or of another width.
        """
        n = len(batch)
        if not self._columns:
            self._columns = {name: _room(column, n) for name, column in batch.columns().items()}
        for name, before in list(self._columns.items()):
            column, values = before, batch[name]
            if values.shape[1:] != column.shape[1:]:
                raise BatchError(f"column {name!r} has another width than the rows before")
            if self._n + n > len(column) or not _fits(values.dtype, column.dtype):
                column = _grown(column, self._n, values)
                self._columns[name] = column
            column[self._n : self._n + n] = values
        self._n += n


def _room(column: Array, n: int) -> Array:
    return np.empty((max(2 * n, _ROOM), *column.shape[1:]), dtype=column.dtype)


def _fits(values: np.dtype[np.generic], column: np.dtype[np.generic]) -> bool:
    if values.kind == column.kind:
        return values.itemsize <= column.itemsize
    return column.kind == "O"


def _grown(column: Array, n: int, values: Array) -> Array:
    """A larger copy, of a type that also holds the new values as they are."""
    if values.dtype.kind == column.dtype.kind:
        dtype = np.promote_types(column.dtype, values.dtype)
    else:
        dtype = np.dtype(object)  # None beside floats, say: keep both instead of making text
    size = max(len(column), 2 * (n + len(values)), _ROOM)
    larger = np.empty((size, *column.shape[1:]), dtype=dtype)
    larger[:n] = column[:n]
    return larger
