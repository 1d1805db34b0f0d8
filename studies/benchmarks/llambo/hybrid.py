"""Bayes that listens to a model: an informative one, and one that was told lies."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import blackbox as bb
from blackbox.optimizers.bayes import InRegion, Justified, Transient
from blackbox.optimizers.llambo import Settings
from blackbox.testing.stand_in_brain import Brain
from studies.benchmarks.bayes.peers import ENGINE
from studies.benchmarks.common.report import write_table
from studies.benchmarks.common.store import Result, Store
from studies.benchmarks.common.suites import digest
from studies.llambo.reactions import Reaction

SEEDS = 10
TRIALS = 25
LOOKS = (5, 10, 25)
Floats = npt.NDArray[np.float64]


class _Case:
    """A problem, its range, and what a model that knows something might name as good."""

    def __init__(
        self, problem: bb.Problem, best: float, worst: float, good: Callable[[int], dict[str, Any]]
    ) -> None:
        self.problem, self.best, self.worst, self.good = problem, best, worst, good

    def regret(self, values: Floats) -> Floats:
        """(n,) shares of the range that the best so far is away from the best."""
        scores = self.problem.objectives[0].sign * values
        best = np.fmax.accumulate(np.where(np.isfinite(scores), scores, -np.inf))
        top, low = (self.problem.objectives[0].sign * v for v in (self.best, self.worst))
        return np.asarray((top - np.maximum(best, low)) / (top - low))


def main(seeds: int = SEEDS) -> Path:
    """Run what is missing, seed by seed, and write the table."""
    cases, store, version = _cases(), Store("llambo_hybrid"), digest(ENGINE)
    run(cases, store, version, seeds, [*METHODS])
    return table(cases, store, version)


def run(
    cases: Mapping[str, _Case], store: Store, version: str, seeds: int, methods: Sequence[str]
) -> None:
    """Run what the store lacks."""
    finished = {result.key for result in store}
    for seed, (name, case), label in product(range(seeds), cases.items(), methods):
        key = name, label, seed, version
        if key not in finished:
            store.append(Result(*key, data={"regret": _run(case, label, seed).tolist()}))
            print(f"{time.strftime('%H:%M:%S')} {name} {label} {seed}", flush=True)


def table(cases: Mapping[str, _Case], store: Store, version: str) -> Path:
    """Write the table of the runs that the store has, each method with the seeds it finished."""
    runs = {r.key[:3]: np.array(r.data["regret"]) for r in store if r.version == version}
    seeds = {
        label: [s for s in range(SEEDS) if all((name, label, s) in runs for name in cases)]
        for label in METHODS
    }

    def regrets(label: str, name: str, chosen: Sequence[int]) -> Floats:
        return np.array([runs[name, label, seed] for seed in chosen])

    overall, each = [], []
    for label in filter(seeds.__getitem__, METHODS):
        mean = np.mean([regrets(label, name, seeds[label]).mean(axis=0) for name in cases], axis=0)
        shared = [seed for seed in seeds[label] if seed in seeds["Bayes"]]
        ratio = [np.mean([regrets(m, n, shared) for n in cases]) for m in (label, "Bayes")]
        row: dict[str, Any] = {"method": label, "seeds": len(seeds[label])}
        row |= {f"mean regret at {look}": float(mean[look - 1]) for look in LOOKS}
        row["mean over the run"] = float(mean.mean())
        row["against Bayes"] = f"{ratio[0] / ratio[1] - 1:+.1%}"
        overall.append(row)
    for name, look in product(cases, LOOKS):
        medians = {
            label: float(np.median(regrets(label, name, chosen)[:, look - 1]))
            for label, chosen in seeds.items()
            if chosen
        }
        each.append({"problem": name, "at": look} | medians)
    return write_table(
        "llambo_hybrid",
        "Bayes with a language model's proposals",
        {"Over all problems": overall, "Median normalised regret": each},
        [
            "Regret: distance to the best known outcome as a share of the range (of functions: the "
            "median of random rows). Against Bayes: the mean over the run, on the seeds both ran.",
            "In context: the stand-in, which knows nothing but the observations. Informed: it also "
            "knows one good configuration of each run, near the optimum of a function or among the "
            "best 1 % of a table. Misleading: observations are shown with permuted outcomes.",
            "Hybrids: LLAMBO's warm start is the initial design of Bayes, and its sampler is asked "
            "for 20 candidates each time, which Bayes accepts by the rule named; 'candidates' are "
            "justified ones without the warm start.",
            "No language model took part; that a model knows something is assumed, not shown.",
        ],
        libraries=("numpy", "scipy"),
        command="llambo hybrid",
    )


def _sampler(case: _Case, seed: int, *, informed: bool = False, permuted: bool = False) -> Any:
    brain = Brain(case.good(seed) if informed else None)
    settings = Settings(permuted=permuted)
    return bb.LLAMBO(case.problem, brain, surrogate=None, settings=settings, seed=seed)


def _hybrid(rule: Any, *, warm: bool = True, **how: bool) -> Callable[[_Case, int], bb.Optimizer]:
    def make(case: _Case, seed: int) -> bb.Optimizer:
        candidates = rule(_sampler(case, seed, **how))
        init = _sampler(case, seed, **how) if warm else None
        return bb.Bayes(case.problem, init=init, candidates=candidates, seed=seed)

    return make


METHODS: Mapping[str, Callable[[_Case, int], bb.Optimizer]] = {
    "Random": lambda case, seed: bb.Random(case.problem, seed=seed),
    "Bayes": lambda case, seed: bb.Bayes(case.problem, seed=seed),
    "LLAMBO in context": lambda case, seed: bb.LLAMBO(case.problem, Brain(), seed=seed),
    "LLAMBO misleading": lambda case, seed: bb.LLAMBO(
        case.problem, Brain(), settings=Settings(permuted=True), seed=seed
    ),
    "candidates, informed": _hybrid(Justified, warm=False, informed=True),
    "candidates, misleading": _hybrid(Justified, warm=False, permuted=True),
    "justified, in context": _hybrid(Justified),
    "justified, informed": _hybrid(Justified, informed=True),
    "justified, misleading": _hybrid(Justified, permuted=True),
    "transient, informed": _hybrid(Transient, informed=True),
    "transient, misleading": _hybrid(Transient, permuted=True),
    "in region, informed": _hybrid(InRegion, informed=True),
    "in region, misleading": _hybrid(InRegion, permuted=True),
}


def _cases() -> dict[str, _Case]:
    made = {}
    for function in (bb.problems.Branin(), bb.problems.Hartmann6(), bb.problems.Tuning()):
        draws = function.space.draw(1001, np.random.default_rng(0))
        worst = float(np.median(function.measure(draws)[function.objectives[0].name]))
        near = _near(function)
        made[function.name] = _Case(function, float(function.optimum), worst, near)
    for name in ("Suzuki_Doyle", "Reductive_Amination", "amide_coupling_hte"):
        table = Reaction(name)
        low, high = table.range
        made[name] = _Case(
            table,
            high,
            low,
            lambda seed, t=table: t.good(np.random.default_rng(seed)),  # type: ignore[misc]
        )
    return made


def _near(function: Any) -> Callable[[int], dict[str, Any]]:
    """The optimum, moved by a tenth of each range."""

    def good(seed: int) -> dict[str, Any]:
        space, rng = function.space, np.random.default_rng(seed)
        row = bb.Batch({n: np.asarray([v]) for n, v in function.solution.items()})
        cube = space.encode(space.check(row))
        moved = np.clip(cube + 0.1 * rng.standard_normal(cube.shape), 0, 1)
        values = space.decode(moved)[0]
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items()}

    return good


def _run(case: _Case, label: str, seed: int, trials: int = TRIALS) -> Floats:
    optimizer, values = METHODS[label](case, seed), []
    for _ in range(trials):
        batch = optimizer.ask()
        outcome = case.problem.measure(batch)
        optimizer.tell(batch.with_columns(**outcome))
        values.append(float(outcome[case.problem.objectives[0].name][0]))
    return case.regret(np.array(values))
