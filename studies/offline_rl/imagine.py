"""Imagined rollouts: a policy in the ensemble's world, and what it is charged there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from studies.offline_rl.ensemble import Ensemble
from studies.offline_rl.networks import Floats32
from studies.offline_rl.penalties import Predicted, charged
from studies.offline_rl.sac import Policy
from studies.offline_rl.tasks import Task
from studies.offline_rl.transitions import Transitions

ELITES = 5  # members that predict, as in MOPO; all of them judge


@dataclass(frozen=True)
class Step:
    """One imagined step of n rollouts.

    Args:
        observations: (n, d).
        actions: (n, a).
        following: (n, d).
        rewards: (n,) as the model says, not charged.
        penalties: (n,) in units of the data set's standard deviations.
        ended: (n,) whether the task ends there.
        predicted: all that the ensemble said.
    """

    observations: Floats32
    actions: Floats32
    following: Floats32
    rewards: Floats32
    penalties: Floats32
    ended: Floats32
    predicted: Predicted


class World:
    """An ensemble as the world that a policy acts in.

    Observations stay within the data's range widened by its own width on either side: beyond it
    no model knows anything, and a prediction fed back into itself may grow without end.

    Args:
        task: which observations end an episode.
        model: the first N members.
        data: where rollouts begin, and the range of observations.
    """

    def __init__(self, task: Task, model: Ensemble, data: Transitions) -> None:
        self.task, self.model, self.data = task, model, data
        low, high = data.observations.min(axis=0), data.observations.max(axis=0)
        self._low, self._high = low - (high - low), high + (high - low)
        #: A reward is charged weight x penalty x this.
        self.unit = float(model.scale.output_std[-1])

    def step(
        self, obs: Floats32, actions: Floats32, penalty: str, rng: np.random.Generator
    ) -> Step:
        """A step of each of n rollouts, drawn from an elite member at random."""
        n = len(obs)
        means, stds = self.model.predict(obs, actions)
        member = rng.choice(self.model.elites(ELITES), n)
        rows = np.arange(n)
        noise = rng.standard_normal((n, means.shape[-1]), dtype=np.float32)
        outcome = means[member, rows] + stds[member, rows] * noise
        predicted = Predicted(means, stds, outcome)
        made = self.model.to_outputs(outcome)
        following = np.clip(obs + made[:, :-1], self._low, self._high)
        u = charged(penalty, predicted)
        if not (np.isfinite(made).all() and np.isfinite(u).all()):
            raise FloatingPointError("the dynamics model diverged: a rollout is not finite")
        ended = self.task.ended(following).astype(np.float32)
        return Step(obs, actions, following, made[:, -1], u, ended, predicted)

    def rollout(
        self, policy: Policy, starts: Floats32, steps: int, penalty: str, rng: np.random.Generator,
        *, explore: bool = True,
    ) -> Iterator[Step]:  # fmt: skip
        """Steps of rollouts from (n, d) observations; those that ended go no further."""
        obs = starts
        for _ in range(steps):
            made = self.step(obs, policy.act(obs, rng if explore else None), penalty, rng)
            yield made
            obs = made.following[made.ended == 0]
            if not len(obs):
                return

    def transitions(
        self, policy: Policy, n: int, horizon: int, penalty: str, weight: float,
        rng: np.random.Generator,
    ) -> tuple[Floats32, float]:  # fmt: skip
        """(m, w) charged transitions, m about n whatever the horizon, and their mean penalty."""
        count = max(1, -(-n // horizon))
        starts = self.data.observations[rng.integers(len(self.data), size=count)]
        rows, total = [], 0.0
        for step in self.rollout(policy, starts, horizon, penalty, rng):
            reward = step.rewards - np.float32(weight * self.unit) * step.penalties
            parts = [step.observations, step.actions, reward[:, None], step.following]
            rows.append(np.concatenate([*parts, 1 - step.ended[:, None]], axis=1))
            total += float(step.penalties.sum())
        made = np.concatenate(rows)
        return made, total / len(made)

    def returns(
        self, policy: Policy, episodes: int, penalty: str, weight: float, rng: np.random.Generator
    ) -> tuple[Floats32, Floats32]:
        """(n,) returns of whole episodes in the model, plain and charged, the policy at its mode.

        Episodes begin where those of the data began.
        """
        starts = self.data.starts[rng.integers(len(self.data.starts), size=episodes)]
        at = np.arange(episodes)
        plain, penalised = np.zeros((2, episodes), dtype=np.float32)
        steps = self.rollout(policy, starts, self.task.horizon, penalty, rng, explore=False)
        for step in steps:
            plain[at] += step.rewards
            penalised[at] += step.rewards - np.float32(weight * self.unit) * step.penalties
            at = at[step.ended == 0]
        return plain, penalised
