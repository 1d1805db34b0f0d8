"""Improvement and confidence bounds under models that are not of the fast engine."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from blackbox.acquisitions.base import AcquisitionFunction, Belief
from blackbox.acquisitions.torch.autograd import Autograd, awaited, drawn_seed, sampler, tensor
from blackbox.surrogates.isolation import isolated
from blackbox.surrogates.torch.fit import factor

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    import torch
    from botorch.acquisition.logei import qLogNoisyExpectedImprovement
    from botorch.acquisition.monte_carlo import qProbabilityOfImprovement
    from botorch.acquisition.objective import MCAcquisitionObjective
    from botorch.acquisition.utils import prune_inferior_points
    from botorch.utils.transforms import is_ensemble

_SAMPLES = 512
_PRUNING = 1024
_ENSEMBLE = -3  # dimension of the members in samples of an ensemble
_LEAST = 1e-20  # variance below which a value counts as known
_SMOOTH = 1e-2  # of the indicator of improvement, in standard deviations of the scores


def noisy_ei(belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
    """Log noisy expected improvement of the first objective, by quasi-Monte Carlo.

    ``log E[max(f(x) - max f(observed and pending), 0)]`` under the joint posterior (Letham et al.
    2019, eq. 11; Ament et al. 2023). Pending rows count as observed with unknown value.
    """
    model = belief.objectives[0].botorch(belief.device)
    return noisy_improvement(model, belief, None, rng)


def noisy_improvement(
    model: Any,
    belief: Belief,
    objective: MCAcquisitionObjective | None,
    rng: np.random.Generator,
) -> AcquisitionFunction:
    """The same of any objective of the model's outputs; None for its only output."""
    seed = drawn_seed(rng)
    with isolated(seed, belief.device):
        # Rows that are the best in no sample change nothing.
        baseline = prune_inferior_points(
            model,
            tensor(belief.x[belief.feasible], belief.device),
            objective=objective,
            sampler=sampler(_PRUNING, seed),
            marginalize_dim=_ENSEMBLE if is_ensemble(model) else None,
        )
        function = qLogNoisyExpectedImprovement(
            model,
            baseline,
            sampler(_SAMPLES, seed),
            objective=objective,
            X_pending=awaited(belief),
            prune_baseline=False,
            marginalize_dim=_ENSEMBLE if is_ensemble(model) else None,
        )
    return Autograd(function, belief.device)


def probability_of_improvement(
    belief: Belief, margin: float, rng: np.random.Generator
) -> AcquisitionFunction:
    """Log probability that a row or a pending one improves on the best mean by the margin.

    The indicator of improvement is smoothed, so that it has a gradient.
    """
    best = belief.objectives[0].moments(belief.x[belief.feasible]).mean.max() + margin
    seed = drawn_seed(rng)
    with isolated(seed, belief.device):
        function = qProbabilityOfImprovement(
            belief.objectives[0].botorch(belief.device),
            best_f=float(best),
            sampler=sampler(_SAMPLES, seed),
            X_pending=awaited(belief),
            tau=_SMOOTH,
        )
    return Autograd(lambda x: torch.log(function(x)), belief.device)


def upper_confidence_bound(belief: Belief, beta: float) -> AcquisitionFunction:
    """Mean plus ``sqrt(beta)`` deviations, with the pending rows observed at their means.

    That leaves the means where they are. Where c are a row's covariances with the pending ones, at
    least one, S those among them and v the noise, its variance falls by ``c^T (S + v I)^-1 c``.

    Raises:
        SingularError: S + v I cannot be factorised.
    """
    model, device, root = belief.objectives[0], belief.device, math.sqrt(beta)
    process, pending = model.botorch(device), tensor(belief.pending, device)
    with isolated(0, device), torch.no_grad():
        among = process.posterior(pending).distribution.covariance_matrix
        lower = factor(among + model.noise * torch.eye(len(pending)).to(among))

    def bound(x: torch.Tensor) -> torch.Tensor:
        joint = process.posterior(torch.cat([x, pending.expand(len(x), -1, -1)], dim=1))
        covariance = joint.distribution.covariance_matrix
        told = torch.linalg.solve_triangular(lower, covariance[:, 1:, :1], upper=False)
        variance = covariance[:, 0, 0] - (told**2).sum(dim=(1, 2))
        value: torch.Tensor = joint.mean[:, 0, 0] + root * variance.clamp_min(_LEAST).sqrt()
        return value

    return Autograd(bound, device)
