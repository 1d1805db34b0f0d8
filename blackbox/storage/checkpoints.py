"""Checkpoints of an optimizer: caches that spare a replay, so a damaged one is only slow.

Small states lie in the database; large ones in ``state-<sha256>.bin`` beside it, written whole or
not at all, recorded only when they are on the disk. The last two are kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blackbox.errors import StateError
from blackbox.state import State, pack, unpack, write_atomic
from blackbox.storage.database import readable_errors
from blackbox.storage.log import Log

_LARGE = 1 << 20
_KEPT = 2
_FILE = re.compile(r"state-[0-9a-f]{64}\.bin(\.tmp)?")


def write(log: Log, state: Mapping[str, Any], seq: int) -> None:
    """Store a state as of event ``seq``, within the transaction that is open.

    Raises:
        StateError: the state holds something that cannot be stored.
        StorageError: it cannot be written.
    """
    data: bytes | None = pack(state)
    digest = hashlib.sha256(data or b"").hexdigest()
    if data is not None and len(data) > _LARGE:
        file = _file(log.path.parent, digest)
        with readable_errors(file):
            write_atomic(file, data)
        data = None
    log.fetch(
        "INSERT INTO checkpoints (seq, time, sha256, state) VALUES (?, ?, ?, ?)",
        (seq, time.time(), digest, data),
    )
    log.fetch(
        "DELETE FROM checkpoints WHERE number NOT IN "
        "(SELECT number FROM checkpoints ORDER BY number DESC LIMIT ?)",
        (_KEPT,),
    )


def sweep(log: Log) -> None:
    """Remove side files that no stored checkpoint names; a file that resists is left."""
    # StorageError is an OSError: tidying up must not fail a checkpoint that is stored.
    with contextlib.suppress(OSError):
        named = {f"state-{row[0]}.bin" for row in log.fetch("SELECT sha256 FROM checkpoints")}
        for path in log.path.parent.iterdir():
            if _FILE.fullmatch(path.name) and path.name not in named:
                path.unlink()


def latest(log: Log) -> tuple[int, State] | None:
    """The newest whole checkpoint and the event it stands for; None when there is none.

    Warns:
        RuntimeWarning: a newer one is damaged or missing and was passed over.
    """
    last = log.last()
    rows = log.fetch("SELECT seq, sha256, state FROM checkpoints ORDER BY number DESC")
    for seq, digest, data in rows:
        try:
            if seq > last:
                raise StateError(f"it stands for event {seq}, after the last")
            return seq, _read(log.path.parent, digest, data)
        except (StateError, OSError) as error:
            warnings.warn(
                f"{str(log.path)!r}: the checkpoint at event {seq} cannot be used ({error}); "
                "an older one or a replay takes its place",
                RuntimeWarning,
                stacklevel=3,
            )
    return None


def _read(folder: Path, digest: str, data: bytes | None) -> State:
    if data is None:
        data = _file(folder, digest).read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise StateError("its SHA-256 does not match")
    return unpack(data)


def _file(folder: Path, digest: str) -> Path:
    return folder / f"state-{digest}.bin"
