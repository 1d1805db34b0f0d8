"""Mixed and constrained problems, and tables of measured reactions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import blackbox as bb
from studies.benchmarks.bayes import choices, data, designs
from studies.benchmarks.bayes.ellipsoids import Ellipsoid
from studies.benchmarks.bayes.peers import OURS
from studies.benchmarks.bayes.runner import Case, Results, Suite
from studies.benchmarks.bayes.tables import NOTES, medians, overview
from studies.benchmarks.common.report import write_table

REACTION_EVALUATIONS = 50
#: Of ten numbers and more, where Bayes begins with a descent.
MANY: dict[str, dict[str, Any]] = {
    "20 whole": {"reals": 0, "whole": 20},
    "15 reals 5 whole": {"reals": 15, "whole": 5, "names": 1},
    "10 reals 8 names": {"reals": 10, "names": 8},
    "15 reals limited": {"reals": 15, "limited": True},
}


def digest(problem: str, run: dict[str, Any]) -> dict[str, Any]:
    """Best feasible outcome of a run, in the user's units; None where there is none."""
    sign = SUITE.cases[problem].build(0).objectives[0].sign
    scores = sign * np.ravel(run["values"])
    feasible = np.asarray(run.get("violation", np.zeros(len(scores)))) == 0
    scores = scores[feasible & np.isfinite(scores)]
    return {"best": float(sign * scores.max()) if len(scores) else None}


def table(results: Results) -> Path:
    """Ranks, the median of the best feasible outcome, and how many seeds found one."""
    names = results.optimizers
    cases = [c for c in results.suite.cases if any(results.seeds(c, o) for o in names)]
    outcomes = {
        (c, o): {s: run["best"] for s, run in results.seeds(c, o).items()}
        for c in cases
        for o in names
    }
    signs = {c: results.suite.cases[c].build(0).objectives[0].sign for c in cases}
    losses = {
        (c, o): {s: float("inf") if v is None else -signs[c] * v for s, v in found.items()}
        for (c, o), found in outcomes.items()
    }
    rows = medians(losses, cases, names)
    for row in rows:
        sign = signs[row["problem"]]
        row.update({o: -sign * row[o] for o in names if row[o] is not None})
        row["problem"] += " (max)" if sign > 0 else " (min)"
    feasible = [
        {"problem": c, **{o: _share(outcomes[c, o]) for o in names}}
        for c in cases
        if results.suite.cases[c].build(0).constraints
    ]
    return write_table(
        "bayes_mixed",
        "Mixed and constrained problems",
        {
            "Over all problems": overview(losses, cases, names),
            "Median of the best feasible outcome": rows,
            "Seeds with a feasible outcome": feasible,
        },
        [
            "100 evaluations; 50 on the reaction tables. A seed without a feasible row counts as "
            "infinitely bad.",
            "Pressure vessel, speed reducer: integers with four and seven parameters. Welded beam: "
            "two integers, two reals, material and kind of weld.",
            "Mixed Ackley: 5 categories of 5 names and 5 reals. Mixed Rosenbrock: 3 categories of "
            "7 names and 3 reals. Pest control: 25 categories of 5. Network: HPOLib's table on "
            "protein structure, 6 ordinals and 3 categories.",
            "Reactions: laboratory screens of 648 to 4608 conditions, the mean of replicates; "
            "conditions that were not run fail.",
            "Reals, whole numbers and names, ten numbers and more: turned ellipsoids of condition "
            "10^4, each seed an instance of its own. A name moves the optimum and adds to the "
            "value; limits cut the optimum off.",
            "Bayes from Sobol is Bayes with the initial design that it takes for fewer numbers.",
            "GA is NSGA-II with one objective; GA and DE have populations of 20.",
            *NOTES,
            *results.notes(),
        ],
        seeds=results.ran,
        libraries=("numpy", "optuna", "pymoo"),
        command="bayes mixed",
    )


def _share(found: dict[int, float | None]) -> str | None:
    """Seeds that found a feasible row; None where none ran."""
    if not found:
        return None
    return f"{sum(v is not None for v in found.values())} of {len(found)}"


def _build(make: Callable[[], bb.Problem], seed: int) -> bb.Problem:
    return make()


def cases() -> dict[str, Case]:
    """Every problem; the published tables only where they are at hand."""
    builds: dict[str, Callable[[], bb.Problem]] = {
        "pressure vessel": designs.PressureVessel,
        "welded beam": designs.WeldedBeam,
        "speed reducer": designs.SpeedReducer,
        "mixed Ackley": choices.MixedAckley,
        "mixed Rosenbrock": choices.MixedRosenbrock,
        "pest control": choices.PestControl,
    }
    published = data.available()
    if published:
        builds["network"] = choices.Network
    made = {name: Case(partial(_build, make)) for name, make in builds.items()}
    made |= {name: Case(partial(Ellipsoid, **shape)) for name, shape in MANY.items()}
    for name in choices.REACTIONS if published else ():
        make = partial(choices.Reaction, name)
        made[name] = Case(partial(_build, make), evaluations=REACTION_EVALUATIONS)
    return made


SUITE = Suite(
    "mixed",
    cases(),
    (OURS, "Bayes from Sobol", "Random", "TPE", "GPSampler", "GA", "DE"),
    table,
    digest,
    only={"Bayes from Sobol": tuple(MANY)},
)
