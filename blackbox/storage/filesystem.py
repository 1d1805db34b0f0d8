"""Paths that users give, and file systems on which SQLite's write-ahead log cannot work.

The log needs memory that all processes share, which a network file system does not give between
machines. There the study keeps SQLite's older rollback journal: as durable, slower, and a reader
waits for the moment of a commit.
"""

from __future__ import annotations

import os
from pathlib import Path

from blackbox.arguments import is_path
from blackbox.errors import StorageError

_NETWORK = {"9p", "afs", "beegfs", "ceph", "cifs", "glusterfs", "gpfs", "lustre", "ncpfs"}
_NETWORK |= {"nfs", "nfs4", "orangefs", "panfs", "pvfs2", "smb3", "smbfs", "wekafs"}
# The folders of a virtual machine's host, and user-space file systems that reach over a network.
_NETWORK |= {"prl_fs", "vboxsf", "virtiofs"}
_NETWORK |= {f"fuse.{name}" for name in ("ceph", "gcsfuse", "glusterfs", "juicefs", "rclone")}
_NETWORK |= {"fuse.s3fs", "fuse.sshfs"}


def as_path(value: object) -> Path:
    """A path that a user gave.

    Raises:
        StorageError: it names no file or folder.
    """
    if not is_path(value):
        raise StorageError(f"path={value!r}; give the path of a file or folder")
    return Path(value)


def network_file_system(path: Path, mounts: str | None = None) -> str | None:
    """Type of the network file system that holds a path, None if it is local or unknown.

    Args:
        path: a file or folder that exists.
        mounts: text of ``/proc/self/mounts``; default: that file, where the system has one.
    """
    if mounts is None:
        table = Path("/proc/self/mounts")
        mounts = table.read_text("utf-8", "surrogateescape") if table.exists() else ""
    real = os.path.realpath(path)
    best, found = "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = _unescaped(fields[1])
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        # Of two mounts on one point the later one lies on top.
        if inside and len(point) >= len(best):
            best, found = point, fields[2]
    return found if found in _NETWORK else None


def _unescaped(point: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(code, char)
    return point
