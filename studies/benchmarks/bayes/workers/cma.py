"""CMA-ES as ``cma`` runs it, from the centre of the box with sigma 0.3 of its width."""

from __future__ import annotations

from typing import Any

import cma
import numpy as np

from studies.benchmarks.bayes.workers.protocol import Peer, Point, serve


class CMA(Peer):
    """``cma.CMAEvolutionStrategy`` with its defaults; it starts anew once it has converged."""

    def __init__(self, **about: Any) -> None:
        super().__init__(**about)
        self._rng = np.random.default_rng(self.seed)
        self._restart([0.5] * self.width)

    def _restart(self, mean: Point) -> None:
        seed = int(self._rng.integers(1, 2**31))
        options = {"bounds": [0, 1], "seed": seed, "verbose": -9}
        self._strategy = cma.CMAEvolutionStrategy(mean, 0.3, options)
        self._generation: list[Any] = []
        self._told: dict[int, float] = {}
        self._next = 0

    def propose(self) -> tuple[Point, Any]:
        if self._next == len(self._generation):
            if self._strategy.stop():
                self._restart(self._rng.random(self.width).tolist())
            self._generation, self._told, self._next = self._strategy.ask(), {}, 0
        place = self._next
        self._next += 1
        return np.clip(self._generation[place], 0, 1).tolist(), place

    def learn(self, point: Point, handle: Any, values: list[float], slack: list[float]) -> None:
        if handle is None:
            return  # an update weighs points that the distribution drew
        self._told[handle] = values[0]
        if len(self._told) == len(self._generation):
            ranked = [self._told[i] for i in range(len(self._generation))]
            self._strategy.tell(self._generation, ranked)


if __name__ == "__main__":
    serve(CMA)
