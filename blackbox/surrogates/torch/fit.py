"""Fitting hyperparameters of GPyTorch models: several starts, and what to do when one fails."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from blackbox.batch import Array
from blackbox.surrogates.isolation import NUMERICAL_ERRORS
from blackbox.surrogates.likelihood import NOISE_FLOOR, NOISE_PRIOR, NOISY_PRIOR
from blackbox.surrogates.posterior import SingularError

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    import torch
    from botorch.optim.fit import fit_gpytorch_mll_scipy
    from botorch.utils.constraints import LogTransformedInterval
    from gpytorch.likelihoods import GaussianLikelihood
    from gpytorch.mlls import MarginalLogLikelihood
    from gpytorch.priors import NormalPrior, Prior
    from torch import Tensor

Values = Mapping[str, Array]

_NOISE_MOST = 10.0  # variance of z
_JITTERS = (0.0, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2)  # in multiples of the mean of the diagonal
_OPTIONS = {"ftol": 1e-7, "maxcor": 10}  # of L-BFGS-B, as in the fast engine


def inferred_noise(
    noise: float = 1e-4, prior: Prior | None = None, *, noisy: bool = False
) -> GaussianLikelihood:
    """A Gaussian likelihood whose noise has the bounds and the prior of the fast engine.

    The density exp(-(log v - m)^2 / 2 s^2) / v of the variance v itself is normal in log v, about
    m - s^2 (``likelihood.Likelihood.prior``).

    Args:
        noise: where its variance starts.
        prior: of the variance, in place of the fast engine's.
        noisy: whether values are known to be noisy.
    """
    constraint = LogTransformedInterval(NOISE_FLOOR / 2, 2 * _NOISE_MOST)
    likelihood = GaussianLikelihood(noise_constraint=constraint).double()
    covariance = likelihood.noise_covar
    if prior is None:
        center, width = NOISY_PRIOR if noisy else NOISE_PRIOR
        normal = NormalPrior(center - width**2, width)
        covariance.register_prior("noise_prior", normal, "raw_noise")
    else:
        covariance.register_prior("noise_prior", prior, "noise")
    # In float64, which GPyTorch's own setter of a float would not keep.
    covariance.raw_noise.data.fill_(math.log(noise))
    return likelihood


def values(module: torch.nn.Module) -> dict[str, Array]:
    """Copies of the parameters that are fitted, by name."""
    return {
        name: parameter.detach().cpu().numpy().copy()
        for name, parameter in module.named_parameters()
        if parameter.requires_grad
    }


def assign(module: torch.nn.Module, new: Values) -> None:
    """Set parameters; those that are unknown or of another shape are left alone."""
    for name, parameter in module.named_parameters():
        if name in new and np.shape(new[name]) == tuple(parameter.shape):
            parameter.data.copy_(torch.as_tensor(np.asarray(new[name])))


def maximise(
    mll: MarginalLogLikelihood,
    starts: Iterable[Values],
    bounds: Mapping[str, tuple[Any, Any]] | None = None,
    iterations: int = 60,
) -> None:
    """Maximise a marginal likelihood over its parameters; the model is in eval mode after it.

    Args:
        mll: of a model.
        starts: values of parameters of the model to start from, each over the first ones.
        bounds: of parameters of the mll, besides those of their constraints.
        iterations: of L-BFGS-B, from each start.

    Raises:
        SingularError: no start has a covariance that can be factorised.
    """
    first = values(mll.model)
    best, found = math.inf, first
    for start in starts:
        assign(mll.model, first)
        assign(mll.model, start)
        mll.train()
        try:
            result = fit_gpytorch_mll_scipy(
                mll, bounds=dict(bounds or {}), options={"maxiter": iterations, **_OPTIONS}
            )
        except (ArithmeticError, *NUMERICAL_ERRORS):
            continue
        loss = float(result.fval)
        if loss < best:
            best, found = loss, values(mll.model)
    if not math.isfinite(best):
        raise SingularError("no hyperparameters give a covariance that can be factorised")
    assign(mll.model, found)
    mll.eval()


def factor(matrix: Tensor) -> Tensor:
    """Lower Cholesky factor, with jitter where there is none without.

    Raises:
        SingularError: it has no factor even with a hundredth of its diagonal added.
    """
    unit = matrix.detach().diagonal().mean()
    eye = torch.eye(len(matrix)).to(matrix)
    for jitter in _JITTERS:
        lower, info = torch.linalg.cholesky_ex(matrix + jitter * unit * eye)
        if not info.item() and bool(torch.isfinite(lower).all()):
            found: Tensor = lower
            return found
    raise SingularError(f"no Cholesky factor of a covariance of {len(matrix)} rows")
