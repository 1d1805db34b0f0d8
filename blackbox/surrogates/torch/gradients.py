"""Outcomes that come with their derivatives."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blackbox.arguments import check_count, check_device
from blackbox.batch import Array
from blackbox.state import State
from blackbox.surrogates.isolation import isolated
from blackbox.surrogates.likelihood import Likelihood, minimised
from blackbox.surrogates.model import Data
from blackbox.surrogates.torch.fit import factor
from blackbox.surrogates.torch.given import process, seen
from blackbox.surrogates.torch.kernels import Covariance, Embedding
from blackbox.surrogates.torch.model import TorchModel, standardised
from blackbox.surrogates.torch.slopes import WithSlopes

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    import torch
    from torch import Tensor
    from torch.func import functional_call

_LARGEST = 1e6  # standardised derivative beyond which none is believed
_NOISE = (-14.0, 3.0)  # normal prior of the logarithm of the derivatives' noise variance
_BOUNDS = (math.log(1e-8), math.log(1e4))
_STARTS = ((0.0, -7.0), (math.log(4.0), -7.0))  # stretch of the length scales, log noise
_COLD, _WARM = 40, 15  # iterations


@dataclass(frozen=True)
class GradientGP:
    """Recipe of an exact process that learns from derivatives as well as from values.

    Values and known derivatives are jointly normal under the fast engine's kernel, with

        cov(f(x), d_j f(x')) = d k / d x'_j,   cov(d_i f(x), d_j f(x')) = d^2 k / d x_i d x'_j

    (Rasmussen and Williams 2006, section 9.4; Wu, Poloczek, Wilson and Frazier 2017, *Bayesian
    Optimization with Gradients*). Any derivative may be unknown (NaN). The noise of the
    derivatives is a hyperparameter of its own. GPyTorch's kernels of this kind know neither
    codes nor missing entries. The model predicts values.

    Rows of earlier studies are left out.

    Args:
        most: derivatives used, those of the best rows.
        device: where it is fitted and predicts.

    Raises:
        ProblemError: an argument is out of its range.
    """

    most: int = 500
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_count("GradientGP: most", self.most, 1)
        check_device("GradientGP", self.device, "bayes")

    def fit(self, data: Data, memory: State | None) -> TorchModel:
        """Fit to data, going on from the memory of an earlier fit.

        Raises:
            SingularError: no hyperparameters give a covariance that can be factorised.
        """
        data = data.of_this_study()
        outcomes, z, noise = standardised(data)
        rows, columns, slopes = self._known(data, outcomes.scale)
        likelihood = Likelihood(
            data.features.rows(data.x), data.features.groups, z, noise, noisy=data.noisy
        )
        with isolated(0, self.device):
            joint = _Joint(likelihood, data, rows, columns, slopes, self.device)
            theta = joint.fitted(memory)
            kernel, mean, level = joint.at(theta)
            cross = WithSlopes(kernel.cpu(), torch.tensor(data.x[rows]), torch.tensor(columns))
            with torch.no_grad():
                among = cross.among() + math.exp(theta[-1]) * torch.eye(len(rows)).double()
                prior, moved = seen(kernel, mean, cross, among, torch.tensor(slopes))
            own = process(prior, moved, data.x, z, level if noise is None else noise)
        found = {"theta": theta}
        return TorchModel(data.features, outcomes, own, level, found, self.device)

    def _known(
        self, data: Data, scale: float
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Array]:
        """Row, number and standardised value of each derivative used."""
        if data.gradients is None:
            none = np.zeros(0, dtype=np.intp)
            return none, none, np.zeros(0)
        with np.errstate(invalid="ignore", over="ignore"):
            slopes = data.gradients / scale
            rows, columns = np.nonzero(np.abs(slopes) <= _LARGEST)  # of NaN it is false
        chosen = np.argsort(-data.y[rows], kind="stable")[: self.most]
        rows, columns = rows[chosen], columns[chosen]
        return rows, columns, slopes[rows, columns]


class _Joint:
    """The likelihood of values and derivatives.

    Args:
        likelihood: of the values alone, with the prior of its hyperparameters theta.
        data: the observations.
        rows: (e,) row of each derivative.
        columns: (e,) number that each is by.
        slopes: (e,) standardised derivatives.
        device: where to compute.
    """

    def __init__(
        self,
        likelihood: Likelihood,
        data: Data,
        rows: npt.NDArray[np.intp],
        columns: npt.NDArray[np.intp],
        slopes: Array,
        device: str,
    ) -> None:
        self._likelihood = likelihood
        self._size = len(likelihood.start(0.0, 0.0)) - (likelihood.noise is None)
        embedding = Embedding(data.features)
        kernel = Covariance(embedding, np.zeros(self._size))
        at, by = torch.tensor(data.x[rows]), torch.tensor(columns)
        self._slopes = WithSlopes(kernel, at, by).to(device)
        self._x = torch.tensor(data.x, device=device)
        values = np.concatenate([likelihood.z, slopes])
        self._values = torch.tensor(values, device=device)
        self._ones = torch.tensor((np.arange(len(values)) < len(data.x)) * 1.0, device=device)

    def fitted(self, memory: State | None) -> Array:
        """(t + 1,) theta, then the logarithm of the derivatives' noise variance."""
        likelihood = self._likelihood
        box = np.concatenate([likelihood.bounds(), [_BOUNDS]])
        starts = [np.r_[likelihood.start(*start), _NOISE[0]] for start in _STARTS]
        if memory and np.shape(memory["theta"]) == (len(box),):
            starts = [np.asarray(memory["theta"])]
        inside = [np.clip(start, *box.T) for start in starts]
        return minimised(self.loss, inside, box, _WARM if memory else _COLD)

    def loss(self, theta: Array) -> tuple[float, Array]:
        """Negative log posterior of the hyperparameters and its gradient."""
        inside = torch.tensor(theta, device=self._x.device, requires_grad=True)
        loss, _ = self._loss(inside)
        (gradient,) = torch.autograd.grad(loss, inside)
        prior, slope = self._likelihood.prior(theta[:-1])
        away = (theta[-1] - _NOISE[0]) / _NOISE[1]
        value = loss.item() - prior + 0.5 * away**2
        total: Array = gradient.cpu().numpy() - np.r_[slope, -away / _NOISE[1]]
        return float(value), total

    def at(self, theta: Array) -> tuple[Covariance, float, float]:
        """The kernel, the mean and the noise variance of the values (the median if known)."""
        with torch.no_grad():
            _, mean = self._loss(torch.tensor(theta, device=self._x.device))
        noise = self._likelihood.split(theta[:-1])[1]
        kernel = Covariance(self._slopes.kernel.embedding, theta[: self._size])
        return kernel, float(mean), float(np.median(noise))

    def _loss(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Negative log likelihood, and the mean of the values that makes it smallest."""
        lower = factor(self._covariance(theta))
        both = torch.cholesky_solve(torch.stack([self._values, self._ones], dim=1), lower)
        mean = (self._ones @ both[:, 0]) / (self._ones @ both[:, 1])
        rest = self._values - mean * self._ones
        loss = 0.5 * rest @ (both[:, 0] - mean * both[:, 1]) + lower.diagonal().log().sum()
        return loss + 0.5 * len(rest) * math.log(2.0 * math.pi), mean

    def _covariance(self, theta: Tensor) -> Tensor:
        """Of the values, then the derivatives; noise included."""
        n, e = len(self._x), len(self._values) - len(self._x)

        values, cross, slopes = functional_call(
            self._slopes, {"kernel.theta": theta[: self._size]}, (self._x, True)
        )
        covariance = torch.cat([torch.cat([values, cross], 1), torch.cat([cross.mT, slopes], 1)])
        if self._likelihood.noise is None:
            noise = theta[-2].exp().expand(n)
        else:
            noise = torch.tensor(self._likelihood.noise).to(theta)
        return covariance + torch.cat([noise, theta[-1].exp().expand(e)]).diag()
