"""Bayesian optimization: what it learns, how it begins, and the optimizer itself."""

from blackbox.optimizers.bayes.advice import InRegion, Justified, Only, Transient
from blackbox.optimizers.bayes.optimizer import Bayes

__all__ = ["Bayes", "InRegion", "Justified", "Only", "Transient"]
