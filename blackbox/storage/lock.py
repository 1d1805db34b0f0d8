"""One writer for one study: a lock that dies with its process and is not inherited by forks.

``flock`` belongs to the open file, so a forked worker that outlives a killed driver would keep the
study locked. POSIX record locks belong to the process: they vanish with it, whatever its children
do. Their one weakness is that a process never conflicts with itself, and that closing *any*
descriptor of the file drops the lock; hence the registry, and hence nobody else opens the file.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from pathlib import Path

from blackbox.errors import StorageError, StudyLockedError

_NAME = "study.lock"
# Windows locks forbid reading, so the locked byte lies far behind the pid that others read.
_BYTE = 1 << 30

# (device, inode) of every lock file this process holds, and the process that took it.
_held: dict[tuple[int, int], int] = {}
# Threads of one process do not conflict at the file either.
_guard = threading.Lock()


class StudyLock:
    """The right to write into one study folder, held from construction to ``release``.

    Raises:
        StudyLockedError: this or another process is writing the study.
        StorageError: the lock file cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME
        self._pid = os.getpid()
        with _guard:
            self._take(folder)

    def _take(self, folder: Path) -> None:
        self._refuse_self()
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StorageError(
                f"cannot write into {str(folder)!r}: {error.strerror}; "
                "give a folder that you may write"
            ) from error
        if not _try_lock(self._file):
            os.close(self._file)
            raise StudyLockedError(_message(folder, self._owner()))
        self._key = _key(os.fstat(self._file))
        _held[self._key] = self._pid
        # The pid is for the other side's message alone: a full disk must not stop the writer.
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, 0)
            os.write(self._file, f"{self._pid}\n".encode())

    def release(self) -> None:
        """Let the next writer in; the file stays, since removing it would race with others."""
        if os.getpid() != self._pid or _held.pop(self._key, None) is None:
            return
        os.close(self._file)

    def _refuse_self(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if _held.get(_key(os.stat(self._path))) == self._pid:
                raise StudyLockedError(_message(self._path.parent, str(self._pid)))

    def _owner(self) -> str:
        with contextlib.suppress(OSError):
            return self._path.read_text().strip() or "unknown"
        return "unknown"


def _key(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_dev, stat.st_ino


def _message(folder: Path, owner: str) -> str:
    if owner == str(os.getpid()):
        return (
            f"the study in {str(folder)!r} is already open for writing in this process "
            f"(pid {owner}): close() it first, or read it with blackbox.open_study"
        )
    return (
        f"the study in {str(folder)!r} is being written by the process with pid {owner}: "
        "wait for it or stop it; blackbox.open_study reads it meanwhile"
    )


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: int) -> bool:
        os.lseek(file, _BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(file, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _try_lock(file: int) -> bool:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _BYTE)
        except (BlockingIOError, PermissionError):
            return False
        return True
