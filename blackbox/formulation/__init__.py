"""What is to be solved: a space, named outcomes, and how to measure them."""

from blackbox.formulation.base import Floats, Problem, need_problem, problem
from blackbox.formulation.columns import missing, no_inputs, outcome
from blackbox.formulation.environment import Environment
from blackbox.formulation.outcomes import (
    Constraint,
    Fidelity,
    Maximize,
    Measure,
    Minimize,
    Objective,
    Preference,
)

__all__ = [
    "Constraint",
    "Environment",
    "Fidelity",
    "Floats",
    "Maximize",
    "Measure",
    "Minimize",
    "Objective",
    "Preference",
    "Problem",
    "missing",
    "need_problem",
    "no_inputs",
    "outcome",
    "problem",
]
