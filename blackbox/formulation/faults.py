"""Everything that can be wrong with the declaration of a problem."""

from __future__ import annotations

import math
from typing import Any

from blackbox.arguments import is_bound, is_finite
from blackbox.batch import Batch, as_column
from blackbox.errors import BatchError, SpaceError
from blackbox.formulation.environment import Environment
from blackbox.formulation.outcomes import (
    Constraint,
    Fidelity,
    Maximize,
    Measure,
    Minimize,
    Preference,
)
from blackbox.space import Parameter, Space
from blackbox.space.parameter import RESERVED

_NARROWEST = 1e-290  # range of a measure that can be divided into cells


def faults(problem: Any) -> list[str]:
    """Everything wrong with a problem, one line each; its attributes may be of any type."""
    space = getattr(problem, "space", None)
    if not isinstance(space, Space):
        return [f"space is {space!r}; set it to a Space"]
    kinds = {
        "objectives": Minimize | Maximize | Preference,
        "constraints": Constraint,
        "measures": Measure,
    }
    wrong: list[str] = []
    for field, kind in kinds.items():
        values = getattr(problem, field, None)
        if not isinstance(values, list | tuple) or not all(isinstance(v, kind) for v in values):
            names = getattr(kind, "__name__", "Minimize and Maximize")
            wrong.append(f"{field} is {values!r}; set it to a list of {names}")
    if not isinstance(problem.about, str):
        wrong.append(f"about is {problem.about!r}; set it to a text")
    fidelity = problem.fidelity
    known = isinstance(fidelity, Fidelity) and isinstance(fidelity.parameter, Parameter)
    if fidelity is not None and not known:
        wrong.append(f"fidelity is {fidelity!r}; set it to Fidelity(parameter, target=...)")
    environment = problem.environment
    if environment is not None and not isinstance(environment, Environment):
        wrong.append(f"environment is {environment!r}; set it to Environment(*parameters)")
    if wrong:
        return wrong
    if not problem.objectives and not problem.measures:
        wrong.append("objectives are empty; give at least one Minimize or Maximize")
    return [
        *wrong,
        *_name_faults(problem),
        *_range_faults(problem),
        *_gradient_faults(problem),
        *_fidelity_faults(problem),
        *_environment_faults(problem),
        *_preference_faults(problem),
        *_reference_faults(problem),
        *_method_faults(problem),
    ]


def _name_faults(problem: Any) -> list[str]:
    wrong = []
    # The elements of vectors too, which are columns of their own in a table.
    labels = problem.space.labels
    if problem.environment is not None:
        labels = labels | problem.environment.space.labels
    elements = [f"{name}[{part}]" for name, parts in labels.items() for part in parts]
    names = [*problem.inputs, *problem.outcomes, *elements]
    for name in sorted({str(n) for n in names if names.count(n) > 1}):
        wrong.append(f"name {name!r} is used {names.count(name)} times; rename all but one")
    for o in problem.objectives:
        if not (o.noise is None or o.noise is True or isinstance(o.noise, str)):
            wrong.append(
                f"objective {o.name!r} has noise={o.noise!r}; leave noise out, or give True or the "
                "name of an outcome"
            )
    for name in problem.outcomes:
        if not isinstance(name, str) or not name or name in RESERVED:
            wrong.append(f"outcome name {name!r} must be a non-empty string, not one of {RESERVED}")
    return wrong


def _range_faults(problem: Any) -> list[str]:
    wrong = []
    for c in problem.constraints:
        if (
            not (is_bound(c.lower) and is_bound(c.upper))
            or not c.lower <= c.upper
            or (math.isinf(c.lower) and math.isinf(c.upper))
        ):
            wrong.append(
                f"constraint {c.name!r} has lower={c.lower!r}, upper={c.upper!r}; "
                "give at least one bound, lower not above upper"
            )
    for m in problem.measures:
        finite = is_finite(m.low) and is_finite(m.high)
        if not finite or not _NARROWEST <= m.high - m.low < math.inf:
            wrong.append(
                f"measure {m.name!r} has low={m.low!r}, high={m.high!r}; give low < high, finite "
                f"and at least {_NARROWEST} apart"
            )
    return wrong


def _fidelity_faults(problem: Any) -> list[str]:
    fidelity = problem.fidelity
    if fidelity is None:
        return []
    if fidelity.parameter.size is not None:
        return [f"fidelity {fidelity.name!r} is a vector; give a scalar parameter"]
    try:
        fidelity.parameter.check(as_column(fidelity.name, [fidelity.target]))
    except (SpaceError, BatchError) as error:
        return [f"fidelity {fidelity.name!r}: target {fidelity.target!r} is outside: {error}"]
    return []


def _gradient_faults(problem: Any) -> list[str]:
    measured = [*problem.objectives, *problem.constraints, *problem.measures]
    names = [o.gradient for o in measured if o.gradient is not None]
    if not names or problem.space.real_labels:
        return []
    return [f"gradients {names}, but the space has no Real parameter to derive by; declare none"]


def _environment_faults(problem: Any) -> list[str]:
    if problem.environment is None:
        return []
    wrong = []
    if len(problem.objectives) != 1 or problem.preference:
        kinds = [f"{type(o).__name__}({o.name!r})" for o in problem.objectives]
        wrong.append(f"an environment and objectives {kinds}; give one Minimize or Maximize")
    for field in ("constraints", "measures"):
        names = [outcome.name for outcome in getattr(problem, field)]
        if names:
            wrong.append(
                f"an environment and {field} {names}: their risk is not defined; fold them into "
                "the objective, or declare no environment"
            )
    return wrong


def _reference_faults(problem: Any) -> list[str]:
    reference, names = problem.reference, [o.name for o in problem.objectives]
    if reference is None:
        return []
    if isinstance(reference, Batch) and len(reference) == 1:
        values = [reference[name].tolist()[0] for name in names if name in reference]
        if len(values) == len(names) and all(map(is_finite, values)):
            return []
    return [f"reference is {reference!r}; give a Batch of one row with finite {names}, or None"]


def _preference_faults(problem: Any) -> list[str]:
    if not problem.preference:
        return []
    wrong = []
    if len(problem.objectives) > 1:
        names = [o.name for o in problem.objectives]
        wrong.append(f"objectives {names} with a Preference; declare it as the only one")
    if callable(getattr(problem, "evaluate", None)):
        wrong.append(
            "evaluate sees one row, and a Preference orders several; define evaluate_batch, or "
            "none and tell by hand"
        )
    return wrong


def _method_faults(problem: Any) -> list[str]:
    cost = getattr(problem, "cost", None)
    wrong = [] if cost is None or callable(cost) else [f"cost is {cost!r}; define cost(batch)"]
    defined = [
        name for name in ("evaluate", "evaluate_batch") if callable(getattr(problem, name, None))
    ]
    if len(defined) == 1 or (problem.preference and not defined):
        return wrong
    found = " and ".join(defined) or "neither evaluate nor evaluate_batch"
    return [*wrong, f"{found} defined; define one"]
