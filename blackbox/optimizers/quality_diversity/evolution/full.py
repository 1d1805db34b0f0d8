"""CMA-ES with a full covariance matrix."""

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
from blackbox.optimizers.quality_diversity.evolution.covariance import Covariance
from blackbox.state import State


class FullCMA(Strategy):
    """The textbook's CMA-ES (Hansen 2016, *The CMA evolution strategy: a tutorial*, 1604.00772).

    With negative weights, and steps, paths and rates as there.

    Args:
        mean: (n,) where it starts.
        sigma: first standard deviation along every coordinate; the geometric mean of those along
            the axes where the covariance is given.
        covariance: one that several strategies learn together, whose state is then not this
            one's; by default its own, at first the unit matrix.
    """

    def __init__(self, mean: Floats, sigma: float, covariance: Covariance | None = None) -> None:
        self._owns = covariance is None
        self.covariance = Covariance(len(mean)) if covariance is None else covariance
        super().__init__(mean, sigma)
        self.path = np.zeros(len(self.mean))
        self._log_scale = self.covariance.log_scale

    def _rescale(self) -> None:
        """Keep the distribution as it is where the covariance was scaled."""
        shift = self.covariance.log_scale - self._log_scale
        if shift:
            self.sigma *= math.exp(shift)
            self.path = self.path / math.exp(shift)
            self._log_scale = self.covariance.log_scale

    def ask(self, k: int, rng: np.random.Generator, *, compiled: bool = False) -> Floats:
        self._rescale()
        normal = standard_normal(k, len(self.mean), rng, compiled=compiled)
        points = self.covariance.stretch(normal, self.sigma)
        points += self.mean
        return points

    def tell(self, ranked: Floats) -> None:
        self._rescale()
        r = rates(len(self.mean), len(ranked))
        steps, sigma = ranked - self.mean, self.sigma
        move = r.weights @ steps[: len(r.weights)]
        self.mean = self.mean + move
        worse = steps[len(r.weights) :]
        white = self.covariance.whiten(np.concatenate([worse, move[None]]), sigma)
        lengths = np.einsum("ij,ij->i", white[:-1], white[:-1])
        steady = self._control_step(white[-1], r)
        gain = math.sqrt(r.path * (2 - r.path) * r.mass) if steady else 0.0
        self.path = (1 - r.path) * self.path + (gain / sigma) * move
        self.covariance.learn(steps, lengths, self.path, steady, r, sigma)
        self._rescale()

    @property
    def degenerate(self) -> bool:
        least, most = self.covariance.narrowest, self.covariance.widest
        return most**2 >= CONDITION * least**2 or self.sigma * most < NARROWEST

    def state(self) -> State:
        own = {"covariance": self.covariance.state()} if self._owns else {}
        return {**super().state(), "path": self.path.copy(), "log_scale": self._log_scale, **own}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self.path, self._log_scale = np.array(state["path"]), float(state["log_scale"])
        if self._owns:
            self.covariance.load_state(state["covariance"])
