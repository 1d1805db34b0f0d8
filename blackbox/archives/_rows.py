"""Columns that grow by rows: room for the elites there are, not for every cell there could be."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array, Batch
from blackbox.errors import BatchError


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


def entering(batch: Batch, layout: Mapping[str, Array]) -> Batch:
    """A batch with an ``id``, and with every column of a layout in its type.

    Args:
        batch: what ``add`` is given.
        layout: for each column an array of the type and width to hold.

    Raises:
        BatchError: it is none, or a column is missing or of another width or type.
    """
    if not isinstance(batch, Batch):
        raise BatchError(f"add: {type(batch).__name__} given; give a Batch")
    if "id" not in batch:
        batch = batch.with_columns(id=np.full(len(batch), -1))
    columns = batch.columns()
    for name, like in layout.items():
        column = columns.get(name)
        if column is None or column.shape[1:] != like.shape[1:]:
            raise BatchError(
                f"add: column {name!r} of shape {('n', *like.shape[1:])} is missing; the batch has "
                f"{batch!r}"
            )
        if column.dtype is not like.dtype:
            try:
                batch = batch.with_columns(**{name: cast(column, like.dtype)})
            except (TypeError, ValueError, OverflowError):
                raise BatchError(
                    f"add: column {name!r} holds {column.dtype} values; give {like.dtype}"
                ) from None
    good = columns.get("ok")
    if good is not None and (good.dtype.kind != "b" or good.ndim != 1):
        raise BatchError(f"add: column 'ok' is {good.dtype}{good.shape}; give (n,) bools")
    return batch


def ids(parents: npt.ArrayLike, n: int) -> npt.NDArray[np.int64]:
    """(n,) ids that were given for n rows.

    Raises:
        BatchError: of another shape or type.
    """
    try:
        given = np.asarray(parents)
    except ValueError:  # ragged
        given = np.zeros((0, 0))
    if given.shape != (n,) or (n and given.dtype.kind not in "iu"):
        raise BatchError(
            f"add: parents are {given.dtype}{given.shape}; give one id a row, ({n},) ints"
        )
    return given.astype(np.int64, copy=False)


def cast(column: Array, dtype: np.dtype[Any]) -> Array:
    """A column as another type that holds the same values; None is NaN among numbers.

    Raises:
        TypeError, ValueError, OverflowError: it cannot hold them.
    """
    # Objects are looked at one by one; else no fraction becomes a whole number, no text a number.
    made: Array = column.astype(dtype, casting="unsafe" if column.dtype == object else "same_kind")
    return made


def _room(like: Array, n: int) -> Array:
    return np.empty((n, *like.shape[1:]), dtype=like.dtype)
