"""Gymnasium's MuJoCo tasks with the interface of ``tasks``; a few hundred times slower."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from blackbox.errors import ProblemError, require
from studies.offline_rl.networks import Floats32
from studies.offline_rl.sac import Columns, Policy
from studies.offline_rl.tasks import Bools, Task


def _fallen_hopper(obs: Floats32) -> Bools:
    bounded = (np.abs(obs[:, 1:]) < 100).all(axis=1)
    return ~(bounded & (obs[:, 0] > 0.7) & (np.abs(obs[:, 1]) < 0.2))


def _fallen_walker(obs: Floats32) -> Bools:
    return ~((obs[:, 0] > 0.8) & (obs[:, 0] < 2.0) & (np.abs(obs[:, 1]) < 1.0))


def _never(obs: Floats32) -> Bools:
    return np.zeros(len(obs), dtype=bool)


#: When an episode ends, by the observation alone, as the environments' own sources say.
ENDS: dict[str, Callable[[Floats32], Bools]] = {
    "Hopper-v5": _fallen_hopper,
    "Walker2d-v5": _fallen_walker,
    "HalfCheetah-v5": _never,
}


class MuJoCo(Task):
    """Hopper, Walker2d or HalfCheetah.

    An observation lacks the horizontal place, on which nothing depends, and what velocities exceed
    10 by (all but HalfCheetah's); so the simulator can be set to any observation, and but for such
    velocities goes on as it would have. Returns are those of the environment itself.

    Args:
        name: "Hopper-v5", "Walker2d-v5" or "HalfCheetah-v5".

    Raises:
        ProblemError: another name.
        MissingExtraError: gymnasium or mujoco is not installed (extra ``offline-rl``).
    """

    horizon = 1_000

    def __init__(self, name: str) -> None:
        if name not in ENDS:
            raise ProblemError(f"MuJoCo: no task {name!r}; there are {', '.join(ENDS)}")
        require("mujoco", "offline-rl")
        gymnasium = require("gymnasium", "offline-rl")
        self.name, self._ends = name, ENDS[name]
        self._environment: Any = gymnasium.make(name).unwrapped
        space = self._environment.action_space
        self._scale = space.high.astype(np.float64)
        self.columns = Columns(self._environment.observation_space.shape[0], space.shape[0])

    def begin(self, n: int, rng: np.random.Generator) -> Floats32:
        return np.array([*self._begun(n, rng)], dtype=np.float32)

    def _begun(self, n: int, rng: np.random.Generator) -> Iterator[Any]:
        for _ in range(n):
            yield self._environment.reset(seed=int(rng.integers(2**31)))[0]

    def step(self, obs: Floats32, actions: Floats32) -> tuple[Floats32, Floats32]:
        env, following, rewards = self._environment, np.empty_like(obs), np.empty(len(obs))
        positions = env.model.nq
        for i, (row, action) in enumerate(zip(obs, actions, strict=True)):
            place = np.concatenate([[0.0], row[: positions - 1]]).astype(np.float64)
            env.set_state(place, row[positions - 1 :].astype(np.float64))
            made, rewards[i], *_ = env.step(np.clip(action, -1, 1) * self._scale)
            following[i] = made
        return following, rewards.astype(np.float32)

    def returns(self, policy: Policy, episodes: int, rng: np.random.Generator) -> Floats32:
        total = np.zeros(episodes, dtype=np.float32)
        for i, obs in enumerate(self._begun(episodes, rng)):
            for _ in range(self.horizon):
                action = policy.act(obs[None].astype(np.float32))[0]
                obs, reward, over, *_ = self._environment.step(action * self._scale)  # noqa: PLW2901
                total[i] += reward
                if over:
                    break
        return total

    def ended(self, obs: Floats32) -> Bools:
        return self._ends(obs)
