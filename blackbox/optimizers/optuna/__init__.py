"""Optuna's samplers behind the common loop (Akiba et al. 2019, KDD).

They propose one row at a time, take results in any order and know about rows that are pending.
"""

from blackbox.optimizers.optuna.samplers import CMAES, GP, NSGA2, TPE, Random

__all__ = ["CMAES", "GP", "NSGA2", "TPE", "Random"]
