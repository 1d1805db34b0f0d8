"""Nevergrad's NGOpt, which picks an algorithm by the dimension and the budget."""

from __future__ import annotations

from typing import Any

import nevergrad as ng
import numpy as np

from studies.benchmarks.bayes.workers.protocol import Peer, Point, serve


class NGOpt(Peer):
    """``NGOpt`` on an array between 0 and 1, which starts at the centre."""

    def __init__(self, **about: Any) -> None:
        super().__init__(**about)
        space = ng.p.Array(init=np.full(self.width, 0.5), lower=0.0, upper=1.0)
        space.random_state.seed(self.seed)
        np.random.seed(self.seed)  # noqa: NPY002 - parts of it use NumPy's global generator
        self._optimizer = ng.optimizers.NGOpt(space, budget=self.evaluations, num_workers=1)

    def propose(self) -> tuple[Point, Any]:
        candidate = self._optimizer.ask()
        return candidate.value.tolist(), candidate

    def learn(self, point: Point, handle: Any, values: list[float], slack: list[float]) -> None:
        if handle is None:
            handle = self._optimizer.parametrization.spawn_child(np.array(point))
        self._optimizer.tell(handle, values[0])


if __name__ == "__main__":
    serve(NGOpt)
