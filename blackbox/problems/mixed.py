"""Problems whose inputs are more than real numbers, with closed-form optima."""

from __future__ import annotations

from typing import Any

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.formulation import Minimize, Problem
from blackbox.problems.single import dimension
from blackbox.space import Categorical, Integer, Real, Simplex, Space


class Tuning(Problem):
    """A caricature of tuning a network: a real, a whole number and a choice that interact.

    Each activation has its own best learning rate and width:
    loss = floor + 0.1 log10(lr / best lr)^2 + 0.05 log2(width / best width)^2.
    The activation that looks best in the middle of the space is not the best one.
    """

    space = Space(
        Real("lr", 1e-5, 1, log=True),
        Integer("width", 16, 1024, log=True),
        Categorical("act", ["relu", "tanh", "gelu"]),
    )
    objectives = (Minimize("loss"),)
    optimum = 0.1
    solution = {"lr": 1e-4, "width": 512, "act": "gelu"}  # noqa: RUF012 - read, never written
    about = "Loss of a network by learning rate, width and activation (a closed formula)"

    _act = np.array(["relu", "tanh", "gelu"])
    _lr = np.array([1e-2, 1e-3, 1e-4])
    _width = np.array([64.0, 128.0, 512.0])
    _floor = np.array([0.2, 0.3, 0.1])

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The loss of every row."""
        which = (batch["act"][:, None] == self._act).argmax(axis=1)
        lr = np.log10(batch["lr"] / self._lr[which])
        width = np.log2(batch["width"] / self._width[which])
        return {"loss": self._floor[which] + 0.1 * lr**2 + 0.05 * width**2}


class Mixture(Problem):
    """Loss of a model by the mixture of its training data: shares of k parts.

    loss = 1 + mean over i of b_i exp(-2 k p_i), the form that Ye et al., *Data mixing laws*
    (2024), fit to real runs, with one exponential per domain. With log b evenly spaced from 1.6
    down to -1.6 the optimum lies inside the simplex, where all derivatives are equal:
    p_i = 1/k + log(b_i) / (2 k), and the loss is 1 + exp(-2).

    Args:
        k: number of parts, at least 2.

    Raises:
        ProblemError: ``k`` is not an int of at least 2.
    """

    objectives = (Minimize("loss"),)
    optimum = 1 + float(np.exp(-2.0))
    about = "Loss of a model by the shares of its training data (a closed formula)"

    def __init__(self, k: int = 3) -> None:
        parts = dimension(self, k, 2)
        names = ["web", "code", "books"] if parts == 3 else parts
        self.space = Space(Simplex("mix", names))
        self._log_b = np.linspace(1.6, -1.6, parts)
        self.solution: dict[str, Any] = {"mix": (1 + self._log_b / 2) / parts}

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The loss of every row."""
        mix = batch["mix"]
        return {"loss": 1 + np.exp(self._log_b - 2 * mix.shape[1] * mix).mean(axis=1)}
