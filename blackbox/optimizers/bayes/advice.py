"""Proposals of another optimizer, which Bayes follows only as far as a rule says.

A language model, say, may know where good rows are likely, or may not. ``Justified`` and
``Transient`` are after LLINBO (Chang, Azvar, Okwudire and Al Kontar 2025, arXiv 2505.14756).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from blackbox.arguments import check_range
from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError
from blackbox.formulation import Problem
from blackbox.optimizer import Optimizer

if TYPE_CHECKING:
    from blackbox.acquisitions.base import AcquisitionFunction, Belief


@dataclass(frozen=True)
class Consultation:
    """What a rule decides by.

    Args:
        function: what Bayes takes a row to be worth.
        theirs: (k, d) features of the other's proposals, k >= 1.
        own: finds the row that Bayes would propose by itself, None where none is left.
        belief: what Bayes believes.
        inside: (k, d) rows to (k,) whether each lies in the trust region around the best row; none
            does while no row is feasible.
        trial: 1 for the first proposal after the initial design.
        rng: of Bayes.
    """

    function: AcquisitionFunction
    theirs: Array
    own: Callable[[], Array | None]
    belief: Belief
    inside: Callable[[Array], Array]
    trial: int
    rng: np.random.Generator

    def best(self, rows: Array) -> Array:
        """(d,) the one of (k, d) rows that is worth most to Bayes."""
        return np.asarray(rows[int(np.argmax(self.function.values(rows)))])


@dataclass(frozen=True)
class Advice(ABC):
    """A rule for the proposals of another optimizer.

    Args:
        optimizer: of the same problem; it is told every row.
    """

    optimizer: Optimizer

    @abstractmethod
    def choose(self, asked: Consultation) -> Array | None:
        """(d,) features of the row to propose; None where none is left."""

    def checked(self, problem: Problem, init: Optimizer | None) -> None:
        """Refuse advice that cannot be taken.

        Raises:
            ProblemError: the optimizer is for another problem, or is the one of the initial design.
        """
        if not isinstance(self.optimizer, Optimizer):
            raise ProblemError(f"Bayes: candidates={self.optimizer!r}; give an Optimizer")
        if self.optimizer.problem.spec() != problem.spec():
            raise ProblemError(
                f"Bayes: candidates={self.optimizer!r} is for another problem; build it for this "
                "one"
            )
        if self.optimizer is init:
            raise ProblemError(
                "Bayes: init and candidates are one optimizer, which would be told all twice; "
                "build two"
            )

    def proposals(self) -> Batch:
        """Rows that nobody promises to evaluate: they get no ids, and are never pending.

        Those of ``suggest()`` where the optimizer has it, since it may have nothing to say.
        """
        other = self.optimizer
        suggest = getattr(other, "suggest", None)
        rows = other._ask(other.batch_size) if suggest is None else suggest()
        environment = other.problem.environment
        if environment is None or not len(rows) or environment.names[0] in rows:
            return rows
        return rows.with_columns(**environment.draw(len(rows), other.rng).columns())


@dataclass(frozen=True)
class Justified(Advice):
    """Accepts a proposal that is worth almost as much to Bayes as its own.

    Args:
        optimizer: of the same problem.
        tolerance: how much less it may be worth, in the units of the acquisition (nats for the
            default ones) at first; it falls as one over the root of the number of proposals.

    Raises:
        ProblemError: the tolerance is no number.
    """

    tolerance: float = 1.0

    def __post_init__(self) -> None:
        check_range("Justified: tolerance", self.tolerance, -1e12, 1e12)

    def choose(self, asked: Consultation) -> Array | None:
        own = asked.own()
        if own is None:
            return None
        best = asked.best(asked.theirs)
        ours, value = asked.function.values(np.array([own, best]))
        return best if value >= ours - self.tolerance / math.sqrt(asked.trial) else own


@dataclass(frozen=True)
class Transient(Advice):
    """Accepts a proposal with a chance that falls, whatever it is worth.

    Args:
        optimizer: of the same problem.
        half_life: proposals after which the chance is a half.

    Raises:
        ProblemError: the half-life is not positive.
    """

    half_life: float = 5.0

    def __post_init__(self) -> None:
        check_range("Transient: half_life", self.half_life, 1e-6, 1e6)

    def choose(self, asked: Consultation) -> Array | None:
        chance = 0.5 ** ((asked.trial - 1) / self.half_life)
        return asked.best(asked.theirs) if asked.rng.random() < chance else asked.own()


@dataclass(frozen=True)
class InRegion(Advice):
    """Accepts the best proposal within the trust region around the best row.

    The region is that of ``Bayes(trust_region=True)``: it needs one objective, and shares,
    permutations and strings are free. While no row is feasible there is none, and no proposal is
    accepted.
    """

    def checked(self, problem: Problem, init: Optimizer | None) -> None:
        super().checked(problem, init)
        if len(problem.objectives) != 1:
            raise ProblemError(
                "Bayes: candidates=InRegion(...) needs one objective; give Justified(...)"
            )

    def choose(self, asked: Consultation) -> Array | None:
        kept = asked.theirs[asked.inside(asked.theirs)]
        return asked.best(kept) if len(kept) else asked.own()


@dataclass(frozen=True)
class Only(Advice):
    """Accepts the best proposal always: the other samples, and Bayes chooses."""

    def choose(self, asked: Consultation) -> Array | None:
        return asked.best(asked.theirs)


def as_advice(candidates: Any) -> Advice | None:
    """A rule from what Bayes was given as candidates; around an optimizer ``Justified``."""
    if candidates is None or isinstance(candidates, Advice):
        return candidates
    return Justified(candidates)
