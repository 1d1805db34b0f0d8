"""A GFlowNet inside Bayesian optimization: batches that are promising and diverse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from blackbox import acquisitions
from blackbox.arguments import check_count
from blackbox.batch import Array
from blackbox.errors import require
from blackbox.formulation import Problem
from blackbox.gflownets.backbones import TrajectoryBalance
from blackbox.gflownets.orders import compared, dense_ranks
from blackbox.gflownets.replay import diverse, replayed
from blackbox.optimizer import Supports
from blackbox.optimizers.bayes.told import Told
from blackbox.optimizers.gflownets.base import DISCRETE, GFNOptimizer
from blackbox.optimizers.gflownets.policy import Policy
from blackbox.space.construction import Construction, keys
from blackbox.state import State
from blackbox.surrogates.features import Features

if TYPE_CHECKING:
    from blackbox.acquisitions.base import Acquisition, Belief
    from blackbox.surrogates.model import Surrogate

_POLICY = Policy()
_REPLAYED = 64
_STEPS = 16  # gradient steps after each round
_FINALISTS = 64  # candidates among which a batch is chosen row by row


class ActiveGFN(GFNOptimizer):
    """Bayesian optimization whose acquisition is searched by a GFlowNet (after MOGFN-AL).

    Jain et al. 2023, *Multi-Objective GFlowNets*, arXiv 2210.12765, section 4.3. Models of
    everything told give an acquisition; a GFlowNet learns where it is large, from its own walks
    and from mutations of the best rows told, at no cost of evaluations; the batch is the best of
    what it found, each row given those before it. What differs from the paper: the models are this
    package's Gaussian processes, and the sampler keeps the order of the acquisition's values, so
    that no reward exponent has to be found.

    Args:
        problem: up to 5 objectives on a discrete space, measured and linear constraints included.
        surrogate: recipe of the models, of ``blackbox.surrogates``; None for the fast engine.
        acquisition: recipe of what a row is worth; None takes the expected improvement, of the
            hypervolume where there are several objectives.
        rounds: rounds of 64 walks, each followed by gradient steps, before a batch is chosen.
        construction: how candidates are built: an order for ``Space.construction``, or a
            construction of your own; None takes the usual order.
        policy: the network and how it is trained.
        n_init: random candidates at the beginning.
        batch_size: rows that ``ask()`` gives.
        device: where PyTorch computes, such as ``"cpu"`` or ``"cuda"``.
        seed: seeds the optimizer's only generator.

    Raises:
        UnsupportedError: the space has continuous parameters, or the acquisition would see one
            of several objectives only.
        SpaceError: no candidate satisfies the linear constraints.
        ProblemError: an argument is out of its range, or the device cannot be used.
        MissingExtraError: PyTorch (extra ``gfn``) or SciPy (extra ``bayes``) is not installed.
    """

    supports = Supports(parameters=DISCRETE, objectives=(1, 5), constraints=True, linear=True)

    def __init__(
        self,
        problem: Problem,
        *,
        surrogate: Surrogate | None = None,
        acquisition: Acquisition | None = None,
        rounds: int = 8,
        construction: Construction | str | None = None,
        policy: Policy = _POLICY,
        n_init: int = 20,
        batch_size: int = 10,
        device: str = "cpu",
        seed: int | None = None,
    ) -> None:
        require("scipy.optimize", "bayes")
        from blackbox.acquisitions.base import need_acquisition
        from blackbox.optimizers.bayes.learning import Learning

        check_count("ActiveGFN: rounds", rounds, 1)
        super().__init__(
            problem,
            construction=construction,
            backbone=TrajectoryBalance(),
            policy=policy,
            n_init=n_init,
            batch_size=batch_size,
            device=device,
            seed=seed,
        )
        several = len(problem.objectives) > 1
        default = acquisitions.EHVI.of(problem) if several else acquisitions.EI()
        self._acquisition = default if acquisition is None else acquisition
        need_acquisition("ActiveGFN", self._acquisition, problem)
        self._features = Features(problem.space)
        self._learning = Learning(problem, self._features, surrogate, [], device)
        self._rounds = rounds

    def _learn(self, told: int) -> None:
        """Models are fitted when something is asked for."""

    def _sampled(self, n: int) -> Array:
        """The rows worth most, each given those before it, then the others of the last round."""
        try:
            belief = self._belief()
            if belief is not None:
                return self._best(belief, n)
        except ArithmeticError:
            pass  # a covariance cannot be factorised: walks are better than an exception
        return super()._sampled(n)

    def _belief(self) -> Belief | None:
        known = self.known.batch
        x = self._encode(self.known.states)
        pending = (
            self._encode(self.construction.encode(self.pending)) if len(self.pending) else x[:0]
        )
        if not len(known):
            return None
        return self._learning.belief(Told(known, x, self.known.groups), pending, commit=True)

    def _encode(self, states: Array) -> Array:
        if not len(states):
            return np.empty((0, self._features.width))
        return self._features.encode(self.construction.decode(states))

    def _best(self, belief: Belief, n: int) -> Array:
        pool, worth = self._searched(belief)
        order = diverse(pool, -worth, 1, max(_FINALISTS, 4 * n))
        pool = pool[order]
        x = self._encode(pool)
        chosen: list[int] = []
        left = np.ones(len(pool), dtype=bool)
        for _ in range(min(n, len(pool))):
            values = self._acquisition.build(belief, self.rng).values(x)
            best = int(np.argmax(np.where(left, values, -np.inf)))
            chosen.append(best)
            left[best] = False
            belief = belief.awaiting(x[best])
        return pool[chosen]

    def _searched(self, belief: Belief) -> tuple[Array, Array]:
        """New objects that the sampler has found in this search, and what each is worth."""
        function = self._acquisition.build(belief, self.rng)
        taken = self.known.keys
        if len(self.pending):
            taken = np.concatenate([taken, keys(self.construction.encode(self.pending))])
        pool, worth = self.construction.initial(0), np.zeros(0)
        for _ in range(self._rounds):
            found = np.concatenate([self._walks(_REPLAYED).ends.cpu().numpy(), self._mutated(4)])
            hashed = keys(found)
            first = np.unique(hashed, return_index=True)[1]
            first = first[~np.isin(hashed[first], np.concatenate([taken, keys(pool)]))]
            if len(first):
                values = function.values(self._encode(found[first]))
                pool = np.concatenate([pool, found[first]])
                worth = np.concatenate([worth, values])
            if len(pool) > 1:
                self._ordered(pool, dense_ranks(worth))
        return pool, worth

    def _ordered(self, pool: Array, ranks: Array) -> None:
        states = torch.from_numpy(pool).to(self.sampler.device)
        for _ in range(_STEPS):
            chosen = replayed(ranks, _REPLAYED, self.rng)
            walks = self.sampler.walk_back(states[torch.from_numpy(chosen)])
            reward = self.backbone.learnt(self.sampler, walks)[0]
            self.trainer.step(compared(reward, ranks[chosen]))

    def _state(self) -> State:
        return super()._state() | {"models": self._learning.state()}

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        self._learning.load(state["models"])
