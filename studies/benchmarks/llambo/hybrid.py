"""Bayes that listens to a model: an informative one, and one that was told lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
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
from studies.benchmarks.common.store import Store
from studies.benchmarks.common.suites import Algorithm, Results, Suite, run
from studies.llambo.reactions import Reaction

#: Other sources of Bayes, of LLAMBO or of the stand-in are another version.
SOURCES = (
    *ENGINE,
    "blackbox/llm/**/*.py",
    "blackbox/optimizers/llambo/**/*.py",
    "blackbox/testing/stand_in*.py",
)
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


Make = Callable[[_Case, int], bb.Optimizer]


def main() -> Path:
    """Run what is missing, seed by seed, and write the table."""
    store = Store("llambo_hybrid")
    names, cases = [*SUITE.algorithms], [*SUITE.cases]
    run(SUITE, store, algorithms=names, cases=cases, seeds=SUITE.seeds)
    return SUITE.table(Results(SUITE, store))


def _table(results: Results) -> Path:
    """Write the table; every method has run on every problem."""
    runs = {
        (name, case): np.array([data["regret"] for data in results.runs(case, name)])
        for name, case in product(results.names, results.cases)
    }
    means = {
        name: np.mean([runs[name, case].mean(axis=0) for case in results.cases], axis=0)
        for name in results.names
    }
    overall = [
        {"method": name}
        | {f"mean regret at {look}": float(mean[look - 1]) for look in LOOKS}
        | {"mean over the run": float(mean.mean())}
        | {"against Bayes": f"{mean.mean() / means['Bayes'].mean() - 1:+.1%}"}
        for name, mean in means.items()
    ]
    each = [
        {"problem": case, "at": look}
        | {name: float(np.median(runs[name, case][:, look - 1])) for name in results.names}
        for case, look in product(results.cases, LOOKS)
    ]
    return write_table(
        "llambo_hybrid",
        "Bayes with a language model's proposals",
        {"Over all problems": overall, "Median normalised regret": each},
        [
            "Regret: distance to the best known outcome as a share of the range (of functions: the "
            "median of random rows). Against Bayes: the mean over the run.",
            "In context: the stand-in, which knows nothing but the observations. Informed: it also "
            "knows one good configuration of each run, near the optimum of a function or among the "
            "best 1 % of a table. Misleading: observations are shown with permuted outcomes.",
            "Hybrids: LLAMBO's warm start is the initial design of Bayes, and its sampler is asked "
            "for 20 candidates each time, which Bayes accepts by the rule named; 'candidates' are "
            "justified ones without the warm start.",
            "No language model took part; that a model knows something is assumed, not shown.",
            *results.notes(),
        ],
        seeds=results.seeds,
        libraries=("numpy", "scipy"),
        command="llambo hybrid",
    )


def _sampler(case: _Case, seed: int, *, informed: bool = False, permuted: bool = False) -> Any:
    brain = Brain(case.good(seed) if informed else None)
    settings = Settings(permuted=permuted)
    return bb.LLAMBO(case.problem, brain, surrogate=None, settings=settings, seed=seed)


def _hybrid(rule: Any, *, warm: bool = True, **how: bool) -> Make:
    def make(case: _Case, seed: int) -> bb.Optimizer:
        candidates = rule(_sampler(case, seed, **how))
        init = _sampler(case, seed, **how) if warm else None
        return bb.Bayes(case.problem, init=init, candidates=candidates, seed=seed)

    return make


METHODS: Mapping[str, Make] = {
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


def _function(problem: Any) -> _Case:
    draws = problem.space.draw(1001, np.random.default_rng(0))
    worst = float(np.median(problem.measure(draws)[problem.objectives[0].name]))
    return _Case(problem, float(problem.optimum), worst, _near(problem))


def _reaction(name: str) -> _Case:
    table = Reaction(name)
    low, high = table.range
    return _Case(table, high, low, lambda seed: table.good(np.random.default_rng(seed)))


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


def _work(build: Callable[[], _Case], method: Algorithm, seed: int) -> dict[str, Any]:
    return {"regret": regrets(build(), method.make, seed).tolist()}


def regrets(case: _Case, make: Make, seed: int, trials: int = TRIALS) -> Floats:
    """(trials,) regret of the best so far."""
    optimizer, values = make(case, seed), []
    for _ in range(trials):
        batch = optimizer.ask()
        outcome = case.problem.measure(batch)
        optimizer.tell(batch.with_columns(**outcome))
        values.append(float(outcome[case.problem.objectives[0].name][0]))
    return case.regret(np.array(values))


SUITE = Suite(
    "hybrid",
    {
        "Branin": lambda: _function(bb.problems.Branin()),
        "Hartmann6": lambda: _function(bb.problems.Hartmann6()),
        "Tuning": lambda: _function(bb.problems.Tuning()),
        **{
            name: partial(_reaction, name)
            for name in ("Suzuki_Doyle", "Reductive_Amination", "amide_coupling_hte")
        },
    },
    {name: Algorithm(make, SOURCES) for name, make in METHODS.items()},
    _work,
    _table,
    seeds=10,
)
