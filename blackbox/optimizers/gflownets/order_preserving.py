"""Order-preserving GFlowNets: which of two candidates is better is all they need to know."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from blackbox.batch import Array
from blackbox.errors import ProblemError
from blackbox.formulation import Problem
from blackbox.gflownets.backbones import Backbone, TrajectoryBalance
from blackbox.gflownets.losses import bradley_terry, uniform_backward
from blackbox.gflownets.orders import compared, fronted, paired
from blackbox.gflownets.replay import replayed
from blackbox.metrics.pareto import is_nondominated
from blackbox.optimizer import Supports
from blackbox.optimizers.gflownets.base import DISCRETE, GFNOptimizer
from blackbox.optimizers.gflownets.policy import Policy
from blackbox.space.construction import Construction

_POLICY = Policy()
_REPLAYED = 64
_LAMBDA = 0.1  # weights of the order loss beside a balance loss, and of the KL term


class OrderPreservingGFN(GFNOptimizer):
    """A GFlowNet that learns a reward which keeps the order of the candidates (OP-GFN).

    Chen and Mauch 2023, *Order-Preserving GFlowNets*, arXiv 2310.00386. The reward is what the
    policy's own balance condition says it is, and is trained so that better candidates have more of
    it: there is no reward function and no exponent, and any monotone transform of an objective
    gives the same run. Measured constraints are part of the order: what breaks them ranks behind
    everything that does not. A ``Preference`` is learnt from the pairs of rows told together.

    Args:
        problem: any objectives on a discrete space, linear and measured constraints included.
        labels: what is compared where there are several objectives. "rank": the front that each
            candidate belongs to, of all those told (repeated non-dominated sorting); "front": the
            paper's label, whether anything else in the same batch dominates it. For one objective
            both are its order.
        construction: how candidates are built: an order for ``Space.construction``, or a
            construction of your own; None takes any order of parameters, and sequences from left
            to right.
        backbone: the balance condition from which the reward is read.
        policy: the network and how it is trained. A learnt backward policy is held near the
            uniform one.
        n_init: random candidates at the beginning.
        batch_size: rows that ``ask()`` gives.
        device: where PyTorch computes, such as ``"cpu"`` or ``"cuda"``.
        seed: seeds the optimizer's only generator.

    Raises:
        UnsupportedError: the space has continuous parameters.
        SpaceError: no candidate satisfies the linear constraints.
        ProblemError: an argument is out of its range, or the device cannot be used.
        MissingExtraError: PyTorch is not installed (extra ``gfn``), or moocore where there are
            several objectives (extra ``metrics``).
    """

    supports = Supports(
        parameters=DISCRETE,
        objectives=(1, float("inf")),
        constraints=True,
        linear=True,
        preference=True,
    )

    def __init__(
        self,
        problem: Problem,
        *,
        labels: Literal["rank", "front"] = "rank",
        construction: Construction | str | None = None,
        backbone: Backbone | None = None,
        policy: Policy = _POLICY,
        n_init: int = 20,
        batch_size: int = 10,
        device: str = "cpu",
        seed: int | None = None,
    ) -> None:
        if labels not in ("rank", "front"):
            raise ProblemError(f'OrderPreservingGFN: labels={labels!r} must be "rank" or "front"')
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
        self._labels = labels

    def _learn(self, told: int) -> None:
        good = self.known.good
        if len(good) < 2:
            return
        ranks = self.known.ranks()
        pairs = self.known.comparisons() if self.problem.preference else None
        if pairs is not None and not len(pairs):
            return
        states = torch.from_numpy(self.known.states[good]).to(self.sampler.device)
        front = self._labels == "front" and len(self.problem.objectives) > 1
        scores = self.problem.scores(self.known.batch[good]) if front else None
        for _ in range(self._policy.steps * told):
            if pairs is None:
                chosen = replayed(ranks, _REPLAYED, self.rng)
            else:
                chosen = pairs[self.rng.integers(len(pairs), size=_REPLAYED // 2)].T.ravel()
            reward, loss = self._reward(states[torch.from_numpy(chosen)])
            order = self._order(reward, chosen, ranks, scores)
            self.trainer.step(order + loss)

    def _reward(self, ends: Tensor) -> tuple[Tensor, Tensor]:
        """The learnt log rewards of some candidates, and what else is in the loss."""
        walks = self.sampler.walk_back(ends)
        reward, balance, evaluation = self.backbone.learnt(self.sampler, walks)
        loss = balance / _LAMBDA
        if evaluation is not None and evaluation.backward is not None:
            loss = loss + _LAMBDA * uniform_backward(*evaluation.backward)
        return reward, loss

    def _order(self, reward: Tensor, chosen: Array, ranks: Array, scores: Array | None) -> Tensor:
        if self.problem.preference:
            better, worse = reward.chunk(2)
            return bradley_terry(better, worse)
        if scores is not None:
            best = is_nondominated(scores[chosen])
            return fronted(reward, best)
        if len(self.problem.objectives) > 1:
            return compared(reward, ranks[chosen])
        return paired(reward, ranks[chosen], self.rng)
