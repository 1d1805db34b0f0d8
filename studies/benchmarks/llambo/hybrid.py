"""Bayes that listens to a model: an informative one, and one that was told lies."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import blackbox as bb
from blackbox.optimizers.bayes import InRegion, Justified, Transient
from blackbox.optimizers.llambo import Settings
from blackbox.testing.stand_in_brain import Brain
from studies.benchmarks.bayes.peers import engine
from studies.benchmarks.bayes.store import Result, Store
from studies.benchmarks.report import write_table
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


def main(seeds: int = SEEDS, trials: int = TRIALS) -> Path:
    """Measure and write the table."""
    cases = _cases()
    found = _found(cases, seeds, trials)
    looks = [look for look in LOOKS if look <= trials]
    overall = []
    for label in METHODS:
        row: dict[str, Any] = {"method": label}
        for look in looks:
            mean = np.mean([found[name, label][:, look - 1].mean() for name in cases])
            row[f"mean regret at {look}"] = float(mean)
        alone = np.mean([found[name, "Bayes"].mean() for name in cases])
        run = np.mean([found[name, label].mean() for name in cases])
        row["mean over the run"] = float(run)
        row["against Bayes"] = f"{run / alone - 1:+.1%}"
        overall.append(row)
    each = [
        {"problem": name, "at": look}
        | {label: float(np.median(found[name, label][:, look - 1])) for label in METHODS}
        for name in cases
        for look in looks
    ]
    return write_table(
        "llambo_hybrid",
        "Bayes with a language model's proposals",
        {"Over all problems": overall, "Median normalised regret": each},
        [
            "Regret: distance to the best known outcome as a share of the range (of functions: the "
            "median of random rows).",
            "In context: the stand-in, which knows nothing but the observations. Informed: it also "
            "knows one good configuration of each run, near the optimum of a function or among the "
            "best 1 % of a table. Misleading: observations are shown with permuted outcomes.",
            "Hybrids: LLAMBO's warm start is the initial design of Bayes, and its sampler is asked "
            "for 20 candidates each time, which Bayes accepts by the rule named; 'candidates' are "
            "justified ones without the warm start.",
            "No language model took part; that a model knows something is assumed, not shown.",
        ],
        seeds=range(seeds),
        libraries=("numpy", "scipy"),
        command="llambo hybrid",
    )


def _found(cases: Mapping[str, _Case], seeds: int, trials: int) -> dict[tuple[str, str], Floats]:
    """(seeds, trials) regrets of each problem and method; finished runs are not run again."""
    store, version = Store("llambo_hybrid"), f"{engine()} {trials}"
    known = {result.key: result.data["regret"] for result in store}
    for seed in range(seeds):
        for name, case in cases.items():
            for label in METHODS:
                key = name, label, seed, version
                if key not in known:
                    known[key] = _run(case, label, seed, trials).tolist()
                    store.append(Result(*key, data={"regret": known[key]}))
            print(f"{time.strftime('%H:%M:%S')} {name} {seed}", flush=True)
    return {
        (name, label): np.array([known[name, label, seed, version] for seed in range(seeds)])
        for name in cases
        for label in METHODS
    }


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


def _run(case: _Case, label: str, seed: int, trials: int) -> Floats:
    optimizer, values = METHODS[label](case, seed), []
    for _ in range(trials):
        batch = optimizer.ask()
        outcome = case.problem.measure(batch)
        optimizer.tell(batch.with_columns(**outcome))
        values.append(float(outcome[case.problem.objectives[0].name][0]))
    return case.regret(np.array(values))
