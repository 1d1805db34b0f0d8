"""What was told, readable and exportable without the problem or the optimizer."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blackbox.batch import Batch
from blackbox.errors import StorageError
from blackbox.formulation import Problem

if TYPE_CHECKING:
    import pandas as pd


class Record(ABC):
    """A history with the names that go with it."""

    name: str

    @property
    @abstractmethod
    def history(self) -> Batch:
        """Rows told, in the order of telling."""

    @property
    @abstractmethod
    def failures(self) -> dict[int, str]:
        """Id to traceback or reason, for rows that failed."""

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """For each vector column, the names of its elements."""
        problem: Problem = self.problem  # type: ignore[attr-defined]
        return problem.space.labels

    def to_dataframe(self) -> pd.DataFrame:
        """The history as a pandas table; vector columns become ``name[label]`` columns.

        Raises:
            MissingExtraError: pandas is not installed (extra ``data``).
        """
        return self.history.to_dataframe(self.labels)
