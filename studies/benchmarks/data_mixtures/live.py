"""Models trained live: the loss found in equal time, with small models and without."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

import blackbox as bb
from blackbox.batch import Array, Batch
from studies.benchmarks.bayes.peers import ENGINE
from studies.benchmarks.common.report import write_table
from studies.benchmarks.common.suites import Algorithm, Results, Suite
from studies.benchmarks.data_mixtures.methods import Fixed, Method, Ours, RandomSearch
from studies.benchmarks.data_mixtures.sources import BASELINES, OURS
from studies.data_mixtures.corpus import DOMAINS
from studies.data_mixtures.problem import DataMixture
from studies.data_mixtures.size import Size

FRESH = tuple(range(1000, 1005))  # training seeds of the losses that are compared
#: The target is larger than the study's: where a run is as quick as the choice of it, small models
#: spare nothing.
LADDER = (Size(12, 115), Size(24, 195), Size(80, 480))
OURS_NAME = "MultiFidelityBayes"


@dataclass(frozen=True)
class Live:
    """What is trained and for how long.

    Args:
        sizes: models from the cheapest to the target.
        seconds: of CPU time after which recommendations are compared.
        fresh: training seeds of the comparison.
    """

    sizes: tuple[Size, ...] = LADDER
    seconds: tuple[float, ...] = (25.0,)
    fresh: tuple[int, ...] = FRESH

    def problem(self, seed: int) -> DataMixture:
        """The problem under a training seed of its own."""
        return DataMixture(self.sizes, seed)


CASE = "six texts"
CASES = {CASE: Live()}


def ours(problem: DataMixture, past: Batch, seed: int) -> Method:
    """Sizes chosen by their seconds in past runs."""
    return Ours(bb.MultiFidelityBayes(problem, cost=past, seed=seed))


def alone(problem: DataMixture, past: Batch, seed: int) -> Method:
    """The target size alone, as many initial rows as there are domains."""
    return Ours(bb.Bayes(problem, n_init=len(DOMAINS), seed=seed))


def baseline(kind: Callable[..., Method]) -> Callable[[DataMixture, Batch, int], Method]:
    """A baseline, which needs no costs."""
    return lambda problem, past, seed: kind(problem, seed)


ALGORITHMS: Mapping[str, Algorithm] = {
    OURS_NAME: Algorithm(ours, OURS),
    "Bayes": Algorithm(alone, ENGINE),
    "random": Algorithm(baseline(RandomSearch), BASELINES),
    "equal shares": Algorithm(baseline(Fixed), BASELINES),
}


def timed(problem: DataMixture) -> Batch:
    """A run of each size with the seconds it took: what past runs are known to cost."""
    equal = np.full(len(DOMAINS), 1.0 / len(DOMAINS))
    first = next(iter(problem.sizes))
    problem.evaluate({"mix": equal, "params": first})  # reads the texts
    seconds = []
    for params in problem.sizes:
        begun = time.process_time()
        problem.evaluate({"mix": equal, "params": params})
        seconds.append(time.process_time() - begun)
    return Batch({"params": np.array([*problem.sizes]), "seconds": np.array(seconds)})


def work(case: Live, algorithm: Algorithm, seed: int) -> dict[str, Any]:
    """One run: what is recommended after each time, and its losses under fresh training seeds."""
    problem = case.problem(seed)
    method: Method = algorithm.make(problem, timed(problem), seed)
    left, chosen, spent = [*case.seconds], [], 0.0
    bought = dict.fromkeys(problem.sizes, 0)
    while left:
        begun = time.process_time()
        row = method.ask()
        if len(row):
            row = row.with_columns(**problem.measure(row))
        spent += time.process_time() - begun
        while left and (not len(row) or spent > left[0]):  # what is not ready does not count
            chosen.append(method.recommend()["mix"][0])
            left.pop(0)
        if left:
            begun = time.process_time()
            method.tell(row)
            spent += time.process_time() - begun
            bought[int(row["params"][0])] += 1
    return {
        "losses": [confirmed(case, mix) for mix in chosen],
        "mix": [mix.tolist() for mix in chosen],
        "bought": [*bought.values()],
    }


def confirmed(case: Live, mix: Array) -> list[float]:
    """Losses of a mixture at the target under training seeds that no search used."""
    losses = []
    for seed in case.fresh:
        problem = case.problem(seed)
        losses.append(problem.evaluate({"mix": mix, "params": problem.target.params})["loss"])
    return losses


def table(results: Results) -> Path:
    """Losses after each time, and how often small models found the better mixture."""
    case = CASES[CASE]
    found = {name: losses(results, name) for name in results.names}
    rows: list[dict[str, Any]] = []
    for name, of in found.items():
        loss = np.array([*of.values()])
        runs = results.runs(CASE, name)
        row: dict[str, Any] = {"method": name, "seeds": len(runs)}
        for i, seconds in enumerate(case.seconds):
            row[f"loss after {seconds:g} s"] = f"{loss[:, i].mean():.3f} ± {_half(loss[:, i]):.3f}"
        bought = np.mean([run["bought"] for run in runs], axis=0)
        row["rows bought, cheapest first"] = " / ".join(f"{count:.0f}" for count in bought)
        rows.append(row)
    return write_table(
        "mix_live",
        "Data mixtures: models trained live, in equal time",
        {"Loss of the mixture recommended": rows, "Against the target size alone": duels(found)},
        [
            f"Six texts, a seventh is the target (`studies/data_mixtures`). Models of "
            f"{', '.join(f'{size.params:,}' for size in case.sizes)} parameters. Every method has "
            "the same CPU seconds of one thread, its own computations included. What it recommends "
            f"then is trained under {len(case.fresh)} seeds that no search used; the loss is their "
            "mean, in bits per byte. ± is a 95 % interval of the mean over seeds.",
            "Against the target size alone: on how many seeds MultiFidelityBayes' loss is below, "
            "and the mean difference, seed by seed; below 0 it is better. Wanted: 15 of 20.",
            "All others train the target size alone. Each seed is a training seed, which the "
            "methods share, and one of the method. MultiFidelityBayes knows the seconds of one "
            "earlier run of each size.",
            *results.notes(),
        ],
        seeds=results.seeds,
        libraries=("numpy", "scipy", "torch", "scikit-learn"),
        command="data_mixtures live",
    )


def losses(results: Results, name: str) -> dict[int, Array]:
    """Of every seed the (T,) mean losses under fresh seeds after every time."""
    runs = results.by_seed(CASE, name)
    return {seed: np.mean(run["losses"], axis=1) for seed, run in runs.items()}


def duels(found: Mapping[str, Mapping[int, Array]]) -> list[dict[str, Any]]:
    """On how many seeds ours is below each other method, and by how much."""
    rows = []
    ours = found.get(OURS_NAME, {})
    for name, theirs in found.items():
        shared = sorted(ours.keys() & theirs.keys())
        if name == OURS_NAME or not shared:
            continue
        difference = np.array([ours[seed] - theirs[seed] for seed in shared])
        row: dict[str, Any] = {"beside": name}
        for i, seconds in enumerate(CASES[CASE].seconds):
            d = difference[:, i]
            row[f"{seconds:g} s: better on"] = f"{int((d < 0).sum())} of {len(d)}"
            row[f"{seconds:g} s: difference"] = f"{d.mean():.3f} ± {_half(d):.3f}"
        rows.append(row)
    return rows


def _half(values: Array) -> float:
    """Half of a 95 % interval of the mean."""
    if len(values) < 2:
        return float("nan")
    return float(student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5)


SUITE = Suite(
    "live", CASES, ALGORITHMS, work, table, seeds=20, fewer={"random": 10, "equal shares": 10}
)
