"""Appending events to the log, within a transaction that somebody else opens and closes."""

from __future__ import annotations

import time
from typing import Any

from blackbox.batch import Batch
from blackbox.errors import StorageError
from blackbox.storage.blocks import Layout
from blackbox.storage.events import COLUMNS, checksum, pack_ids
from blackbox.storage.ids import LAYOUTS, Ids, States
from blackbox.storage.log import Log

_INSERT = f"INSERT INTO events ({COLUMNS}) VALUES ({', '.join('?' * 12)})"


class Appender:
    """The end of the log, and what has to be known to add to it.

    Attributes:
        states: which ids were asked and told.
        last: number of the last event, 0 when there is none.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self.load()

    def load(self) -> None:
        """Read everything anew from the disk, as after a transaction that was undone."""
        self._log.read_layouts()
        self._numbers = {layout: number for number, layout in self._log.layouts.items()}
        self._known: dict[Any, tuple[int, Layout]] = {}
        self.states = self._log.states()
        self.last = self._log.last()

    def add(
        self,
        kind: int,
        ids: Ids,
        batch: Batch,
        *,
        requested: int | None = None,
        seconds: float = 0.0,
        extra: str | None = None,
    ) -> int:
        """Write one event; returns the number of its layout.

        Raises:
            StorageError: the batch holds something that has no place in a block.
        """
        number, layout = self._layout(batch)
        block = layout.encode(batch)
        first, packed = pack_ids(ids)
        head = (self.last + 1, kind, first, len(ids), number, requested, time.time(), seconds)
        crc = checksum(layout, head, packed, extra, block)
        self._log.fetch(_INSERT, (*head, crc, packed, extra, block))
        self.last += 1
        return number

    def asked_names(self, ids: Ids, known: States) -> set[str]:
        """Columns that every one of these rows, none from outside, was asked with."""
        if len(ids) == 0 or (ids < 0).any():
            return set()
        layouts = [self._log.layouts[number].names for number in set(known.tolist())]
        return set(frozenset.intersection(*layouts))

    def _layout(self, batch: Batch) -> tuple[int, Layout]:
        # A key of tuples, since making the layout itself costs more than storing one row.
        key = tuple((name, c.dtype.kind, c.shape[1:]) for name, c in batch.columns().items())
        if key not in self._known:
            layout = Layout.of(batch)
            if layout not in self._numbers:
                self._add_layout(layout)
            self._known[key] = self._numbers[layout], layout
        return self._known[key]

    def _add_layout(self, layout: Layout) -> None:
        number = len(self._numbers) + 1
        if number > LAYOUTS:
            raise StorageError(
                f"the study holds {LAYOUTS} different sets of columns, and this batch has another, "
                f"{sorted(layout.names)}: give every batch the same columns"
            )
        self._log.fetch("INSERT INTO layouts VALUES (?, ?)", (number, layout.to_json()))
        self._numbers[layout] = number
        self._log.layouts[number] = layout
