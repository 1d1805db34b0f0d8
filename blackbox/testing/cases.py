"""Small problems, one for each thing an optimizer may or may not support."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.formulation import (
    Constraint,
    Environment,
    Fidelity,
    Floats,
    Maximize,
    Measure,
    Minimize,
    Objective,
    Preference,
    Problem,
    missing,
)
from blackbox.space import (
    Categorical,
    Integer,
    LinearConstraint,
    Ordinal,
    Permutation,
    Real,
    Sequence,
    Simplex,
    Space,
)

_REALS = Space(Real("x", -5, 10), Real("y", 0, 1))
_MIXED = Space(
    Real("rate", 1e-5, 1, log=True),
    Integer("depth", 1, 8),
    Ordinal("width", [16, 32, 64]),
    Categorical("act", ["relu", "gelu", None]),
    Categorical("bias", [False, True]),
)
_FINITE = Space(Categorical("a", ["left", "right"]), Integer("b", 0, 1))
_POINT = Space(Real("x", 2, 2), Integer("k", 3, 3), Categorical("c", ["only"]))


class _Case(Problem):
    """A declaration with a name; its outcomes come from ``answer``, never from ``evaluate``."""

    def __init__(self, name: str, space: Space, *objectives: Objective) -> None:
        self._name = name
        self.space = space
        self.objectives = list(objectives)

    @property
    def name(self) -> str:
        return self._name

    def evaluate(self, p: dict[str, Any]) -> dict[str, Array]:
        """Never called: ``guarded`` puts a recorder in its place."""
        return {name: values[0] for name, values in missing(self, 1).items()}

    def with_(self, **attributes: Any) -> _Case:
        made = copy.copy(self)
        vars(made).update(attributes)
        return made


def problems() -> list[Problem]:
    """The problems of the suite, the plainest first."""
    f, g, h = Minimize("f"), Maximize("g"), Minimize("h")
    measures = [Measure("m1", -1, 1), Measure("m2", 0, 10)]
    scales = Space(Real("u", 1e-6, 1e3, log=True), Integer("v", 1, 1024, log=True))
    vectors = Space(Real("x", -1, 1, size=3), Integer("k", 0, 9, size=2))
    triangle = LinearConstraint({"x": 1.0, "y": 5.0}, upper=3.0)
    levels = Fidelity(Ordinal("steps", [10, 100, 1000]), target=1000)
    weather = Environment(Real("wind", 0, 10), Categorical("rain", [False, True]), scenarios=4)
    reals = _Case("reals", _REALS, f)
    return [
        reals,
        _Case("mixed", _MIXED, f),
        _Case("two_objectives", _REALS, f, g),
        _Case("three_objectives", vectors, f, g, h),
        _Case("log_scales", scales, g),
        _Case("vectors", vectors, f),
        _Case("simplex", Space(Simplex("mix", ["web", "code", "books"])), f),
        _Case("permutation", Space(Permutation("tour", 5)), f),
        _Case("sequence", Space(Sequence("dna", "ACGT", (2, 6))), g),
        _Case("finite", _FINITE, f),
        _Case("one_point", _POINT, f),
        _Case("known_noise", _REALS, Minimize("f", noise="f_sem")),
        _Case("noisy", _REALS, Minimize("f", noise=True)),
        reals.with_(_name="constrained", constraints=[Constraint("c", upper=1.0)]),
        _Case("linear", Space(*_REALS, constraints=[triangle]), f),
        reals.with_(_name="fidelity", fidelity=levels),
        reals.with_(_name="measures", measures=measures),
        _Case("measures_only", _REALS).with_(measures=measures),
        _Case("gradients", scales, Maximize("g", gradient="g_slope")),
        reals.with_(_name="environment", environment=weather),
        _Case("preference", _REALS, Preference("taste")).with_(evaluate=None),
    ]


def guarded(problem: Problem) -> tuple[Problem, list[str]]:
    """A copy of the problem that records instead of evaluating, and the record."""
    calls: list[str] = []
    made = copy.copy(problem)

    def record(what: Any) -> dict[str, Any]:
        calls.append("evaluate")
        whole = isinstance(what, Batch)
        zeros = {k: np.zeros_like(v) for k, v in missing(made, len(what) if whole else 1).items()}
        return zeros if whole else {name: values[0] for name, values in zeros.items()}

    whole = hasattr(problem, "evaluate_batch") or problem.preference
    name = "evaluate_batch" if whole else "evaluate"
    setattr(made, name, record)
    return made, calls


def mirrored(problem: Problem) -> Problem:
    """The same problem with every objective negated and its sense swapped."""
    made = copy.copy(problem)
    if not problem.preference:  # nobody prefers what is less preferred
        made.objectives = [
            (Maximize if o.sign < 0 else Minimize)(o.name, o.noise, o.gradient)
            for o in problem.objectives
        ]
    return made


def answer(problem: Problem, batch: Batch) -> dict[str, Array]:
    """Made-up outcomes of the asked rows: smooth functions of the unit cube, with gradients.

    Objectives are bowls with different centres, so they conflict; constraints are violated in
    part of the space; measures run over their range. Fidelity and environment add to the
    objectives.
    """
    cube = problem.space.encode(batch)
    outcomes: dict[str, Array] = {}
    slopes: dict[str, Floats] = {}  # (n, width) derivatives by the coordinates of the cube
    for j, objective in enumerate(problem.objectives):
        away = cube - 0.3 - 0.2 * j
        bowl, slope = (away**2).mean(axis=1), 2 * away / cube.shape[1]
        if problem.fidelity is not None:
            bowl += 0.1 * problem.fidelity.parameter.encode(batch[problem.fidelity.name])[:, 0]
        if problem.environment is not None:
            tilt = 0.1 * problem.environment.space.encode(batch).mean(axis=1)
            bowl += tilt * cube[:, 0]
            slope[:, 0] += tilt
        outcomes[objective.name] = -objective.sign * bowl
        slopes[objective.name] = -objective.sign * slope
        if objective.standard_error:
            outcomes[objective.standard_error] = np.full(len(batch), 0.01)
    for c in problem.constraints:
        bound = c.upper if math.isfinite(c.upper) else c.lower
        outcomes[c.name] = bound + cube[:, 0] - 0.5
        slopes[c.name] = np.zeros_like(cube)
        slopes[c.name][:, 0] = 1.0
    for j, m in enumerate(problem.measures):
        at = j % cube.shape[1]
        outcomes[m.name] = m.low + (m.high - m.low) * cube[:, at]
        slopes[m.name] = np.zeros_like(cube)
        slopes[m.name][:, at] = m.high - m.low
    for name, gradient in problem.gradients.items():
        outcomes[gradient] = _in_user_units(problem.space, batch, slopes[name])
    return outcomes


def _in_user_units(space: Space, batch: Batch, slopes: Floats) -> Floats:
    """(n, g) derivatives by the space's real coordinates, from (n, width) by those of the cube."""
    parts = [np.zeros((len(batch), 0))]
    for p in space:
        if isinstance(p, Real):
            span = p.scale()[1]
            values = batch[p.name].reshape(len(batch), p.width)
            inner = slopes[:, space.blocks[p.name]] / (span or np.nan)  # NaN: it cannot vary
            parts.append(inner / values if p.log else inner)
    return np.concatenate(parts, axis=1)
