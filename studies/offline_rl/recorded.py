"""NeoRL's recorded runs as a problem: noisy, conditional, and with estimates in place of returns.

Seven algorithms of offline reinforcement learning in 50 configurations, three training seeds each,
on 52 tasks (Qin et al. 2022, *NeoRL: A Near Real-World Benchmark for Offline Reinforcement
Learning*, arXiv 2102.00714). The file is not part of the project.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

import blackbox as bb
from blackbox.batch import Batch, Row
from blackbox.errors import ProblemError
from blackbox.problems.files import DataFile, PathLike
from blackbox.space import Parameter
from studies.offline_rl.correlation import spearman

FILE = DataFile(
    "mbrl/neorl_offline_rl_results.csv",
    "b0f8236e53cf79224b3d6b7f416d9111e7cf374abfe64df8867846031c9605a3",
    "benchmark/results/raw_results.json of github.com/polixir/NeoRL (commit a4b6c57), as CSV: a "
    "row for each task, algorithm, configuration and training seed",
)
SEEDS = (7, 42, 210)
#: Each source of a configuration's worth and the column that holds it.
SOURCES = {"fqe": "fqe_mean", "is": "is_mean", "true": "online_return"}
#: Parameters of each algorithm: column of the file to the parameter that has its values.
PARAMETERS: Mapping[str, Mapping[str, Parameter]] = {
    "bc": {},
    "bcq": {"phi": bb.Ordinal("bcq_phi", [0.05, 0.1, 0.2, 0.5])},
    "plas": {"phi": bb.Ordinal("plas_phi", [0.0, 0.05, 0.1, 0.2, 0.5])},
    "crr": {
        "advantage_mode": bb.Categorical("crr_advantage", ["mean", "max"]),
        "weight_mode": bb.Categorical("crr_weight", ["exp", "binary"]),
    },
    "cql": {
        # Below 0 the multiplier is not tuned: a choice, not a number.
        "lagrange_thresh": bb.Categorical("cql_threshold", [-1.0, 2.0, 5.0, 10.0]),
        "min_q_version": bb.Categorical("cql_version", [2.0, 3.0]),
        "min_q_weight": bb.Ordinal("cql_weight", [5.0, 10.0]),
    },
    "mopo": {
        "uncertainty_mode": bb.Categorical("mopo_penalty", ["aleatoric", "disagreement"]),
        "lam": bb.Ordinal("mopo_weight", [0.5, 1.0, 2.0, 5.0]),
        "horizon": bb.Ordinal("mopo_horizon", [1.0, 5.0]),
    },
    "bremen": {
        "explore_mode": bb.Categorical("bremen_explore", ["sample", "static"]),
        "horizon": bb.Ordinal("bremen_horizon", [250.0, 1000.0]),
    },
}

Key: TypeAlias = tuple[str, tuple[Any, ...]]
_Listed = bb.Categorical | bb.Ordinal
#: Task to configuration to source to (3,) values by training seed.
Table: TypeAlias = dict[str, dict[Key, dict[str, npt.NDArray[np.float64]]]]


class NeoRL(bb.Problem):
    """One task of the table.

    Configurations are conditional: each algorithm has parameters of its own. A row has all of
    them, those of other algorithms have no effect (``active`` names the ones that do), and so any
    optimizer can be used.

    Args:
        task: such as "Walker2d-v3-medium-1000"; ``tasks`` lists them.
        algorithm: one of the seven, to search among its configurations alone; None for all.
        seed: one of the training seeds 7, 42, 210, so that outcomes are noisy; None for the mean
            of all three with its standard error as known noise.
        sources: whether a row's source is a fidelity: the true return, or one of two estimates
            from the data alone, fitted Q evaluation ("fqe") and importance sampling ("is").
        path: the file; by default it is looked for below ``BLACKBOX_DATA``.

    Raises:
        ProblemError: an unknown task, algorithm or seed, or a file that is missing or differs.
    """

    def __init__(
        self,
        task: str = "Walker2d-v3-medium-1000",
        *,
        algorithm: str | None = None,
        seed: Literal[7, 42, 210] | None = None,
        sources: bool = False,
        path: PathLike | None = None,
    ) -> None:
        table = _read(FILE.find(path))
        for argument, given, known in (
            ("task", task, [*table]),
            ("algorithm", algorithm, [None, *PARAMETERS]),
            ("seed", seed, [None, *SEEDS]),
        ):
            if given not in known:
                raise ProblemError(f"NeoRL: {argument}={given!r}; give one of {known}")
        self.task, self.algorithm, self.seed = task, algorithm, seed
        self._runs = table[task]
        chosen = [*PARAMETERS] if algorithm is None else [algorithm]
        own = [p for name in chosen for p in PARAMETERS[name].values()]
        self.space = bb.Space(bb.Categorical("algorithm", chosen), *own)
        noise = None if seed is not None else "return_sem"
        self.objectives = [bb.Maximize("return", noise=noise)]
        if sources:
            self.fidelity = bb.Fidelity(bb.Categorical("source", [*SOURCES]), target="true")
        self.about = f"Return of offline reinforcement learning on {task}, recorded"

    def active(self, p: Row) -> tuple[str, ...]:
        """Names of the parameters that have an effect in a row."""
        return ("algorithm", *(q.name for q in PARAMETERS[p["algorithm"]].values()))

    @property
    def configurations(self) -> Batch:
        """Every configuration once; of parameters without effect the first value."""
        rows = []
        for algorithm, values in self._runs:
            if self.algorithm in (None, algorithm):
                row = {p.name: p.table[0] for p in self.space if isinstance(p, _Listed)}
                own = [p.name for p in PARAMETERS[algorithm].values()]
                rows.append(row | {"algorithm": algorithm} | dict(zip(own, values, strict=True)))
        return Batch({name: [row[name] for row in rows] for name in self.space.names})

    def cost(self, batch: Batch) -> npt.NDArray[np.float64]:
        """(n,) 1 for a true return, 0.01 for an estimate, which takes no episode of the task."""
        if self.fidelity is None:
            return np.ones(len(batch))
        return np.where(batch["source"] == "true", 1.0, 0.01)

    def evaluate(self, p: Row) -> dict[str, float]:
        """The recorded return, or an estimate of it."""
        algorithm = p["algorithm"]
        key = algorithm, tuple(p[q.name] for q in PARAMETERS[algorithm].values())
        values = self._runs[key][p.get("source", "true")]
        if self.seed is not None:
            return {"return": float(values[SEEDS.index(self.seed)])}
        return {"return": float(values.mean()), "return_sem": float(values.std(ddof=1) / 3**0.5)}


def tasks(path: PathLike | None = None) -> list[str]:
    """Names of all tasks.

    Raises:
        ProblemError: the file is missing or differs.
    """
    return [*_read(FILE.find(path))]


def proxies(path: PathLike | None = None) -> dict[str, npt.NDArray[np.float64]]:
    """(t,) Spearman's correlation of each estimate with the true return, task by task.

    Over the configurations' means; the tasks of finance, whose rows are copies, are left out.

    Raises:
        ProblemError: the file is missing or differs.
    """
    found: dict[str, list[float]] = {"fqe": [], "is": []}
    for task, runs in _read(FILE.find(path)).items():
        if not task.startswith("finance"):
            true = [run["true"].mean() for run in runs.values()]
            for source, values in found.items():
                values.append(spearman([run[source].mean() for run in runs.values()], true))
    return {source: np.array(values) for source, values in found.items()}


@cache
def _read(path: Path) -> Table:
    found: dict[str, dict[Key, dict[str, dict[int, float]]]] = {}
    with path.open(encoding="utf-8", newline="") as lines:
        for line in csv.DictReader(lines):
            own = PARAMETERS[line["algo"]]
            key = line["algo"], tuple(_value(line[column]) for column in own)
            run = found.setdefault(line["task"], {}).setdefault(key, {})
            for source, column in SOURCES.items():
                run.setdefault(source, {})[int(line["seed"])] = float(line[column])
    return {
        task: {
            key: {
                source: np.array([values[seed] for seed in SEEDS]) for source, values in run.items()
            }
            for key, run in runs.items()
        }
        for task, runs in found.items()
    }


def _value(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text
