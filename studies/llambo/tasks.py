"""What is optimized: LLAMBO's scikit-learn tasks from its own starting points, and reactions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import blackbox as bb
from blackbox.batch import Batch
from blackbox.errors import ProblemError
from studies.benchmarks.bayes import llambo as published_tasks
from studies.llambo.methods import METHODS, defaults
from studies.llambo.reactions import TABLES, Reaction

_MODELS = {
    "RandomForest": "a random forest of 10 trees",
    "DecisionTree": "a decision tree",
    "SVM": "a support vector machine with a radial kernel",
    "MLP_SGD": "a network with one hidden layer, trained by SGD for at most 40 epochs",
}
_LOGIT = (
    "Parameters whose range is not what scikit-learn expects are given as their logit, log(p / "
    "(1 - p))."
)


@dataclass(frozen=True)
class Task:
    """A problem as it is run.

    Args:
        name: in tables.
        problem: what is optimized.
        about: what a model is told about it.
        start: rows with outcomes that every method is given, for a seed; None for none.
        first: a row that is evaluated first under a method's name, by method.
        trials: evaluations after the start.
        published: scores of the published runs, by seed, the start included.
        methods: names of the methods that are run on it.
        range: least and greatest outcome there is, None where only the runs tell.
    """

    name: str
    problem: bb.Problem
    about: str
    start: Callable[[int], Batch] | None
    first: Mapping[str, Batch]
    trials: int
    published: Mapping[int, npt.NDArray[np.float64]]
    methods: tuple[str, ...]
    range: tuple[float, float] | None


def tuning(name: str, trials: int) -> Task:
    """One of LLAMBO's tasks, such as ``"digits DecisionTree"``."""
    case = published_tasks.SUITE.cases[name]
    problem: Any = case.build(0)
    dataset, model = name.split()
    x, y = published_tasks._train(dataset)
    card = bb.llm.data_card(x, y)
    about = (
        f"Hyperparameters of {_MODELS[model]} of scikit-learn on the data set {dataset}; the score "
        f"is the mean accuracy of 5-fold cross-validation. {card} {_LOGIT}"
    )
    runs = published_tasks.published().get(name, {})
    scores = {seed: np.array(values) for seed, values in runs.items()}
    first = {"Defaults, then Random": defaults(problem, model)}
    methods = tuple(m for m in METHODS if m != "LLMGuided")
    return Task(name, problem, about, case.start, first, trials, scores, methods, None)


def reaction(name: str, trials: int) -> Task:
    """One of the tables of reactions; everything begins with nothing known."""
    problem = Reaction(name)
    methods = tuple(m for m in METHODS if m != "Defaults, then Random")
    return Task(name, problem, problem.about, None, {}, trials, {}, methods, problem.range)


TUNING = tuple(published_tasks.SUITE.cases)


def task(name: str, trials: int) -> Task:
    """A task by its name.

    Raises:
        ProblemError: there is none of that name.
        FileNotFoundError: ``BLACKBOX_DATA`` does not name the folder with the data.
    """
    if name in TUNING:
        return tuning(name, trials)
    if name in (*TABLES, "Alkylation_Deprotection"):
        return reaction(name, trials)
    raise ProblemError(f"--tasks {name!r}; give some of {[*TUNING, *TABLES]}")
