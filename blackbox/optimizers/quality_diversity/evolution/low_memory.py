"""Matrix adaptation with a few direction vectors in place of a matrix."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from blackbox.formulation import Floats
from blackbox.optimizers.quality_diversity._draws import standard_normal
from blackbox.optimizers.quality_diversity.evolution.base import (
    NARROWEST,
    Strategy,
    rates,
)
from blackbox.state import State


class LowMemoryMA(Strategy):
    """LM-MA-ES (Loshchilov, Glasmachers & Beyer 2019, IEEE TEVC 23).

    A standard normal vector is stretched along m evolution paths one after the other, each of
    which remembers four times as long as the one before it. Time O(k m n), memory O(m n), with
    m = 4 + floor(3 ln n).
    """

    def __init__(self, mean: Floats, sigma: float) -> None:
        super().__init__(mean, sigma)
        n = len(self.mean)
        self.paths = np.zeros((4 + int(3 * math.log(n)), n))

    def ask(self, k: int, rng: np.random.Generator, *, compiled: bool = False) -> Floats:
        points = standard_normal(k, len(self.mean), rng, compiled=compiled)
        for share, path in self._factors():
            points = (1 - share) * points + np.outer(share * (points @ path), path)
        return self.mean + self.sigma * points

    def tell(self, ranked: Floats) -> None:
        n, k = len(self.mean), len(ranked)
        r = rates(n, k)
        move = (r.weights @ ranked[: len(r.weights)] - self.mean) / self.sigma
        white = self._white(move)
        self.mean = self.mean + self.sigma * move
        fresh = np.minimum(k / (n * 4.0 ** np.arange(len(self.paths))), 1.0)[:, None]
        self.paths = (1 - fresh) * self.paths + np.sqrt(fresh * (2 - fresh) * r.mass) * white
        # The step size follows a short path, by its square.
        rate = min(1.0, 2 * k / n)
        gain = math.sqrt(rate * (2 - rate) * r.mass)
        self.step_path = (1 - rate) * self.step_path + gain * white
        square = float(self.step_path @ self.step_path) / n
        self.sigma *= math.exp(min(1.0, rate / 2 * (square - 1)))
        self.generation += 1

    def _white(self, move: Floats) -> Floats:
        """The standard normal vector that ``ask`` stretches to this move."""
        for share, path in reversed(self._factors()):
            # Sherman and Morrison's inverse of (1 - c) I + c p p'.
            along = share * float(move @ path) / (1 - share + share * float(path @ path))
            move = (move - along * path) / (1 - share)
        return move

    def _factors(self) -> list[tuple[float, Floats]]:
        """Share and path of each stretch; a path counts once it has been updated often enough."""
        n, known = len(self.mean), self.paths[: self.generation]
        return [(1 / (max(n, 2) * 1.5**j), path) for j, path in enumerate(known)]

    @property
    def degenerate(self) -> bool:
        return self.sigma < NARROWEST

    def state(self) -> State:
        return {**super().state(), "paths": self.paths.copy()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self.paths = np.array(state["paths"])
