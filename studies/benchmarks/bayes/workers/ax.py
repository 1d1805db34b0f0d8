"""Ax with everything it chooses by itself."""

from __future__ import annotations

import logging
from typing import Any

from ax.api.client import Client
from ax.api.configs import RangeParameterConfig

from studies.benchmarks.bayes.workers.protocol import Peer, Point, serve

logging.disable(logging.WARNING)


class Ax(Peer):
    """``ax.api.client.Client``: its default generation strategy."""

    def __init__(self, **about: Any) -> None:
        super().__init__(**about)
        self._names = [f"x{i}" for i in range(self.width)]
        self._outcomes = [f"f{i}" for i in range(self.objectives)]
        self._limits = [f"c{i}" for i in range(self.constraints)]
        self._client = Client(random_seed=self.seed)
        self._client.configure_experiment(
            parameters=[
                RangeParameterConfig(name=name, parameter_type="float", bounds=(0.0, 1.0))
                for name in self._names
            ]
        )
        self._client.configure_optimization(
            objective=", ".join(f"-{name}" for name in self._outcomes),
            outcome_constraints=[f"{name} <= 0" for name in self._limits] or None,
        )

    def propose(self) -> tuple[Point, Any]:
        ((index, params),) = self._client.get_next_trials(max_trials=1).items()
        return [float(params[name]) for name in self._names], index

    def learn(self, point: Point, handle: Any, values: list[float], slack: list[float]) -> None:
        if handle is None:
            handle = self._client.attach_trial(dict(zip(self._names, point, strict=True)))
        names = self._outcomes + self._limits
        self._client.complete_trial(handle, dict(zip(names, values + slack, strict=True)))


if __name__ == "__main__":
    serve(Ax)
