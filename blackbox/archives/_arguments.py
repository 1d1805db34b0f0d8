"""What arguments of archives, and of optimizers that fill them, are checked by."""

from __future__ import annotations

from numbers import Integral, Real

from blackbox.errors import ProblemError
from blackbox.formulation import Problem


def is_number(value: object) -> bool:
    """Whether it is a real number, and no bool."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_whole(value: object, least: int) -> bool:
    """Whether it is a whole number of at least ``least``, and no bool."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def need_problem(problem: object) -> None:
    """Refuse what is no problem.

    Raises:
        ProblemError: it is none.
    """
    if not isinstance(problem, Problem):
        raise ProblemError(f"problem is {problem!r}; give a Problem")


def need_seed(owner: str, seed: object) -> None:
    """Refuse what seeds no generator.

    Raises:
        ProblemError: it is no int of at least 0.
    """
    if not is_whole(seed, 0):
        raise ProblemError(f"{owner}: seed={seed!r} must be an int of at least 0")
