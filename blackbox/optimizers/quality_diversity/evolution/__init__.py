"""Evolution strategies on the unit cube: normal distributions that learn from rankings alone."""

from blackbox.optimizers.quality_diversity.evolution.base import Strategy
from blackbox.optimizers.quality_diversity.evolution.covariance import Covariance
from blackbox.optimizers.quality_diversity.evolution.full import FullCMA
from blackbox.optimizers.quality_diversity.evolution.low_memory import LowMemoryMA
from blackbox.optimizers.quality_diversity.evolution.separable import SeparableCMA

__all__ = ["Covariance", "FullCMA", "LowMemoryMA", "SeparableCMA", "Strategy"]
