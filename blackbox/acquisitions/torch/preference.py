"""Expected utility of the best option, for learning from comparisons."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from blackbox.acquisitions.base import Acquisition, AcquisitionFunction, Belief
from blackbox.acquisitions.feasibility import constrained
from blackbox.acquisitions.torch.autograd import Autograd, drawn_seed, sampler, tensor
from blackbox.surrogates.isolation import isolated

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    from botorch.acquisition.preference import qExpectedUtilityOfBestOption

_SAMPLES = 512


@dataclass(frozen=True)
class EUBO(Acquisition):
    """Expected utility of the better of two rows that will be compared.

    Lin et al. (2022), *Preference Exploration for Efficient Bayesian Optimization with Multiple
    Outcomes*, eq. 3; Astudillo et al. (2023), *qEUBO*. A pair is chosen one row after the other.
    The first meets the incumbent, the row of greatest expected utility so far; the second meets the
    first, which is pending by then, and all others that are: the utility is that of the best of
    them. Utilities have no zero, so the log of the probability that constraints hold is added, see
    ``Feasibly``.
    """

    def build(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        return constrained(belief, lambda: self._unconstrained(belief, rng))

    def _unconstrained(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        model, others, seed = belief.objectives[0], belief.pending, drawn_seed(rng)
        if not len(others):
            known = belief.x[belief.feasible]
            others = known[[int(np.argmax(model.moments(known).mean[:, 0]))]]
        with isolated(seed, belief.device):
            function = qExpectedUtilityOfBestOption(
                model.botorch(belief.device),
                sampler=sampler(_SAMPLES, seed),
                X_pending=tensor(others, belief.device),
            )
        return Autograd(function, belief.device)
