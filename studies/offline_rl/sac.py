"""Soft actor-critic, with gradients by hand.

Haarnoja et al. (2018), *Soft Actor-Critic Algorithms and Applications* (arXiv 1812.05905): two
critics, a squashed Gaussian policy, the temperature tuned towards an entropy of minus the number of
actions. ``torch_sac`` is the same on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from studies.offline_rl.networks import Adam, Floats32, Perceptrons

LOG_STD = (-5.0, 2.0)


@dataclass(frozen=True)
class SACSettings:
    """Settings of the policy's training.

    Args:
        hidden: units of each hidden layer, of actor and critics.
        lr: Adam's learning rate, also the temperature's.
        gamma: discount.
        tau: how far the target critics follow at each update.
        batch: transitions of an update.
        follow: how far the policy that is judged follows the one that learns at each update: 1 is
            the latest, less an average of the latest (Polyak and Juditsky 1992), which depends
            less on when training stops.
    """

    hidden: tuple[int, ...] = (64, 64)
    lr: float = 3e-3
    gamma: float = 0.98
    tau: float = 0.02
    batch: int = 128
    follow: float = 1.0


class Policy(Protocol):
    """Anything that acts."""

    def act(self, obs: Floats32, rng: np.random.Generator | None = None) -> Floats32:
        """(n, a) actions within -1 and 1 for (n, d); the mode where there is no generator."""


class Learner(Policy, Protocol):
    """A policy that learns from transitions."""

    def update(self, batch: Floats32) -> None:
        """Learn from (n, 2 d + a + 2) rows: observation, action, reward, next one, 1 if it goes on.

        Raises:
            FloatingPointError: something is no longer finite.
        """


@dataclass(frozen=True)
class Columns:
    """Where the parts of a transition stand in its row.

    Args:
        observations: d.
        actions: a.
    """

    observations: int
    actions: int

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return 2 * self.observations + self.actions + 2

    def split(self, rows: Floats32) -> tuple[Floats32, Floats32, Floats32, Floats32, Floats32]:
        """(n, d) observations, (n, a) actions, (n,) rewards, (n, d) next ones, (n,) goes on."""
        d, a = self.observations, self.actions
        reward = d + a
        return (
            rows[:, :d],
            rows[:, d:reward],
            rows[:, reward],
            rows[:, reward + 1 : reward + 1 + d],
            rows[:, -1],
        )


class SAC:
    """The learner.

    Args:
        columns: of the transitions.
        settings: of the training.
        rng: draws parameters and noise.
    """

    def __init__(self, columns: Columns, settings: SACSettings, rng: np.random.Generator) -> None:
        d, a = columns.observations, columns.actions
        self.columns, self.settings, self._rng = columns, settings, rng
        self.actor = Perceptrons(1, (d, *settings.hidden, 2 * a), rng)
        self.critics = Perceptrons(2, (d + a, *settings.hidden, 1), rng)
        self._targets = Perceptrons(2, (d + a, *settings.hidden, 1), rng)
        self._targets.flat[:] = self.critics.flat
        self._judged = self.actor.copy() if settings.follow < 1 else self.actor
        self._log_alpha = np.zeros(1, dtype=np.float32)
        sizes = (self.actor.flat.size, self.critics.flat.size)
        self._steps = [Adam(size, settings.lr) for size in (*sizes, 1)]
        self._grads = [np.empty(size, dtype=np.float32) for size in sizes]

    def act(self, obs: Floats32, rng: np.random.Generator | None = None) -> Floats32:
        """(n, a) actions within -1 and 1 for (n, d); without a generator the judged one's mode."""
        out = (self._judged if rng is None else self.actor).forward(obs)[0]
        a = self.columns.actions
        u = out[:, :a]
        if rng is not None:
            noise = rng.standard_normal(u.shape, dtype=np.float32)
            u = u + noise * np.exp(np.clip(out[:, a:], *LOG_STD))
        acted: Floats32 = np.tanh(u)
        return acted

    def update(self, batch: Floats32) -> None:
        """One gradient step of critics, actor and temperature.

        Args:
            batch: (n, w) transitions.

        Raises:
            FloatingPointError: the critics are no longer finite.
        """
        obs, action, reward, following, on = self.columns.split(batch)
        n, a = len(batch), self.columns.actions
        alpha = np.float32(np.exp(self._log_alpha[0]))
        # The actor's step comes after the critics', so both states can go forward at once; those
        # whose gradient is wanted go first.
        out = self.actor.forward(np.concatenate([obs, following]))[0]
        noise = self._rng.standard_normal((2 * n, a), dtype=np.float32)
        raw = out[:, a:]
        log_std = np.clip(raw, *LOG_STD)
        deviation = np.exp(log_std) * noise
        u = out[:, :a] + deviation
        drawn = np.tanh(u)
        log_p = _log_density(noise, log_std, u)
        if not np.isfinite(log_p.sum()):
            raise FloatingPointError("SAC: critics or policy are no longer finite")

        later = self._targets.forward(np.concatenate([following, drawn[n:]], axis=1))[:, :, 0]
        wanted = reward + self.settings.gamma * on * (later.min(axis=0) - alpha * log_p[n:])
        values = self.critics.forward(np.concatenate([obs, action], axis=1))
        grad = (values - wanted[None, :, None]) * np.float32(1 / n)
        self.critics.backward(grad, self._grads[1])
        self._steps[1].step(self.critics.flat, self._grads[1])

        values = self.critics.forward(np.concatenate([obs, drawn[:n]], axis=1))[:, :, 0]
        least = values[0] < values[1]
        chosen = np.stack([least, ~least])[:, :, None] * np.float32(-1 / n)
        by_action = self.critics.backward(chosen, inputs=True)[:, :, -a:].sum(axis=0)
        self._learn_to_act(by_action, drawn[:n], deviation[:n], raw[:n], alpha)
        if self._judged is not self.actor:
            self._judged.flat += np.float32(self.settings.follow) * (
                self.actor.flat - self._judged.flat
            )
        gap = np.float32(a) - log_p[:n].mean()  # entropy above its target of -a
        self._steps[2].step(self._log_alpha, np.array([alpha * gap], dtype=np.float32))
        self._targets.flat += np.float32(self.settings.tau) * (
            self.critics.flat - self._targets.flat
        )
        if not np.isfinite(gap + wanted[0] + values[0, 0]):
            raise FloatingPointError("SAC: critics or policy are no longer finite")

    def _learn_to_act(
        self,
        by_action: Floats32,
        action: Floats32,
        deviation: Floats32,
        raw: Floats32,
        alpha: np.float32,
    ) -> None:
        """Actor's step: alpha log p - Q by the reparametrised draw a = tanh(mean + std noise)."""
        share = np.float32(alpha / len(action))
        # d log p / du = 2 tanh(u), from the correction of the squashing; d log p / d log std adds
        # -1.
        by_u = by_action * (1 - action * action) + 2 * share * action
        by_log_std = by_u * deviation - share
        by_log_std *= (raw > LOG_STD[0]) & (raw < LOG_STD[1])
        self.actor.backward(np.concatenate([by_u, by_log_std], axis=1)[None], self._grads[0])
        self._steps[0].step(self.actor.flat, self._grads[0])


def _log_density(noise: Floats32, log_std: Floats32, u: Floats32) -> Floats32:
    """(n,) log density of tanh(u) for u = mean + std noise (appendix C of the paper).

    log(1 - tanh(u)^2) = 2 (log 2 - u - softplus(-2u)), which does not lose digits.
    """
    with np.errstate(invalid="ignore"):  # the caller looks whether all is finite
        softplus = np.logaddexp(np.float32(0), -2 * u)
    squash = 2 * (np.float32(np.log(2)) - u - softplus)
    normal = -0.5 * noise * noise - log_std - np.float32(0.5 * np.log(2 * np.pi))
    total: Floats32 = (normal - squash).sum(axis=1)
    return total
