"""What an acquisition is: a recipe that turns what is believed into a function of a candidate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from blackbox.arguments import is_finite
from blackbox.batch import Array
from blackbox.errors import ProblemError, UnsupportedError
from blackbox.formulation import Environment, Problem
from blackbox.surrogates.exact import ExactModel
from blackbox.surrogates.features import Features
from blackbox.surrogates.model import Model


class AcquisitionFunction(Protocol):
    """What a candidate is worth; larger is better."""

    def values(self, points: Array) -> Array:
        """(n,) values at (n, d) features, never NaN."""

    def values_and_gradients(self, points: Array) -> tuple[Array, Array]:
        """(n,) values and (n, d) gradients at (n, d) features."""


@runtime_checkable
class Widening(Protocol):
    """An acquisition function that can be had with more uncertainty than there is."""

    def widened(self, by: float) -> AcquisitionFunction:
        """The same where every standardised outcome has ``by`` squared more variance."""


def checked_numbers(name: str, values: object) -> tuple[float, ...]:
    """One finite number for each objective, of a list or an array.

    Raises:
        ProblemError: it holds something else.
    """
    listed = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(listed, list | tuple) or not all(map(is_finite, listed)):
        raise ProblemError(f"{name}={values!r}; give a finite number for each objective")
    return tuple(map(float, listed))


def need_sized(name: str, values: tuple[float, ...], m: int) -> None:
    """Refuse what is not one number for each of m objectives.

    Raises:
        ProblemError: so it is.
    """
    if len(values) != m:
        raise ProblemError(f"{name}={values} must be one number for each of {m} objectives")


@dataclass(frozen=True)
class Limit:
    """A modelled outcome that must lie between two bounds.

    Args:
        model: of the outcome.
        lower: smallest feasible value, in the user's units.
        upper: largest feasible value.
    """

    model: Model
    lower: float
    upper: float


@dataclass(frozen=True)
class Scenarios:
    """What a design may meet, in the features of the joint space of designs and environment.

    Args:
        environment: the s scenarios, their weights and the risk.
        columns: (e,) which columns of the features are the environment's.
        table: (s, e) features of the scenarios in these columns.
    """

    environment: Environment
    columns: npt.NDArray[np.intp]
    table: Array

    def crossed(self, points: Array) -> Array:
        """(m * s, d) each design of (m, d) rows under every scenario in turn."""
        rows: Array = np.repeat(points, len(self.table), axis=0)
        rows[:, self.columns] = np.tile(self.table, (len(points), 1))
        return rows

    def risk(self, values: Array) -> Array:
        """(...) risk of scores (..., s) under the scenarios; larger is better."""
        return self.environment.risk_of(values, 1.0)


@dataclass(frozen=True)
class Belief:
    """What is believed about a problem after everything told.

    Args:
        features: the coordinates of rows.
        objectives: one model of each objective's score.
        limits: modelled constraints, and the success of an evaluation where some have failed.
        x: (n, d) features of the rows that succeeded, n >= 1.
        scores: (n, m) their scores, larger is better.
        feasible: (n,) whether they satisfy every constraint.
        pending: (k, d) features of rows whose outcome is awaited.
        device: where PyTorch computes what it computes.
        scenarios: of a problem with an environment, whose rows are of the joint space; else None.
    """

    features: Features
    objectives: tuple[Model, ...]
    limits: tuple[Limit, ...]
    x: Array
    scores: Array
    feasible: Array
    pending: Array
    device: str = "cpu"
    scenarios: Scenarios | None = None

    @property
    def exact(self) -> bool:
        """Whether the objectives' models are all of the fast engine."""
        return all(isinstance(model, ExactModel) for model in self.objectives)

    @property
    def sharp(self) -> bool:
        """Whether the worth of a row is a product, of which any factor may fall to nothing.

        So it is under constraints and for several objectives: where their models are nearly
        certain, it is a narrow ridge.
        """
        return bool(self.limits) or len(self.objectives) > 1

    def awaiting(self, row: Array) -> Belief:
        """The same with one more (d,) row pending."""
        return replace(self, pending=np.concatenate([self.pending, row[None]]))


class Acquisition(ABC):
    """A recipe: how to value candidates. A frozen dataclass, so that two equal ones are one.

    Attributes:
        objectives: fewest and most objectives of the problems that it is for.
        environment: whether it is for problems with an environment.
        exact: whether it computes with the fast engine's process, so that this is the default
            surrogate on a GPU too.
    """

    objectives: ClassVar[tuple[int, float]] = (1, 1)
    environment: ClassVar[bool] = False
    exact: ClassVar[bool] = False

    def checked(self, problem: Problem) -> None:
        """Refuse a problem of which it would see a part only.

        Raises:
            UnsupportedError: of so many objectives, or with or without an environment.
        """
        name, (fewest, most) = type(self).__name__, self.objectives
        if not fewest <= len(problem.objectives) <= most:
            raise UnsupportedError(
                f"{name} cannot take {len(problem.objectives)} objectives; take an acquisition for "
                f"{'several, such as EHVI()' if most == 1 else 'one, such as EI()'}"
            )
        if problem.environment is not None and not self.environment:
            raise UnsupportedError(f"{name} knows no environment; take RiskKG()")
        if problem.environment is None and self.environment:
            raise UnsupportedError(f"{name} needs a problem with an environment; declare one")

    @abstractmethod
    def build(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        """The function of a candidate that the next row maximises.

        Args:
            belief: what is known.
            rng: for samples; the function itself is deterministic.

        Raises:
            SingularError: a covariance cannot be factorised.
        """


def need_acquisition(owner: str, acquisition: object, problem: Problem) -> None:
    """Refuse what is no acquisition for a problem.

    Raises:
        ProblemError: it is none.
        UnsupportedError: it would see a part of the problem only.
    """
    if not isinstance(acquisition, Acquisition):
        raise ProblemError(
            f"{owner}: acquisition={acquisition!r}; give one of blackbox.acquisitions, as EI()"
        )
    acquisition.checked(problem)
