"""What is looked at after a study: expected online performance, and proxies beside the truth."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from blackbox.batch import Batch, Row
from studies.offline_rl.problem import OfflineMBRL
from studies.offline_rl.training import Worth

Floats = npt.NDArray[np.float64]


def expected_online_performance(returns: npt.ArrayLike) -> Floats:
    """(n,) expected best return of 1 to n policies deployed, drawn from n without repetition.

    The estimator without bias of Kurenkov and Kolesnikov (2022), *Showing Your Offline RL Work*:
    sum_i r_(i) [C(i, k) - C(i-1, k)] / C(n, k) over the returns in ascending order.
    """
    ordered = np.sort(np.asarray(returns, dtype=np.float64))
    n = len(ordered)
    expected = np.empty(n)
    # below[i] = C(i, k) / C(n, k): the chance that all k are among the i least.
    below = np.arange(n + 1) / n if n else np.zeros(1)
    for k in range(1, n + 1):
        expected[k - 1] = np.diff(below) @ ordered
        if k < n:
            below = below * np.maximum(np.arange(n + 1) - k, 0) / (n - k)
    return expected


class Pool:
    """Rows with all that is known of their policies, in a file of JSON lines.

    Args:
        problem: that evaluates them.
        path: of the file; a row that is in it is not evaluated again.
    """

    def __init__(self, problem: OfflineMBRL, path: Path) -> None:
        self.problem, self.path = problem, path

    def evaluate(self, rows: Batch | Sequence[Row]) -> list[dict[str, Any]]:
        """Each row with its worth; NaN and the reason where it failed."""
        known = {self._key(line["row"]): line for line in self._lines()}
        found = []
        for row in rows:
            plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in row.items()}
            plain = {k: v for k, v in plain.items() if k in self.problem.inputs}
            if self._key(plain) not in known:
                known[self._key(plain)] = self._measured(plain)
            found.append(known[self._key(plain)])
        return found

    def _measured(self, row: Row) -> dict[str, Any]:
        try:
            worth, reason = asdict(self.problem.worth(row)), ""
        except (ArithmeticError, TimeoutError) as error:
            nan = float("nan")
            worth, reason = asdict(Worth(nan, nan, nan, nan, {})), str(error)
        line = {"problem": self._name, "row": row, "reason": reason, **worth}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        return line

    def _lines(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        lines = [json.loads(line) for line in self.path.read_text("utf-8").splitlines() if line]
        return [line for line in lines if line["problem"] == self._name]

    @property
    def _name(self) -> str:
        text = json.dumps(self.problem.spec(), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _key(self, row: Row) -> str:
        return json.dumps(row, sort_keys=True)
