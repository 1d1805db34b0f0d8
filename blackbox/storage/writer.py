"""The only writer of a study: every ask and every tell is on the disk before the call returns."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
import weakref
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from blackbox.batch import Batch
from blackbox.errors import StorageError, TellError
from blackbox.state import State
from blackbox.storage import checkpoints, database
from blackbox.storage.blocks import Layout
from blackbox.storage.database import Journal, Synchronous, readable_errors
from blackbox.storage.events import (
    COLUMNS,
    AnyEvent,
    AskEvent,
    TellEvent,
    checksum,
    pack_ids,
    pack_reasons,
)
from blackbox.storage.filesystem import network_file_system
from blackbox.storage.header import check_header, pack_header
from blackbox.storage.history import history
from blackbox.storage.ids import Ids, States
from blackbox.storage.lock import StudyLock
from blackbox.storage.log import Log, Summary

_INSERT = f"INSERT INTO events ({COLUMNS}) VALUES ({', '.join('?' * 12)})"
_BEGIN, _COMMIT, _ROLLBACK = "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"


class StudyWriter:
    """A study on disk, new or continued, that this process alone may write.

    When ``ask``, ``tell`` or ``checkpoint`` returns, its row survives ``kill -9``, and with
    ``synchronous="full"`` a power failure too. When one raises, nothing of it is stored, what was
    stored before is intact, and the next call works as soon as its cause is gone.

    Args:
        folder: the study's folder, made if absent; holds ``study.db`` and large checkpoints.
        header: what makes the study: nested dicts and lists of numbers, strings, booleans, None.
        synchronous: ``"full"`` waits for the disk at every commit; ``"normal"`` is faster and may
            lose the last commits at a power failure, never at the death of the process.
        journal: ``"wal"`` (write-ahead log), or ``"delete"`` (rollback journal: slower, readers
            wait for commits), which is the default on network file systems, where the log cannot
            work.

    Raises:
        StudyLockedError: another process, or this one, is writing the study.
        StudyMismatchError: the stored header differs; ``info`` at its top level may differ.
        StorageError: the folder cannot be written, or the file is foreign, damaged or newer.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        header: Mapping[str, Any],
        *,
        synchronous: Synchronous = "full",
        journal: Journal | None = None,
    ) -> None:
        _check_choice("synchronous", synchronous, ("full", "normal"))
        _check_choice("journal", journal, (None, "wal", "delete"))
        self._folder = Path(folder).absolute()
        self._pid = os.getpid()
        self._depth = 0
        text = pack_header(header)
        _make_folder(self._folder)
        with contextlib.ExitStack() as undo:
            lock = StudyLock(self._folder)
            undo.callback(lock.release)
            path = self._folder / database.NAME
            self._resumed = path.exists()
            if not self._resumed:
                database.create(self._folder, text)
            if journal is None:
                journal = "delete" if network_file_system(self._folder) else "wal"
            connection = database.open_writer(path, journal, synchronous)
            undo.callback(connection.close)
            self._log = Log(connection, path)
            self._header = self._log.header()
            check_header(self._header, header, str(self._folder))
            self._load()
            checkpoints.sweep(self._log)
            undo.pop_all()
        # A study that is dropped without close() must not stay locked until Python ends.
        self._finalizer = weakref.finalize(self, _release, connection, lock, self._pid)

    @property
    def header(self) -> dict[str, Any]:
        """What made the study, as stored when it began."""
        return self._header

    @property
    def resumed(self) -> bool:
        """Whether the study was there before."""
        return self._resumed

    @property
    def last(self) -> int:
        """Number of the last event, 0 when there is none."""
        return self._last

    @property
    def pending(self) -> Ids:
        """Ids asked and not told, in ascending order."""
        return self._states.pending()

    def is_told(self, ids: Ids) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which of the ids (n,) were told: (n,) bool; False for -1."""
        told: np.ndarray[Any, np.dtype[np.bool_]] = self._states.get(ids) < 0
        return told

    def ask(self, requested: int | None, batch: Batch) -> int:
        """Store rows that were asked.

        Args:
            requested: how many rows were asked for, None for the optimizer's natural batch.
            batch: column ``id`` (unique, none below zero, none asked before) and parameters.

        Returns:
            The event's number.

        Raises:
            StorageError: the ids are not as said, or the batch cannot be written.
        """
        ids = _ids(batch)
        with self.transaction():
            known = self._states.get(ids)
            wrong = ids[(known != 0) | (ids < 0)]
            if len(wrong) or not _unique(ids):
                raise StorageError(
                    f"ask: ids {_shown(wrong)} were asked before, are negative or stand twice; "
                    "number rows upwards, each once"
                )
            layout = self._insert(AskEvent.kind, ids, batch, requested=requested)
            self._states.set(ids, layout)
        return self._last

    def tell(
        self,
        batch: Batch,
        reasons: Mapping[int, str] | None = None,
        *,
        seconds: float = 0.0,
        changed: Collection[str] = (),
    ) -> int:
        """Store outcomes.

        Columns that the rows were asked with are not stored again, except those in ``changed``;
        a batch with rows from outside (id -1) is stored with all its columns.

        Args:
            batch: column ``id``, outcomes, and ``ok`` when rows failed.
            reasons: tracebacks of failed rows by id.
            seconds: run time of the study so far.
            changed: asked columns whose told values differ from the asked ones.

        Returns:
            The event's number.

        Raises:
            TellError: a row was never asked, was told before, or stands twice.
            StorageError: the batch cannot be written.
        """
        ids = _ids(batch)
        with self.transaction():
            known = self._states.get(ids)
            _check_told(ids, known)
            _check_reasons(reasons or {}, ids)
            extra = pack_reasons(reasons or {})
            kept = batch.drop(*(self._asked_names(ids, known) - set(changed)))
            self._insert(TellEvent.kind, ids, kept, seconds=float(seconds), extra=extra)
            inside = ids >= 0
            self._states.set(ids[inside], -known[inside])
        return self._last

    def checkpoint(self, state: Mapping[str, Any]) -> None:
        """Store the optimizer's state as of the last event; the last two are kept.

        Raises:
            StateError: the state holds something that cannot be stored.
            StorageError: it cannot be written; the checkpoints before it are intact.
        """
        with self.transaction():
            checkpoints.write(self._log, state, self._last)
            self._swept = False

    def latest_checkpoint(self) -> tuple[int, State] | None:
        """The newest whole checkpoint and the event it stands for; None when there is none.

        Warns:
            RuntimeWarning: a newer one is damaged or missing and was passed over.
        """
        return checkpoints.latest(self._log)

    def events(self, after: int = 0) -> Iterator[AnyEvent]:
        """Asks and tells numbered above ``after``, in order.

        Raises:
            StorageError: an event is damaged or missing.
        """
        return self._log.events(after)

    def history(self) -> Batch:
        """The told rows in the order they were told; see ``history``."""
        return history(self.events())

    def summary(self) -> Summary:
        """Numbers of rows, run time and time of the last event, without reading blocks."""
        return self._log.summary()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Store several asks, tells and checkpoints together: all or none, one wait for the disk.

        An error inside undoes the whole group, also when it is caught outside of it.
        """
        self._refuse_fork()
        with self._log.lock, readable_errors(self._log.path):
            if self._depth == 0:
                self._log.connection.execute(_BEGIN)
            self._depth += 1
            try:
                yield
                if self._depth == 1:
                    self._log.connection.execute(_COMMIT)
            except BaseException:
                self._undo()
                raise
            finally:
                self._depth -= 1
        if self._depth == 0 and not self._swept:
            checkpoints.sweep(self._log)
            self._swept = True

    def close(self) -> None:
        """Write the log into the file and let the next writer in; may be called twice."""
        self._finalizer()

    def __enter__(self) -> StudyWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _load(self) -> None:
        """Read what is kept in memory: layouts, states of rows, the last event."""
        self._log.read_layouts()
        self._numbers = {layout: number for number, layout in self._log.layouts.items()}
        self._known: dict[Any, tuple[int, Layout]] = {}
        self._states = self._log.states()
        self._last = self._log.last()
        self._swept = True

    def _undo(self) -> None:
        connection = self._log.connection
        if connection.in_transaction:
            connection.execute(_ROLLBACK)
        self._load()

    def _insert(
        self,
        kind: int,
        ids: Ids,
        batch: Batch,
        *,
        requested: int | None = None,
        seconds: float = 0.0,
        extra: str | None = None,
    ) -> int:
        """Write one event; returns the number of its layout."""
        number, layout = self._layout(batch)
        block = layout.encode(batch)
        first, packed = pack_ids(ids)
        head = (self._last + 1, kind, first, len(ids), number, requested, time.time(), seconds)
        crc = checksum(head, packed, extra, block)
        self._log.connection.execute(_INSERT, (*head, crc, packed, extra, block))
        self._last += 1
        return number

    def _layout(self, batch: Batch) -> tuple[int, Layout]:
        # A key of tuples, since making the layout itself costs more than storing one row.
        key = tuple((name, c.dtype.kind, c.shape[1:]) for name, c in batch.columns().items())
        if key not in self._known:
            layout = Layout.of(batch)
            number = self._numbers.get(layout)
            if number is None:
                number = len(self._numbers) + 1
                self._log.connection.execute(
                    "INSERT INTO layouts VALUES (?, ?)", (number, layout.to_json())
                )
                self._numbers[layout] = number
                self._log.layouts[number] = layout
            self._known[key] = number, layout
        return self._known[key]

    def _asked_names(self, ids: Ids, known: States) -> set[str]:
        """Columns that every one of these rows was asked with."""
        if len(ids) == 0 or (ids < 0).any():
            return set()
        layouts = [self._log.layouts[number].names for number in set(known.tolist())]
        return set(frozenset.intersection(*layouts))

    def _refuse_fork(self) -> None:
        if os.getpid() != self._pid:
            raise StorageError(
                f"the study in {str(self._folder)!r} was opened by the process {self._pid}: "
                "only that process may write it, its forks may not"
            )
        if not self._finalizer.alive:
            raise StorageError(f"the study in {str(self._folder)!r} was closed: open it again")


def _release(connection: sqlite3.Connection, lock: StudyLock, pid: int) -> None:
    # A fork has copies of both that are not its own to close.
    if os.getpid() == pid:
        connection.close()
        lock.release()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot make the folder {str(folder)!r}: {error.strerror}; give another folder"
        ) from error


def _ids(batch: Batch) -> Ids:
    if "id" not in batch:
        raise StorageError(f"a batch without column 'id' (it has {list(batch.names)})")
    ids = batch["id"]
    if ids.dtype != np.int64 or ids.ndim != 1:
        raise StorageError(f"column 'id' is {ids.dtype}{list(ids.shape)}; give int64 (n,)")
    return ids


def _unique(ids: Ids) -> bool:
    if len(ids) < 2 or bool((np.diff(ids) > 0).all()):
        return True
    return len(np.unique(ids)) == len(ids)


def _check_told(ids: Ids, known: States) -> None:
    for problem, wrong in (
        ("must be -1 (from outside) or above", ids < -1),
        ("were never asked", (known == 0) & (ids >= 0)),
        ("were told before", known < 0),
    ):
        if wrong.any():
            raise TellError(f"tell: ids {_shown(ids[wrong])} {problem}; nothing was stored")
    inside = ids[ids >= 0]
    if not _unique(inside):
        values, counts = np.unique(inside, return_counts=True)
        raise TellError(f"tell: ids {_shown(values[counts > 1])} stand twice in the batch")


def _check_reasons(reasons: Mapping[int, str], ids: Ids) -> None:
    unknown = set(reasons) - set(ids.tolist()) if reasons else set()
    if unknown:
        raise TellError(f"tell: reasons for ids {sorted(unknown)[:10]} that are not in the batch")


def _shown(ids: Ids) -> str:
    more = f" and {len(ids) - 10} more" if len(ids) > 10 else ""
    return f"{ids[:10].tolist()}{more}"


def _check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        raise StorageError(f"{name}={value!r}: give one of {', '.join(map(repr, choices))}")
