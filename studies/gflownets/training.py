"""On-policy training at the papers' settings, on grids whose every law can be computed.

``blackbox``'s optimizers replay what they were told, for evaluations are dear. Here they are free,
so each gradient step is taken on new samples, as the papers do it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from blackbox.batch import Array, Batch
from blackbox.formulation import Floats
from blackbox.gflownets import Sampler, TrajectoryBalance, terminating
from blackbox.gflownets.conditions import FLOOR, thermometer, weighted_sum
from blackbox.gflownets.orders import fronted
from blackbox.gflownets.training import Trainer
from blackbox.metrics import is_nondominated
from blackbox.problems.exhaustive import Exhaustive
from blackbox.space.construction import enumerated


@dataclass(frozen=True)
class Setting:
    """How a sampler is trained: those of the hypergrids of Chen and Mauch (2023) by default.

    Args:
        batch: new samples of a gradient step.
        hidden: widths of the network's hidden layers.
        lr: learning rate.
        weight_decay: of the network.
        epsilon: share of random actions.
        clip: largest norm of a gradient.
        bins: numbers that encode each weight of a preference.
        alpha: of the Dirichlet law of preferences.
        beta: exponent of the reward under a preference.
    """

    batch: int = 128
    hidden: tuple[int, ...] = (64, 64, 64)
    lr: float = 1e-2
    weight_decay: float = 1e-4
    epsilon: float = 0.01
    clip: float = 10.0
    bins: int = 16
    alpha: float = 1.5
    beta: float = 16.0


class OnGrid:
    """A sampler on a grid whose objectives are known everywhere.

    Args:
        problem: integers, built by raising one of them at a time.
        setting: how it is trained.
        condition: numbers that describe what is wanted of a sample.
        seed: of the sampler.
    """

    def __init__(
        self, problem: Exhaustive, setting: Setting, condition: int = 0, seed: int = 0
    ) -> None:
        self.problem, self.setting = problem, setting
        self.construction = problem.space.construction("grid")
        self.sampler = Sampler(
            self.construction, hidden=setting.hidden, condition=condition, seed=seed
        )
        self.trainer = Trainer(
            self.sampler,
            lr=setting.lr,
            lr_z=setting.lr,
            weight_decay=setting.weight_decay,
            clip=setting.clip,
        )
        self.rng = np.random.default_rng(seed)
        self.seen = np.zeros(len(problem.table), dtype=bool)
        self._scores = problem.scores(problem.table)
        graph = enumerated(self.construction)
        assert graph is not None
        self._graph = graph

    def scores(self, states: torch.Tensor) -> Floats:
        """(n, m) of terminal states."""
        where = self.positions(states.numpy())
        self.seen[where] = True
        return self._scores[where]

    def positions(self, states: Array) -> Array:
        """(n,) places of terminal states in the problem's table."""
        return self.problem.positions(self.construction.decode(states))

    def law(self, condition: torch.Tensor | None = None) -> Floats:
        """(N,) probabilities of the rows of the problem's table."""
        states, probabilities = terminating(self.sampler, self._graph, condition)
        law = np.zeros(len(self.seen))
        law[self.positions(states)] = probabilities
        return law

    def samples(self, n: int, condition: torch.Tensor | None = None) -> Batch:
        """n candidates with their outcomes, drawn without random actions."""
        ends = self.sampler.walk(n, condition=condition).ends.numpy()
        return self.problem.table[self.positions(ends)]


class OrderPreserving(OnGrid):
    """OP-GFN with trajectory balance: the label is the Pareto front of each batch."""

    def step(self) -> None:
        """One batch of new samples, one gradient step."""
        walks = self.sampler.walk(self.setting.batch, epsilon=self.setting.epsilon)
        reward, _, _ = TrajectoryBalance().learnt(self.sampler, walks)
        front = is_nondominated(self.scores(walks.ends))
        self.trainer.step(fronted(reward, front))


class Preferring(OnGrid):
    """MOGFN-PC with trajectory balance: the reward is the weighted sum to a power.

    Args:
        problem: as above.
        setting: as above.
        seed: of the sampler and of the preferences.
    """

    def __init__(self, problem: Exhaustive, setting: Setting, seed: int = 0) -> None:
        m = len(problem.objectives)
        super().__init__(problem, setting, m * setting.bins, seed)
        self._alpha = np.full(m, setting.alpha)

    def preferences(self, n: int) -> Floats:
        """(n, m) drawn from the Dirichlet law."""
        return self.rng.dirichlet(self._alpha, n)

    def encoded(self, preferences: Floats) -> torch.Tensor:
        """(n, c) what the network sees of preferences."""
        return torch.from_numpy(thermometer(preferences, 0.0, 1.0, self.setting.bins))

    def target(self, preference: Floats) -> Floats:
        """(N,) the law that a preference (m,) asks for."""
        reward = self._log_reward(self._scores, preference[None])
        law = np.exp(reward - reward.max())
        return np.asarray(law / law.sum())

    def step(self) -> None:
        """One batch of new samples, each for a preference of its own; one gradient step."""
        wanted = self.preferences(self.setting.batch)
        condition = self.encoded(wanted)
        walks = self.sampler.walk(len(wanted), epsilon=self.setting.epsilon, condition=condition)
        reward = torch.from_numpy(self._log_reward(self.scores(walks.ends), wanted)).float()
        self.trainer.step(TrajectoryBalance().loss(self.sampler, walks, reward, condition))

    def _log_reward(self, scores: Floats, preferences: Floats) -> Floats:
        sums = np.maximum(weighted_sum(scores, preferences), FLOOR)
        return np.asarray(self.setting.beta * np.log(sums))
