"""The plain GFlowNet: candidates in proportion to a reward."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from blackbox.arguments import check_count, check_range
from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError
from blackbox.formulation import Problem
from blackbox.gflownets.backbones import Backbone, TrajectoryBalance
from blackbox.gflownets.orders import dense_ranks
from blackbox.gflownets.replay import replayed
from blackbox.gflownets.training import alone
from blackbox.optimizer import Supports
from blackbox.optimizers.gflownets.base import DISCRETE, GFNOptimizer
from blackbox.optimizers.gflownets.policy import Policy
from blackbox.space.construction import Construction

Reward: TypeAlias = Literal["boltzmann", "proportional"] | Callable[[Batch], Array]

_POLICY = Policy()
_REPLAYED = 64
_ZERO = float(np.log(1e-10))  # the logarithm that a reward of zero counts as
_FIX = "is not a finite number of at least 0; give one"
_BACK = 0.5  # share of the steps of a path that a local search takes back


class GFlowNet(GFNOptimizer):
    """A sampler that draws candidates in proportion to a reward (Bengio et al. 2021).

    Where evaluations are dear it is an optimizer: proposals are new candidates, and it learns from
    all that were told. Where they are cheap, ``train`` evaluates its own samples by the thousand,
    and ``sample`` then gives the law that the reward asks for.

    Args:
        problem: one objective on a discrete space, linear constraints included.
        reward: what probability is proportional to. "boltzmann": exp(beta z), z being the score
            standardised by what has been told; "proportional": the score to the power beta (for
            ``Minimize`` the score is negative: give a function); or a function from a Batch with
            outcomes to (n,) rewards, to the power beta. A reward of zero counts as 1e-10.
        beta: exponent, the larger the greedier.
        construction: how candidates are built: an order for ``Space.construction``, or a
            construction of your own; None takes the usual order.
        backbone: the balance condition; by default that of whole trajectories.
        policy: the network and how it is trained.
        n_init: random candidates at the beginning.
        batch_size: rows that ``ask()`` gives.
        device: where PyTorch computes, such as ``"cpu"`` or ``"cuda"``.
        seed: seeds the optimizer's only generator.

    Raises:
        UnsupportedError: the space has continuous parameters, or there are several objectives.
        SpaceError: no candidate satisfies the linear constraints.
        ProblemError: an argument is out of its range, or the device cannot be used.
        MissingExtraError: PyTorch is not installed (extra ``gfn``).
    """

    supports = Supports(parameters=DISCRETE, linear=True)

    def __init__(
        self,
        problem: Problem,
        *,
        reward: Reward = "boltzmann",
        beta: float = 1.0,
        construction: Construction | str | None = None,
        backbone: Backbone | None = None,
        policy: Policy = _POLICY,
        n_init: int = 20,
        batch_size: int = 10,
        device: str = "cpu",
        seed: int | None = None,
    ) -> None:
        if not callable(reward) and reward not in ("boltzmann", "proportional"):
            raise ProblemError(
                f'GFlowNet: reward={reward!r}; give "boltzmann", "proportional" or a function'
            )
        check_range("GFlowNet: beta", beta, 0, 1e6)
        super().__init__(
            problem,
            construction=construction,
            backbone=TrajectoryBalance() if backbone is None else backbone,
            policy=policy,
            n_init=n_init,
            batch_size=batch_size,
            device=device,
            seed=seed,
        )
        self._reward = reward
        self._beta = beta

    @property
    def log_partition(self) -> float:
        """Log of the sum of all rewards, as learnt."""
        with alone():
            return float(self.backbone.log_partition(self.sampler).detach())

    def train(self, steps: int, *, n: int = 16, local_search: int = 0) -> Array:
        """Train on the sampler's own candidates, which the problem evaluates here and now.

        Nothing of it counts as told, so that memory does not grow.

        Args:
            steps: gradient steps.
            n: walks in each of them.
            local_search: rounds in which every candidate is partly built anew, and replaced where
                that has a larger reward (Kim et al. 2024, arXiv 2310.02710).

        Returns:
            (steps,) losses.

        Raises:
            ProblemError: an argument is out of its range; or a reward is negative, NaN or
                infinite, or all candidates of a step have a reward of zero, before that step.
        """
        check_count("GFlowNet.train: steps", steps, 0)
        check_count("GFlowNet.train: n", n, 1)
        check_count("GFlowNet.train: local_search", local_search, 0)
        if self._reward == "boltzmann" and len(self.known.good) < 2:
            raise ProblemError(
                'GFlowNet.train: reward="boltzmann" standardises by what was told, which is '
                'nothing; give reward="proportional" or a function'
            )
        losses = np.empty(steps)
        with alone():
            for i in range(steps):
                losses[i] = self._step(n, local_search)
        return losses

    def _step(self, n: int, local_search: int) -> float:
        walks = self.sampler.walk(n, epsilon=self._policy.epsilon)
        if not walks.n:
            return float("nan")  # every walk ended in a dead end
        log_reward = self._measured(walks.ends)
        for _ in range(local_search):
            ends = walks.ends
            back = max(1, round(_BACK * self.construction.depth))
            tried = self.sampler.near(ends, back).ends
            if len(tried) < len(ends):
                break
            value = self._measured(tried)
            better = value > log_reward
            ends[better], log_reward[better] = tried[better], value[better]
            walks = self.sampler.walk_back(ends)
        loss = self.backbone.loss(self.sampler, walks, log_reward)
        self.trainer.step(loss)
        return float(loss.detach())

    def _measured(self, ends: Tensor) -> Tensor:
        """(n,) log rewards of terminal states, evaluated."""
        rows = self._decoded(ends)
        measured = rows.with_columns(**self.problem.measure(rows))
        log_reward = self._log_rewards(measured)
        wrong = np.isnan(log_reward)
        if wrong.any():
            row = measured[int(np.flatnonzero(wrong)[0])]
            raise ProblemError(f"GFlowNet: the reward of {row} {_FIX}")
        if self._beta and np.all(log_reward == self._beta * _ZERO):
            raise ProblemError("GFlowNet: every reward is 0; give positive ones to what is wanted")
        return self._tensor(log_reward)

    def _learn(self, told: int) -> None:
        good = self.known.good
        if len(good) < 2:
            return
        log_rewards = self._log_rewards(self.known.batch[good])
        fit = ~np.isnan(log_rewards)
        if not fit[good >= len(self.known) - told].all():
            row = self.known.batch[int(good[~fit][-1])]
            warnings.warn(f"GFlowNet: the reward of {row} {_FIX}; it is not learnt", stacklevel=4)
        good, log_rewards = good[fit], log_rewards[fit]
        if len(good) < 2:
            return
        states = torch.from_numpy(self.known.states[good]).to(self.sampler.device)
        targets, ranks = self._tensor(log_rewards), dense_ranks(log_rewards)
        for _ in range(self._policy.steps * told):
            chosen = torch.from_numpy(replayed(ranks, _REPLAYED, self.rng))
            walks = self.sampler.walk_back(states[chosen])
            self.trainer.step(self.backbone.loss(self.sampler, walks, targets[chosen]))

    def _log_rewards(self, rows: Batch) -> Array:
        """(n,) log rewards of rows with outcomes; NaN where a reward is none."""
        scores: Array = self.problem.scores(rows)[:, 0]
        if self._reward == "boltzmann":
            told = self.problem.scores(self.known.batch[self.known.good])[:, 0]
            size = max(float(np.abs(told).max()), 1e-300)  # squares of huge scores would overflow
            mean, spread = (told / size).mean(), (told / size).std()
            z: Array = (scores / size - mean) / (spread if spread > 0 else 1.0)
            return self._beta * z
        rewards = scores
        if callable(self._reward):
            rewards = _each(self._reward(rows), len(rows))
        logs = np.log(rewards, out=np.full(len(rows), _ZERO), where=rewards > 0)
        return self._beta * np.where(np.isfinite(rewards) & (rewards >= 0), logs, np.nan)

    def _tensor(self, values: Array) -> Tensor:
        return torch.from_numpy(values).float().to(self.sampler.device)


def _each(rewards: npt.ArrayLike, n: int) -> Array:
    """(n,) rewards that a user's function gave.

    Raises:
        ProblemError: they are not n numbers.
    """
    try:
        return np.asarray(rewards, dtype=np.float64).reshape(n)
    except (TypeError, ValueError):
        raise ProblemError(
            f"GFlowNet: reward= gave {rewards!r} for a batch of {n}; give a number for each row"
        ) from None
