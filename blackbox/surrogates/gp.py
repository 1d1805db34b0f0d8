"""An exact Gaussian process on features, in float64, fitted by maximum a posteriori.

Kernel: Matern 5/2 over all numbers and shares, with one length scale each and the dimension-scaled
prior of Hvarfner, Hellsten and Nardi (2024, *Vanilla Bayesian Optimization Performs Great in High
Dimensions*), times an exponential Hamming kernel over the categories.

Notation: X (n, d) features, y (n,) scores, larger is better; z = (y - shift) / scale.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np

from blackbox.batch import Array

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    import torch
    from botorch.exceptions.errors import ModelFittingError
    from botorch.models import SingleTaskGP
    from botorch.models.kernels.categorical import CategoricalKernel
    from botorch.models.utils.gpytorch_modules import get_covar_module_with_dim_scaled_prior
    from botorch.optim.fit import fit_gpytorch_mll_scipy
    from gpytorch.constraints import GreaterThan
    from gpytorch.kernels import Kernel, ProductKernel
    from gpytorch.likelihoods import GaussianLikelihood
    from gpytorch.mlls import ExactMarginalLogLikelihood
    from gpytorch.priors import LogNormalPrior
    from linear_operator.utils.errors import NanError, NotPSDError

#: What a covariance matrix that cannot be factorised raises.
NUMERICAL_ERRORS = (
    ArithmeticError,
    torch.linalg.LinAlgError,  # type: ignore[attr-defined]
    NanError,
    NotPSDError,
    ModelFittingError,
)

_NOISE_FLOOR = 1e-6  # variance of z; keeps replicates from making the matrix singular
_STARTS = (1.0, 4.0)  # length scales of the fit's starts, in multiples of the prior's mode
_FIT = {"maxiter": 200, "ftol": 1e-6}  # of L-BFGS-B


def standardise(y: Array) -> tuple[Array, float, float]:
    """Scores of mean 0 and standard deviation 1, with shift and scale; constants become 0.

    Works for scores near the largest float and for differences near rounding.
    """
    top = float(np.max(np.abs(y), initial=0.0))
    if top == 0.0 or np.ptp(y / top) <= 4 * np.finfo(float).eps:
        return np.zeros_like(y), float(y[0]) if len(y) else 0.0, 1.0
    relative = y / top
    center = float(relative.mean())
    spread = float((relative - center).std())
    return (relative - center) / spread, center * top, spread * top


class GaussianProcess:
    """A fitted Gaussian process.

    Args:
        x: (n, d) features, n >= 1.
        y: (n,) finite scores.
        noise: (n,) known standard deviations of the scores, or None to infer one common variance.
        categorical: columns of ``x`` compared for equality only.
        device: where PyTorch computes.

    Attributes:
        model: the BoTorch model, of standardised scores.
        shift: what was subtracted from the scores.
        scale: what they were divided by after that.

    Raises:
        one of ``NUMERICAL_ERRORS``: no start of the fit gave a covariance matrix that could be
            factorised.
    """

    def __init__(
        self,
        x: Array,
        y: Array,
        *,
        noise: Array | None = None,
        categorical: Sequence[int] = (),
        device: str = "cpu",
    ) -> None:
        z, self.shift, self.scale = standardise(y)
        self.device = device
        self.model = SingleTaskGP(
            self.tensor(x),
            self.tensor(z[:, None]),
            None if noise is None else self.tensor(self._variances(noise)[:, None]),
            likelihood=None if noise is not None else _likelihood(),
            covar_module=_kernel(x.shape[1], categorical),
            outcome_transform=None,
        )
        self._fit()

    def tensor(self, values: Array) -> torch.Tensor:
        """A float64 copy on the model's device."""
        # A copy, for PyTorch aligns memory: sums of unaligned arrays may differ in the last bit.
        return torch.tensor(values, dtype=torch.float64, device=self.device)

    def predict(self, x: Array) -> tuple[Array, Array]:
        """(n,) posterior mean and standard deviation of the noise-free scores."""
        with torch.no_grad():
            posterior = self.model.posterior(self.tensor(x))
            mean = posterior.mean[:, 0].cpu().numpy()
            deviation = posterior.variance[:, 0].clamp_min(0).sqrt().cpu().numpy()
        return self.shift + self.scale * mean, self.scale * deviation

    def _variances(self, noise: Array) -> Array:
        return np.maximum((noise / self.scale) ** 2, _NOISE_FLOOR)

    def _fit(self) -> None:
        """Maximise the posterior of the hyperparameters from several starts; keep the best."""
        mll = ExactMarginalLogLikelihood(self.model.likelihood, self.model)
        first = {k: v.clone() for k, v in self.model.state_dict().items()}
        best = math.inf
        found: dict[str, torch.Tensor] | None = None
        failure: Exception | None = None
        for start in _STARTS:
            self.model.load_state_dict(first)
            _stretch(self.model.covar_module, start)
            try:
                loss = fit_gpytorch_mll_scipy(mll, options=_FIT).fval
            except NUMERICAL_ERRORS as error:
                failure = error
                continue
            if float(loss) < best:
                best = float(loss)
                found = {k: v.clone() for k, v in self.model.state_dict().items()}
        if found is None:
            raise failure or ArithmeticError("no start of the fit has a finite likelihood")
        self.model.load_state_dict(found)
        self.model.eval()


def _kernel(width: int, categorical: Sequence[int]) -> Kernel:
    numeric = [j for j in range(width) if j not in categorical]
    parts: list[Kernel] = []
    if numeric:
        parts.append(
            get_covar_module_with_dim_scaled_prior(
                len(numeric), use_rbf_kernel=False, active_dims=numeric
            )
        )
    if categorical:
        prior = LogNormalPrior(0.0, math.sqrt(3.0))
        parts.append(
            CategoricalKernel(
                ard_num_dims=len(categorical),
                active_dims=tuple(categorical),
                lengthscale_prior=prior,
                lengthscale_constraint=GreaterThan(1e-2, transform=None, initial_value=1.0),
            )
        )
    return parts[0] if len(parts) == 1 else ProductKernel(*parts)


def _likelihood() -> GaussianLikelihood:
    # Wide, from no noise to nothing but noise: BoTorch's LogNormal(-4, 1) holds that a hundredth of
    # the variance is noise and keeps the search of a deterministic function from closing in.
    return GaussianLikelihood(
        noise_prior=LogNormalPrior(loc=-8.0, scale=3.0),
        noise_constraint=GreaterThan(
            _NOISE_FLOOR, transform=torch.exp, inv_transform=torch.log, initial_value=1e-4
        ),
    )


def _stretch(kernel: Kernel, factor: float) -> None:
    for part in getattr(kernel, "kernels", [kernel]):
        if not isinstance(part, CategoricalKernel):
            part.lengthscale = part.lengthscale.detach() * factor
