"""A batch's columns as one binary block, and back: exact, compact, without pickle.

A block holds the columns one after another: first float64 and int64 (so that they stay aligned),
then bool, all as raw little-endian bytes; then text and object columns, each led by its length.
Names, kinds and widths are the same in every block of a study, so they are kept once, as a Layout.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.errors import StorageError

_FIXED = {"f": np.dtype("<f8"), "i": np.dtype("<i8"), "b": np.dtype("?")}
_ORDER = {"f": 0, "i": 0, "b": 1, "U": 2, "O": 2}
_LENGTH = struct.Struct("<I")
_CODES = (np.dtype("<u1"), np.dtype("<u2"), np.dtype("<u4"))


@dataclass(frozen=True)
class Column:
    """Name, NumPy kind (``f i b U O``) and width (None for one value a row) of a column."""

    name: str
    kind: str
    width: int | None

    def shape(self, n: int) -> tuple[int, ...]:
        """Shape of the column in a batch of n rows."""
        return (n,) if self.width is None else (n, self.width)

    @property
    def row_bytes(self) -> int:
        """Bytes a row takes in a column of fixed size."""
        return _FIXED[self.kind].itemsize * (1 if self.width is None else self.width)


@dataclass(frozen=True)
class Layout:
    """The columns of a batch, in the batch's order, without ``id``."""

    columns: tuple[Column, ...]

    @classmethod
    def of(cls, batch: Batch) -> Layout:
        """The layout of a batch.

        Raises:
            StorageError: a column has a type that has no place in a block.
        """
        made = []
        for name, column in batch.columns().items():
            if name == "id":
                continue
            if column.dtype.kind not in _ORDER:
                raise StorageError(
                    f"column {name!r} has type {column.dtype}; store float, int, bool, str or None"
                )
            width = None if column.ndim == 1 else column.shape[1]
            made.append(Column(name, column.dtype.kind, width))
        return cls(tuple(made))

    @classmethod
    def from_json(cls, text: str) -> Layout:
        """The layout that ``to_json`` wrote.

        Raises:
            StorageError: the text is not a layout.
        """
        try:
            columns = tuple(
                Column(str(name), kind, width) for name, kind, width in json.loads(text)
            )
        except (ValueError, TypeError) as error:
            raise StorageError(f"a table of columns is damaged: {text[:80]!r}") from error
        for column in columns:
            if column.kind not in _ORDER:
                raise StorageError(f"column {column.name!r} has unknown kind {column.kind!r}")
        return cls(columns)

    def to_json(self) -> str:
        """The layout as text."""
        columns = [[column.name, column.kind, column.width] for column in self.columns]
        return json.dumps(columns, separators=(",", ":"))

    @cached_property
    def names(self) -> frozenset[str]:
        """The columns' names."""
        return frozenset(column.name for column in self.columns)

    @cached_property
    def crc(self) -> int:
        """CRC-32 of the layout; part of each event's own, so that a damaged name is found."""
        return zlib.crc32(self.to_json().encode())

    @cached_property
    def row_bytes(self) -> int | None:
        """Bytes a row takes in a block, None when that varies."""
        return sum(column.row_bytes for column in self.columns) if self.fixed else None

    @cached_property
    def stored(self) -> tuple[Column, ...]:
        """The columns in the order of the block: eight-byte values, flags, variable size."""
        return tuple(sorted(self.columns, key=lambda column: _ORDER[column.kind]))

    @cached_property
    def fixed(self) -> bool:
        """Whether every column has a fixed size, so that equal blocks decode together."""
        return all(column.kind in _FIXED for column in self.columns)

    def encode(self, batch: Batch) -> bytes:
        """The block of a batch of this layout.

        Raises:
            StorageError: an object column holds a value that JSON cannot carry.
        """
        parts: list[bytes] = []
        for column in self.stored:
            values = batch[column.name]
            if column.kind in _FIXED:
                parts.append(values.astype(_FIXED[column.kind], copy=False).tobytes())
            else:
                payload = (
                    _pack_text(values) if column.kind == "U" else _pack_objects(column, values)
                )
                parts += [_LENGTH.pack(len(payload)), payload]
        return b"".join(parts)

    def decode(self, blocks: Sequence[bytes], n: int) -> dict[str, Array]:
        """The columns of m blocks of n rows each, joined.

        Args:
            blocks: m blocks; more than one only when the layout is ``fixed``.
            n: rows in each block.

        Returns:
            read-only columns (m * n,) or (m * n, k); of one block, views on its bytes.

        Raises:
            StorageError: a block does not have the size or form of this layout.
        """
        try:
            columns = self._decode(blocks, n)
        except (ValueError, TypeError, IndexError, struct.error, RecursionError) as error:
            raise StorageError(f"a block of {n} rows does not fit its columns: {error}") from error
        return {column.name: columns[column.name] for column in self.columns}

    def _decode(self, blocks: Sequence[bytes], n: int) -> dict[str, Array]:
        size, m = len(blocks[0]), len(blocks)
        buffer = blocks[0] if m == 1 else b"".join(blocks)
        columns: dict[str, Array] = {}
        start = 0
        for column in self.stored:
            if column.kind in _FIXED:
                columns[column.name] = _fixed_column(buffer, column, m, n, size, start)
                start += column.row_bytes * n
                continue
            (length,) = _LENGTH.unpack_from(buffer, start)
            start += _LENGTH.size
            payload = buffer[start : start + length]
            unpack = _unpack_text if column.kind == "U" else _unpack_objects
            columns[column.name] = unpack(payload, column.shape(n))
            start += length
        if start != size or len(buffer) != size * m:
            raise ValueError(f"{size} bytes where the columns take {start}")
        for array in columns.values():
            array.flags.writeable = False
        return columns


def _fixed_column(buffer: bytes, column: Column, m: int, n: int, size: int, start: int) -> Array:
    # One strided view over all blocks: a million one-row blocks decode without a Python loop.
    dtype = _FIXED[column.kind]
    shape = (m, *column.shape(n))
    inner = (column.row_bytes,) if column.width is None else (column.row_bytes, dtype.itemsize)
    if n == 0 or column.width == 0:
        return np.empty(column.shape(m * n), dtype)
    view: Array = np.ndarray(shape, dtype, buffer, start, (size, *inner))
    return view.reshape(column.shape(m * n))


def _pack_text(values: Array) -> bytes:
    # A dictionary: categorical columns repeat few words. Lone surrogates are legal in a str.
    table: dict[str, int] = {}
    codes = [table.setdefault(value, len(table)) for value in values.ravel().tolist()]
    words = [word.encode("utf-8", "surrogatepass") for word in table]
    lengths = np.array([len(word) for word in words], "<u4")
    head = _LENGTH.pack(len(words)) + lengths.tobytes()
    return b"".join([head, *words, np.array(codes, _code_type(len(words))).tobytes()])


def _unpack_text(payload: bytes, shape: tuple[int, ...]) -> Array:
    (count,) = _LENGTH.unpack_from(payload)
    lengths = np.frombuffer(payload, "<u4", count, _LENGTH.size)
    start = _LENGTH.size + 4 * count
    words = []
    for length in lengths.tolist():
        words.append(payload[start : start + length].decode("utf-8", "surrogatepass"))
        start += length
    codes = np.frombuffer(payload[start:], _code_type(count))
    table = np.array(words or [""], dtype=np.str_)
    column: Array = table[codes].reshape(shape)
    return column


def _code_type(count: int) -> np.dtype[Any]:
    return _CODES[0] if count <= 1 << 8 else _CODES[1] if count <= 1 << 16 else _CODES[2]


def _pack_objects(column: Column, values: Array) -> bytes:
    try:
        return json.dumps(values.ravel().tolist(), separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise StorageError(
            f"column {column.name!r} cannot be stored: {error}; "
            "give None, bool, int, float or str values"
        ) from error


def _unpack_objects(payload: bytes, shape: tuple[int, ...]) -> Array:
    values = json.loads(payload)
    column: Array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        column[i] = value
    return column.reshape(shape)
