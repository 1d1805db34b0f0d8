"""Tasks: dynamics in batches, so that hundreds of episodes run at once.

A task knows what its observations and actions are, begins episodes, and moves *any* observation one
step: that is what lets a model's error be measured on states that only the model visits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from studies.offline_rl.networks import Floats32
from studies.offline_rl.sac import Columns, Policy

Bools: TypeAlias = npt.NDArray[np.bool_]


class Task(ABC):
    """A Markov decision process whose observation is its state; actions lie within -1 and 1.

    Attributes:
        name: in files and reports.
        columns: numbers of an observation and of an action.
        horizon: steps after which an episode is cut.
        scores: returns of a random and of a good policy, to scale returns by, or None.
    """

    name: str
    columns: Columns
    horizon: int
    scores: tuple[float, float] | None = None

    @abstractmethod
    def begin(self, n: int, rng: np.random.Generator) -> Floats32:
        """(n, d) observations at the beginning of episodes."""

    @abstractmethod
    def step(self, obs: Floats32, actions: Floats32) -> tuple[Floats32, Floats32]:
        """(n, d) next observations and (n,) rewards of (n, d) and (n, a), true to the task."""

    def ended(self, obs: Floats32) -> Bools:
        """(n,) whether (n, d) observations end an episode; by default none does."""
        return np.zeros(len(obs), dtype=bool)

    def returns(self, policy: Policy, episodes: int, rng: np.random.Generator) -> Floats32:
        """(n,) undiscounted returns of whole episodes, the policy at its mode."""
        obs = self.begin(episodes, rng)
        total = np.zeros(episodes, dtype=np.float32)
        alive = np.ones(episodes, dtype=bool)
        for _ in range(self.horizon):
            obs, reward = self.step(obs, policy.act(obs))
            total += np.where(alive, reward, 0.0)
            alive &= ~self.ended(obs)
            if not alive.any():
                break
        return total


class Pendulum(Task):
    """Swing a pendulum up and hold it: ``Pendulum-v1`` of gymnasium, in batches.

    Observations are (cos, sin, angular velocity), the angle 0 upright; an action of 1 is the full
    torque of 2. The reward is minus the squares of angle, velocity and torque, weighted 1, 0.1 and
    0.001. A test compares every step with gymnasium's own.
    """

    name = "pendulum"
    columns = Columns(3, 1)
    horizon = 200
    scores = (-1200.0, -150.0)

    _gravity, _dt, _torque, _speed = 10.0, 0.05, 2.0, 8.0

    def begin(self, n: int, rng: np.random.Generator) -> Floats32:
        return self._observed(rng.uniform(-np.pi, np.pi, n), rng.uniform(-1, 1, n))

    def step(self, obs: Floats32, actions: Floats32) -> tuple[Floats32, Floats32]:
        angle = np.arctan2(obs[:, 1], obs[:, 0]).astype(np.float64)
        speed = obs[:, 2].astype(np.float64)
        torque = self._torque * np.clip(actions[:, 0].astype(np.float64), -1, 1)
        reward = -(angle**2 + 0.1 * speed**2 + 0.001 * torque**2)
        # Mass and length are 1.
        speed = speed + (1.5 * self._gravity * np.sin(angle) + 3.0 * torque) * self._dt
        speed = np.clip(speed, -self._speed, self._speed)
        return self._observed(angle + speed * self._dt, speed), reward.astype(np.float32)

    @staticmethod
    def _observed(angle: npt.NDArray[np.float64], speed: npt.NDArray[np.float64]) -> Floats32:
        return np.stack([np.cos(angle), np.sin(angle), speed], axis=1).astype(np.float32)
