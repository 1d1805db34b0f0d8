"""The SQLite file of a study: made whole or not at all, opened with care, errors in sentences.

The file is never opened other than through SQLite: closing a plain descriptor of it would drop the
locks that SQLite holds for the whole process.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from blackbox.errors import StorageError

NAME = "study.db"
APPLICATION = 0x42425831  # "BBX1"
SCHEMA = 1

Journal = Literal["wal", "delete"]
Synchronous = Literal["full", "normal"]

_TABLES = """
CREATE TABLE study (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE layouts (layout INTEGER PRIMARY KEY, columns TEXT NOT NULL);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,    -- 1, 2, 3, ... in the order written
    kind INTEGER NOT NULL,      -- 0 ask, 1 tell
    first_id INTEGER NOT NULL,
    n INTEGER NOT NULL,         -- rows
    layout INTEGER NOT NULL,    -- columns of the block, see layouts
    requested INTEGER,          -- ask: rows asked for
    time REAL NOT NULL,         -- seconds since 1970
    seconds REAL NOT NULL,      -- tell: run time of the study
    crc INTEGER NOT NULL,       -- CRC-32 over the whole row
    ids BLOB,                   -- int64, NULL when first_id, first_id + 1, ... or all -1
    extra TEXT,                 -- tell: JSON of reasons
    block BLOB NOT NULL         -- the columns, see blocks.py
);
CREATE TABLE checkpoints (
    number INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,       -- the last event the state knows
    time REAL NOT NULL,
    sha256 TEXT NOT NULL,
    state BLOB                  -- NULL when it lies in state-<sha256>.bin
);
"""

# What went wrong, and what to do, by the beginning of SQLite's name for the error.
_REASONS = {
    "SQLITE_FULL": "the disk is full: free space, then go on; nothing stored before is lost",
    "SQLITE_IOERR": "the disk refused to read or write: it may be full, over a quota or "
    "failing; nothing stored before is lost",
    "SQLITE_READONLY_ROLLBACK": "its writer was killed in a commit: resume it once, "
    "which brings it in order",
    "SQLITE_READONLY": "it is read-only: give a folder that you may write, or read it with "
    "blackbox.open_study",
    "SQLITE_CANTOPEN": "it cannot be opened: check that the folder exists and may be read and "
    "written",
    "SQLITE_PERM": "access is denied: check the permissions of the folder",
    "SQLITE_AUTH": "access is denied: check the permissions of the folder",
    "SQLITE_NOTADB": "it is not a study, or its beginning is damaged: give another folder, or "
    "restore the file from a copy",
    "SQLITE_CORRUPT": "it is damaged or truncated: restore it from a copy; "
    "`sqlite3 study.db .recover` saves what can still be read",
    "SQLITE_BUSY": "another program keeps it locked: close that program",
    "SQLITE_LOCKED": "another program keeps it locked: close that program",
    "SQLITE_TOOBIG": "a batch takes more than one gigabyte: ask and tell fewer rows at once",
    "SQLITE_ERROR": "it does not have a study's tables: restore it from a copy",
}

_UNKNOWN = "it cannot be used and may be damaged: restore it from a copy"


@contextlib.contextmanager
def readable_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the system into one sentence that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise as_storage_error(error, path) from error
    except UnicodeDecodeError as error:
        raise StorageError(f"{str(path)!r}: {_UNKNOWN} ({error})") from error
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"{str(path)!r}: {error.strerror or error}") from error


def as_storage_error(error: sqlite3.Error, path: Path) -> StorageError:
    """The error as a sentence with the file, the reason and the fix."""
    name = getattr(error, "sqlite_errorname", "")
    if isinstance(error, sqlite3.DataError) or "too big" in str(error):
        name = "SQLITE_TOOBIG"
    reasons = (reason for start, reason in _REASONS.items() if name.startswith(start))
    return StorageError(f"{str(path)!r}: {next(reasons, _UNKNOWN)} ({error})")


def create(folder: Path, header: str) -> None:
    """Make the database of a new study under another name, then rename it.

    Raises:
        StorageError: it cannot be written, or an orphaned log would be mixed into it.
    """
    path, unfinished = folder / NAME, folder / (NAME + ".new")
    orphan = folder / (NAME + "-wal")
    if orphan.exists() and orphan.stat().st_size:
        raise StorageError(
            f"{str(path)!r} is missing but its write-ahead log is there: "
            f"restore the file, or remove {str(orphan)!r} to begin anew"
        )
    with readable_errors(path):
        for leftover in (unfinished, folder / (unfinished.name + "-journal")):
            leftover.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {SCHEMA}")
            connection.executescript("BEGIN;" + _TABLES)
            connection.executemany(
                "INSERT INTO study VALUES (?, ?)",
                [("header", header), ("crc", str(zlib.crc32(header.encode())))],
            )
            connection.execute("COMMIT")
        unfinished.replace(path)
        sync_folder(folder)


def open_writer(path: Path, journal: Journal, synchronous: Synchronous) -> sqlite3.Connection:
    """A connection that writes, to a file that has been checked as far as it needs.

    Raises:
        StorageError: foreign, damaged, truncated or made by a newer version.
    """
    with readable_errors(path):
        _refuse_empty(path)
        unclean = any(_size(path, end) for end in ("-wal", "-journal"))
        connection = _connect(f"{path.absolute().as_uri()}?mode=rw")
        try:
            if journal == "delete":
                # Exclusive until the log is gone: a log needs no shared memory then.
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            check_version(connection, path)
            _set_journal(connection, path, journal)
            # A deleted journal is only gone for good once the folder is synced too.
            level = "extra" if (journal, synchronous) == ("delete", "full") else synchronous
            connection.execute(f"PRAGMA synchronous = {level}")
            connection.execute(f"PRAGMA journal_size_limit = {16 << 20}")
            # SQLite opens a file that may not be written all the same; it fails at a real write.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(f"PRAGMA user_version = {SCHEMA}")
            connection.execute("ROLLBACK")
            if unclean:
                _quick_check(connection, path)
            _refuse_truncated(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that only reads, while another process writes.

    Raises:
        StorageError: no study there, foreign, damaged or made by a newer version.
    """
    if not path.exists():
        raise StorageError(f"no study in {str(path.parent)!r}: it holds no {path.name}")
    with readable_errors(path):
        _refuse_empty(path)
        # Where not even the shared memory of the log may be made, there is no writer either.
        frozen = not os.access(path.parent, os.W_OK) and not _size(path, "-wal")
        connection = _connect(
            f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if frozen else ''}"
        )
        try:
            check_version(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def check_version(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse databases of other programs and of newer versions.

    Raises:
        StorageError: as said.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION:
        raise StorageError(f"{str(path)!r} is a database of another program: give another folder")
    (schema,) = connection.execute("PRAGMA user_version").fetchone()
    if schema > SCHEMA:
        raise StorageError(
            f"{str(path)!r} has schema version {schema}, made by a newer blackbox; this one knows "
            f"versions up to {SCHEMA}: pip install --upgrade blackbox"
        )
    if schema < 1:
        raise StorageError(f"{str(path)!r} has unknown schema version {schema}: it is damaged")


def sync_folder(folder: Path) -> None:
    """Bring names made or removed in a folder to the disk."""
    if os.name == "posix":
        file = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, timeout=60, isolation_level=None, check_same_thread=False, uri=True)


def _set_journal(connection: sqlite3.Connection, path: Path, journal: Journal) -> None:
    (mode,) = connection.execute(f"PRAGMA journal_mode = {journal}").fetchone()
    if mode != journal:
        raise StorageError(
            f"{str(path)!r}: the file system does not permit journal mode {journal!r}: "
            "give a folder on a local disk"
        )
    if journal == "delete":
        connection.execute("PRAGMA locking_mode = NORMAL")
        connection.execute("SELECT count(*) FROM study").fetchone()  # the lock goes with the read


def _quick_check(connection: sqlite3.Connection, path: Path) -> None:
    found = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
    if found != ["ok"]:
        raise StorageError(
            f"{str(path)!r} is damaged: {'; '.join(map(str, found))}; restore it from a copy; "
            "`sqlite3 study.db .recover` saves what can still be read"
        )


def _refuse_empty(path: Path) -> None:
    if path.stat().st_size == 0:
        raise StorageError(
            f"{str(path)!r} is empty, so its content was lost: restore it from a copy, or remove "
            "it and its -wal file to begin anew"
        )


def _refuse_truncated(connection: sqlite3.Connection, path: Path) -> None:
    busy = 0
    if _size(path, "-wal"):
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    if busy:
        return  # a reader needs the log; its pages may well be missing from the file
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    if path.stat().st_size < pages * size:
        raise StorageError(
            f"{str(path)!r} is truncated: {path.stat().st_size} bytes of {pages * size}; "
            "restore it from a copy"
        )


def _size(path: Path, end: str) -> int:
    file = path.with_name(path.name + end)
    return file.stat().st_size if file.exists() else 0
