"""Runs recorded in tables: read, and checked cell by cell."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from blackbox.errors import ProblemError

Floats = npt.NDArray[np.float64]

SUM = 0.01  # shares are written rounded; further from one than this is a mistake


@dataclass(frozen=True)
class Runs:
    """Recorded runs.

    Args:
        domains: names of the shares.
        mixes: (n, k) shares, which sum to one.
        sizes: (n,) which model each run trained.
        metrics: name to (n,) values.
    """

    domains: tuple[str, ...]
    mixes: Floats
    sizes: npt.NDArray[Any]
    metrics: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(self.mixes)

    @classmethod
    def joined(cls, parts: Iterable[Runs]) -> Runs:
        """Runs of several tables of the same domains and metrics.

        Raises:
            ProblemError: they differ in either.
        """
        parts = list(parts)
        for part in parts[1:]:
            for what in ("domains", "metrics"):
                ours, theirs = set(getattr(parts[0], what)), set(getattr(part, what))
                if ours != theirs:
                    raise ProblemError(
                        f"runs differ in {what} {sorted(map(str, ours ^ theirs))}; join tables "
                        "of the same ones"
                    )
        return cls(
            parts[0].domains,
            np.concatenate([part.mixes for part in parts]),
            np.concatenate([part.sizes for part in parts]),
            {m: np.concatenate([part.metrics[m] for part in parts]) for m in parts[0].metrics},
        )


class Table:
    """A file of comma-separated values with a heading.

    Args:
        path: the file.

    Raises:
        ProblemError: a row is longer or shorter than the heading.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.reader(lines))
        if len(rows) < 2:
            raise ProblemError(f"{path}: no rows; give a heading and a row a run")
        self.names, self._rows = rows[0], rows[1:]
        for number, row in enumerate(self._rows, start=2):
            if len(row) != len(self.names):
                raise ProblemError(
                    f"{path}, line {number}: {len(row)} cells, the heading has {len(self.names)}"
                )

    def __len__(self) -> int:
        return len(self._rows)

    def texts(self, name: str) -> list[str]:
        """A column as it is written.

        Raises:
            ProblemError: there is no such column.
        """
        if name not in self.names:
            raise ProblemError(f"{self.path}: no column {name!r}; it has {self.names}")
        at = self.names.index(name)
        return [row[at] for row in self._rows]

    def numbers(self, name: str) -> Floats:
        """A column of finite numbers.

        Raises:
            ProblemError: a cell is missing or is no finite number.
        """
        values = np.full(len(self), np.nan)
        for i, text in enumerate(self.texts(name)):
            with contextlib.suppress(ValueError):
                values[i] = float(text)
            if not np.isfinite(values[i]):
                raise self._error(i, name, f"{text!r} is no finite number; was the run finished?")
        return values

    def shares(self, columns: Mapping[str, str]) -> Floats:
        """(n, k) shares, scaled to sum to one exactly.

        Args:
            columns: domain to column.

        Raises:
            ProblemError: a share is negative, or a row does not sum to one within 0.01.
        """
        mixes = np.column_stack([self.numbers(column) for column in columns.values()])
        negative = np.argwhere(mixes < 0)
        if len(negative):
            i, j = negative[0]
            raise self._error(i, [*columns.values()][j], f"the share {mixes[i, j]} is negative")
        total = mixes.sum(axis=1)
        off = np.flatnonzero(np.abs(total - 1.0) > SUM)
        if len(off):
            names = [*columns.values()]
            raise self._error(
                off[0],
                f"{names[0]} to {names[-1]}",
                f"the shares sum to {total[off[0]]:.4g}, not to 1",
            )
        return np.asarray(mixes / total[:, None])

    def domains(self, start: str, known: Sequence[str]) -> dict[str, str]:
        """Domain to column, of the columns whose names begin alike.

        Raises:
            ProblemError: a column names a domain that is not known, or one is missing.
        """
        found = {n.removeprefix(start): n for n in self.names if n.startswith(start)}
        for name in set(found) ^ set(known):
            what = "unknown domain" if name in found else "no column for domain"
            raise ProblemError(f"{self.path}, heading: {what} {name!r}; known are {[*known]}")
        return {name: found[name] for name in known}

    def _error(self, row: int, column: str, what: str) -> ProblemError:
        return ProblemError(f"{self.path}, line {row + 2}, column {column!r}: {what}")
