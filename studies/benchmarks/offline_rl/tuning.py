"""Tuning a policy's training in twenty evaluations, beside random search and what is published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import blackbox as bb
from blackbox.batch import Row
from studies.benchmarks.bayes.peers import ENGINE
from studies.benchmarks.common.report import write_table
from studies.benchmarks.common.suites import Algorithm, Results, Suite
from studies.offline_rl.problem import OfflineMBRL, Recipe, published
from studies.offline_rl.threads import one_thread

EVALUATIONS, BEGIN, FRESH = 20, 5, 3
EPISODES = 1_000  # by which a policy is judged again
STUDY = ("studies/offline_rl/*.py",)


@dataclass(frozen=True)
class Case:
    """A data set of the pendulum.

    Args:
        quality: of ``studies.offline_rl.datasets``.
        transitions: in it.
        recipe: of everything else.
        evaluations: of each optimizer, in policies of the full length.
    """

    quality: str
    transitions: int
    recipe: Recipe | None = None
    evaluations: int = EVALUATIONS

    def problem(self, seed: int, *, cheap: bool = False) -> OfflineMBRL:
        """The problem; each seed has its own luck, all have the same data."""
        level: Any = "updates" if cheap else None
        return OfflineMBRL(
            self.quality, self.transitions, fidelity=level, recipe=self.recipe, seed=seed
        )


CASES = {
    "medium": Case("medium", 2_000),
    "expert": Case("expert", 2_000),
    "scarce": Case("replay", 400),
}

Make = Callable[[OfflineMBRL, int], bb.Optimizer]


def fresh(problem: OfflineMBRL, row: Row) -> list[float]:
    """True returns of a row under seeds that no search has seen."""
    return [problem.worth(row, 1_000 + i).true for i in range(FRESH)]


def deployed(problem: OfflineMBRL, row: Row) -> float:
    """True return of the very policy that a search saw, over episodes that it did not see."""
    rng = np.random.default_rng(problem.seed)
    with one_thread():
        return float(problem.task.returns(problem.policy(row), EPISODES, rng).mean())


def optimizer(make: Make, *, cheap: bool = False) -> Callable[[Case, int], dict[str, Any]]:
    """A search: what it saw, its best policy, and what the row that it chose is worth anew."""

    def run(case: Case, seed: int) -> dict[str, Any]:
        problem = case.problem(seed, cheap=cheap)
        study = bb.Study(problem, make(problem, seed))
        study.run(max_cost=case.evaluations, on_error="record")
        told = study.history
        row, best = _chosen(study), study.best
        assert best is not None
        best = {name: best[name] for name in problem.inputs}
        if cheap:
            row["updates"] = problem.recipe.training.updates
        return {
            "best": {name: _plain(value) for name, value in best.items()},
            "deployed": deployed(problem, best),
            "values": told["return"].tolist(),
            "costs": problem.costs(told).tolist(),
            "chosen": {name: _plain(value) for name, value in row.items()},
            "fresh": fresh(problem, row),
        }

    return run


def _chosen(study: bb.Study) -> Row:
    """The row of best posterior mean where there is a model, else the best one seen."""
    names = study.problem.space.names
    if isinstance(study.optimizer, bb.Bayes | bb.MultiFidelityBayes):
        return study.optimizer.recommend().select(names)[0]
    assert study.best is not None
    return {name: study.best[name] for name in names}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def default(case: Case, seed: int) -> dict[str, Any]:
    """The published row."""
    return {"fresh": fresh(case.problem(seed), published())}


def _begun(problem: bb.Problem, seed: int) -> dict[str, Any]:
    return {"init": bb.Random(problem, seed=seed), "n_init": BEGIN, "seed": seed}


ALGORITHMS = {
    "Bayes": Algorithm(optimizer(lambda p, s: bb.Bayes(p, **_begun(p, s))), ENGINE),
    "Bayes, region": Algorithm(
        optimizer(lambda p, s: bb.Bayes(p, trust_region=True, **_begun(p, s))), ENGINE
    ),
    "MultiFidelityBayes": Algorithm(
        optimizer(lambda p, s: bb.MultiFidelityBayes(p, seed=s), cheap=True),
        (*ENGINE, "blackbox/optimizers/multi_fidelity/*.py"),
    ),
    "TPE": Algorithm(
        optimizer(lambda p, s: bb.optuna.TPE(p, n_startup_trials=BEGIN, seed=s)), "optuna"
    ),
    "Random": Algorithm(optimizer(lambda p, s: bb.Random(p, seed=s)), "numpy"),
    "published": Algorithm(default, STUDY),
}


def work(case: Case, algorithm: Algorithm, seed: int) -> dict[str, Any]:
    """What a search found."""
    made: dict[str, Any] = algorithm.make(case, seed)
    return made


def curve(runs: list[dict[str, Any]], costs: list[int]) -> list[float]:
    """Median over runs of the best return seen at full length until each cost."""
    found = []
    for cost in costs:
        best = []
        for run in runs:
            spent = np.cumsum(run["costs"])
            own = (spent <= cost + 1e-9) & (np.array(run["costs"]) == max(run["costs"]))
            values = np.array(run["values"], dtype=float)[own]
            best.append(np.nanmax(values, initial=-np.inf))
        found.append(float(np.median(best)))
    return found


def table(results: Results) -> Path:
    """What each search found on each data set, and the curves."""
    return write_table(
        "orl_tuning",
        "Offline model-based reinforcement learning tuned in 20 evaluations",
        {
            "True return of the best policy found": _found(results, _policies),
            "True return of policies trained anew by the chosen row": _found(results, _anew),
            "Best return seen so far, median over seeds": _curves(results),
        },
        [
            "Pendulum, 200 steps: -150 is good, -1200 random, -1600 hanging still. Medium and "
            "expert: 2 000 transitions. Scarce: 400, drawn from replay.",
            "Each search trains a policy for every row and sees its return over 50 episodes. First "
            f"table: the policy of the best return seen, judged by {EPISODES} other episodes. "
            "Second: a row is chosen, by Bayes and MultiFidelityBayes by their posterior mean, by "
            f"the others as the best seen, and {FRESH} more policies are trained by it under other "
            "seeds; the table is about all of them. Published: the first policies of its row, "
            f"and all {FRESH}.",
            "Ahead: seeds whose (mean) return is above that of the published row, and of random "
            "search.",
            f"All begin with {BEGIN} random rows, Bayes and random search with the same, but "
            "MultiFidelityBayes with its own design; it may train a quarter or half as long and "
            "spends as much in all. Published: aleatoric penalty, weight 1, 5 steps, 7 models.",
            *results.notes(),
        ],
        seeds=results.seeds,
        libraries=("numpy", "torch", "optuna"),
        command="offline_rl tuning",
    )


def _policies(run: dict[str, Any]) -> list[float]:
    """The return of the policy that is deployed."""
    return [run["deployed"]] if "deployed" in run else run["fresh"][:1]


def _anew(run: dict[str, Any]) -> list[float]:
    """The returns of policies trained anew."""
    fresh: list[float] = run["fresh"]
    return fresh


def _found(results: Results, look: Callable[[dict[str, Any]], list[float]]) -> list[dict[str, Any]]:
    rows = []
    for case in results.cases:
        base = {
            name: {s: np.mean(look(run)) for s, run in results.by_seed(case, name).items()}
            for name in ("published", "Random")
        }
        for name in results.names:
            runs = results.by_seed(case, name)
            if not runs:
                continue
            values = np.concatenate([look(run) for run in runs.values()])
            low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
            row = {"data": case, "search": name, "seeds": len(runs), "median": f"{middle:.0f}"}
            row |= {"quartiles": f"{low:.0f} to {high:.0f}", "mean": f"{values.mean():.0f}"}
            for other, theirs in base.items():
                shared = runs.keys() & theirs.keys()
                ahead = sum(np.mean(look(runs[seed])) > theirs[seed] for seed in shared)
                row[f"ahead of {other}"] = None if name == other else f"{ahead} of {len(shared)}"
            rows.append(row)
    return rows


def _curves(results: Results) -> list[dict[str, Any]]:
    costs = [5, 8, 10, 12, 15, 20]
    rows = []
    for case in results.cases:
        for name in results.names:
            runs = results.runs(case, name)
            if not runs or name == "published":
                continue
            found = curve(runs, costs)
            cells = {f"after {k}": f"{value:.0f}" for k, value in zip(costs, found, strict=True)}
            rows.append({"data": case, "search": name, **cells})
    return rows


SUITE = Suite("tuning", CASES, ALGORITHMS, work, table, seeds=10)
