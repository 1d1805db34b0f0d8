"""Many dimensions of which few matter: sparse axis-aligned subspaces."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np

from blackbox.arguments import check_device
from blackbox.batch import Array
from blackbox.state import State
from blackbox.surrogates.isolation import isolated
from blackbox.surrogates.model import Data
from blackbox.surrogates.torch.fit import values
from blackbox.surrogates.torch.gp import fit_exact
from blackbox.surrogates.torch.kernels import CodeKernel, Embedding
from blackbox.surrogates.torch.model import TorchModel, standardised

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    from botorch.models.map_saas import add_saas_prior
    from botorch.utils.constraints import LogTransformedInterval
    from gpytorch.kernels import Kernel, MaternKernel, ProductKernel, ScaleKernel
    from gpytorch.priors import LogNormalPrior

_LENGTHS = (1.0, 10.0)  # length scales of the starts


@dataclass(frozen=True)
class SaasGP:
    """Recipe of an exact process that holds most numbers for irrelevant.

    Matern 5/2 with a prior after Eriksson and Jankowiak (2021, *High-Dimensional Bayesian
    Optimization with Sparse Axis-Aligned Subspaces*), of half-Cauchy tails, which let a few
    inverse length scales escape while the others stay near zero. It is BoTorch's
    ``add_saas_prior``: ``tau / l_i^2 ~ HC(1)``, ``tau ~ HC(0.1)``, maximum a posteriori, tau
    included. The paper has ``1 / l_i^2 ~ HC(tau)`` instead, and integrates by NUTS.

    Rows of earlier studies are left out.

    Args:
        device: where it is fitted and predicts.

    Raises:
        ProblemError: an argument is out of its range.
    """

    device: str = "cpu"

    def __post_init__(self) -> None:
        check_device("SaasGP", self.device, "bayes")

    def fit(self, data: Data, memory: State | None) -> TorchModel:
        """Fit to data, going on from the memory of an earlier fit.

        Raises:
            SingularError: no hyperparameters give a covariance that can be factorised.
        """
        data = data.of_this_study()
        outcomes, z, noise = standardised(data)
        embedding = Embedding(data.features)
        with isolated(0, self.device):
            kernel = _kernel(embedding)
            fitted = fit_exact(
                kernel,
                data.x,
                z,
                noise,
                starts=_starts(embedding),
                bounds={},
                memory=memory,
                device=self.device,
                noisy=data.noisy,
            )
            level = noise if noise is not None else float(fitted.likelihood.noise)
            found = values(fitted)
        return TorchModel(
            data.features, outcomes, fitted, float(np.median(level)), found, self.device
        )


def _kernel(embedding: Embedding) -> Kernel:
    numbers = embedding.features.numbers.tolist()
    parts: list[Kernel] = []
    if numbers:
        matern = MaternKernel(nu=2.5, ard_num_dims=len(numbers), active_dims=numbers).double()
        parts.append(add_saas_prior(matern))
    if len(embedding.groups):
        scales = LogTransformedInterval(1e-2, 1e3, initial_value=1.0)
        parts.append(CodeKernel(embedding, scales, LogNormalPrior(0.0, math.sqrt(3.0))))
    base = parts[0] if len(parts) == 1 else ProductKernel(*parts)
    signal = LogTransformedInterval(1e-2, 1e4, initial_value=1.0)
    return ScaleKernel(base, outputscale_constraint=signal).double()


def _starts(embedding: Embedding) -> list[dict[str, Array]]:
    p = len(embedding.features.numbers)
    both = p and len(embedding.groups)
    name = "covar_module.base_kernel" + (".kernels.0" if both else "") + ".raw_lengthscale"
    return [{name: np.full((1, p), math.log(length))} for length in _LENGTHS]
