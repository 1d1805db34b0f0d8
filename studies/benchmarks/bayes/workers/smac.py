"""SMAC3's facade for hyperparameters: a random forest and expected improvement, its default."""

from __future__ import annotations

import logging
import tempfile
from typing import Any

import numpy as np
from ConfigSpace import Configuration, ConfigurationSpace, Float
from smac import HyperparameterOptimizationFacade, Scenario
from smac.runhistory import TrialInfo, TrialValue

from studies.benchmarks.bayes.workers.protocol import Peer, Point, serve


class SMAC(Peer):
    """``HyperparameterOptimizationFacade`` for a deterministic function.

    A quarter of the evaluations at most goes to its initial design.
    """

    def __init__(self, **about: Any) -> None:
        super().__init__(**about)
        self._space = ConfigurationSpace(seed=self.seed)
        self._names = [f"x{i:03d}" for i in range(self.width)]  # it sorts them
        self._space.add([Float(name, (0.0, 1.0)) for name in self._names])
        self._folder = tempfile.TemporaryDirectory()
        scenario = Scenario(
            self._space,
            output_directory=self._folder.name,
            deterministic=True,
            n_trials=self.evaluations,
            seed=self.seed,
        )
        self._smac = HyperparameterOptimizationFacade(
            scenario, _never, logging_level=logging.ERROR, overwrite=True
        )

    def propose(self) -> tuple[Point, Any]:
        info = self._smac.ask()
        return [float(info.config[name]) for name in self._names], info

    def learn(self, point: Point, handle: Any, values: list[float], slack: list[float]) -> None:
        if handle is None:
            params = dict(zip(self._names, np.clip(point, 0, 1).tolist(), strict=True))
            handle = TrialInfo(Configuration(self._space, values=params), seed=0)
        self._smac.tell(handle, TrialValue(cost=values[0]), save=False)


def _never(config: Configuration, seed: int = 0) -> float:
    raise NotImplementedError("outcomes are told")


if __name__ == "__main__":
    serve(SMAC)
