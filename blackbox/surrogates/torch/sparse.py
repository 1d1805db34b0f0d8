"""Ten thousand rows: a summary of most of them, and the best ones as they are."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blackbox.arguments import check_count, check_device
from blackbox.batch import Array
from blackbox.state import State
from blackbox.surrogates.exact import ExactGP
from blackbox.surrogates.isolation import isolated
from blackbox.surrogates.kernel import Kernel, Rows
from blackbox.surrogates.likelihood import Likelihood, minimised
from blackbox.surrogates.model import Data, Model
from blackbox.surrogates.torch.fit import factor
from blackbox.surrogates.torch.given import Given, GivenMean, WithRows, constant, process
from blackbox.surrogates.torch.kernels import Covariance, Embedding
from blackbox.surrogates.torch.model import TorchModel, standardised

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    import torch
    from torch import Tensor
    from torch.func import functional_call

_SKETCH = 500  # rows from which the first hyperparameters come
_COLD, _WARM = 30, 8  # iterations
_JITTER = 1e-8  # in multiples of the signal variance
_LEAST = 1e-9  # share of the variance below which a row adds nothing


@dataclass(frozen=True)
class SparseGP:
    """Recipe of a sparse process for thousands of rows.

    All rows but the best are summarised by the values at ``inducing`` ones of them, by the
    variational posterior of Titsias (2009, *Variational Learning of Inducing Variables in Sparse
    Gaussian Processes*, eq. 10), whose bound (eq. 9) also gives the hyperparameters. The inducing
    rows are those of greatest variance given the ones before (Burt, Rasmussen and van der Wilk
    2020, *Convergence of Sparse Variational Inference in Gaussian Process Regression*, section 4).
    The summary is the prior of an exact process given the ``exact`` best rows, so that nothing is
    lost where the search goes on, and fantasies work.

    Rows of earlier studies are left out. Where there are no more rows than ``inducing + exact`` it
    is the fast engine's process; with more, axes are not turned and shares of mixtures are compared
    as they are.

    Args:
        inducing: rows that summarise.
        exact: best rows that are taken as they are.
        device: where it is fitted and predicts.

    Raises:
        ProblemError: an argument is out of its range.
    """

    inducing: int = 200
    exact: int = 100
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_count("SparseGP: inducing", self.inducing, 1)
        check_count("SparseGP: exact", self.exact, 1)
        check_device("SparseGP", self.device, "bayes")

    def fit(self, data: Data, memory: State | None) -> Model:
        """Fit to data, going on from the memory of an earlier fit.

        Raises:
            SingularError: no hyperparameters give a covariance that can be factorised.
        """
        data = data.of_this_study()
        if len(data.y) <= self.inducing + self.exact:
            whole = memory if memory and "afresh" in memory else None
            return ExactGP(warp=False).fit(data, whole)
        outcomes, z, noise = standardised(data)
        start = np.empty(0) if not memory else np.asarray(memory["theta"])
        cold = not len(start)
        if cold:
            start = ExactGP(warp=False, most=_SKETCH, turn=False).fit(data, None).theta
        order = np.argsort(-data.y, kind="stable")
        top, rest = order[: self.exact], order[self.exact :]
        known = None if noise is None else noise[rest]
        rows = data.features.rows(data.x[rest])
        likelihood = Likelihood(rows, data.features.groups, z[rest], known, noisy=data.noisy)
        chosen = _inducing(likelihood.split(start)[0], rows, self.inducing)
        with isolated(0, self.device):
            summary = _Summary(likelihood, data, rest, chosen, self.device)
            theta = summary.fitted(start, _COLD if cold else _WARM)
            prior, moved = summary.process(theta)
            level = math.exp(theta[-1]) if noise is None else noise[top]
            own = process(prior, moved, data.x[top], z[top], level)
        median = float(np.median(level))
        return TorchModel(data.features, outcomes, own, median, {"theta": theta}, self.device)


class _Summary:
    """The variational posterior of the values at inducing rows, and its bound.

    Args:
        likelihood: of the rows that are summarised.
        data: the observations.
        rest: (n,) which of them are summarised.
        chosen: (m,) which of these are inducing.
        device: where to compute.
    """

    def __init__(
        self,
        likelihood: Likelihood,
        data: Data,
        rest: npt.NDArray[np.intp],
        chosen: npt.NDArray[np.intp],
        device: str,
    ) -> None:
        self._likelihood = likelihood
        self._embedding = Embedding(data.features)
        x = data.x[rest]
        self._size = len(likelihood.start(0.0, 0.0)) - (likelihood.noise is None)
        self._at = torch.tensor(x[chosen])
        self._x = torch.tensor(x, device=device)
        self._z = torch.tensor(likelihood.z, device=device)
        self._chosen = torch.tensor(chosen, device=device)
        kernel = Covariance(self._embedding, np.zeros(self._size))
        self._blocks = _Blocks(kernel).to(device)

    def fitted(self, start: Array, iterations: int) -> Array:
        """(t,) hyperparameters that maximise the bound times their prior."""
        box = self._likelihood.bounds()
        return minimised(self.loss, [np.clip(start, *box.T)], box, iterations)

    def loss(self, theta: Array) -> tuple[float, Array]:
        """Negative bound (Titsias 2009, eq. 9), less the log prior, and its gradient."""
        inside = torch.tensor(theta, device=self._x.device, requires_grad=True)
        _, scaled, deviations, variance = self._parts(inside)
        inner = scaled @ scaled.mT
        lower = factor(inner + torch.eye(len(inner)).to(inner))
        y = self._z / deviations
        c = torch.linalg.solve_triangular(lower, (scaled @ y)[:, None], upper=False)
        loss = 0.5 * (y @ y - (c**2).sum()) + lower.diagonal().log().sum()
        loss = loss + deviations.log().sum() + 0.5 * len(y) * math.log(2.0 * math.pi)
        loss = loss + 0.5 * ((variance / deviations**2).sum() - inner.trace())
        (gradient,) = torch.autograd.grad(loss, inside)
        prior, slope = self._likelihood.prior(theta)
        return loss.item() - prior, gradient.cpu().numpy() - slope

    def process(self, theta: Array) -> tuple[Given, GivenMean]:
        """The process given the summary (Titsias 2009, eq. 6 and 10), on the CPU.

        With A = L^-1 K_mn N^-1/2 its covariance is k less c L^-T (I - (I + A A^T)^-1) L^-1 c^T.
        """
        with torch.no_grad():
            lower, scaled, deviations, _ = self._parts(torch.tensor(theta, device=self._x.device))
            level, vectors = torch.linalg.eigh(scaled @ scaled.mT)
            level = level.clamp_min(0.0)
            back = torch.linalg.solve_triangular(lower.mT, vectors, upper=True)
            root = back * (level / (1.0 + level)).sqrt()
            pulled = vectors.mT @ (scaled @ (self._z / deviations))
            weights = back @ (pulled / (1.0 + level))
        kernel = Covariance(self._embedding, theta[: self._size])
        cross = WithRows(kernel, self._at)
        return Given(kernel, cross, root.cpu()), GivenMean(constant(0.0), cross, weights.cpu())

    def _parts(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """L (m, m), A (m, n), noise deviations (n,) and prior variances (n,)."""
        value = {"kernel.theta": theta[: self._size]}
        corner, across, variance = functional_call(
            self._blocks, value, (self._x, self._x[self._chosen])
        )
        eye = torch.eye(len(corner)).to(corner)
        lower = factor(corner + _JITTER * corner.diagonal().mean() * eye)
        if self._likelihood.noise is None:
            deviations = (0.5 * theta[-1]).exp().expand(len(self._x))
        else:
            deviations = torch.tensor(self._likelihood.noise).to(theta).sqrt()
        scaled = torch.linalg.solve_triangular(lower, across / deviations, upper=False)
        return lower, scaled, deviations, variance


class _Blocks(torch.nn.Module):
    """What the summary needs of the kernel."""

    def __init__(self, kernel: Covariance) -> None:
        super().__init__()
        self.kernel = kernel

    def forward(self, x: Tensor, at: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(m, m) of the inducing rows, (m, n) with all, (n,) variances of all."""
        k = self.kernel.forward
        return k(at, at), k(at, x), k(x, x, diag=True)


def _inducing(kernel: Kernel, rows: Rows, most: int) -> npt.NDArray[np.intp]:
    """Rows of greatest variance given the ones before: a pivoted Cholesky factor."""
    left = kernel.variance(rows)
    least = _LEAST * float(left.max())
    factor_ = np.empty((min(most, len(rows)), len(rows)))
    chosen: list[int] = []
    for k in range(len(factor_)):
        pivot = int(np.argmax(left))
        if left[pivot] <= least:
            break
        column = kernel(rows[pivot : pivot + 1], rows)[0] - factor_[:k, pivot] @ factor_[:k]
        factor_[k] = column / math.sqrt(left[pivot])
        left = np.maximum(left - factor_[k] ** 2, 0.0)
        left[pivot] = 0.0
        chosen.append(pivot)
    return np.array(chosen, dtype=np.intp)
