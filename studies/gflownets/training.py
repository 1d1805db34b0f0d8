"""On-policy training at the papers' settings.

``blackbox``'s optimizers replay what they were told, for evaluations are dear. On the papers'
grids they are free, so each gradient step is taken on new samples, as the papers do it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import blackbox as bb
from blackbox.formulation import Floats
from blackbox.optimizers.gflownets import Policy
from blackbox.problems.exhaustive import Exhaustive

#: The hypergrids of Chen and Mauch (2023), as in their public code.
POLICY = Policy(hidden=(64, 64, 64), lr=1e-2, lr_z=1e-2, epsilon=0.01)
BATCH, BETA, CONCENTRATION = 128, 16.0, 1.5


def order_preserving(problem: Exhaustive, steps: int, seed: int) -> bb.OrderPreservingGFN:
    """OP-GFN with trajectory balance on a grid; the label is the Pareto front of each batch."""
    made = bb.OrderPreservingGFN(
        problem, labels="front", construction="grid", policy=POLICY, seed=seed
    )
    made.train(steps, n=BATCH)
    return made


def preferring(problem: Exhaustive, steps: int, seed: int) -> bb.PreferenceGFN:
    """MOGFN-PC on a grid: the weighted sum to the power of 16."""
    made = bb.PreferenceGFN(
        problem,
        beta=BETA,
        concentration=CONCENTRATION,
        construction="grid",
        policy=POLICY,
        seed=seed,
    )
    made.train(steps, n=BATCH)
    return made


def law(
    trained: bb.OrderPreservingGFN | bb.PreferenceGFN, preference: npt.ArrayLike | None = None
) -> Floats:
    """(N,) probabilities of the rows of the problem's table."""
    table = trained.problem.table  # type: ignore[attr-defined]
    if isinstance(trained, bb.PreferenceGFN):
        return np.exp(trained.log_prob(table, preference=preference))
    return np.exp(trained.log_prob(table))


def wanted(problem: Exhaustive, preference: npt.ArrayLike) -> Floats:
    """(N,) the law that a preference (m,) asks for."""
    sums = np.clip(problem.scores(problem.table), 0, 1) @ np.asarray(preference)
    reward = np.maximum(sums, 1e-8) ** BETA
    return np.asarray(reward / reward.sum())
