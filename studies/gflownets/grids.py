"""Several objectives on a grid: what is learnt, beside the Pareto front that enumeration gives."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

import blackbox as bb
from blackbox.batch import Batch
from blackbox.formulation import Floats
from blackbox.problems import HyperGridObjectives
from studies.gflownets.training import CONCENTRATION, law, order_preserving, preferring

OP, PC = "order-preserving", "preference-conditional"
SAMPLES, PREFERENCES = 1_280, 32

METHODS: Mapping[str, Any] = {OP: order_preserving, PC: preferring}


@cache
def known(names: tuple[str, ...], side: int = 32) -> HyperGridObjectives:
    """The problem, evaluated once."""
    return HyperGridObjectives(names, side)


def learnt(problem: HyperGridObjectives, method: str, steps: int, seed: int) -> dict[str, Any]:
    """Train, and compare the law and samples of it with the front.

    Returns:
        ``law`` (N,); ``mass`` of the law on the front, its L1 ``distance`` from the uniform law
        there and its ``entropy``; ``points`` of the front among samples, of ``front``; their
        ``igd``, ``gd`` and share of the front's hypervolume ``volume``; CPU seconds ``cpu``.
    """
    begun = time.process_time()
    trained = METHODS[method](problem, steps, seed)
    seconds = time.process_time() - begun
    probabilities, rows = _answers(trained, seed)
    where = problem.positions(rows)
    everything, best = problem.scores(problem.table), problem.scores(problem.front())
    front, scores = bb.metrics.is_nondominated(everything), everything[where]
    zero = problem.scores(problem.reference)[0]
    positive = probabilities[probabilities > 0]
    return {
        "law": probabilities.tolist(),
        "mass": bb.metrics.pareto_mass(probabilities, everything),
        "distance": bb.metrics.l1_distance(probabilities, front / front.sum()),
        "entropy": float(-(positive * np.log(positive)).sum()),
        "points": len(np.unique(where[front[where]])),
        "front": int(front.sum()),
        "igd": bb.metrics.igd_plus(scores, best),
        "gd": bb.metrics.gd_plus(scores, best),
        "volume": bb.metrics.hypervolume(scores, zero) / bb.metrics.hypervolume(best, zero),
        "cpu": round(seconds, 2),
    }


def _answers(trained: bb.OrderPreservingGFN | bb.PreferenceGFN, seed: int) -> tuple[Floats, Batch]:
    """The law and samples; over several preferences where the sampler takes them."""
    if isinstance(trained, bb.OrderPreservingGFN):
        return law(trained), trained.sample(SAMPLES)
    m = len(trained.problem.objectives)
    several = np.random.default_rng(seed).dirichlet(np.full(m, CONCENTRATION), PREFERENCES)
    each = [trained.sample(SAMPLES // PREFERENCES, preference=w) for w in several]
    return np.mean([law(trained, w) for w in several], axis=0), Batch.concat(each)
