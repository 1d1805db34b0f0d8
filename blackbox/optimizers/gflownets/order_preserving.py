"""Order-preserving GFlowNets: which of two candidates is better is all they need to know."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from blackbox.arguments import check_count
from blackbox.batch import Array
from blackbox.errors import ProblemError
from blackbox.formulation import Problem
from blackbox.gflownets.backbones import Backbone, TrajectoryBalance
from blackbox.gflownets.losses import bradley_terry, uniform_backward
from blackbox.gflownets.orders import compared, fronted, paired
from blackbox.gflownets.replay import replayed
from blackbox.gflownets.training import alone
from blackbox.gflownets.walks import Walks
from blackbox.optimizer import Supports
from blackbox.optimizers.gflownets.base import DISCRETE, GFNOptimizer
from blackbox.optimizers.gflownets.known import ranked
from blackbox.optimizers.gflownets.policy import Policy
from blackbox.space.construction import Construction

_POLICY = Policy()
_REPLAYED = 64
# Walks for each row asked for, with one objective and with several: with 4 less of a table's best
# was found in as many evaluations, with 4 or 8 less of a front.
_CHOICES = (8, 2)
_LAMBDA = 0.1  # weights of the order loss beside a balance loss, and of the KL term beside both


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
        # Fronts of a batch have to be sorted out anew in each.
        self._local = labels == "front" and len(problem.objectives) > 1

    def train(self, steps: int, *, n: int = 64) -> Array:
        """Train on the sampler's own candidates, which the problem evaluates here and now.

        Nothing of it counts as told; the candidates of each step are compared with one another, as
        in the paper.

        Args:
            steps: gradient steps.
            n: walks in each of them.

        Returns:
            (steps,) losses.

        Raises:
            ProblemError: an argument is out of its range, an outcome is not finite, or the problem
                cannot be evaluated.
        """
        check_count("OrderPreservingGFN.train: steps", steps, 0)
        check_count("OrderPreservingGFN.train: n", n, 2)
        losses = np.empty(steps)
        with alone():
            for i in range(steps):
                walks = self.sampler.walk(n, epsilon=self._policy.epsilon)
                losses[i] = self._step(walks, ranked(self.problem, self._evaluated(walks.ends)))
        return losses

    def _sampled(self, n: int) -> Array:
        """Ends of walks, those of largest learnt reward first, several times as many as n."""
        walks = self._walks(_CHOICES[len(self.problem.objectives) > 1] * n)
        reward, _, _ = self.backbone.learnt(self.sampler, walks)
        order = torch.argsort(reward.detach(), descending=True, stable=True)
        return np.asarray(walks.ends[order].cpu().numpy())

    def _learn(self, told: int) -> None:
        good = self.known.good
        if len(good) < 2:
            return
        states = torch.from_numpy(self.known.states[good]).to(self.sampler.device)
        steps = self._policy.steps * told
        if self.problem.preference:
            self._prefer(states, steps)
            return
        ranks, rows = self.known.ranks(), self.known.batch[good]
        for _ in range(steps):
            chosen = replayed(ranks, _REPLAYED, self.rng)
            walks = self.sampler.walk_back(states[torch.from_numpy(chosen)])
            own = ranked(self.problem, rows[chosen]) if self._local else ranks[chosen]
            self._step(walks, own)

    def _prefer(self, states: Tensor, steps: int) -> None:
        """Learn from pairs of states told together, the preferred ones first."""
        pairs = torch.from_numpy(self.known.comparisons())
        for _ in range(steps if len(pairs) else 0):
            chosen = pairs[torch.from_numpy(self.rng.integers(len(pairs), size=_REPLAYED // 2))]
            reward, loss = self._read(self.sampler.walk_back(states[chosen.T.flatten()]))
            better, worse = reward.chunk(2)
            self.trainer.step(loss + bradley_terry(better, worse))

    def _step(self, walks: Walks, ranks: Array) -> float:
        """One gradient step on walks to candidates of these ranks (n,)."""
        reward, loss = self._read(walks)
        if len(self.problem.objectives) == 1:
            loss = loss + paired(reward, ranks, self.rng)
        elif self._local:
            loss = loss + fronted(reward, ranks == 0)
        else:
            loss = loss + compared(reward, ranks)
        self.trainer.step(loss)
        return float(loss.detach())

    def _read(self, walks: Walks) -> tuple[Tensor, Tensor]:
        """The learnt log rewards of some candidates, and what else is in the loss."""
        reward, loss, evaluation = self.backbone.learnt(self.sampler, walks)
        if evaluation is not None and evaluation.backward is not None:
            loss = loss + _LAMBDA * uniform_backward(*evaluation.backward)
        # Divided by the weight of the order loss, which is added. Balance of whole paths defines
        # the reward and leaves no loss for the order's to be weighed against.
        return reward, loss if isinstance(self.backbone, TrajectoryBalance) else loss / _LAMBDA
