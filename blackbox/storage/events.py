"""The two kinds of row in the log: what was asked, and what was told."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, TypeAlias

import numpy as np

from blackbox.batch import Batch
from blackbox.errors import StorageError
from blackbox.storage.blocks import Layout
from blackbox.storage.ids import Ids

_HEAD = struct.Struct("<qqqqqqdd")

# In the order of the table's columns; the large ones come last, so that reading the first does
# not walk through them.
COLUMNS = "seq, kind, first_id, n, layout, requested, time, seconds, crc, ids, extra, block"
Record: TypeAlias = tuple[
    int, int, int, int, int, int | None, float, float, int, bytes | None, str | None, bytes
]


@dataclass(frozen=True)
class Event:
    """One batch in the log; its columns are decoded when ``batch`` is first used.

    Attributes:
        seq: number of the event, from 1 without gaps.
        n: number of rows.
        time: when it was written, seconds since 1970.
        layout: the columns in the block.
        block: the columns' bytes.
    """

    kind: ClassVar[int]

    seq: int
    n: int
    time: float
    first_id: int
    packed_ids: bytes | None
    layout: Layout
    block: bytes

    @property
    def ids(self) -> Ids:
        """Ids (n,) of the rows, -1 for rows from outside."""
        return unpack_ids(self.first_id, self.n, self.packed_ids)

    @cached_property
    def batch(self) -> Batch:
        """The stored columns, ``id`` first."""
        columns = self.layout.decode([self.block], self.n)
        return Batch.of({"id": self.ids, **columns}, self.n)


@dataclass(frozen=True)
class AskEvent(Event):
    """Rows that were asked: ids and parameters.

    Attributes:
        requested: how many rows were asked for, None for the optimizer's natural batch.
    """

    kind = 0
    requested: int | None


@dataclass(frozen=True)
class TellEvent(Event):
    """Rows that were told: ids and outcomes, and all columns of rows from outside.

    Attributes:
        seconds: run time of the study up to this event.
        reasons: tracebacks of failed rows by id.
    """

    kind = 1
    seconds: float
    reasons: Mapping[int, str]


AnyEvent: TypeAlias = AskEvent | TellEvent


def pack_ids(ids: Ids) -> tuple[int, bytes | None]:
    """First id and the ids' bytes; no bytes when they count upwards or are all -1."""
    if len(ids) == 0:
        return 0, None
    first = int(ids[0])
    step = 1 if first >= 0 else 0
    if len(ids) == 1 or (first >= -1 and bool((np.diff(ids) == step).all())):
        return first, None
    return first, ids.astype("<i8", copy=False).tobytes()


def unpack_ids(first: int, n: int, packed: bytes | None) -> Ids:
    """The ids that ``pack_ids`` packed, read-only.

    Raises:
        StorageError: the bytes are not n ids.
    """
    if packed is None:
        ids = np.arange(first, first + n) if first >= 0 else np.full(n, first, np.int64)
    elif len(packed) != 8 * n:
        raise StorageError(f"{len(packed)} bytes of ids where {n} rows take {8 * n}")
    else:
        ids = np.frombuffer(packed, "<i8").astype(np.int64, copy=False)
    ids.flags.writeable = False
    return ids


def expand_ids(packed: Sequence[tuple[int, int, bytes | None]]) -> Ids:
    """The ids of many batches joined, from first id, number of rows and packed ids of each."""
    if not packed:
        return np.empty(0, np.int64)
    if any(ids is not None or first < 0 for first, _, ids in packed):
        return np.concatenate([unpack_ids(*one) for one in packed])
    # One pass over all batches: a million batches of one row must not cost a call each.
    firsts, counts = np.array([one[:2] for one in packed], np.int64).T
    before = np.repeat(np.cumsum(counts) - counts, counts)
    ids: Ids = np.repeat(firsts, counts) + np.arange(len(before)) - before
    return ids


def checksum(
    layout: Layout,
    head: tuple[int, int, int, int, int, int | None, float, float],
    ids: bytes | None,
    extra: str | None,
    block: bytes,
) -> int:
    """CRC-32 over everything an event's row holds, and the columns it refers to."""
    seq, kind, first, n, number, requested, time, seconds = head
    count = -1 if requested is None else requested
    crc = zlib.crc32(_HEAD.pack(seq, kind, first, n, number, count, time, seconds), layout.crc)
    crc = zlib.crc32(ids or b"", crc)
    crc = zlib.crc32((extra or "").encode(), crc)
    return zlib.crc32(block, crc)


def decode(record: Record, layouts: Mapping[int, Layout]) -> AnyEvent:
    """The event of one row of the table.

    Raises:
        StorageError: the row is damaged.
    """
    seq, kind, first, n, number, requested, time, seconds, crc, ids, extra, block = record
    layout = layouts.get(number)
    if layout is None:
        raise StorageError(f"event {seq} is damaged: its table of columns {number!r} is missing")
    head = (seq, kind, first, n, number, requested, time, seconds)
    try:
        found = checksum(layout, head, ids, extra, block)
    except (TypeError, AttributeError, struct.error) as error:
        raise StorageError(f"event {seq!r} is damaged: {error}") from error
    if found != crc:
        raise StorageError(f"event {seq} is damaged: its checksum does not match")
    common = (seq, n, time, first, ids, layout, block)
    if kind == AskEvent.kind:
        return AskEvent(*common, requested)
    return TellEvent(*common, seconds, _reasons(extra))


def pack_reasons(reasons: Mapping[int, str]) -> str | None:
    """Reasons as text, None when there are none."""
    return json.dumps({str(key): text for key, text in reasons.items()}) if reasons else None


def _reasons(extra: str | None) -> dict[int, str]:
    return {int(key): text for key, text in json.loads(extra).items()} if extra else {}
