"""What is measured: objectives, constraints, measures; and the fidelity at which."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from blackbox.errors import ProblemError
from blackbox.space import Parameter


@dataclass(frozen=True)
class Objective:
    """A named outcome to minimize or maximize; made as ``Minimize`` or ``Maximize``.

    Args:
        name: name of the outcome.
        noise: name of a further outcome that holds this one's known standard error.
    """

    name: str
    noise: str | None = None

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


@dataclass(frozen=True)
class Constraint:
    """A measured outcome that must lie between two bounds.

    Args:
        name: name of the outcome.
        lower: smallest feasible value.
        upper: largest feasible value.
    """

    name: str
    lower: float = -math.inf
    upper: float = math.inf


@dataclass(frozen=True)
class Measure:
    """A measured outcome by which elites differ, with the range that is of interest.

    Args:
        name: name of the outcome.
        low: smallest value of interest.
        high: largest value of interest.
    """

    name: str
    low: float
    high: float


@dataclass(frozen=True)
class Fidelity:
    """An input outside the space that makes an evaluation cheaper and less true.

    Args:
        parameter: what may be chosen, for instance ``Ordinal("params", [1e6, 6e7, 1e9])``.
        target: the value at which the problem is to be solved.
    """

    parameter: Parameter
    target: Any

    @property
    def name(self) -> str:
        """Name of the fidelity's column."""
        return self.parameter.name
