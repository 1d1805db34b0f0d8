"""LLAMBO's scikit-learn tasks (arXiv 2402.03921) from its own starting points."""

from __future__ import annotations

import csv
import gzip
import json
import warnings
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import blackbox as bb
from blackbox.batch import Batch
from studies.benchmarks.bayes import data
from studies.benchmarks.bayes.peers import OURS
from studies.benchmarks.bayes.runner import Case, Results, Suite
from studies.benchmarks.bayes.tables import NOTES, medians, overview
from studies.benchmarks.common.report import write_table

#: The published runs score exactly what scikit-learn scores today on these.
DATASETS = ("breast", "digits", "iris", "wine")
MODELS = ("RandomForest", "DecisionTree", "SVM", "MLP_SGD")
GIVEN, TRIALS = 5, 25
LLAMBO = "LLAMBO (GPT-3.5)"


class Task(bb.Problem):
    """Mean accuracy of 5-fold cross-validation by a model's parameters.

    It is declared noisy: the same row always gives the same score, but the score counts the hits
    on a few hundred examples, and neighbouring rows differ by chance.

    Parameters that Bayesmark declares on a logit scale are searched on it.

    Args:
        dataset: one of scikit-learn's.
        model: one of ``MODELS``.
    """

    objectives = (bb.Maximize("score", noise=True),)

    def __init__(self, dataset: str, model: str) -> None:
        self._dataset, self._model = dataset, model
        spaces = json.loads(data.path("llm", "bayesmark", "search_spaces.json").read_text())
        self._declared: dict[str, list[Any]] = spaces[model]
        self.space = bb.Space(*(_parameter(n, *about) for n, about in self._declared.items()))

    @property
    def name(self) -> str:
        return f"{self._dataset} {self._model}"

    def evaluate(self, p: dict[str, Any]) -> float:
        """The score of a configuration."""
        from sklearn.model_selection import cross_val_score

        x, y = _train(self._dataset)
        scales = {name: scale for name, (_, scale, _) in self._declared.items()}
        params = {n: _expit(v) if scales[n] == "logit" else v for n, v in p.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # 40 iterations are not enough for the network
            scores = cross_val_score(_estimator(self._model, params), x, y, cv=5)
        return float(np.mean(scores))

    def translated(self, configurations: list[dict[str, Any]]) -> Batch:
        """Configurations as LLAMBO writes them, as rows of the space."""
        columns = {}
        for name, (kind, scale, _) in self._declared.items():
            values = np.array([c[name] for c in configurations], dtype=np.float64)
            values = np.log(values / (1 - values)) if scale == "logit" else values
            columns[name] = values.astype(np.int64) if kind == "int" else values
        return Batch(columns)


def _parameter(name: str, kind: str, scale: str, bounds: list[float]) -> bb.Real | bb.Integer:
    low, high = bounds
    if kind == "int":
        return bb.Integer(name, int(low), int(high))
    if scale == "logit":
        return bb.Real(name, float(np.log(low / (1 - low))), float(np.log(high / (1 - high))))
    return bb.Real(name, low, high, log=scale == "log")


def _expit(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


@cache
def _train(dataset: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[Any]]:
    from sklearn import datasets, model_selection

    loader = getattr(datasets, "load_" + {"breast": "breast_cancer"}.get(dataset, dataset))
    x, y = loader(return_X_y=True)
    train_x, _, train_y, _ = model_selection.train_test_split(x, y, test_size=0.2, random_state=0)
    return train_x, train_y


def _estimator(model: str, params: dict[str, Any]) -> Any:
    """The models of LLAMBO's ``bayesmark`` experiment."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.svm import SVC
    from sklearn.tree import DecisionTreeClassifier

    if model == "RandomForest":
        return RandomForestClassifier(n_estimators=10, random_state=0, **params)
    if model == "DecisionTree":
        return DecisionTreeClassifier(random_state=0, **params)
    if model == "SVM":
        return SVC(kernel="rbf", random_state=0, **params)
    return MLPClassifier(
        solver="sgd",
        early_stopping=True,
        max_iter=40,
        learning_rate="invscaling",
        nesterovs_momentum=True,
        random_state=0,
        **params,
    )


def _start(dataset: str, model: str, seed: int) -> Batch:
    """The five points that every method is given."""
    task = Task(dataset, model)
    given = json.loads(data.path("llm", "bayesmark", "init_configs.json").read_text())
    rows = task.translated(given[model][str(seed)][:GIVEN])
    return rows.with_columns(**task.measure(rows))


@cache
def published() -> dict[str, dict[int, list[float]]]:
    """Scores of the published runs, in order, by task and seed."""
    found: dict[str, dict[int, list[float]]] = {}
    file = data.path("llm", "llambo_runs", "llambo_gpt35_trajectories.csv.gz")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["bench"] == "bayesmark":
                seeds = found.setdefault(f"{row['dataset']} {row['model']}", {})
                seeds.setdefault(int(row["seed"]), []).append(
                    float(row["score"] or "nan")
                )  # it failed
    return found


def digest(case: str, run: dict[str, Any]) -> dict[str, Any]:
    """Best and worst score of a run."""
    return {"best": float(np.nanmax(run["values"])), "worst": float(np.nanmin(run["values"]))}


def table(results: Results) -> Path:
    """Mean normalised regret over all tasks and seeds, and the median of every task."""
    names = [*results.optimizers, LLAMBO]
    runs = {
        (case, name): results.seeds(case, name)
        for case in results.suite.cases
        for name in results.optimizers
    }
    for case in results.suite.cases:
        scores = published()[case].items()
        runs[case, LLAMBO] = {seed: digest(case, {"values": values}) for seed, values in scores}
    found = {}
    for case in results.suite.cases:
        seen = [run for name in names for run in runs[case, name].values()]
        best = max(run["best"] for run in seen)
        span = best - min(run["worst"] for run in seen)
        for name in names:
            found[case, name] = {
                seed: float((best - run["best"]) / span) for seed, run in runs[case, name].items()
            }
    cases = [*results.suite.cases]
    rows = overview(found, cases, names)
    for row in rows:
        regrets = [r for case in cases for r in found[case, row["optimizer"]].values()]
        row["mean normalised regret"] = float(np.mean(regrets)) if regrets else None
    return write_table(
        "bayes_llambo",
        "LLAMBO's scikit-learn tasks",
        {"Over all tasks": rows, "Median normalised regret": medians(found, cases, names)},
        [
            f"Accuracy of 5-fold cross-validation; {GIVEN} given points, the same for every method "
            f"and those of the published runs, then {TRIALS} trials.",
            "Normalised regret: best score minus the run's best, over best minus worst score; best "
            "and worst are those of a task over every run in the table, the published ones "
            "included.",
            "The score is declared noisy (`noise=True`); Bayes and GPSampler make use of that.",
            "LLAMBO: its authors' runs with GPT-3.5. AdaBoost and diabetes are left out, because "
            "today's scikit-learn gives other scores there.",
            "Parameters that Bayesmark declares on a logit scale are searched on it, by every "
            "optimizer but LLAMBO, which sees raw values.",
            *NOTES,
            *results.notes(),
        ],
        seeds=results.ran,
        libraries=("numpy", "scikit-learn", "optuna"),
        command="bayes llambo",
    )


SUITE = Suite(
    "llambo",
    {
        f"{dataset} {model}": Case(
            lambda seed, dataset=dataset, model=model: Task(dataset, model),  # type: ignore[misc]
            evaluations=GIVEN + TRIALS,
            start=partial(_start, dataset, model),
        )
        for dataset in DATASETS
        for model in MODELS
    },
    (OURS, "Random", "TPE", "GPSampler"),
    table,
    digest,
    seeds=5,
)
