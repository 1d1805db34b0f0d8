"""Multi-fidelity Bayesian optimization: the fidelity of every evaluation is chosen too."""

from blackbox.optimizers.multi_fidelity.mixtures import (
    carry_over,
    repetition_caps,
    share_limits,
)
from blackbox.optimizers.multi_fidelity.optimizer import MultiFidelityBayes
from blackbox.optimizers.multi_fidelity.region import NearShares

__all__ = [
    "MultiFidelityBayes",
    "NearShares",
    "carry_over",
    "repetition_caps",
    "share_limits",
]
