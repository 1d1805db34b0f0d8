"""Measured tables of reactions (Iron Mind, arXiv 2509.00103): every combination has a yield."""

from __future__ import annotations

import csv
import json
from typing import Any

import numpy as np
import numpy.typing as npt

import blackbox as bb
from blackbox.batch import Array, Batch
from studies.benchmarks.bayes import data

TABLES = (
    "Buchwald_Hartwig",
    "Suzuki_Doyle",
    "Reductive_Amination",
    "Chan_Lam_Selectivity",
    "amide_coupling_hte",
)


class Reaction(bb.Problem):
    """The outcome of a reaction by its components, maximized; means of replicates.

    A combination that the table lacks is a failed row.

    Args:
        table: one of the files of the data folder's ``llm/reactions``.
    """

    def __init__(self, table: str) -> None:
        self._table = table
        folder = ("llm", "reactions")
        declared = json.loads(data.path(*folder, table, "config.json").read_text())["parameters"]
        with data.path(*folder, f"{table}.csv").open(newline="") as file:
            rows = [*csv.reader(file)]
        head, body = rows[0], rows[1:]
        names = [p["name"] for p in declared]
        self.space = bb.Space(
            *(bb.Categorical(n, sorted({row[i] for row in body})) for i, n in enumerate(names))
        )
        self.objectives = [bb.Maximize(head[len(names)])]
        text = data.path(*folder, table, "description.txt").read_text(encoding="utf-8")
        # What follows repeats the parameters.
        self.about = " ".join(text.partition("=====")[0].split())
        outcomes: dict[tuple[str, ...], list[float]] = {}
        for row in body:
            outcomes.setdefault(tuple(row[: len(names)]), []).append(float(row[len(names)]))
        self._outcomes = {key: float(np.mean(values)) for key, values in outcomes.items()}

    @property
    def name(self) -> str:
        return self._table

    @property
    def range(self) -> tuple[float, float]:
        """Least and greatest outcome of the table."""
        values = self._outcomes.values()
        return min(values), max(values)

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The outcomes of every row."""
        keys = zip(*(batch[name].tolist() for name in self.space.names), strict=True)
        found: npt.NDArray[np.float64] = np.array(
            [self._outcomes.get(key, np.nan) for key in keys], dtype=np.float64
        )
        return {self.objectives[0].name: found}

    def good(self, rng: np.random.Generator, share: float = 0.01) -> dict[str, Any]:
        """A combination from the best share of the table: what an informed chemist might name."""
        best = sorted(self._outcomes, key=lambda key: -self._outcomes[key])
        key = best[int(rng.integers(max(1, int(share * len(best)))))]
        return dict(zip(self.space.names, key, strict=True))
