"""What reader and writer of a study have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from blackbox.batch import Batch
from blackbox.storage.events import AnyEvent
from blackbox.storage.history import history
from blackbox.storage.log import Log, Summary


class Readable(ABC):
    """A study on disk that can be read; subclasses set ``_log`` and ``_header``."""

    _log: Log
    _header: dict[str, Any]

    @property
    def header(self) -> dict[str, Any]:
        """What made the study, as stored when it began."""
        return self._header

    def events(self, after: int = 0) -> Iterator[AnyEvent]:
        """Asks and tells numbered above ``after``, in order, those written meanwhile included.

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

    @abstractmethod
    def close(self) -> None:
        """Let go of the file; may be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
