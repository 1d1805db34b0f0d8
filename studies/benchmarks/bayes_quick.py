"""Bayes beside Random, Sobol and Optuna's TPE and GP on four small problems."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is imported

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

import blackbox as bb
from studies.benchmarks.common.report import write_table

SEEDS = (0, 1, 2, 3, 4)

OPTIMIZERS: dict[str, Callable[[bb.Problem, int], bb.Optimizer]] = {
    "Random": lambda problem, seed: bb.Random(problem, seed=seed),
    "Sobol": lambda problem, seed: bb.Sobol(problem, seed=seed),
    "Optuna TPE": lambda problem, seed: bb.optuna.TPE(problem, seed=seed),
    "Optuna GP": lambda problem, seed: bb.optuna.GP(problem, seed=seed),
    "Bayes": lambda problem, seed: bb.Bayes(problem, seed=seed),
}

_MIX = np.array([0.45, 0.3, 0.15, 0.1, 0.0])


def training(p: dict[str, Any]) -> float:
    """A made-up training run: the best rate depends on the width, activations differ."""
    rate = np.log10(p["rate"]) + 2 + 0.5 * np.log2(p["width"] / 40)
    wide = np.log2(p["width"] / 40)
    act = {"relu": 0.3, "gelu": 0.0, "tanh": 0.8, "none": 2.0}[p["act"]]
    depth = 0.3 * abs(p["depth"] - 4) * (1 + 0.2 * wide**2)
    return float(rate**2 + 0.5 * wide**2 + act * (1 + rate) ** 2 + depth)


def mixture(p: dict[str, Any]) -> float:
    """A made-up data mixture: loss falls as a power of each share, weighted by the target."""
    gain = ((p["mix"] + 0.02) ** -0.5 * _MIX).sum()
    return float(gain + (p["mix"][4] * 2) ** 2)


def _least_mixture() -> float:
    """Least value of ``mixture``: a convex problem, solved by a local search over the shares."""
    from scipy.optimize import LinearConstraint, minimize

    def loss(shares: npt.NDArray[np.float64]) -> float:
        return mixture({"mix": shares})

    found = minimize(
        loss,
        np.full(5, 0.2, dtype=np.float64),
        bounds=[(0.0, 1.0)] * 5,
        constraints=LinearConstraint(np.ones((1, 5)), 1, 1),
        tol=1e-14,
    )
    return float(found.fun)


def cases() -> dict[str, tuple[bb.Problem, float, int]]:
    """Each problem with its least value and a number of evaluations."""
    mixed = bb.Space(
        bb.Real("rate", 1e-5, 1, log=True),
        bb.Integer("width", 8, 512, log=True),
        bb.Categorical("act", ["relu", "gelu", "tanh", "none"]),
        bb.Ordinal("depth", [1, 2, 4, 8]),
    )
    return {
        "Branin, 2 Real": (bb.problems.Branin(), bb.problems.Branin.optimum, 40),
        "Hartmann, 6 Real": (bb.problems.Hartmann6(), bb.problems.Hartmann6.optimum, 60),
        "Training, mixed": (bb.problem(training, mixed), 0.0, 50),
        "Mixture, simplex of 5": (
            bb.problem(mixture, bb.Space(bb.Simplex("mix", 5))),
            _least_mixture(),
            40,
        ),
    }


def run(problem: bb.Problem, optimizer: bb.Optimizer, evaluations: int) -> tuple[float, float]:
    """Least outcome of a sequential run, and CPU seconds for each ask."""
    values = []
    spent = 0.0
    for _ in range(evaluations):
        start = time.process_time()
        batch = optimizer.ask()
        spent += time.process_time() - start
        outcomes = problem.measure(batch)
        values.append(float(outcomes[problem.objectives[0].name][0]))
        optimizer.tell(batch.with_columns(**outcomes))
    return min(values), spent / evaluations


def main() -> None:
    """Run everything and write the tables."""
    tables = {}
    for title, (problem, least, evaluations) in cases().items():
        rows = []
        for name, make in OPTIMIZERS.items():
            runs = [run(problem, make(problem, seed), evaluations) for seed in SEEDS]
            regrets = np.array([best - least for best, _ in runs])
            rows.append(
                {
                    "optimizer": name,
                    "median simple regret": float(np.median(regrets)),
                    "best": float(regrets.min()),
                    "worst": float(regrets.max()),
                    "CPU s per ask": float(np.mean([cost for _, cost in runs])),
                }
            )
        tables[f"{title}, {evaluations} evaluations"] = rows
    write_table(
        "bayes_quick",
        "Bayes on small problems",
        tables,
        [
            "Simple regret: least outcome seen minus the least possible; over all seeds.",
            "CPU seconds of the whole process, one evaluation at a time, one thread "
            "(`OMP_NUM_THREADS=1`).",
        ],
        seeds=SEEDS,
        libraries=("torch", "gpytorch", "botorch", "optuna", "scipy", "numpy"),
    )


if __name__ == "__main__":
    main()
