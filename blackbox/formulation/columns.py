"""Columns of inputs and outcomes in the shape that a problem gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError

if TYPE_CHECKING:
    from blackbox.formulation.base import Problem


def outcome(problem: Problem, name: str, values: Any, n: int | None) -> Array:
    """An outcome as float64; None counts as NaN.

    Args:
        problem: declares it.
        name: name of the outcome.
        values: numbers, None where there are none.
        n: number of rows, None for a single evaluation.

    Returns:
        () where ``n`` is None, else (n,). A gradient is (g,) or (n, g), NaN where an entry is not
        finite; None stands for a gradient of which nothing is known, and where g is 1 the last
        axis may be left out.

    Raises:
        ProblemError: of another shape, or not numbers.
    """
    gradient = name in problem.gradients.values()
    shape = _shape(problem, gradient, n)
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise _refusal(problem, name, values, n) from None
    if gradient and values is None:
        array = np.full(shape, np.nan)
    if gradient and shape[-1] == 1 and array.shape == shape[:-1]:
        array = array.reshape(shape)
    if array.shape != shape:
        raise _refusal(problem, name, values, n)
    return np.where(np.isfinite(array), array, np.nan) if gradient else array


def missing(problem: Problem, n: int) -> dict[str, Array]:
    """Every outcome of n failed rows: NaN (n,), gradients (n, g)."""
    gradients = problem.gradients.values()
    return {
        name: np.full(_shape(problem, name in gradients, n), np.nan) for name in problem.outcomes
    }


def no_inputs(problem: Problem) -> Batch:
    """The inputs of no rows at all: every column, of length 0."""
    columns = problem.space.decode(np.zeros((0, problem.space.width))).columns()
    if problem.fidelity is not None:
        columns[problem.fidelity.name] = np.full(0, problem.fidelity.target)
    if problem.environment is not None:
        columns |= problem.environment.table[:0].columns()
    return Batch.of(columns, 0)


def _shape(problem: Problem, gradient: bool, n: int | None) -> tuple[int, ...]:
    rows = () if n is None else (n,)
    return (*rows, len(problem.space.real_labels)) if gradient else rows


def _refusal(problem: Problem, name: str, values: Any, n: int | None) -> ProblemError:
    if name not in problem.gradients.values():
        wanted = "one number" if n is None else f"{n} numbers"
        return ProblemError(f"{problem.name}: outcome {name!r} is {values!r}; give {wanted}")
    labels = problem.space.real_labels
    wanted = f"{len(labels)} numbers" if n is None else f"{n} rows of {len(labels)} numbers"
    return ProblemError(
        f"{problem.name}: gradient {name!r} is {values!r}; give {wanted}, the derivatives by "
        f"{', '.join(labels)}"
    )
