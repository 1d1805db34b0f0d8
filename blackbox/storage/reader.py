"""Reading a study from any process, while it runs or afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from blackbox.batch import Batch
from blackbox.storage.database import NAME, open_reader
from blackbox.storage.events import AnyEvent
from blackbox.storage.history import history
from blackbox.storage.log import Log, Summary


class StudyReader:
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

    @property
    def header(self) -> dict[str, Any]:
        """What made the study."""
        return self._header

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

    def close(self) -> None:
        """Let go of the file."""
        self._log.connection.close()

    def __enter__(self) -> StudyReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
