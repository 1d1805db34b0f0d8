"""Multi-fidelity Bayesian optimization: the fidelity of every evaluation is chosen too."""

from blackbox.optimizers.multi_fidelity.optimizer import MultiFidelityBayes
from blackbox.optimizers.multi_fidelity.region import NearShares

__all__ = ["MultiFidelityBayes", "NearShares"]
