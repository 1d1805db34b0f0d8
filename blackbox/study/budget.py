"""How long a study runs: evaluations, cost and wall time, whichever comes first."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blackbox.arguments import is_number, is_whole
from blackbox.errors import ProblemError


@dataclass(frozen=True)
class Budget:
    """Totals over the whole life of a study, so that the same line resumes it.

    Args:
        evaluations: rows evaluated, failed ones included.
        max_cost: sum of the problem's costs; never exceeded.
        max_seconds: seconds spent running; no evaluation starts after them.

    Raises:
        ProblemError: no budget at all, or one that is not a positive number.
    """

    evaluations: int | None
    max_cost: float | None
    max_seconds: float | None

    def __post_init__(self) -> None:
        given = {
            "evaluations": self.evaluations,
            "max_cost": self.max_cost,
            "max_seconds": self.max_seconds,
        }
        if all(value is None for value in given.values()):
            raise ProblemError("give a budget: evaluations, max_cost or max_seconds")
        for name, value in given.items():
            check_positive(name, value, whole=name == "evaluations")

    def rows(self, started: int) -> float:
        """Evaluations left after ``started`` of them; ``inf`` where they are not limited."""
        return math.inf if self.evaluations is None else max(self.evaluations - started, 0)

    def affordable(self, costs: npt.NDArray[np.float64], spent: float) -> int:
        """How many of the next rows fit into the cost left, in order."""
        if self.max_cost is None:
            return len(costs)
        # Sums of equal costs may miss the budget by rounding; that is no reason to stop early.
        limit = self.max_cost * (1 + 1e-12) - spent
        return int(np.searchsorted(np.cumsum(costs), limit, side="right"))

    def timely(self, seconds: float) -> bool:
        """Whether another evaluation may start."""
        return self.max_seconds is None or seconds < self.max_seconds


def check_positive(name: str, value: object, *, whole: bool = False) -> None:
    """Refuse what is neither a positive number, or int, nor None.

    Raises:
        ProblemError: so it is.
    """
    fits = is_whole(value, 1) if whole else is_number(value) and value > 0
    if value is not None and not fits:
        what = "a positive int" if whole else "a positive number"
        raise ProblemError(f"{name}={value!r} must be {what} or None")
