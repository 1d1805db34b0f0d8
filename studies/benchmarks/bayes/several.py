"""Several objectives: hypervolume after 100 evaluations."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

import blackbox as bb
from blackbox.batch import Array, Batch
from studies.benchmarks.bayes.peers import OURS
from studies.benchmarks.bayes.runner import Case, Results, Suite
from studies.benchmarks.bayes.tables import NOTES, medians, overview
from studies.benchmarks.common.report import write_table


class ZDT3(bb.Problem):
    """ZDT3 (Zitzler, Deb and Thiele 2000): a front of five pieces.

    Args:
        d: number of inputs.
    """

    objectives = (bb.Minimize("f1"), bb.Minimize("f2"))
    reference = Batch({"f1": [1.1], "f2": [1.1]})

    def __init__(self, d: int) -> None:
        self.space = bb.Space(bb.Real("x", 0, 1, size=d))

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """Both objectives of every row."""
        x = batch["x"]
        g = 1 + 9 * x[:, 1:].mean(axis=1)
        ratio = x[:, 0] / g
        shape = 1 - np.sqrt(ratio) - ratio * np.sin(10 * np.pi * x[:, 0])
        return {"f1": x[:, 0], "f2": g * shape}


class Truss(bb.Problem):
    """RE21 (Tanabe and Ishibuchi 2020): volume and displacement of a truss of four bars."""

    objectives = (bb.Minimize("volume"), bb.Minimize("displacement"))
    reference = Batch({"volume": [3000.0], "displacement": [0.045]})
    _force, _stress, _modulus, _length = 10.0, 10.0, 2e5, 200.0

    def __init__(self) -> None:
        a = self._force / self._stress
        low = (a, np.sqrt(2) * a, np.sqrt(2) * a, a)
        self.space = bb.Space(*(bb.Real(f"x{i}", x, 3 * a) for i, x in enumerate(low, start=1)))

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """Both objectives of every row."""
        x1, x2, x3, x4 = (batch[f"x{i}"] for i in range(1, 5))
        root = np.sqrt(2)
        bend = 2 / x1 + 2 * root / x2 - 2 * root / x3 + 2 / x4
        return {
            "volume": self._length * (2 * x1 + root * x2 + np.sqrt(x3) + x4),
            "displacement": self._force * self._length / self._modulus * bend,
        }


class FromBoTorch(bb.Problem):
    """A test problem of BoTorch, with its reference point.

    Args:
        name: a class of ``botorch.test_functions.multi_objective``.
    """

    def __init__(self, name: str) -> None:
        import torch

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from botorch.test_functions import multi_objective

            self._function = getattr(multi_objective, name)(dtype=torch.float64)
        self._name = name
        self.space = bb.Space(
            *(bb.Real(f"x{i}", low, high) for i, (low, high) in enumerate(self._function._bounds))
        )
        m = self._function.num_objectives
        self.objectives = tuple(bb.Minimize(f"f{i}") for i in range(m))
        limits = getattr(self._function, "num_constraints", 0)
        self.constraints = tuple(bb.Constraint(f"c{i}", upper=0) for i in range(limits))
        reference = self._function._ref_point  # of values to be minimized
        self.reference = Batch({f"f{i}": [float(r)] for i, r in enumerate(reference)})

    @property
    def name(self) -> str:
        return self._name

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """Objectives and constraints of every row; BoTorch's constraints are satisfied from 0."""
        import torch

        x = torch.tensor(np.column_stack([batch[p.name] for p in self.space]))
        columns = dict(zip(self._outcomes("f"), self._function(x).numpy().T, strict=False))
        if self.constraints:
            slack = -self._function.evaluate_slack(x).numpy()
            columns |= dict(zip(self._outcomes("c"), slack.T, strict=True))
        return columns

    def _outcomes(self, letter: str) -> list[str]:
        return [name for name in self.outcomes if name.startswith(letter)]


def _build(make: Callable[[], bb.Problem], seed: int) -> bb.Problem:
    return make()


BUILDS: dict[str, Callable[[], Any]] = {
    "ZDT1 6-D": lambda: bb.problems.ZDT1(6),
    "ZDT2 6-D": lambda: bb.problems.ZDT2(6),
    "ZDT3 6-D": lambda: ZDT3(6),
    "DTLZ2 2 objectives 6-D": lambda: bb.problems.DTLZ2(2, 6),
    "DTLZ2 4 objectives 6-D": lambda: bb.problems.DTLZ2(4, 6),
    "RE21 truss": Truss,
    "RE34 crash": lambda: FromBoTorch("VehicleSafety"),
    "RE41 side impact": lambda: FromBoTorch("CarSideImpact"),
    "BNH": bb.problems.BNH,
    "OSY": lambda: FromBoTorch("OSY"),
}


@cache
def _known(case: str) -> Any:
    return BUILDS[case]()


def digest(case: str, data: dict[str, Any]) -> dict[str, Any]:
    """Hypervolume of a run's feasible rows above the reference point."""
    problem = _known(case)
    signs = np.array([objective.sign for objective in problem.objectives])
    scores = signs * np.array(data["values"], dtype=np.float64)
    feasible = np.asarray(data.get("violation", np.zeros(len(scores)))) == 0
    reference = problem.scores(problem.reference)[0]
    return {"hypervolume": bb.metrics.hypervolume(scores[feasible], reference)}


def table(results: Results) -> Path:
    """Ranks, and the median hypervolume on every problem."""
    names = results.optimizers
    cases = [c for c in results.suite.cases if any(results.seeds(c, o) for o in names)]
    losses = {
        (c, o): {s: -run["hypervolume"] for s, run in results.seeds(c, o).items()}
        for c in cases
        for o in names
    }
    rows = medians(losses, cases, names)
    for row in rows:
        row.update({o: 0.0 - row[o] for o in names if row[o] is not None})  # no -0
    references = [
        f"{c} {[float(v[0]) for v in _known(c).reference.columns().values()]}" for c in cases
    ]
    return write_table(
        "bayes_several",
        "Several objectives: hypervolume after 100 evaluations",
        {"Over all problems": overview(losses, cases, names), "Median hypervolume": rows},
        [
            "Hypervolume of the feasible rows above the reference point; larger is better. "
            "One evaluation at a time.",
            "Reference points, declared by problems, used by Bayes: " + "; ".join(references) + ".",
            "BoTorch: ModelListGP with qLogNEHVI as in its tutorial, 2 (d + 1) Sobol points first, "
            "the same reference point. NSGA-II has a population of 20.",
            "RE: the suite of Tanabe and Ishibuchi (2020). RE34 and RE41 are BoTorch's "
            "VehicleSafety and CarSideImpact.",
            *NOTES,
            *results.notes(),
        ],
        seeds=results.ran,
        libraries=("numpy", "botorch", "optuna", "pymoo", "moocore"),
        command="bayes several",
    )


SUITE = Suite(
    "several",
    {name: Case(partial(_build, make)) for name, make in BUILDS.items()},
    (OURS, "BoTorch", "NSGA-II", "TPE", "GPSampler", "Ax"),
    table,
    digest,
)
