"""The optimizers of the study by name, every use of the model beside its control."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import blackbox as bb
from blackbox.batch import Batch
from blackbox.formulation import Problem
from blackbox.optimizers.bayes import Justified
from blackbox.optimizers.llambo import Settings

#: Builds an optimizer for a problem, a model, a text about the problem and a seed.
Make = Callable[[Problem, Any, str, int], bb.Optimizer]

_PERMUTED, _ANONYMOUS = Settings(permuted=True), Settings(anonymous=True)


def _llambo(settings: Settings = Settings(), **how: Any) -> Make:  # noqa: B008 - frozen
    return lambda problem, llm, about, seed: bb.LLAMBO(
        problem, llm, about, settings=settings, seed=seed, **how
    )


def _hybrid(problem: Problem, llm: Any, about: str, seed: int) -> bb.Optimizer:
    sampler = bb.LLAMBO(problem, llm, about, surrogate=None, seed=seed)
    return bb.Bayes(problem, candidates=Justified(sampler), seed=seed)


#: Methods that ask the model.
ASKING: Mapping[str, Make] = {
    "LLAMBO": _llambo(),
    "LLAMBO generative": _llambo(surrogate="generative"),
    "LLMGuided": lambda problem, llm, about, seed: bb.LLMGuided(problem, llm, about, seed=seed),
    "Bayes with LLAMBO": _hybrid,
    "LLAMBO permuted": _llambo(_PERMUTED),
    "LLAMBO anonymous": _llambo(_ANONYMOUS),
}
#: Methods that do not.
SILENT: Mapping[str, Make] = {
    "Bayes": lambda problem, llm, about, seed: bb.Bayes(problem, seed=seed),
    "Random": lambda problem, llm, about, seed: bb.Random(problem, seed=seed),
    "Defaults, then Random": lambda problem, llm, about, seed: bb.Random(problem, seed=seed),
}
METHODS: Mapping[str, Make] = {**ASKING, **SILENT}
#: What each control is there to show.
CONTROLS = {
    "LLAMBO permuted": "Outcomes are shown in the wrong order. As good as LLAMBO: it does not "
    "learn from them.",
    "LLAMBO anonymous": "Names and the description are withheld. As good as LLAMBO: it knows "
    "nothing about the problem beforehand.",
    "Bayes": "No language model. As good: none is needed.",
    "Defaults, then Random": "The library's default configuration is evaluated first, then random "
    "ones. As good: the model has repeated what everybody knows.",
}

#: scikit-learn's defaults of the parameters of LLAMBO's spaces; whole numbers and fractions of
#: rows or features stand for each other where scikit-learn takes either.
_DEFAULTS: Mapping[str, Mapping[str, float]] = {
    "RandomForest": {"max_depth": 15, "max_features": 0.3},
    "DecisionTree": {"max_depth": 15, "max_features": 0.99},
    "SVM": {"C": 1.0, "gamma": 1e-3, "tol": 1e-3},
    "MLP_SGD": {
        "hidden_layer_sizes": 100,
        "alpha": 1e-4,
        "batch_size": 200,
        "learning_rate_init": 1e-3,
        "power_t": 0.5,
        "momentum": 0.9,
    },
}
_TREES = {
    "min_impurity_decrease": 0.0,
    "min_samples_leaf": 0.01,
    "min_samples_split": 0.01,
    "min_weight_fraction_leaf": 0.01,
}


def defaults(problem: Any, model: str) -> Batch:
    """One row: scikit-learn's default configuration, clipped to the box."""
    values = {**_DEFAULTS[model], **(_TREES if "max_depth" in _DEFAULTS[model] else {})}
    row = problem.translated([values])
    columns = {}
    for p in problem.space:
        columns[p.name] = np.clip(row[p.name], p.low, p.high)
    checked: Batch = problem.space.check(Batch(columns))
    return checked
