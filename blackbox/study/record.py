"""What was told, readable and exportable while the study runs, without problem or optimizer."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from blackbox.batch import Batch

if TYPE_CHECKING:
    import pandas as pd

PathLike = str | os.PathLike[str]


class Record(ABC):
    """A history and the names that go with it."""

    name: str

    @property
    @abstractmethod
    def history(self) -> Batch:
        """Rows told, in the order of telling: id, inputs, outcomes, cost if there is one, ok."""

    @property
    @abstractmethod
    def failures(self) -> dict[int, str]:
        """Id to traceback or reason, for rows that failed."""

    @property
    @abstractmethod
    def labels(self) -> Mapping[str, tuple[str, ...]]:
        """For each vector column, the names of its elements."""

    def to_dataframe(self) -> pd.DataFrame:
        """The history as a pandas table; vector columns become ``name[label]`` columns.

        Raises:
            MissingExtraError: pandas is not installed (extra ``data``).
        """
        return self.history.to_dataframe(self.labels)

    def to_parquet(self, path: PathLike) -> None:
        """Write the history to a Parquet file, columns as in ``to_dataframe``.

        Raises:
            MissingExtraError: pyarrow is not installed (extra ``data``).
            StorageError: the file cannot be written.
        """
        from blackbox.storage.export import to_parquet

        to_parquet(self.history, path, self.labels)

    def to_csv(self, path: PathLike) -> None:
        """Write the history to a CSV file, columns as in ``to_dataframe``.

        Raises:
            StorageError: the file cannot be written.
        """
        from blackbox.storage.export import to_csv

        to_csv(self.history, path, self.labels)


class StoredStudy(Record):
    """A study on disk as it stands now, read only; made by ``open_study``.

    Attributes:
        path: the study's folder.
        name: the study's name.
        header: problem, optimizer and arguments, and facts about how it began.
    """

    def __init__(self, path: PathLike) -> None:
        # The store is loaded here, not with the class: a study in memory never needs it.
        from blackbox.storage import StudyReader, reasons
        from blackbox.storage.filesystem import as_path

        self.path = as_path(path)
        with StudyReader(self.path) as reader:
            self.header: dict[str, Any] = reader.header
            self._history = reader.history()
            self._failures = reasons(reader.events()) if not self._history["ok"].all() else {}
        self.name = str(self.header["info"]["name"])

    @property
    def history(self) -> Batch:
        return self._history

    @property
    def failures(self) -> dict[int, str]:
        return dict(self._failures)

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        return {name: tuple(parts) for name, parts in self.header["info"]["labels"].items()}

    def __repr__(self) -> str:
        return f"StoredStudy({self.name}, {len(self._history)} told, {self.path})"


def open_study(path: PathLike) -> StoredStudy:
    """Read a study on disk, also while another process runs it.

    Args:
        path: the study's folder.

    Raises:
        StorageError: there is no study, or its file is foreign, damaged or of a newer version.
    """
    return StoredStudy(path)
