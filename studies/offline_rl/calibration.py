"""Does a penalty know where the model is wrong?

For every transition of a set: the true error, and each penalty. Where they were measured matters as
much as by what: on data of the kind the model was trained on, on data of another quality, and where
a policy goes inside the model (there the true outcome comes from the task itself, set to the
model's state).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from studies.offline_rl.correlation import CORRELATIONS
from studies.offline_rl.ensemble import Ensemble
from studies.offline_rl.imagine import World
from studies.offline_rl.networks import Floats32
from studies.offline_rl.penalties import PENALTIES, Predicted
from studies.offline_rl.sac import Policy
from studies.offline_rl.tasks import Task
from studies.offline_rl.transitions import Transitions

LEVELS = (0.5, 0.8, 0.9, 0.95)  # of the central intervals whose coverage is looked at


@dataclass(frozen=True)
class Judged:
    """Errors and penalties on n transitions.

    Args:
        error: (n,) distance of the ensemble's mean from the truth, in standard deviations.
        penalties: name to (n,).
        covered: level of a central interval of the mixture's variance to the share of the true
            outputs within it.
        step: (n,) step of the rollout that a transition belongs to; 0 for data.
    """

    error: Floats32
    penalties: dict[str, Floats32]
    covered: dict[float, float]
    step: npt.NDArray[np.int64]

    def correlation(self, penalty: str, kind: str) -> float:
        """Of a penalty with the error: "spearman" or "pearson"."""
        return CORRELATIONS[kind](self.penalties[penalty], self.error)

    def average_precision(self, penalty: str, quantile: float) -> float:
        """Of finding the errors above their quantile by the penalty, best first."""
        bad = self.error > np.quantile(self.error, quantile)
        hits = bad[np.argsort(-self.penalties[penalty], kind="stable")]
        if not hits.any():
            return 0.0
        precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        return float(precision[hits].mean())


def judge(model: Ensemble, data: Transitions, rng: np.random.Generator, step: int = 0) -> Judged:
    """A model on transitions whose outcomes are true.

    Args:
        model: the ensemble.
        data: transitions of the task.
        rng: draws the outcomes whose likelihoods are compared, one member's for each transition.
        step: of the rollout they belong to.
    """
    means, stds = model.predict(data.observations, data.actions)
    n = len(data)
    member = rng.integers(len(model), size=n)
    noise = rng.standard_normal((n, means.shape[-1]), dtype=np.float32)
    rows = np.arange(n)
    drawn = Predicted(means, stds, means[member, rows] + stds[member, rows] * noise)
    truth = model.standardised(data)
    gap = truth - means.mean(axis=0)
    spread = np.sqrt((stds**2).mean(axis=0) + means.var(axis=0))
    return Judged(
        error=np.sqrt((gap**2).sum(axis=1)),
        penalties={name: penalty(drawn) for name, penalty in PENALTIES.items()},
        covered={p: float((np.abs(gap) <= _half_width(p) * spread).mean()) for p in LEVELS},
        step=np.full(n, step),
    )


def joined(parts: list[Judged]) -> Judged:
    """Several judgements as one; coverage weighted by transitions."""
    weights = np.array([len(part.error) for part in parts], dtype=float)
    weights /= weights.sum()
    return Judged(
        np.concatenate([part.error for part in parts]),
        {name: np.concatenate([part.penalties[name] for part in parts]) for name in PENALTIES},
        {p: float(sum(w * q.covered[p] for w, q in zip(weights, parts, strict=True)))
         for p in LEVELS},
        np.concatenate([part.step for part in parts]),
    )  # fmt: skip


def imagined(
    task: Task, model: Ensemble, data: Transitions, policy: Policy, steps: int, n: int,
    rng: np.random.Generator,
) -> Iterator[Transitions]:  # fmt: skip
    """What a policy does in the model, step by step, with the true outcomes of each step.

    Args:
        task: that says what would really have happened.
        model: in which the policy acts.
        data: where rollouts begin.
        policy: at its draws.
        steps: of each rollout.
        n: rollouts.
        rng: draws starts, actions and outcomes.
    """
    world = World(task, model, data)
    starts = data.observations[rng.integers(len(data), size=n)]
    for made in world.rollout(policy, starts, steps, "ens_std", rng):
        following, rewards = task.step(made.observations, made.actions)
        ended = task.ended(following).astype(np.float32)
        yield replace(
            data, observations=made.observations, actions=made.actions, rewards=rewards,
            following=following, ended=ended, name=f"{data.name}, imagined",
        )  # fmt: skip


def on_policy(
    task: Task, model: Ensemble, data: Transitions, policy: Policy, rng: np.random.Generator,
    *, steps: int = 20, n: int = 100,
) -> Judged:  # fmt: skip
    """A model on what a policy does inside it."""
    parts = imagined(task, model, data, policy, steps, n, rng)
    return joined([judge(model, part, rng, i + 1) for i, part in enumerate(parts)])


def _half_width(level: float) -> float:
    """Of a standard normal's central interval."""
    return NormalDist().inv_cdf(0.5 + level / 2)
