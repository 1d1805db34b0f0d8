"""The best candidate of a problem whose outcomes depend on its environment."""

from __future__ import annotations

import numpy as np

from blackbox.batch import Batch, Row
from blackbox.formulation import Problem
from blackbox.study.tally import eligible


def best_design(problem: Problem, told: Batch) -> Row | None:
    """The candidate of least risk among those told in every scenario that has a weight.

    Rows of the same candidate and scenario are averaged. Rows under conditions that are not in
    the environment's table are left out.

    Args:
        problem: has an environment and one objective.
        told: rows with inputs, outcomes and ``ok``.

    Returns:
        The candidate's parameters (and fidelity), and the risk by the objective's name; None
        where there is no such candidate.
    """
    environment, objective = problem.environment, problem.objectives[0]
    assert environment is not None
    told = told[eligible(problem, told)]
    _, first, which = np.unique(
        problem.space.encode(told), axis=0, return_index=True, return_inverse=True
    )
    which = which.reshape(-1)  # NumPy 2.0 gives it another shape
    points = environment.space.encode(told)
    values = np.full((len(first), len(environment.table)), np.nan)
    for j, point in enumerate(environment.space.encode(environment.table)):
        here = (points == point).all(axis=1)
        count = np.bincount(which[here], minlength=len(first))
        total = np.bincount(which[here], told[objective.name][here], minlength=len(first))
        np.divide(total, count, where=count > 0, out=values[:, j])
    known = ~np.isnan(values[:, environment.weights > 0]).any(axis=1)
    if not known.any():
        return None
    risk = environment.risk_of(values, objective.sign)
    best = int(np.argmax(np.where(known, objective.sign * risk, -np.inf)))
    inputs = [name for name in problem.inputs if name not in environment.names]
    (row,) = problem.space.rows(told[first[best : best + 1]].select(inputs))
    return {**row, objective.name: float(risk[best])}
