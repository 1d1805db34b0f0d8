"""The told rows of a study as one batch: what was asked joined with what was told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array, Batch
from blackbox.errors import StorageError
from blackbox.storage.blocks import Layout
from blackbox.storage.events import AnyEvent, AskEvent, TellEvent, expand_ids
from blackbox.storage.ids import Ids

_RUN_BYTES = 1 << 20

Places: TypeAlias = npt.NDArray[np.intp]
Mask: TypeAlias = npt.NDArray[np.bool_]
# Rows of a column, and the values they get.
Piece: TypeAlias = tuple[slice | Places, Array]


def history(events: Iterable[AnyEvent]) -> Batch:
    """The told rows in the order they were told.

    A column that some tells lack holds NaN there if it is a number, else None; ``ok`` is True
    where a tell has none. A column that was told as well as asked holds what was told.

    Args:
        events: the events of a study from its first on.

    Returns:
        ``id``, parameters, outcomes and ``ok``: (n,) or (n, k) columns.

    Raises:
        StorageError: a row was told that these events never asked, or a column changes its width.
    """
    asked, told = _Table(), _Table()
    for event in events:
        (asked if isinstance(event, AskEvent) else told).add(event)
    ids, asked_ids = told.finish(), asked.finish()
    n, total = len(ids), len(asked_ids)
    inside = np.flatnonzero(ids >= 0)
    places = _find(asked_ids, ids[inside])
    outcomes, columns = told.pieces, {"id": ids}
    # Popped, so that each column's blocks can go as soon as they are joined.
    for name in list(asked.pieces):
        values, present = _join(name, total, asked.pieces.pop(name))
        own = _take(values, present, places, inside)
        columns[name], _ = _join(name, n, [*own, *outcomes.pop(name, [])])
    ok = outcomes.pop("ok", [])
    for name in list(outcomes):
        columns[name], _ = _join(name, n, outcomes.pop(name))
    columns["ok"], _ = _join("ok", n, [(slice(0, n), np.ones(n, np.bool_)), *ok])
    return Batch.of(columns, n)


def reasons(events: Iterable[AnyEvent]) -> dict[int, str]:
    """The tracebacks of failed rows by id."""
    found: dict[int, str] = {}
    for event in events:
        if isinstance(event, TellEvent):
            found.update(event.reasons)
    return found


class _Table:
    """Columns growing event by event; like blocks that follow each other are decoded together."""

    def __init__(self) -> None:
        self.n = 0
        self.pieces: dict[str, list[Piece]] = {}
        self._ids: list[tuple[int, int, bytes | None]] = []
        self._run: list[bytes] = []
        self._size = 0
        self._rows = 0
        self._layout: Layout | None = None

    def add(self, event: AnyEvent) -> None:
        """Append the rows of an event."""
        if event.layout is not self._layout or event.n != self._rows or self._size > _RUN_BYTES:
            self._flush()
            self._layout, self._rows = event.layout, event.n
        self._run.append(event.block)
        self._size += len(event.block)
        self._ids.append((event.first_id, event.n, event.packed_ids))

    def finish(self) -> Ids:
        """Decode what is left; returns the ids of all rows."""
        self._flush()
        return expand_ids(self._ids)

    def _flush(self) -> None:
        if self._layout is None:
            return
        start, self.n = self.n, self.n + self._rows * len(self._run)
        for name, column in _decode(self._layout, self._run, self._rows).items():
            self.pieces.setdefault(name, []).append((slice(start, self.n), column))
        self._run, self._size, self._layout = [], 0, None


def _decode(layout: Layout, blocks: Sequence[bytes], n: int) -> dict[str, Array]:
    if layout.fixed or len(blocks) == 1:
        return layout.decode(blocks, n)
    return Batch.concat(Batch.of(layout.decode([block], n), n) for block in blocks).columns()


def _find(asked: Ids, ids: Ids) -> Places:
    """Positions of ids among those asked."""
    first = int(asked[0]) if len(asked) else 0
    if len(asked) == 0 or bool((np.diff(asked) == 1).all()):
        places = ids - first
        found = (places >= 0) & (places < len(asked))
    else:
        order = np.argsort(asked, kind="stable")
        at = np.minimum(np.searchsorted(asked, ids, sorter=order), len(asked) - 1)
        places = order[at]
        found = asked[places] == ids
    if not found.all():
        raise StorageError(
            f"row {int(ids[~found][0])} was told but never asked in these events: "
            "give the events of the study from its first on"
        )
    return places.astype(np.intp, copy=False)


def _take(values: Array, present: Mask | None, places: Places, inside: Places) -> list[Piece]:
    """The asked values of the told rows that have any."""
    if present is not None:
        kept = present[places]
        places, inside = places[kept], inside[kept]
    return [(inside, values[places])] if len(inside) else []


def _join(name: str, n: int, pieces: Sequence[Piece]) -> tuple[Array, Mask | None]:
    """A column of n rows from pieces, the later win; and which rows a piece gave, None for all."""
    if len(pieces) == 1 and len(pieces[0][1]) == n:
        return pieces[0][1], None  # the rows of a piece ascend, so that n of them are all
    shapes = {values.shape[1:] for _, values in pieces}
    if len(shapes) > 1:
        raise StorageError(
            f"column {name!r} changes its width from batch to batch: {sorted(shapes)}; "
            "read the study event by event"
        )
    present = np.zeros(n, np.bool_)
    for rows, _ in pieces:
        present[rows] = True
    complete = bool(present.all())
    shape = (n, *(shapes.pop() if shapes else ()))
    column = _empty(shape, [values.dtype for _, values in pieces], complete)
    for rows, values in pieces:
        column[rows] = values
    return column, None if complete else present


def _empty(shape: tuple[int, ...], dtypes: Sequence[np.dtype[Any]], complete: bool) -> Array:
    kinds = {dtype.kind for dtype in dtypes}
    if kinds <= {"f", "i"}:
        # A missing integer has no value of its own kind.
        whole = kinds == {"i"} and complete
        return np.zeros(shape, np.int64) if whole else np.full(shape, np.nan)
    if len(kinds) == 1 and complete and kinds <= {"b", "U"}:
        return np.empty(shape, np.result_type(*dtypes))
    return np.full(shape, None, dtype=object)
