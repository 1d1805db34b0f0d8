"""The fast engine's exact process, fitted on PyTorch: for thousands of rows on a GPU."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np

from blackbox.arguments import check_device
from blackbox.batch import Array
from blackbox.state import State
from blackbox.surrogates.features import Features
from blackbox.surrogates.isolation import isolated
from blackbox.surrogates.likelihood import Likelihood
from blackbox.surrogates.model import Data
from blackbox.surrogates.torch.fit import maximise, values
from blackbox.surrogates.torch.given import constant, of_this_study, process
from blackbox.surrogates.torch.kernels import Covariance, Embedding
from blackbox.surrogates.torch.model import TorchModel, standardised

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    import torch
    from botorch.models import SingleTaskGP
    from gpytorch.kernels import Kernel
    from gpytorch.mlls import ExactMarginalLogLikelihood
    from gpytorch.priors import NormalPrior

THETA = "covar_module.theta"
NOISE = "likelihood.noise_covar.raw_noise"
_STARTS = ((0.0, -7.0), (math.log(4.0), -3.0))  # stretch of the length scales, log noise
_COLD, _WARM = 60, 20  # iterations


@dataclass(frozen=True)
class TorchGP:
    """Recipe of an exact process with the kernel and the priors of the fast engine.

    Matern 5/2 with the dimension-scaled prior of Hvarfner, Hellsten and Nardi (2024, eq. 8), a
    parabolic trend, exponential kernels over codes; maximum a posteriori by L-BFGS-B on
    PyTorch's derivatives. Earlier studies are further tasks, as in the fast engine; scores are not
    warped.

    Args:
        device: where it is fitted and predicts.

    Raises:
        ProblemError: an argument is out of its range.
    """

    device: str = "cpu"

    def __post_init__(self) -> None:
        check_device("TorchGP", self.device, "bayes")

    def fit(self, data: Data, memory: State | None) -> TorchModel:
        """Fit to data, going on from the memory of an earlier fit.

        Raises:
            SingularError: no hyperparameters give a covariance that can be factorised.
        """
        outcomes, z, noise = standardised(data)
        others = np.zeros(0) if data.tasks is None else np.unique(data.tasks[data.tasks > 0])
        embedding = Embedding(data.features, len(others))
        x = data.x
        if len(others):
            assert data.tasks is not None
            x = np.column_stack([x, np.searchsorted(np.r_[0, others], data.tasks)])
        hyper = hyperprior(data.features, embedding, noise)
        kernel = Covariance(embedding, hyper.start(0.0, -7.0)[: hyper.size], hyper.prior)
        with isolated(0, self.device):
            fitted = fit_exact(
                kernel,
                x,
                z,
                noise,
                starts=hyper.starts,
                bounds=hyper.bounds,
                memory=memory,
                device=self.device,
                noisy=data.noisy,
            )
            level = noise if noise is not None else float(fitted.likelihood.noise)
            typical = level if noise is None else noise[data.here]
            found = values(fitted)
            mean = float(fitted.mean_module.constant)
            # Moved over to the CPU, where the process is put together.
            own = of_this_study(fitted.covar_module.cpu(), mean, x, z, level, data.features.width)
        return TorchModel(
            data.features, outcomes, own, float(np.median(typical)), found, self.device
        )


@dataclass(frozen=True)
class Hyperprior:
    """What the fast engine holds of its kernel's hyperparameters, for PyTorch.

    Args:
        likelihood: of no rows.
    """

    likelihood: Likelihood

    @property
    def size(self) -> int:
        """Number of the kernel's hyperparameters."""
        return len(self.likelihood.start(0.0, 0.0)) - (self.likelihood.noise is None)

    def start(self, stretch: float, noise: float) -> Array:
        """(t,) hyperparameters to start from, the logarithm of the noise last if inferred."""
        return np.clip(self.likelihood.start(stretch, noise), *self.likelihood.bounds().T)

    @property
    def starts(self) -> list[dict[str, Array]]:
        """Values of a model's parameters to start from."""
        k, made = self.size, []
        for start in _STARTS:
            theta = self.start(*start)
            made.append({THETA: theta[:k], NOISE: theta[k:]})
        return made

    @property
    def bounds(self) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """Of a model's parameters."""
        low, high = torch.tensor(self.likelihood.bounds()[: self.size].T)
        return {f"model.{THETA}": (low, high)}

    @property
    def prior(self) -> NormalPrior:
        """Of the logarithms of the kernel's hyperparameters: the same density up to a factor."""
        own = self.likelihood
        return _TwoPieces(*(a[: self.size] for a in (own.mode, own.above, own.below)))


class _TwoPieces(NormalPrior):  # type: ignore[misc]
    """A normal prior with another deviation below its mode, up to a factor.

    Args:
        mode: (t,).
        above: (t,) deviations.
        below: (t,) deviations.
    """

    def __init__(self, mode: Array, above: Array, below: Array) -> None:
        super().__init__(torch.tensor(mode), torch.tensor(above))
        self.register_buffer("steeper", torch.tensor(below**-2.0 - above**-2.0))

    def log_prob(self, value: torch.Tensor) -> torch.Tensor:
        """(t,) log densities."""
        short = (value - self.loc).clamp_max(0.0)
        density: torch.Tensor = super().log_prob(value) - 0.5 * self.steeper * short**2
        return density


def hyperprior(features: Features, embedding: Embedding, noise: Array | None) -> Hyperprior:
    """The fast engine's prior over these features and tasks."""
    rows = features.rows(np.zeros((0, features.width)))
    return Hyperprior(
        Likelihood(rows, embedding.groups, np.zeros(0), None if noise is None else np.zeros(0))
    )


def fit_exact(
    kernel: Kernel,
    x: Array,
    z: Array,
    noise: Array | None,
    *,
    starts: list[dict[str, Array]],
    bounds: dict[str, tuple[torch.Tensor, torch.Tensor]],
    memory: State | None,
    device: str,
    noisy: bool = False,
) -> SingleTaskGP:
    """An exact process of a constant mean, its hyperparameters fitted.

    Args:
        kernel: its covariance.
        x: (n, d) inputs.
        z: (n,) standardised values.
        noise: (n,) known variances, or None to infer one.
        starts: values of parameters to start from where there is no memory.
        bounds: of parameters, besides those of their constraints.
        memory: values of parameters found earlier.
        device: where to fit.
        noisy: whether values are known to be noisy.
    """
    level = 1e-4 if noise is None else noise
    model = process(kernel, constant(0.0), x, z, level, noisy=noisy)
    model = model.to(device)
    mll = ExactMarginalLogLikelihood(model.likelihood, model)
    # From a memory it goes on; where that leads nowhere it starts afresh.
    attempts = [([memory], _WARM), (starts, _COLD)] if memory else [(starts, _COLD)]
    for number, (begin, iterations) in enumerate(attempts):
        try:
            maximise(mll, begin, bounds, iterations)
            break
        except ArithmeticError:
            if number == len(attempts) - 1:
                raise
    return model
