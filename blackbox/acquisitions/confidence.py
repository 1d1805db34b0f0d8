"""Upper confidence bound."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from blackbox.acquisitions.base import Acquisition, AcquisitionFunction, Belief
from blackbox.acquisitions.feasibility import constrained
from blackbox.acquisitions.improvement import Pointwise, hallucinated, moments_of
from blackbox.arguments import check_number
from blackbox.batch import Array
from blackbox.surrogates.exact import ExactModel


@dataclass(frozen=True)
class UCB(Acquisition):
    """Mean plus ``sqrt(beta)`` deviations (Srinivas et al. 2010, eq. 6).

    A pending row is hallucinated: observed at its mean, it lowers the deviations around it and
    leaves the means where they are (Desautels, Krause and Burdick 2014, *Parallelizing
    Exploration-Exploitation Tradeoffs*, GP-BUCB). It is negative at times, so constraints do not
    multiply it: the log of the probability that they hold is added, see ``Feasibly``.

    Args:
        beta: at least 0; larger explores more.
    """

    beta: float = 4.0

    def __post_init__(self) -> None:
        check_number("UCB: beta", self.beta, 0.0)

    def build(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        return constrained(belief, lambda: self._unconstrained(belief))

    def _unconstrained(self, belief: Belief) -> AcquisitionFunction:
        model = belief.objectives[0]
        root = math.sqrt(self.beta)
        if isinstance(model, ExactModel):
            moments = moments_of(model, hallucinated(model, belief.pending))
        elif len(belief.pending):
            from blackbox.acquisitions.torch.improvement import upper_confidence_bound

            return upper_confidence_bound(belief, self.beta)
        else:
            moments = model.moments

        def bound(mean: Array, deviation: Array) -> tuple[Array, Array, Array]:
            value = mean[:, 0] + root * deviation
            return value, np.ones_like(mean), np.full_like(deviation, root)

        return Pointwise(moments, bound)
