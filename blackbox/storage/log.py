"""Reading the log of a study: header, events, and the numbers that sum it up."""

from __future__ import annotations

import json
import sqlite3
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from blackbox.errors import StorageError
from blackbox.storage.blocks import Layout
from blackbox.storage.database import readable_errors
from blackbox.storage.events import COLUMNS, AnyEvent, AskEvent, Record, decode, expand_ids
from blackbox.storage.ids import Ids, RowStates

_CHUNK_BYTES = 4 << 20
_CHUNK_ROWS = 4096


@dataclass(frozen=True)
class Summary:
    """A study in numbers.

    Attributes:
        events: asks and tells.
        asked: rows asked.
        told: rows told, those from outside included.
        seconds: run time.
        updated: time of the last event, seconds since 1970; None when there is none.
    """

    events: int
    asked: int
    told: int
    seconds: float
    updated: float | None


class Log:
    """What reader and writer share: a connection, the layouts, and reading in short steps.

    A cursor left open would keep the write-ahead log from being reset, and it would grow without
    bound; so rows are fetched in chunks, each a read of its own.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self.connection = connection
        self.lock = threading.RLock()
        self.layouts: dict[int, Layout] = {}

    def header(self) -> dict[str, Any]:
        """What made the study.

        Raises:
            StorageError: it is missing or damaged.
        """
        rows = dict(self.fetch("SELECT key, value FROM study"))
        text = rows.get("header")
        if not isinstance(text, str) or str(zlib.crc32(text.encode())) != rows.get("crc"):
            raise StorageError(
                f"{str(self.path)!r}: the header is damaged: restore the file from a copy"
            )
        header: dict[str, Any] = json.loads(text)
        return header

    def events(self, after: int = 0) -> Iterator[AnyEvent]:
        """Events numbered above ``after``, in order, those written meanwhile included.

        Raises:
            StorageError: an event is damaged or missing.
        """
        limit = 64
        while True:
            records: list[Record] = self.fetch(
                f"SELECT {COLUMNS} FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
            )
            if not records:
                return
            for record in records:
                if record[0] != after + 1:
                    raise StorageError(f"{str(self.path)!r}: event {after + 1} is missing")
                yield self._decode(record)
                after = record[0]
            size = sum(len(record[-1]) for record in records)
            limit = min(2 * limit, _CHUNK_ROWS) if size < _CHUNK_BYTES else max(1, limit // 2)

    def summary(self) -> Summary:
        """The study in numbers, without reading blocks."""
        rows = self.fetch(
            "SELECT count(*), coalesce(sum(CASE kind WHEN 0 THEN n END), 0), "
            "coalesce(sum(CASE kind WHEN 1 THEN n END), 0), coalesce(max(seconds), 0.0), "
            "max(time) FROM events"
        )
        return Summary(*rows[0])

    def last(self) -> int:
        """Number of the last event, 0 when there is none."""
        return int(self.fetch("SELECT coalesce(max(seq), 0) FROM events")[0][0])

    def states(self) -> RowStates:
        """Which ids were asked and told, without reading blocks.

        Raises:
            StorageError: an event is damaged.
        """
        states, after = RowStates(), 0
        while True:
            rows = self.fetch(
                "SELECT seq, kind, first_id, n, layout, ids, length(block) FROM events "
                "WHERE seq > ? ORDER BY seq LIMIT 65536",
                (after,),
            )
            if not rows:
                return states
            self._check_sizes(rows)
            asks = [row for row in rows if row[1] == AskEvent.kind]
            layouts = np.array([row[4] for row in asks], np.int64)
            counts = np.array([row[3] for row in asks], np.int64)
            states.set(_ids(asks), np.repeat(layouts, counts))
            told = _ids([row for row in rows if row[1] != AskEvent.kind])
            told = told[told >= 0]
            states.set(told, -np.abs(states.get(told)))
            after = rows[-1][0]

    def fetch(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """All rows of one query; errors name the file.

        Raises:
            StorageError: SQLite refused.
        """
        with self.lock, readable_errors(self.path):
            return self.connection.execute(sql, values).fetchall()

    def read_layouts(self) -> None:
        """Read the tables of columns anew."""
        rows = self.fetch("SELECT layout, columns FROM layouts")
        self.layouts = {number: Layout.from_json(text) for number, text in rows}

    def _check_sizes(self, rows: list[Any]) -> None:
        """Refuse a damaged number of rows before it makes arrays of its size."""
        for seq, _, first, n, number, _, size in rows:
            layout = self.layouts.get(number)
            per_row = layout.row_bytes if layout else None
            whole = layout and isinstance(first, int) and isinstance(n, int) and n >= 0
            if not whole or (n * per_row != size if per_row else n > max(size, _CHUNK_BYTES)):
                raise StorageError(
                    f"{str(self.path)!r}: event {seq} is damaged: {n!r} rows in {size} bytes; "
                    "restore the file from a copy"
                )

    def _decode(self, record: Record) -> AnyEvent:
        if record[4] not in self.layouts:
            self.read_layouts()
        try:
            return decode(record, self.layouts)
        except StorageError as error:
            raise StorageError(
                f"{str(self.path)!r}: {error}; restore the file from a copy"
            ) from error


def _ids(rows: list[Any]) -> Ids:
    return expand_ids([(first, n, packed) for _, _, first, n, _, packed, _ in rows])
