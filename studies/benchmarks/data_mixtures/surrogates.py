"""Models of recorded runs: how well each predicts runs that it has not seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from scipy.stats import spearmanr

import blackbox as bb
from blackbox.batch import Array
from blackbox.surrogates.features import Features
from blackbox.surrogates.fidelity import Levels
from blackbox.surrogates.fidelity_data import FidelityData
from blackbox.surrogates.multi_fidelity import MultiFidelityGP
from studies.benchmarks.common.report import write_table
from studies.benchmarks.common.suites import Algorithm, Results, Suite
from studies.benchmarks.data_mixtures import regressions
from studies.benchmarks.data_mixtures.sources import BASELINES, OURS
from studies.benchmarks.data_mixtures.tables import read

FOLDS = 5
INTERVAL = 1.959964


@dataclass(frozen=True)
class Held:
    """Runs at one size, of which a fifth is left out in turn.

    Args:
        table: "Pile" or "IFT".
        target: as in ``recorded``.
        size: whose runs are predicted.
        cheaper: whether the runs of cheaper sizes are known too.
    """

    table: str
    target: str
    size: float
    cheaper: bool = False


CASES = {
    "Pile 1M, Pile-CC": Held("Pile", "pile_cc", 1e6),
    "Pile 60M, Pile-CC": Held("Pile", "pile_cc", 6e7),
    "Pile 1B, Pile-CC": Held("Pile", "pile_cc", 1e9),
    "Pile 1B, Pile-CC, after cheaper runs": Held("Pile", "pile_cc", 1e9, cheaper=True),
    "Pile 1M, mean of 13": Held("Pile", "avg13", 1e6),
    "Pile 60M, mean of 13": Held("Pile", "avg13", 6e7),
    "Pile 1B, mean of 13": Held("Pile", "avg13", 1e9),
    "Pile 1B, mean of 13, after cheaper runs": Held("Pile", "avg13", 1e9, cheaper=True),
    **{
        f"IFT {size:g}B, {words}": Held("IFT", target, size * 1e9)
        for target, words in (("mean", "mean of 17"), ("id", "in"), ("ood", "out"))
        for size in (0.5, 3, 7)
    },
    **{
        f"IFT 7B, {words}, after cheaper runs": Held("IFT", target, 7e9, cheaper=True)
        for target, words in (("mean", "mean of 17"), ("id", "in"), ("ood", "out"))
    },
}

#: From the case, (n, k) mixtures, (n,) sizes and (n, m) tasks of known runs, and (N, k) mixtures to
#: (N,) means over tasks at the case's size and perhaps their standard deviations.
Predicted: TypeAlias = tuple[Array, Array | None]
Model: TypeAlias = Callable[[Held, Array, Array, Array, Array], Predicted]


def process(case: Held, mixes: Array, sizes: Array, tasks: Array, at: Array) -> Predicted:
    """The process of ``MultiFidelityBayes`` of the mean over tasks."""
    return _process(case, mixes, sizes, tasks.mean(axis=1), at)


def processes(case: Held, mixes: Array, sizes: Array, tasks: Array, at: Array) -> Predicted:
    """A process of each task; their deviations are taken for independent."""
    each = [_process(case, mixes, sizes, y, at) for y in tasks.T]
    mean = np.mean([one[0] for one in each], axis=0)
    return mean, np.sqrt(np.sum([one[1] ** 2 for one in each], axis=0)) / len(each)


def _process(case: Held, mixes: Array, sizes: Array, y: Array, at: Array) -> tuple[Array, Array]:
    features = Features(bb.Space(bb.Simplex("mix", [str(i) for i in range(mixes.shape[1])])))
    known = sorted(set(sizes.tolist()))
    several = len(known) > 1
    levels = Levels(bb.Fidelity(bb.Ordinal("params", known), target=case.size) if several else None)
    values = sizes if several else np.repeat(levels.target, len(y))
    data = FidelityData(features, levels, mixes, values, -y, np.zeros(len(y)))
    mean, deviation = MultiFidelityGP().fit(data, None).predict(at)
    return -mean, deviation


def regression(made: regressions.Regression) -> Model:
    """A baseline; it knows no deviation."""
    return lambda case, mixes, sizes, tasks, at: (made(mixes, tasks)(at).mean(axis=1), None)


def work(case: Held, algorithm: Algorithm, seed: int) -> dict[str, Any]:
    """Rank correlation, error and calibration over all runs, each left out once."""
    problem = read(case.table, case.target, apart=True)
    runs, outcome = problem.runs, problem.outcome
    tasks = np.column_stack([runs.metrics[name] for name in outcome.metrics])
    losses = tasks if outcome.sense == "min" else 1.0 - tasks
    here = np.flatnonzero(runs.sizes == case.size)
    below = np.flatnonzero(runs.sizes < case.size) if case.cheaper else here[:0]
    fold = np.random.default_rng(seed).permutation(len(here)) % FOLDS
    mean, deviation = np.empty(len(here)), np.full(len(here), np.nan)
    begun = time.process_time()
    for k in range(FOLDS):
        known = np.concatenate([below, here[fold != k]])
        at = runs.mixes[here[fold == k]]
        found, spread = algorithm.make()(
            case, runs.mixes[known], runs.sizes[known], losses[known], at
        )
        mean[fold == k] = found
        if spread is not None:
            deviation[fold == k] = spread
    truth = losses[here].mean(axis=1)
    miss = mean - truth
    covered = np.abs(miss) <= INTERVAL * deviation
    return {
        "rank correlation": float(spearmanr(mean, truth).statistic),
        "error": float(np.sqrt(np.mean(miss**2)) / truth.std()),
        "coverage": None if np.isnan(deviation).any() else float(covered.mean()),
        "cpu": round(time.process_time() - begun, 2),
    }


_ALONE = [name for name, case in CASES.items() if not case.cheaper]
_FEW = [name for name, case in CASES.items() if case.size >= 1e9 and case.table == "Pile"]
PROCESSES = "processes, one a task"
ALGORITHMS: Mapping[str, Algorithm] = {
    "process": Algorithm(lambda: process, OURS),
    PROCESSES: Algorithm(lambda: processes, OURS),
    "ridge": Algorithm(lambda: regression(regressions.ridge), BASELINES),
    "log-linear": Algorithm(lambda: regression(regressions.log_linear), BASELINES),
    "mixing law": Algorithm(lambda: regression(regressions.mixing_law), BASELINES),
    "boosted trees": Algorithm(lambda: regression(regressions.trees), BASELINES),
}


def table(results: Results) -> Path:
    """A line for each case: rank correlation / error of each model, and calibration of ours."""
    rows = []
    for case in results.cases:
        row: dict[str, Any] = {"runs": case}
        for name in ALGORITHMS:
            runs = results.runs(case, name)
            row[name] = None
            if runs:
                rho, error = (
                    np.mean([r[key] for r in runs]) for key in ("rank correlation", "error")
                )
                row[name] = f"{rho:.2f} / {error:.2f}"
            if runs and runs[0]["coverage"] is not None:
                row[name] += f" / {100 * np.mean([r['coverage'] for r in runs]):.0f} %"
        rows.append(row)
    return write_table(
        "mix_surrogates",
        "Data mixtures: models of recorded runs",
        rows,
        [
            f"Each run is predicted from the four fifths that do not hold it ({FOLDS} folds, mean "
            "over splits): rank correlation / root mean squared error in standard deviations of "
            "the runs / share of runs inside the 95 % interval. Regressions have no interval and "
            "model every task, trees the mean.",
            "After cheaper runs: all runs of smaller sizes are known besides.",
            *results.notes(),
        ],
        seeds=results.seeds,
        libraries=("numpy", "scipy", "scikit-learn"),
        command="data_mixtures surrogates",
    )


SUITE = Suite(
    "surrogates",
    CASES,
    ALGORITHMS,
    work,
    table,
    seeds=3,
    fewer={PROCESSES: 1},
    only={PROCESSES: _FEW}
    | dict.fromkeys(("ridge", "log-linear", "mixing law", "boosted trees"), _ALONE),
)
