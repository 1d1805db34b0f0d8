"""Noise, judged by the row that an optimizer recommends; and batches of eight."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import blackbox as bb
from blackbox.batch import Array, Batch
from studies.benchmarks.bayes.peers import OURS, noisy
from studies.benchmarks.bayes.problems import Bbob, Moved
from studies.benchmarks.bayes.runner import Case, Loop, Results, Suite
from studies.benchmarks.bayes.tables import NOTES, Found, medians, overview
from studies.benchmarks.common.report import write_table

EVALUATIONS = 60
BATCH = 8
#: How far a batched run may go to reach what the sequential run reached.
PATIENCE = 160
#: Evaluations of the most batches that are within 1.3 times the sequential run's.
WITHIN = int(1.3 * EVALUATIONS) // BATCH * BATCH

#: The problem of a seed and the standard deviation of its noise.
BUILDS: dict[str, tuple[Callable[[int], Any], float]] = {
    "Branin 2": (lambda seed: bb.problems.Branin(), 10.0),
    "Hartmann 6": (lambda seed: bb.problems.Hartmann6(), 0.2),
    "Ackley 5": (lambda seed: Moved(bb.problems.Ackley(5), seed + 1), 1.0),
    "Levy 5": (lambda seed: Moved(bb.problems.Levy(5), seed + 1), 5.0),
    "f8 5-D": (lambda seed: Bbob(8, 5, seed + 1), 500.0),
    "f21 5-D": (lambda seed: Bbob(21, 5, seed + 1), 3.0),
}


class Noisy(bb.Problem):
    """A problem whose outcome is measured with normal noise of unknown size.

    Args:
        base: the problem without noise.
        deviation: standard deviation.
        seed: seeds the noise.
    """

    noisy = True
    evaluations = EVALUATIONS
    objectives = (bb.Minimize("f"),)

    def __init__(self, base: bb.Problem, deviation: float, seed: int) -> None:
        self.base, self.space, self._deviation = base, base.space, deviation
        self._rng = np.random.default_rng([seed, 3])

    @property
    def name(self) -> str:
        return f"noisy {self.base.name}"

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """A noisy value of every row."""
        true = self.base.measure(batch)["f"]
        return {"f": true + self._deviation * self._rng.standard_normal(len(batch))}


def measure(case: Case, optimizer: str, seed: int) -> dict[str, Any]:
    """A run and the least value; under noise also the true value of the recommended row."""
    loop = Loop(case, optimizer, seed)
    problem: Any = loop.problem
    run = loop.run()
    base = problem.base if noisy(problem) else problem
    run["least"] = float(base.optimum)
    if noisy(problem):
        recommend = getattr(loop.optimizer, "recommend", None)
        told = loop.told
        row = recommend()[:1] if recommend else told[[int(np.argmin(told["f"]))]]
        run["recommended"] = float(base.measure(row)["f"][0])
    return run


def digest(case: str, data: dict[str, Any]) -> dict[str, Any]:
    """Regret of what is recommended under noise, of the best row of a sequential run.

    Of a run in batches that of the best row after each batch.
    """
    kind = case.rsplit(" ", 1)[1]
    if kind == "noisy":
        return {"regret": data["recommended"] - data["least"]}
    regrets = np.minimum.accumulate(np.ravel(data["values"])) - data["least"]
    if kind == "sequential":
        return {"regret": float(regrets[-1])}
    return {"regrets": regrets[BATCH - 1 :: BATCH].tolist()}


def table(results: Results) -> Path:
    """Inference regret under noise, and what batches cost in evaluations."""
    names = results.optimizers
    inferred = _ran(results, "noisy", lambda run: float(run["regret"]))
    eights = _ran(results, "batches", lambda run: float(run["regrets"][WITHIN // BATCH - 1]))
    batched = [row for c in BUILDS for o in names if (row := _batched(results, c, o))]
    return write_table(
        "bayes_noisy",
        "Noise, and batches of eight",
        {
            "Over all noisy problems": overview(*inferred),
            f"Median inference regret after {EVALUATIONS} noisy evaluations": medians(*inferred),
            f"Batches of {BATCH} without noise": batched,
            f"Median regret after {WITHIN} evaluations in such batches": medians(*eights),
        },
        [
            "Inference regret: true value of the recommended row minus the least possible. Bayes "
            "recommends the row of best posterior mean, the others the row of the best value seen.",
            "Standard deviation of the noise: "
            + ", ".join(f"{name} {deviation:g}" for name, (_, deviation) in BUILDS.items())
            + "; no optimizer is told. That there is any only GPSampler is told, and SMAC3 runs as "
            "for exact values.",
            "Every seed has an instance of its own, as in the regret suite; Branin and Hartmann "
            "have but one.",
            f"Batches: evaluations until the median regret over seeds reaches that of the "
            f"sequential run at {EVALUATIONS}, looked at after each batch; at most {PATIENCE}.",
            "BoTorch is SingleTaskGP with qLogEI, the rows of a batch chosen jointly, after "
            "2 (d + 1) Sobol points; GPSampler is told that values are exact there. All else are "
            "defaults.",
            *NOTES,
            *results.notes(),
        ],
        seeds=results.ran,
        libraries=("numpy", "scipy", "optuna"),
        command="bayes noisy",
    )


def _ran(
    results: Results, kind: str, of: Callable[[dict[str, Any]], float]
) -> tuple[Found, list[str], list[str]]:
    """A figure of each run of a kind, and the problems and optimizers that have such runs."""
    names = results.optimizers
    found = {
        (c, o): {s: of(run) for s, run in results.seeds(f"{c} {kind}", o).items()}
        for c in BUILDS
        for o in names
    }
    cases = [c for c in BUILDS if any(found[c, o] for o in names)]
    return found, cases, [o for o in names if any(found[c, o] for c in cases)]


def _batched(results: Results, case: str, optimizer: str) -> dict[str, Any] | None:
    """How many evaluations batches need for what the sequential run reached."""
    single = results.seeds(f"{case} sequential", optimizer)
    eights = results.seeds(f"{case} batches", optimizer)
    seeds = sorted(single.keys() & eights.keys())
    if not seeds:
        return None
    goal = float(np.median([single[s]["regret"] for s in seeds]))
    regrets = np.median([eights[s]["regrets"] for s in seeds], axis=0)
    reached = np.flatnonzero(regrets <= goal)
    needed = BATCH * (int(reached[0]) + 1) if len(reached) else None
    return {
        "problem": case,
        "optimizer": optimizer,
        "seeds": len(seeds),
        "sequential regret": goal,
        "evaluations in batches": needed or f"more than {PATIENCE}",
        "ratio": needed / EVALUATIONS if needed else None,
    }


def _noisy(name: str, seed: int) -> bb.Problem:
    make, deviation = BUILDS[name]
    return Noisy(make(seed), deviation, seed)


def _exact(name: str, seed: int) -> bb.Problem:
    problem: bb.Problem = BUILDS[name][0](seed)
    return problem


NOISY = tuple(f"{name} noisy" for name in BUILDS)

PARALLEL = tuple(f"{name} {kind}" for kind in ("sequential", "batches") for name in BUILDS)

SUITE = Suite(
    "noisy",
    {f"{name} noisy": Case(partial(_noisy, name), EVALUATIONS) for name in BUILDS}
    | {f"{name} sequential": Case(partial(_exact, name), EVALUATIONS) for name in BUILDS}
    | {f"{name} batches": Case(partial(_exact, name), PATIENCE, batch=BATCH) for name in BUILDS},
    (OURS, "Random", "TPE", "GPSampler", "CMA-ES", "NGOpt", "SMAC3", "BoTorch"),
    table,
    digest,
    seeds=20,
    work=measure,
    only=dict.fromkeys(("Random", "CMA-ES", "NGOpt", "SMAC3"), NOISY) | {"BoTorch": PARALLEL},
)
