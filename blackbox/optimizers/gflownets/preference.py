"""One sampler for every trade-off between several objectives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from blackbox.arguments import check_count, check_range
from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError
from blackbox.formulation import Problem
from blackbox.gflownets.backbones import TrajectoryBalance
from blackbox.gflownets.conditions import FLOOR, SCALARIZATIONS, checked, thermometer
from blackbox.gflownets.replay import replayed
from blackbox.gflownets.training import alone
from blackbox.gflownets.walks import Walks
from blackbox.optimizer import Supports
from blackbox.optimizers.gflownets.base import DISCRETE, GFNOptimizer
from blackbox.optimizers.gflownets.policy import Policy
from blackbox.space.construction import Construction

_POLICY = Policy()
_REPLAYED = 64
_BINS = 10  # of the thermometer of each weight
_BETA_BINS = 16
_BEYOND = 0.05  # how far beyond [0, 1] an objective may be that was scaled by hand


class PreferenceGFN(GFNOptimizer):
    """A GFlowNet conditioned on preferences between objectives (MOGFN-PC).

    Jain et al. 2023, *Multi-Objective GFlowNets*, arXiv 2210.12765. Objectives u are scaled to
    [0, 1] by the range that has been told; preferences w are drawn from a Dirichlet law; and the
    policy of each w learns to draw candidates in proportion to (w . u) ** beta. After training,
    ``sample(n, preference=...)`` gives candidates for any trade-off.

    Args:
        problem: several objectives on a discrete space, linear constraints included.
        scalarization: "sum": w . u; "log_sum": the product of u_i ** w_i; "tchebycheff":
            1 - max w_i (1 - u_i), which reaches concave parts of a front too.
        beta: exponent of the reward; two numbers make it a condition too, drawn uniformly between
            them.
        concentration: of the Dirichlet law of preferences; 1 is uniform.
        construction: how candidates are built: an order for ``Space.construction``, or a
            construction of your own; None takes the usual order.
        policy: the network and how it is trained.
        n_init: random candidates at the beginning.
        batch_size: rows that ``ask()`` gives.
        device: where PyTorch computes, such as ``"cpu"`` or ``"cuda"``.
        seed: seeds the optimizer's only generator.

    Raises:
        UnsupportedError: the space has continuous parameters, or there is one objective only.
        SpaceError: no candidate satisfies the linear constraints.
        ProblemError: an argument is out of its range, or the device cannot be used.
        MissingExtraError: PyTorch is not installed (extra ``gfn``), or moocore (extra
            ``metrics``).
    """

    supports = Supports(parameters=DISCRETE, objectives=(2, float("inf")), linear=True)

    def __init__(
        self,
        problem: Problem,
        *,
        scalarization: Literal["sum", "log_sum", "tchebycheff"] = "sum",
        beta: float | tuple[float, float] = 48.0,
        concentration: float = 1.0,
        construction: Construction | str | None = None,
        policy: Policy = _POLICY,
        n_init: int = 20,
        batch_size: int = 10,
        device: str = "cpu",
        seed: int | None = None,
    ) -> None:
        if not isinstance(scalarization, str) or scalarization not in SCALARIZATIONS:
            raise ProblemError(
                f"PreferenceGFN: scalarization={scalarization!r}; give one of "
                f"{list(SCALARIZATIONS)}"
            )
        self._beta = beta if isinstance(beta, tuple) else (beta, beta)
        for value in self._beta:
            check_range("PreferenceGFN: beta", value, 0, 1e6)
        if len(self._beta) != 2 or self._beta[0] > self._beta[1]:
            raise ProblemError(
                f"PreferenceGFN: beta={beta!r}; give one number, or the least and the largest"
            )
        check_range("PreferenceGFN: concentration", concentration, 1e-6, 1e6)
        self._tempered = self._beta[0] < self._beta[1]
        super().__init__(
            problem,
            construction=construction,
            backbone=TrajectoryBalance(),
            policy=policy,
            condition=_BINS * len(problem.objectives) + _BETA_BINS * self._tempered,
            n_init=n_init,
            batch_size=batch_size,
            device=device,
            seed=seed,
        )
        self._scalarized = SCALARIZATIONS[scalarization]
        self._concentration = concentration

    def sample(
        self,
        n: int,
        *,
        preference: npt.ArrayLike | None = None,
        beta: float | None = None,
        given: Mapping[str, Any] | None = None,
        temperature: float = 1.0,
    ) -> Batch:
        """n candidates for one trade-off.

        Args:
            n: how many.
            preference: (m,) weights of the objectives; by default each counts the same.
            beta: exponent, where that is a condition; by default the largest.
            given: values of some parameters, which all candidates then have.
            temperature: scales the noise of each choice; not where something is given.

        Raises:
            ProblemError: weights that are negative or do not sum to one, or another argument out
                of its range.
            SpaceError: a value lies outside the space, or no candidate has these values.
        """
        return self._drawn(n, given, temperature, self._wanted(preference, beta))

    def log_prob(
        self,
        batch: Batch,
        *,
        preference: npt.ArrayLike | None = None,
        beta: float | None = None,
    ) -> Array:
        """(n,) log probability that a sample for a trade-off is each of these candidates.

        Raises:
            SpaceError: a row lies outside the space.
            ProblemError: as ``sample``.
        """
        return self._log_prob(batch, self._wanted(preference, beta))

    def train(self, steps: int, *, n: int = 64) -> Array:
        """Train on the sampler's own candidates, which the problem evaluates here and now.

        Nothing of it counts as told. Objectives are taken to be in [0, 1] where nothing was told.

        Args:
            steps: gradient steps.
            n: walks in each of them, each with a preference of its own.

        Returns:
            (steps,) losses.

        Raises:
            ProblemError: an argument is out of its range; an outcome is not finite, or not in
                [0, 1] where nothing was told; or walks end in dead ends.
        """
        check_count("PreferenceGFN.train: steps", steps, 0)
        check_count("PreferenceGFN.train: n", n, 1)
        losses = np.empty(steps)
        with alone():
            for i in range(steps):
                w, beta = self._draw(n)
                condition = self._code(w, beta)
                walks = self.sampler.walk(n, epsilon=self._policy.epsilon, condition=condition)
                if walks.n < n:
                    raise ProblemError("PreferenceGFN.train: walks end in dead ends; see Space")
                scores = self.problem.scores(self._evaluated(walks.ends))
                log_reward = self._log_reward(self._scaled(scores), w, beta)
                losses[i] = self._step(walks, log_reward, condition)
        return losses

    def _walks(self, n: int) -> Walks:
        condition = self._code(*self._draw(n))
        return self.sampler.walk(n, epsilon=self._policy.epsilon, condition=condition)

    def _learn(self, told: int) -> None:
        good = self.known.good
        if len(good) < 2:
            return
        ranks = self.known.ranks()
        u = self._scaled(self.problem.scores(self.known.batch[good]))
        states = torch.from_numpy(self.known.states[good]).to(self.sampler.device)
        for _ in range(self._policy.steps * told):
            chosen = replayed(ranks, _REPLAYED, self.rng)
            w, beta = self._draw(_REPLAYED)
            condition = self._code(w, beta)
            walks = self.sampler.walk_back(states[torch.from_numpy(chosen)], condition=condition)
            self._step(walks, self._log_reward(u[chosen], w, beta), condition)

    def _step(self, walks: Walks, log_reward: Tensor, condition: Tensor) -> float:
        loss = self.backbone.loss(self.sampler, walks, log_reward, condition)
        self.trainer.step(loss)
        return float(loss.detach())

    def _draw(self, n: int) -> tuple[Array, Array]:
        """(n, m) preferences and (n,) exponents."""
        m = len(self.problem.objectives)
        w = self.rng.dirichlet(np.full(m, self._concentration), size=n)
        return w, self.rng.uniform(*self._beta, size=n)

    def _code(self, w: Array, beta: Array) -> Tensor:
        """(n, c) what the network sees of them."""
        parts = [thermometer(w, 0.0, 1.0, _BINS)]
        if self._tempered:
            parts.append(thermometer(beta[:, None], *self._beta, _BETA_BINS))
        return torch.from_numpy(np.concatenate(parts, axis=1)).to(self.sampler.device)

    def _wanted(self, preference: npt.ArrayLike | None, beta: float | None) -> Tensor:
        """(1, c) the condition of what a user wants."""
        m = len(self.problem.objectives)
        w = checked(np.full(m, 1 / m) if preference is None else preference, m)
        if beta is not None:
            check_range("PreferenceGFN: beta", beta, *self._beta)
        return self._code(w[None], np.full(1, self._beta[1] if beta is None else beta))

    def _log_reward(self, u: Array, w: Array, beta: Array) -> Tensor:
        values = beta * np.log(np.maximum(self._scalarized(u, w), FLOOR))
        return torch.from_numpy(values).float().to(self.sampler.device)

    def _scaled(self, scores: Array) -> Array:
        """(n, m) scores on [0, 1], by the range of what was told."""
        good = self.known.good
        if not len(good):
            # Of an objective on [0, 1] that is minimized the scores lie on [-1, 0].
            low = np.array([min(o.sign, 0.0) for o in self.problem.objectives])
            unit: Array = scores - low
            beyond = np.abs(unit - 0.5) > 0.5 + _BEYOND
            if beyond.any():
                i, j = np.argwhere(beyond)[0]
                o = self.problem.objectives[j]
                raise ProblemError(
                    f"PreferenceGFN.train: {o.name} is {o.sign * scores[i, j]}, where nothing was "
                    "told taken to be in [0, 1]; scale it, or tell rows that show its range first"
                )
            return np.clip(unit, 0.0, 1.0)
        told = self.problem.scores(self.known.batch[good])
        size = np.maximum(np.abs(told).max(axis=0), 1e-300)  # the span of huge scores overflows
        low, span = (told / size).min(axis=0), np.ptp(told / size, axis=0)
        scaled: Array = np.clip((scores / size - low) / np.where(span > 0, span, 1.0), 0.0, 1.0)
        return scaled
