"""CMA-ES with a diagonal covariance matrix."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from blackbox.formulation import Floats
from blackbox.optimizers.quality_diversity._draws import standard_normal
from blackbox.optimizers.quality_diversity.evolution.base import (
    CONDITION,
    NARROWEST,
    Strategy,
    rates,
)
from blackbox.state import State


class SeparableCMA(Strategy):
    """Separable CMA-ES (Ros & Hansen 2008, *A simple modification in CMA-ES*, PPSN X).

    It learns the variance of every coordinate and no correlations, (n + 2) / 3 times as fast as
    they could be learnt with them. Time and memory O(k n).
    """

    def __init__(self, mean: Floats, sigma: float) -> None:
        super().__init__(mean, sigma)
        self.path = np.zeros(len(self.mean))
        self.variance = np.ones(len(self.mean))

    def ask(self, k: int, rng: np.random.Generator, *, compiled: bool = False) -> Floats:
        points = standard_normal(k, len(self.mean), rng, compiled=compiled)
        points *= self.sigma * np.sqrt(self.variance)
        points += self.mean
        return points

    def tell(self, ranked: Floats) -> None:
        n = len(self.mean)
        r = rates(n, len(ranked), (n + 2) / 3)
        y = (ranked[: len(r.weights)] - self.mean) / self.sigma
        move = r.weights @ y
        self.mean = self.mean + self.sigma * move
        steady = self._control_step(move / np.sqrt(self.variance), r)
        gain = math.sqrt(r.path * (2 - r.path) * r.mass) if steady else 0.0
        self.path = (1 - r.path) * self.path + gain * move
        lost = 0.0 if steady else r.one * r.path * (2 - r.path)
        self.variance = (
            (1 + lost - r.one - r.many) * self.variance
            + r.one * self.path**2
            + r.many * (r.weights @ y**2)
        )

    @property
    def degenerate(self) -> bool:
        least, most = float(self.variance.min()), float(self.variance.max())
        return most >= CONDITION * least or self.sigma * math.sqrt(most) < NARROWEST

    def state(self) -> State:
        return {**super().state(), "path": self.path.copy(), "variance": self.variance.copy()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self.path, self.variance = np.array(state["path"]), np.array(state["variance"])
