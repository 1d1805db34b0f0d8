"""Results as JSON lines, one line a run.

Those of this machine are under ``.bench/results``, and are only ever appended. Those behind a
published table are under ``results/outcomes``, digested to what the table needs, so that its
statistics can be checked, and a peer be added, without running the others again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from studies.benchmarks.common.environments import BENCH


@dataclass(frozen=True)
class Result:
    """One run of an optimizer on a problem.

    Args:
        problem: name of the case.
        optimizer: name of the optimizer.
        seed: seed of the run.
        version: version of the optimizer.
        error: why the run crashed; empty for one that finished.
        data: what the suite measured; as a rule ``values`` (n, m) in the order of evaluation, in
            the user's units, ``violation`` (n,) under constraints, ``cpu`` (n,) seconds of each
            round of ask and tell.
    """

    problem: str
    optimizer: str
    seed: int
    version: str
    error: str = ""
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What identifies a run; of two with one key the later counts."""
        return self.problem, self.optimizer, self.seed, self.version


class Store:
    """The results of a suite.

    Args:
        suite: name of the suite, and of the file.
        folder: where the file is.
    """

    def __init__(self, suite: str, folder: Path = BENCH / "results") -> None:
        self.path = folder / f"{suite}.jsonl"

    def append(self, result: Result) -> None:
        """Write a result down; one write, so that processes side by side do not mix lines."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # The first newline ends a line that a killed process may have left unfinished.
        line = f"\n{json.dumps(asdict(result))}\n".encode()
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, line)
            os.fsync(file)
        finally:
            os.close(file)

    def replace(self, results: Iterable[Result]) -> None:
        """Hold these results in place of all others."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(asdict(result)) + "\n" for result in results]
        self.path.write_text("".join(lines), encoding="utf-8")

    def __iter__(self) -> Iterator[Result]:
        """The last result of each key, in the order in which they were written."""
        found: dict[tuple[str, str, int, str], Result] = {}
        if self.path.exists():
            with self.path.open(encoding="utf-8") as lines:
                for line in filter(str.strip, lines):
                    try:
                        result = Result(**json.loads(line))
                    except json.JSONDecodeError:
                        continue  # its writer was killed
                    found.pop(result.key, None)
                    found[result.key] = result
        return iter(found.values())
