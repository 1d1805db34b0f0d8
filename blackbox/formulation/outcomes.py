"""What is measured: objectives, constraints, measures; and the fidelity at which."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from blackbox.batch import as_column
from blackbox.errors import BatchError, ProblemError, SpaceError
from blackbox.space import Parameter


@dataclass(frozen=True)
class Objective:
    """A named outcome to minimize or maximize; made as ``Minimize`` or ``Maximize``.

    Args:
        name: name of the outcome.
        noise: name of a further outcome that holds this one's known standard error; True where
            values are noisy, it is not known by how much.
        gradient: name of a further outcome (n, g) that holds this one's derivative by each of
            ``space.real_labels``, in the user's units; NaN where it is not known.
    """

    name: str
    noise: str | Literal[True] | None = None
    gradient: str | None = None

    @property
    def standard_error(self) -> str | None:
        """Name of the outcome that holds it, None where it is not known."""
        return self.noise if isinstance(self.noise, str) else None

    @property
    def sign(self) -> float:
        """+1 where larger is better, -1 where smaller is."""
        raise ProblemError(f"objective {self.name!r}: use Minimize or Maximize")


class Minimize(Objective):
    """An outcome of which less is better."""

    @property
    def sign(self) -> float:
        return -1.0


class Maximize(Objective):
    """An outcome of which more is better."""

    @property
    def sign(self) -> float:
        return 1.0


class Preference(Objective):
    """What nobody can put into numbers: only the rows told together can be put into order.

    Its values have a meaning only beside the other rows of the same ``tell``: of two of them the
    row with the larger value is preferred, and equal values say nothing. It is a problem's only
    objective; the problem defines ``evaluate_batch``, or its rows are told by hand.

    Args:
        name: name of the outcome.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)

    @property
    def sign(self) -> float:
        return 1.0


@dataclass(frozen=True)
class Constraint:
    """A measured outcome that must lie between two bounds.

    Args:
        name: name of the outcome.
        lower: smallest feasible value.
        upper: largest feasible value.
        gradient: name of a further outcome that holds the derivative, as for an objective.
    """

    name: str
    lower: float = -math.inf
    upper: float = math.inf
    gradient: str | None = None


@dataclass(frozen=True)
class Measure:
    """A measured outcome by which elites differ, with the range that is of interest.

    Args:
        name: name of the outcome.
        low: smallest value of interest.
        high: largest value of interest.
        gradient: name of a further outcome that holds the derivative, as for an objective.
    """

    name: str
    low: float
    high: float
    gradient: str | None = None


@dataclass(frozen=True)
class Fidelity:
    """An input outside the space that makes an evaluation cheaper and less true.

    Args:
        parameter: what may be chosen, for instance ``Ordinal("params", [1e6, 6e7, 1e9])``.
        target: the value at which the problem is to be solved.
    """

    parameter: Parameter
    target: Any

    def __post_init__(self) -> None:
        try:
            checked = self.parameter.check(as_column(self.name, [self.target]))
        except (SpaceError, BatchError, AttributeError):
            return  # said where the problem is checked, with what else is wrong there
        if self.parameter.size is None:  # in the column's own type: 5, not 5.0
            object.__setattr__(self, "target", checked.tolist()[0])

    @property
    def name(self) -> str:
        """Name of the fidelity's column."""
        return self.parameter.name
