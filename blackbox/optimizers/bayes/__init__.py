"""Bayesian optimization: what it learns, how it begins, and the optimizer itself."""

from blackbox.optimizers.bayes.advice import Constrained, Justified, Only, Transient
from blackbox.optimizers.bayes.optimizer import Bayes

__all__ = ["Bayes", "Constrained", "Justified", "Only", "Transient"]
