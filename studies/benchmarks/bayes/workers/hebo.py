"""HEBO with its defaults: a warped process and an evolutionary search of three acquisitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from hebo.design_space.design_space import DesignSpace
from hebo.optimizers.hebo import HEBO

from studies.benchmarks.bayes.workers.protocol import Peer, Point, serve


class Heteroscedastic(Peer):
    """``hebo.optimizers.hebo.HEBO``."""

    def __init__(self, **about: Any) -> None:
        super().__init__(**about)
        np.random.seed(self.seed)  # noqa: NPY002 - it uses the global generators
        torch.manual_seed(self.seed)
        self._names = [f"x{i}" for i in range(self.width)]
        space = DesignSpace().parse(
            [{"name": name, "type": "num", "lb": 0.0, "ub": 1.0} for name in self._names]
        )
        self._hebo = HEBO(space, scramble_seed=self.seed)

    def propose(self) -> tuple[Point, Any]:
        row = self._hebo.suggest(n_suggestions=1)
        return [float(row[name].iloc[0]) for name in self._names], row

    def learn(self, point: Point, handle: Any, values: list[float], slack: list[float]) -> None:
        row = pd.DataFrame([point], columns=self._names) if handle is None else handle
        self._hebo.observe(row, np.array([values[:1]]))


if __name__ == "__main__":
    serve(Heteroscedastic)
