"""Search in spaces of names and numbers, with a trust region and without."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

import blackbox as bb
from blackbox.batch import Array, Batch
from studies.benchmarks.bayes.peers import ENGINE
from studies.benchmarks.common.report import write_table
from studies.benchmarks.common.suites import Algorithm, Results, Suite

EVALUATIONS = 100
DIGITS = 3  # values that agree to so many decimals share a rank
Floats = npt.NDArray[np.float64]


def rosenbrock(x: Floats) -> Floats:
    """(n,) of (n, 2), over 300."""
    value: Floats = (100 * (x[:, 1] - x[:, 0] ** 2) ** 2 + (x[:, 0] - 1) ** 2) / 300
    return value


def camel(x: Floats) -> Floats:
    """(n,) of (n, 2): the six-humped camel's back over 10."""
    a, b = x[:, 0] ** 2, x[:, 1] ** 2
    value: Floats = ((4 - 2.1 * a + a**2 / 3) * a + x[:, 0] * x[:, 1] + (4 * b - 4) * b) / 10
    return value


def beale(x: Floats) -> Floats:
    """(n,) of (n, 2), over 50."""
    pairs = zip((1.5, 2.25, 2.625), (1, 2, 3), strict=True)
    terms = [(c - x[:, 0] + x[:, 0] * x[:, 1] ** k) ** 2 for c, k in pairs]
    value: Floats = np.sum(terms, axis=0) / 50
    return value


class Func(bb.Problem):
    """Sums of three functions of two numbers, chosen by names (Ru et al. 2020, CoCaBO).

    Func2C has two choices, Func3C three. Of the five names of the second choice three are alike,
    and of the four of the third two differ in scale alone, as in the paper's code.

    Args:
        choices: 2 or 3.
    """

    objectives = (bb.Minimize("f"),)

    def __init__(self, choices: int) -> None:
        named = [bb.Categorical(f"c{i}", [*"pqrst"[:k]]) for i, k in enumerate((3, 5, 4)[:choices])]
        self.space = bb.Space(*named, bb.Real("x", -1, 1, size=2))
        self._choices = choices

    @property
    def name(self) -> str:
        return f"Func{self._choices}C"

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The value of every row."""
        x = 2 * np.asarray(batch["x"], dtype=np.float64)
        parts = np.stack([rosenbrock(x), camel(x), beale(x)])
        rows = np.arange(len(x))
        at = [
            np.array(["pqrst".index(c) for c in batch[f"c{i}"].tolist()])
            for i in range(self._choices)
        ]
        f = parts[at[0], rows] + parts[np.minimum(at[1], 2), rows]
        if self._choices == 3:
            third = np.stack([5 * parts[1], 2 * parts[0], 2 * parts[2], 3 * parts[2]])
            f = f + third[at[2], rows]
        return {"f": f}


class Ackley53(bb.Problem):
    """Ackley's function of 50 pairs of names and 3 numbers (Wan et al. 2021, CASMOPOLITAN).

    The optimum, 0, is at names drawn once and off the centre of the numbers: all names the first
    and all numbers 0, where it was, is a place that some methods find for another reason than that
    it is best (Papenmeier et al. 2023, Bounce).
    """

    objectives = (bb.Minimize("f"),)

    def __init__(self) -> None:
        rng = np.random.default_rng(53)
        self._best = rng.integers(2, size=50)
        self._shift = rng.uniform(0.2, 0.6, 3) * rng.choice([-1, 1], 3)
        named = [bb.Categorical(f"b{i}", ["no", "yes"]) for i in range(50)]
        self.space = bb.Space(*named, bb.Real("x", -1, 1, size=3))

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The value of every row."""
        names = np.stack([batch[f"b{i}"] == "yes" for i in range(50)], axis=1) != self._best
        x = np.concatenate([names, batch["x"] - self._shift], axis=1).astype(np.float64)
        bowl = -20 * np.exp(-0.2 * np.sqrt((x**2).mean(axis=1)))
        return {"f": bowl - np.exp(np.cos(2 * np.pi * x).mean(axis=1)) + 20 + np.e}


class Rosenbrock10(bb.Problem):
    """Rosenbrock's function of 6 ordinals of 4 values and 4 numbers (Daulton et al. 2022, PR)."""

    objectives = (bb.Minimize("f"),)
    space = bb.Space(
        *(bb.Ordinal(f"o{i}", [-5.0, 0.0, 5.0, 10.0]) for i in range(6)),
        bb.Real("x", -5, 10, size=4),
    )

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The value of every row."""
        x = np.column_stack([*(batch[f"o{i}"] for i in range(6)), batch["x"]])
        a, b = x[:, :-1], x[:, 1:]
        return {"f": (100 * (b - a**2) ** 2 + (a - 1) ** 2).sum(axis=1)}


CASES: dict[str, Callable[[], bb.Problem]] = {
    "Func2C": lambda: Func(2),
    "Func3C": lambda: Func(3),
    "Ackley53": Ackley53,
    "Rosenbrock10": Rosenbrock10,
}
REGION = "Bayes, region"
ALGORITHMS = {
    REGION: Algorithm(lambda p, s: bb.Bayes(p, trust_region=True, seed=s), ENGINE),
    "Bayes": Algorithm(lambda p, s: bb.Bayes(p, seed=s), ENGINE),
    "TPE": Algorithm(lambda p, s: bb.optuna.TPE(p, seed=s), "optuna"),
    "GA": Algorithm(lambda p, s: bb.pymoo.NSGA2(p, population_size=20, seed=s), "pymoo"),
    "Random": Algorithm(lambda p, s: bb.Random(p, seed=s), "numpy"),
}


def work(case: Callable[[], bb.Problem], algorithm: Algorithm, seed: int) -> dict[str, Any]:
    """Values in the order of evaluation, and the processor's seconds."""
    problem = case()
    begun = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the peers
        study = bb.Study(problem, algorithm.make(problem, seed)).run(EVALUATIONS, batch=1)
    return {"values": study.history["f"].tolist(), "cpu": time.process_time() - begun}


def table(results: Results) -> Path:
    """Mean ranks, and medians of the best value."""
    names = results.names
    ends: dict[str, dict[str, dict[int, float]]] = {
        case: {
            name: {s: min(run["values"]) for s, run in results.by_seed(case, name).items()}
            for name in names
        }
        for case in results.cases
    }
    ranks = {name: _ranks(ends, name) for name in names}
    overall = [
        {
            "optimizer": name,
            "mean rank": f"{np.mean([*ranks[name].values()]):.2f}",
            **{case: f"{rank:.2f}" for case, rank in ranks[name].items()},
        }
        for name in sorted(names, key=lambda name: float(np.mean([*ranks[name].values()])))
    ]
    best = [
        {
            "optimizer": name,
            **{
                case: f"{np.median([*of[name].values()]):.4g}"
                for case, of in ends.items()
                if of[name]
            },
            "CPU s": f"{_seconds(results, name):.1f}",
        }
        for name in names
    ]
    return write_table(
        "orl_mixed",
        "Spaces of names and numbers, with a trust region and without",
        {"Mean rank of the best value": overall, "Median of the best value": best},
        [
            f"{EVALUATIONS} evaluations, one at a time. Ranks are among the optimizers within "
            "each seed, then averaged; functions count the same, and values that agree to "
            f"{DIGITS} decimals share a rank.",
            "Func2C, Func3C: two and three choices, two numbers. Ackley53: 50 pairs of names, "
            "three numbers, the optimum (0) moved. Rosenbrock10: six ordinals of four values, "
            "four numbers. All minimized.",
            "GA: a genetic algorithm, NSGA-II with one objective and a population of 20. All "
            "others with their defaults; the region is Bayes(trust_region=True), whose settings "
            "were chosen by looking at the first four seeds.",
            *results.notes(),
        ],
        seeds=results.seeds,
        libraries=("numpy", "scipy", "optuna", "pymoo"),
        command="offline_rl mixed",
    )


def _ranks(ends: dict[str, dict[str, dict[int, float]]], name: str) -> dict[str, float]:
    """Mean rank on each function, over the seeds that all have run."""
    found = {}
    for case, of in ends.items():
        shared = sorted(set.intersection(*map(set, of.values())))
        if shared:
            table = np.round([[values[s] for s in shared] for values in of.values()], DIGITS)
            found[case] = float(stats.rankdata(table, axis=0)[[*of].index(name)].mean())
    return found


def _seconds(results: Results, name: str) -> float:
    runs = [run["cpu"] for case in results.cases for run in results.runs(case, name)]
    return float(np.mean(runs)) if runs else float("nan")


SUITE = Suite("mixed", CASES, ALGORITHMS, work, table, seeds=10)
