"""The only writer of a study: every ask and every tell is on the disk before the call returns."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import weakref
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from blackbox.batch import Batch
from blackbox.errors import StorageError
from blackbox.state import State
from blackbox.storage import checkpoints, database
from blackbox.storage.appender import Appender
from blackbox.storage.checks import check_asked, check_told, ids_of
from blackbox.storage.database import Journal, Synchronous
from blackbox.storage.events import AskEvent, TellEvent, pack_reasons
from blackbox.storage.filesystem import network_file_system
from blackbox.storage.header import check_header, pack_header
from blackbox.storage.ids import Ids
from blackbox.storage.lock import StudyLock
from blackbox.storage.log import Log
from blackbox.storage.readable import Readable


class StudyWriter(Readable):
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
        self._undone = False
        self._stale = False
        self._swept = True
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
            self._appender = Appender(self._log)
            checkpoints.sweep(self._log)
            undo.pop_all()
        # A study that is dropped without close() must not stay locked until Python ends.
        self._finalizer = weakref.finalize(self, _release, connection, lock, self._pid)

    @property
    def resumed(self) -> bool:
        """Whether the study was there before."""
        return self._resumed

    @property
    def last(self) -> int:
        """Number of the last event, 0 when there is none."""
        return self._end.last

    @property
    def pending(self) -> Ids:
        """Ids asked and not told, in ascending order."""
        return self._end.states.pending()

    def is_told(self, ids: Ids) -> npt.NDArray[np.bool_]:
        """Which of the ids (n,) were told: (n,) bool; False for -1."""
        return self._end.states.get(ids) < 0

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
        ids = ids_of(batch)
        check_asked(ids, self._end.states.get(ids))
        with self.transaction():
            layout = self._end.add(AskEvent.kind, ids, batch, requested=requested)
            self._end.states.set(ids, layout)
        return self._end.last

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
        ids = ids_of(batch)
        known = self._end.states.get(ids)
        check_told(ids, known, reasons or {})
        kept = batch.drop(*(self._end.asked_names(ids, known) - set(changed)))
        extra = pack_reasons(reasons or {})
        with self.transaction():
            self._end.add(TellEvent.kind, ids, kept, seconds=float(seconds), extra=extra)
            inside = ids >= 0
            self._end.states.set(ids[inside], -known[inside])
        return self._end.last

    def checkpoint(self, state: Mapping[str, Any]) -> None:
        """Store the optimizer's state as of the last event; the last two are kept.

        Raises:
            StateError: the state holds something that cannot be stored.
            StorageError: it cannot be written; the checkpoints before it are intact.
        """
        with self.transaction():
            self._swept = False
            checkpoints.write(self._log, state, self._end.last)

    def latest_checkpoint(self) -> tuple[int, State] | None:
        """The newest whole checkpoint and the event it stands for; None when there is none.

        Warns:
            RuntimeWarning: a newer one is damaged or missing and was passed over.
        """
        return checkpoints.latest(self._log)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Store several asks, tells and checkpoints together: all or none, one wait for the disk.

        Raises:
            StorageError: it cannot be written; or an ask, tell or checkpoint in it failed and the
                group went on nevertheless.
        """
        self._refuse_strangers()
        with self._log.lock:
            self._enter()
            try:
                yield
                if self._depth == 1:
                    self._refuse_undone()
                    self._log.fetch("COMMIT")
            except BaseException:
                self._undo()
                raise
            finally:
                self._depth -= 1
                self._undone &= self._depth > 0
            if self._depth == 0 and not self._swept:
                checkpoints.sweep(self._log)
                self._swept = True

    def close(self) -> None:
        """Write the log into the file and let the next writer in; may be called twice."""
        self._finalizer()

    @property
    def _end(self) -> Appender:
        if self._stale:
            self._appender.load()
            self._stale = False
        return self._appender

    def _enter(self) -> None:
        self._refuse_undone()
        if self._depth == 0:
            self._log.fetch("BEGIN IMMEDIATE")
        self._depth += 1

    def _undo(self) -> None:
        # Only marked, since what made the error may forbid reading, too.
        self._undone = self._stale = True
        if self._log.connection.in_transaction:
            self._log.fetch("ROLLBACK")

    def _refuse_undone(self) -> None:
        if self._undone:
            raise StorageError(
                f"the study in {str(self._folder)!r}: an error undid this group of writes, "
                "nothing of it is stored: leave the group when something in it fails"
            )

    def _refuse_strangers(self) -> None:
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


def _check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        raise StorageError(f"{name}={value!r}: give one of {', '.join(map(repr, choices))}")
