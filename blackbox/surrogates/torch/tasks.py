"""Several studies of kindred outcomes, alike or opposed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from blackbox.arguments import check_device
from blackbox.batch import Array
from blackbox.state import State
from blackbox.surrogates.isolation import isolated
from blackbox.surrogates.model import Data
from blackbox.surrogates.torch.fit import values
from blackbox.surrogates.torch.given import of_this_study
from blackbox.surrogates.torch.gp import TorchGP, fit_exact, hyperprior
from blackbox.surrogates.torch.kernels import Covariance, Embedding
from blackbox.surrogates.torch.model import TorchModel, standardised
from blackbox.surrogates.torch.moments import mean_and_deviation

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    import torch
    from gpytorch.kernels import IndexKernel, ProductKernel

_FACTOR = "covar_module.kernels.1.covar_factor"
_FIRST = 0.9  # what each task has of a common part at the start


@dataclass(frozen=True)
class TaskGP:
    """Recipe of an exact process of several tasks that may be opposed to one another.

    Intrinsic coregionalisation (Bonilla, Chai and Williams 2007, *Multi-task Gaussian Process
    Prediction*, eq. 2): ``cov(f_s(x), f_t(x')) = B_st k(x, x')`` with ``B = W W^T + diag(v)`` of
    any sign, where the fast engine holds earlier studies for at least indifferent. k and its
    priors are the fast engine's. The model predicts task 0.

    BoTorch's own ``MultiTaskGP`` (0.18) admits no negative correlations.

    Args:
        device: where it is fitted and predicts.

    Raises:
        ProblemError: an argument is out of its range.
    """

    device: str = "cpu"

    def __post_init__(self) -> None:
        check_device("TaskGP", self.device, "bayes")

    def fit(self, data: Data, memory: State | None) -> TorchModel:
        """Fit to data, going on from the memory of an earlier fit.

        Raises:
            SingularError: no hyperparameters give a covariance that can be factorised.
        """
        if data.tasks is None or not np.any(data.tasks > 0):
            return TorchGP(self.device).fit(data, memory)
        outcomes, z, noise = standardised(data)
        names, tasks = np.unique(np.r_[0, data.tasks], return_inverse=True)
        x = np.column_stack([data.x, tasks[1:]])
        hyper = hyperprior(data.features, Embedding(data.features), noise)
        width, count = data.features.width, len(names)
        with isolated(0, self.device):
            inner = Covariance(
                Embedding(data.features), hyper.start(0, -7)[: hyper.size], hyper.prior
            )
            between = IndexKernel(count, rank=count, active_dims=[width]).double()
            between.initialize(var=torch.full((count,), 0.2).double())
            starts = []
            for signs in ({}, self._signs(data, x, z)):
                factor = _FIRST * np.array([signs.get(task, 1.0) for task in range(count)])
                made = 0.05 * np.eye(count) + np.outer(factor, np.arange(count) == 0)
                starts += [{**_inside(start), _FACTOR: made} for start in hyper.starts[:1]]
            low, high = (b.clone() for b in next(iter(hyper.bounds.values())))
            # Its scale is that of B.
            low[-1] = high[-1] = 0.0
            fitted = fit_exact(
                ProductKernel(inner, between),
                x,
                z,
                noise,
                starts=starts,
                bounds={"model.covar_module.kernels.0.theta": (low, high)},
                memory=memory,
                device=self.device,
                noisy=data.noisy,
            )
            level = noise if noise is not None else float(fitted.likelihood.noise)
            typical = level if noise is None else noise[data.here]
            found, mean = values(fitted), float(fitted.mean_module.constant)
            own = of_this_study(fitted.covar_module.cpu(), mean, x, z, level, width)
        return TorchModel(
            data.features, outcomes, own, float(np.median(typical)), found, self.device
        )

    def _signs(self, data: Data, x: Array, z: Array) -> dict[int, float]:
        """Whether each earlier study goes along with this one, by what this one predicts of it."""
        assert data.tasks is not None
        here = TorchGP(self.device).fit(data.of_this_study(), None)
        predicted, _ = mean_and_deviation(here, data.x, self.device)
        along = {}
        for task in np.unique(x[:, -1]):
            rows = x[:, -1] == task
            agreement = (predicted[rows] - predicted[rows].mean()) @ z[rows]
            along[int(task)] = 1.0 if task == 0 or agreement >= 0 else -1.0
        return along


def _inside(start: dict[str, Array]) -> dict[str, Array]:
    """The same start for the factor of a product."""
    return {
        name.replace("covar_module.", "covar_module.kernels.0."): value
        for name, value in start.items()
    }
