"""Bayesian optimization: what it learns, how it begins, and the optimizer itself."""

from blackbox.optimizers.bayes.optimizer import Bayes

__all__ = ["Bayes"]
