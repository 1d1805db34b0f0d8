"""What is to be solved: a space, named outcomes, and how to measure them."""

from blackbox.formulation.base import Floats, Problem, outcome, problem
from blackbox.formulation.outcomes import (
    Constraint,
    Fidelity,
    Maximize,
    Measure,
    Minimize,
    Objective,
)

__all__ = [
    "Constraint",
    "Fidelity",
    "Floats",
    "Maximize",
    "Measure",
    "Minimize",
    "Objective",
    "Problem",
    "outcome",
    "problem",
]
