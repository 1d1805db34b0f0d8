"""Preferences between rows in place of values."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from blackbox.arguments import check_device
from blackbox.batch import Array
from blackbox.state import State
from blackbox.surrogates.features import Features
from blackbox.surrogates.isolation import isolated
from blackbox.surrogates.kernel import TREND
from blackbox.surrogates.model import Data
from blackbox.surrogates.outcomes import Outcomes
from blackbox.surrogates.torch.fit import maximise, values
from blackbox.surrogates.torch.gp import hyperprior
from blackbox.surrogates.torch.kernels import Covariance, Embedding
from blackbox.surrogates.torch.model import TorchModel

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    import torch
    from botorch.models import pairwise_gp
    from botorch.models.pairwise_gp import PairwiseLaplaceMarginalLogLikelihood
    from botorch.utils.constraints import LogTransformedInterval
    from gpytorch.kernels import ScaleKernel
    from gpytorch.priors import LogNormalPrior

_THETA = "covar_module.base_kernel.theta"
_NONE = -14.0  # logarithm of the trend's variances: no trend
_COLD, _WARM = 40, 15  # iterations


@dataclass(frozen=True)
class PairwiseGP:
    """Recipe of a process of utilities learnt from comparisons.

    ``P(a preferred to b) = Phi((f(a) - f(b)) / sqrt 2)``, the posterior by Laplace's
    approximation (Chu and Ghahramani 2005, *Preference Learning with Gaussian Processes*, eq. 5 and
    section 2.3), the kernel the fast engine's without its trend. Utilities have no unit: what is
    predicted is the standardised utility, and the values ``data.y`` are not looked at.

    Args:
        device: where it is fitted and predicts.

    Raises:
        ProblemError: an argument is out of its range.
    """

    device: str = "cpu"

    def __post_init__(self) -> None:
        check_device("PairwiseGP", self.device, "bayes")

    def fit(self, data: Data, memory: State | None) -> TorchModel:
        """Fit to the comparisons, going on from the memory of an earlier fit.

        Raises:
            ValueError: there are no comparisons.
            SingularError: no hyperparameters give a covariance that can be factorised.
        """
        if data.comparisons is None or not len(data.comparisons):
            raise ValueError("PairwiseGP needs data.comparisons, at least one")
        # Only rows that were compared, each once: copies would make the covariance singular.
        x, number = np.unique(data.x[data.comparisons.ravel()], axis=0, return_inverse=True)
        pairs = number.reshape(-1, 2)
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        with isolated(0, self.device):
            kernel, bounds, start = _kernel(data.features)
            process = pairwise_gp.PairwiseGP(None, None, covar_module=kernel, consolidate_atol=0.0)
            # Where Newton's method starts: BoTorch would draw that from a global generator.
            process._x0 = np.zeros(len(x))  # type: ignore[assignment]
            process.to(self.device)
            # Moved before it has them: BoTorch trains on the very tensors it was given.
            given, compared = (torch.tensor(a, device=self.device) for a in (x, pairs))
            process.set_train_data(given, compared)
            mll = PairwiseLaplaceMarginalLogLikelihood(process.likelihood, process)
            begin, iterations = ([memory], _WARM) if memory else ([start], _COLD)
            maximise(mll, begin, bounds, iterations)
            # The approximation at the hyperparameters found, not at the last ones tried.
            process.load_state_dict(process.state_dict())
            found = values(process)
        outcomes, _ = Outcomes.of(np.zeros(1))
        return TorchModel(data.features, outcomes, process, 1.0, found, self.device)


def _kernel(features: Features) -> tuple[ScaleKernel, dict[str, tuple[Any, Any]], dict[str, Array]]:
    """The kernel, bounds of its hyperparameters, and where they start."""
    embedding = Embedding(features)
    hyper = hyperprior(features, embedding, np.zeros(0))
    theta = hyper.start(0.0, 0.0)
    # The scale is BoTorch's own factor, which it wants to be there.
    fixed = np.r_[[_NONE] * TREND, 0.0]
    theta[-len(fixed) :] = fixed
    low, high = next(iter(hyper.bounds.values()))
    low[-len(fixed) :] = high[-len(fixed) :] = torch.tensor(fixed)
    scale = LogTransformedInterval(1e-2, 1e2, initial_value=1.0)
    kernel = ScaleKernel(
        Covariance(embedding, theta, hyper.prior),
        outputscale_prior=LogNormalPrior(0.0, 1.0),
        outputscale_constraint=scale,
    ).double()
    return kernel, {f"model.{_THETA}": (low, high)}, {_THETA: theta}
