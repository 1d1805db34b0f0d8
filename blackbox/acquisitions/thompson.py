"""Thompson sampling: maximise a function drawn from what is believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from blackbox.acquisitions.base import Acquisition, AcquisitionFunction, Belief
from blackbox.acquisitions.feasibility import constrained
from blackbox.acquisitions.paths import Path, draw_paths
from blackbox.arguments import check_count


@dataclass(frozen=True)
class Thompson(Acquisition):
    """One posterior sample path; each row of a batch maximises a path of its own.

    Its randomness is what spreads a batch (Kandasamy et al. 2018, *Parallelised Bayesian
    Optimisation via Thompson Sampling*), so pending rows do not enter. The log of the probability
    that constraints hold is added, see ``Feasibly``.

    Args:
        features: random features of the prior.
    """

    exact: ClassVar[bool] = True

    features: int = 1024

    def __post_init__(self) -> None:
        check_count("Thompson: features", self.features, 1)

    def build(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        return constrained(
            belief,
            lambda: Path(draw_paths(belief.objectives[0], 1, rng, belief.device, self.features), 0),
        )
