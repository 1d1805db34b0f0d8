"""Vizier's Gaussian-process bandit with its defaults."""

from __future__ import annotations

import logging
from typing import Any

import jax
from vizier import algorithms
from vizier import pyvizier as vz
from vizier._src.algorithms.designers import gp_bandit

from studies.benchmarks.bayes.workers.protocol import Peer, Point, serve

logging.disable(logging.WARNING)


class Vizier(Peer):
    """``VizierGPBandit``, the designer of arXiv 2408.11527."""

    def __init__(self, **about: Any) -> None:
        super().__init__(**about)
        self._names = [f"x{i:03d}" for i in range(self.width)]
        problem = vz.ProblemStatement()
        for name in self._names:
            problem.search_space.root.add_float_param(name, 0.0, 1.0)
        problem.metric_information.append(
            vz.MetricInformation("f", goal=vz.ObjectiveMetricGoal.MINIMIZE)
        )
        self._designer = gp_bandit.VizierGPBandit(problem, rng=jax.random.PRNGKey(self.seed))
        self._told = 0

    def propose(self) -> tuple[Point, Any]:
        (suggestion,) = self._designer.suggest(1)
        params = suggestion.parameters
        return [float(params[name].value) for name in self._names], suggestion

    def learn(self, point: Point, handle: Any, values: list[float], slack: list[float]) -> None:
        params = dict(zip(self._names, point, strict=True))
        suggestion = vz.TrialSuggestion(params) if handle is None else handle
        self._told += 1
        trial = suggestion.to_trial(self._told)
        trial.complete(vz.Measurement(metrics={"f": values[0]}))
        self._designer.update(algorithms.CompletedTrials([trial]), algorithms.ActiveTrials())


if __name__ == "__main__":
    serve(Vizier)
