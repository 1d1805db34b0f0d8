"""Reading a study from any process, while it runs or afterwards."""

from __future__ import annotations

import os
from pathlib import Path

from blackbox.storage.database import NAME, open_reader
from blackbox.storage.log import Log
from blackbox.storage.readable import Readable


class StudyReader(Readable):
    """A study on disk, read only; never blocks the writer and never waits for it.

    Args:
        folder: the study's folder.

    Raises:
        StorageError: no study there, foreign, damaged, or made by a newer version.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        path = Path(folder) / NAME
        self._log = Log(open_reader(path), path)
        try:
            self._header = self._log.header()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        self._log.connection.close()
