"""Evaluations that evolution strategies need to reach 1e-8: ours, pycma and pyribs'."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from blackbox.batch import Array
from blackbox.formulation import Floats
from blackbox.optimizers.quality_diversity.evolution import FullCMA
from studies.benchmarks.common.suites import Algorithm, Results, Suite
from studies.benchmarks.quality_diversity.sources import OURS

TARGET = 1e-8
MOST = 200_000  # Rosenbrock's function has a local optimum in which a run may stay


def ellipsoid(x: Array) -> Floats:
    """Axes of lengths from 1 to 1000."""
    losses: Floats = (10 ** (6 * np.arange(x.shape[1]) / (x.shape[1] - 1)) * x**2).sum(axis=1)
    return losses


def cigar(x: Array) -> Floats:
    """One long axis."""
    losses: Floats = x[:, 0] ** 2 + 1e6 * (x[:, 1:] ** 2).sum(axis=1)
    return losses


def rosenbrock(x: Array) -> Floats:
    """A curved valley."""
    losses: Floats = (100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1 - x[:, :-1]) ** 2).sum(axis=1)
    return losses


@dataclass(frozen=True)
class Descent:
    """A function to minimize.

    Args:
        loss: takes (k, n) points.
        n: number of inputs.
        start: of every input.
    """

    loss: Callable[[Array], Floats]
    n: int
    start: float = 1.0

    @property
    def rows(self) -> int:
        """The textbook's population size."""
        return 4 + int(3 * np.log(self.n))


class Descending(Protocol):
    """A strategy of any library."""

    def ask(self) -> Array:
        """(k, n) points."""

    def tell(self, losses: Array) -> None:
        """(k,) losses of the points asked for."""


class _Ours:
    def __init__(self, case: Descent, seed: int) -> None:
        self._rows = case.rows
        self._strategy = FullCMA(np.full(case.n, case.start), 0.5)
        self._rng = np.random.default_rng(seed)

    def ask(self) -> Array:
        self._points = self._strategy.ask(self._rows, self._rng)
        return self._points

    def tell(self, losses: Array) -> None:
        self._strategy.tell(self._points[np.argsort(losses)])


class _Pycma:
    def __init__(self, case: Descent, seed: int) -> None:
        import cma

        # It goes on to the target: no tolerance stops it.
        options = {"seed": seed + 1, "verbose": -9, "tolfun": 0, "tolfunhist": 0, "tolx": 0}
        self._strategy = cma.CMAEvolutionStrategy(np.full(case.n, case.start), 0.5, options)

    def ask(self) -> Array:
        self._points = self._strategy.ask()
        return np.array(self._points)

    def tell(self, losses: Array) -> None:
        self._strategy.tell(self._points, losses.tolist())


class _Pyribs:
    def __init__(self, case: Descent, seed: int) -> None:
        from ribs.emitters.opt import CMAEvolutionStrategy

        self._strategy = CMAEvolutionStrategy(0.5, case.n, case.rows, seed)
        self._strategy.reset(np.full(case.n, case.start))

    def ask(self) -> Array:
        points: Array = self._strategy.ask()
        return points

    def tell(self, losses: Array) -> None:
        self._strategy.tell(np.argsort(losses), -losses, len(losses) // 2)


def needed(case: Descent, algorithm: Algorithm, seed: int) -> dict[str, Any]:
    """Evaluations up to the first below the target, at most ``MOST``."""
    used = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        strategy: Descending = algorithm.make(case, seed)
        while used < MOST:
            losses = case.loss(strategy.ask())
            if losses.min() < TARGET:
                return {"evaluations": used + int(np.argmax(losses < TARGET)) + 1}
            used += len(losses)
            strategy.tell(losses)
    return {"evaluations": MOST}


def table(results: Results) -> Path:
    """Median evaluations, and how many times as many as pycma."""
    from studies.benchmarks.common.report import write_table

    rows = []
    for case in results.suite.cases:
        row: dict[str, Any] = {"function": case}
        for name in results.names:
            runs = results.runs(case, name)
            row[name] = int(np.median([run["evaluations"] for run in runs])) if runs else None
        for name in results.names:
            if name != "pycma" and row[name] and row.get("pycma"):
                row[f"{name} / pycma"] = row[name] / row["pycma"]
        rows.append(row)
    return write_table(
        "qd_evolution",
        "Evolution strategies: evaluations to 1e-8",
        rows,
        [
            "Full CMA-ES of each library, median over seeds, the textbook's population size, first "
            "step 0.5; starts at 1 in every coordinate, on Rosenbrock's function at 0.",
            f"A run that stays in a local optimum counts {MOST:,}.",
            *results.notes(),
        ],
        seeds=results.seeds,
        libraries=("numpy", "cma", "ribs"),
        command="quality_diversity evolution",
    )


SUITE = Suite(
    "evolution",
    {
        f"{loss.__name__} {n}": Descent(loss, n, start)
        for loss, start in ((ellipsoid, 1.0), (cigar, 1.0), (rosenbrock, 0.0))
        for n in (10, 20)
    },
    {
        "FullCMA": Algorithm(_Ours, OURS),
        "pycma": Algorithm(_Pycma, "cma"),
        "pyribs": Algorithm(_Pyribs, "ribs"),
    },
    needed,
    table,
    seeds=9,
)
