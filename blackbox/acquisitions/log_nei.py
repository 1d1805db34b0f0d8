"""Log noisy expected improvement by quasi-Monte Carlo."""

from __future__ import annotations

import warnings

import numpy as np

from blackbox.batch import Array
from blackbox.surrogates.gp import GaussianProcess

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    import torch
    from botorch.acquisition.logei import qLogNoisyExpectedImprovement
    from botorch.acquisition.utils import prune_inferior_points
    from botorch.sampling.normal import SobolQMCNormalSampler

_SAMPLES = 512
_PRUNING = 1024
_CHUNK = 1024


class LogNoisyEI:
    """Log of the expected improvement over the best of the noise-free values at observed rows.

    ``log E[max(f(x) - max f(observed and pending), 0)]`` under the joint posterior (Letham et al.
    2019, *Constrained Bayesian Optimization with Noisy Experiments*; Ament et al. 2023,
    *Unexpected Improvements to Expected Improvement*). No observation is taken for the best value
    at its face, so noise does not make it look better than it is. Pending rows count as observed
    with unknown value, so a batch chosen one row after another spreads.

    Args:
        gp: the fitted model.
        observed: (n, d) features of rows whose outcome is known, n >= 1.
        pending: (m, d) features of rows whose outcome is awaited.
        seed: of the quasi-random normal samples.

    Raises:
        one of ``NUMERICAL_ERRORS``: the posterior covariance cannot be factorised.
    """

    def __init__(self, gp: GaussianProcess, observed: Array, pending: Array, seed: int) -> None:
        self._gp = gp
        # Rows that are the best in no sample change nothing; BoTorch would draw these samples from
        # a global generator.
        best = prune_inferior_points(
            gp.model,
            gp.tensor(observed),
            sampler=SobolQMCNormalSampler(torch.Size([_PRUNING]), seed=seed),
        )
        self._function = qLogNoisyExpectedImprovement(
            gp.model,
            best,
            SobolQMCNormalSampler(torch.Size([_SAMPLES]), seed=seed),
            X_pending=gp.tensor(pending) if len(pending) else None,
            prune_baseline=False,
        )

    def values(self, points: Array) -> Array:
        """(n,) values at (n, d) features; -inf where one cannot be computed."""
        parts = []
        with torch.no_grad():
            for start in range(0, len(points), _CHUNK):
                x = self._gp.tensor(points[start : start + _CHUNK, None])
                parts.append(self._function(x).cpu().numpy())
        values = np.concatenate(parts) if parts else np.empty(0)
        return np.where(np.isnan(values), -np.inf, values)

    def values_and_gradients(self, points: Array) -> tuple[Array, Array]:
        """(n,) values and (n, d) gradients at (n, d) features; categories have gradient 0."""
        x = self._gp.tensor(points).requires_grad_()
        values = self._function(x[:, None])
        (gradients,) = torch.autograd.grad(values.sum(), x)
        return values.detach().cpu().numpy(), gradients.cpu().numpy()
