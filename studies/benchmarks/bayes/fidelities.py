"""Several fidelities: what is recommended for what it cost."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import blackbox as bb
from blackbox.batch import Array, Batch
from studies.benchmarks.bayes.peers import OURS, PEERS
from studies.benchmarks.bayes.runner import Case, Results, Suite
from studies.benchmarks.bayes.tables import NOTES, medians, overview
from studies.benchmarks.common.environments import borrow
from studies.benchmarks.common.report import write_table

BASELINE = "MultiFidelityBayes"
#: Costs at which a recommendation is asked for, in evaluations of the true function.
COSTS = (5, 10, 15, 20)
CHEAP = 0.1


Function = Callable[[Array], Array]


class TwoLevels(bb.Problem):
    """A function to be minimized, and a cheaper one like it.

    Args:
        name: of the problem.
        bounds: (low, high) of each input.
        versions: of (n, d) inputs, the cheap one first.
        optimum: the true one's least value.
    """

    objectives = (bb.Minimize("f"),)
    fidelity = bb.Fidelity(bb.Ordinal("level", [0, 1]), target=1)

    def __init__(
        self,
        name: str,
        bounds: Iterable[tuple[float, float]],
        versions: tuple[Function, Function],
        optimum: float,
    ) -> None:
        self._name, self._versions, self.optimum = name, versions, optimum
        self.space = bb.Space(*(bb.Real(f"x{i}", *pair) for i, pair in enumerate(bounds)))

    @property
    def name(self) -> str:
        return self._name

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The value of every row at its level."""
        levels = batch["level"]
        return {"f": np.choose(levels, [self.values(batch, level) for level in (0, 1)])}

    def cost(self, batch: Batch) -> Array:
        """Of every row, in evaluations of the true function."""
        return np.where(batch["level"] == 1, 1.0, CHEAP)

    def values(self, batch: Batch, level: int) -> Array:
        """(n,) values of designs at a level."""
        x = np.column_stack([batch[name] for name in self.space.names])
        return np.ravel(self._versions[level](x))


def _published(
    name: str, optimum: float, *, sign: int = 1, likeness: float | None = None
) -> TwoLevels:
    """A function of mf2, which lives in an environment of its own.

    Args:
        name: of the function in mf2.
        optimum: its least value, or the greatest where it is to be maximized.
        sign: -1 for a function to be maximized.
        likeness: where the cheap one can be adjusted, its parameter.
    """
    borrow("mf2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it reads its version in an old way
        import mf2

    made = getattr(mf2, name) if likeness is None else getattr(mf2.adjustable, name)(likeness)
    bounds = zip(made.l_bound.tolist(), made.u_bound.tolist(), strict=True)
    versions = (lambda x: sign * made.low(x)), (lambda x: sign * made.high(x))
    return TwoLevels(name, bounds, versions, sign * optimum)


def measure(case: Case, optimizer: str, seed: int) -> dict[str, Any]:
    """One run: regrets of what is recommended when no more than each cost has been spent.

    With the rows bought, cheap and true, and CPU seconds.
    """
    problem = case.build(seed)
    assert isinstance(problem, TwoLevels)
    method = PEERS[optimizer].make(problem, seed)
    left, spent, told = [*COSTS], 0.0, Batch({})
    regrets: list[float] = []
    begun = time.process_time()
    while left:
        row = method.ask(1)
        price = float(problem.costs(row)[0]) if len(row) else np.inf
        while left and spent + price > left[0] + 1e-9:
            found = _recommended(method, told)
            regrets.append(max(float(problem.values(found, 1)[0]) - problem.optimum, 0.0))
            left.pop(0)
        if left:
            row = row.with_columns(**problem.measure(row))
            method.tell(row)
            told = Batch.concat([told, row]) if len(told) else row
            spent += price
    true = int(told["level"].sum())
    cpu = round(time.process_time() - begun, 2)
    return {"regrets": regrets, "bought": [len(told) - true, true], "cpu": [cpu]}


def _recommended(method: Any, told: Batch) -> Batch:
    """What an optimizer recommends; of one that does not the best row told."""
    if hasattr(method, "recommend"):
        found: Batch = method.recommend()
        return found[:1]
    return told[[int(np.argmin(told["f"]))]]


def digest(case: str, run: dict[str, Any]) -> dict[str, Any]:
    """The whole run, which is short."""
    return run


def table(results: Results) -> Path:
    """Ranks and median regrets at each cost, and what was bought."""
    names = results.optimizers
    cases = [c for c in BUILDS if any(results.seeds(c, o) for o in names)]
    runs = {(c, o): results.seeds(c, o) for c in cases for o in names}
    tables: dict[str, list[dict[str, Any]]] = {}
    for place, cost in enumerate(COSTS):
        found = {
            key: {s: run["regrets"][place] for s, run in seeds.items()}
            for key, seeds in runs.items()
        }
        if cost in (COSTS[1], COSTS[-1]):
            tables[f"Over all problems, for {cost} evaluations"] = overview(
                found, cases, names, BASELINE
            )
        tables[f"Median regret for {cost} evaluations"] = medians(found, cases, names)
    tables["Rows bought, cheap and true, and CPU seconds of a run"] = [
        {"problem": c} | {o: _bought(runs[c, o]) if runs[c, o] else None for o in names}
        for c in cases
    ]
    return write_table(
        "bayes_fidelities",
        "Several fidelities: regret for what it cost",
        tables,
        [
            "Functions of mf2 (van Rijn and Schmitt 2020, JOSS 5 (52)), each with a cheap version, "
            f"whose rows are taken to cost {CHEAP:g} evaluations of the true one. In brackets the "
            "correlation of both over the box. Currin, Park and borehole are maximized.",
            "Regret: true value of the recommended row minus the least possible, when no more than "
            "so much has been spent. Bayes, TPE and Random evaluate the true function alone; the "
            "last two recommend the best row seen.",
            "BoTorch MES is SingleTaskMultiFidelityGP with qMultiFidelityMaxValueEntropy per cost, "
            "as in ADMIRE-BayesOpt, after 2 (d + 1) Sobol points at levels drawn at random; it "
            "recommends the greatest posterior mean.",
            NOTES[0],
            NOTES[1].replace(f"than {OURS}", f"than {BASELINE}"),
            *results.notes(),
        ],
        seeds=results.ran,
        libraries=("numpy", "scipy", "botorch", "optuna"),
        command="bayes fidelities",
    )


def _bought(seeds: dict[int, dict[str, Any]]) -> str:
    cheap, true = np.median([run["bought"] for run in seeds.values()], axis=0)
    seconds = float(np.median([sum(run["cpu"]) for run in seeds.values()]))
    return f"{cheap:g} / {true:g}, {seconds:.1f} s"


#: In brackets the correlation of both versions over the box.
BUILDS: dict[str, Callable[[], TwoLevels]] = {
    "Forrester 1 (.73)": partial(_published, "forrester", -6.02074005576708),
    "Currin 2 (1.00)": partial(_published, "currin", 13.7987220447284, sign=-1),
    "Himmelblau 2 (.76)": partial(_published, "himmelblau", 0.0),
    "six-hump camel 2 (.74)": partial(_published, "six_hump_camelback", -1.03162845348988),
    "Branin 2 (.19)": partial(_published, "branin", -333.916034352279),
    "adjusted Branin 2 (.09)": partial(_published, "branin", 0.397887357729738, likeness=0.5),
    "adjusted Hartmann 3 (.51)": partial(_published, "hartmann3", -3.86277978733266, likeness=0.75),
    "Park 4 (.99)": partial(_published, "park91a", 25.5892541586065, sign=-1),
    "Hartmann 6 (.92)": partial(_published, "hartmann6", -3.04245773784305),
    "borehole 8 (1.00)": partial(_published, "borehole", 309.575587660406, sign=-1),
    "adjusted Trid 10 (.95)": partial(_published, "trid", -210.0, likeness=0.75),
}


def _build(make: Callable[[], bb.Problem], seed: int) -> bb.Problem:
    return make()


SUITE = Suite(
    "fidelities",
    {name: Case(partial(_build, make)) for name, make in BUILDS.items()},
    (BASELINE, OURS, "BoTorch MES", "TPE", "Random"),
    table,
    digest,
    work=measure,
)
