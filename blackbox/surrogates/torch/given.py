"""A Gaussian process that has already seen something, as the prior of what is yet to come.

Conditioning may be done in steps. What comes first may be of another kind than values of the
outcome: rows of earlier studies, derivatives, a summary of ten thousand rows. The process after
that first step is a Gaussian process too,

    m'(x) = m(x) + c(x) w,      k'(x, x') = k(x, x') - c(x) R (c(x') R)^T,

with c(x) the (e,) covariances of f(x) with what was seen; for e values z seen exactly or with noise
of covariance N, R R^T = (K + N)^-1 and w = R R^T (z - m) (Rasmussen and Williams 2006, eq. 2.23 and
2.24). So models of all of these are exact processes on features of the study at hand, and whatever
works with an exact process (fantasies, entropies, batches) works with them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from blackbox.batch import Array
from blackbox.surrogates.likelihood import NOISE_FLOOR
from blackbox.surrogates.torch.fit import factor, inferred_noise

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    import gpytorch
    import torch
    from botorch.models import SingleTaskGP
    from gpytorch.kernels import Kernel
    from gpytorch.likelihoods import FixedNoiseGaussianLikelihood
    from gpytorch.means import ConstantMean, Mean
    from linear_operator import to_dense
    from torch import Tensor

Cross = Callable[[Tensor], Tensor]


class Given(Kernel):  # type: ignore[misc]  # GPyTorch comes without types
    """The covariance k'.

    Args:
        kernel: k.
        cross: c, a module; (.., n, d) features to (.., n, e).
        root: (e, r) R.
    """

    def __init__(self, kernel: Kernel, cross: Cross, root: Tensor) -> None:
        super().__init__()
        self.kernel = kernel
        self.cross = cross
        self.register_buffer("root", root)

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: Any) -> Tensor:
        a = self.cross(x1) @ self.root
        b = a if x1 is x2 else self.cross(x2) @ self.root
        if diag:
            along: Tensor = self.kernel(x1, x2, diag=True) - (a * b).sum(dim=-1)
            return along
        value: Tensor = self.kernel(x1, x2).to_dense() - a @ b.mT
        return value


class GivenMean(Mean):  # type: ignore[misc]
    """The mean m'.

    Args:
        mean: m.
        cross: c.
        weights: (e,) w.
    """

    def __init__(self, mean: Mean, cross: Cross, weights: Tensor) -> None:
        super().__init__()
        self.mean = mean
        self.cross = cross
        self.register_buffer("weights", weights)

    def forward(self, x: Tensor) -> Tensor:
        moved: Tensor = self.mean(x) + self.cross(x) @ self.weights
        return moved


class WithRows(torch.nn.Module):
    """Covariances with the values at given rows.

    Args:
        kernel: the covariance.
        rows: (e, d) features.
    """

    def __init__(self, kernel: Kernel, rows: Tensor) -> None:
        super().__init__()
        self.kernel = kernel
        self.register_buffer("rows", rows)

    def forward(self, x: Tensor) -> Tensor:
        # Not through __call__, which wants as many columns on both sides; see Here.
        covariances: Tensor = to_dense(self.kernel.forward(x, self.rows))
        return covariances


class Here(Kernel):  # type: ignore[misc]
    """A covariance between rows of tasks, for rows of the study at hand alone.

    Args:
        kernel: takes d + 1 columns, the last of which counts the task.
        width: number d of features; wider rows keep the task that they name.
    """

    def __init__(self, kernel: Kernel, width: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.width = width

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: Any) -> Tensor:
        between = self.kernel(self._wide(x1), self._wide(x2), diag=diag)
        value: Tensor = between if diag else between.to_dense()
        return value

    def _wide(self, x: Tensor) -> Tensor:
        return x if x.shape[-1] > self.width else torch.cat([x, torch.zeros_like(x[..., :1])], -1)


def constant(value: float) -> ConstantMean:
    """A constant mean in float64."""
    mean = ConstantMean().double()
    mean.initialize(constant=value)
    return mean


def seen(
    kernel: Kernel, mean: float, cross: Cross, joint: Tensor, rest: Tensor
) -> tuple[Given, GivenMean]:
    """The process after it has seen something.

    Args:
        kernel: the prior's covariance.
        mean: the prior's constant mean.
        cross: covariances of f(x) with what was seen.
        joint: (e, e) covariance of what was seen, noise included.
        rest: (e,) what was seen less its mean.

    Raises:
        SingularError: the joint covariance cannot be factorised.
    """
    lower = factor(joint)
    eye = torch.eye(len(joint)).to(joint)
    root = torch.linalg.solve_triangular(lower, eye, upper=False).mT
    return Given(kernel, cross, root), GivenMean(constant(mean), cross, root @ (root.mT @ rest))


def process(
    kernel: Kernel, mean: Mean, x: Array, z: Array, noise: Array | float, *, noisy: bool = False
) -> SingleTaskGP:
    """An exact process on features, given values.

    Args:
        kernel: the prior's covariance.
        mean: its mean.
        x: (n, d) features.
        z: (n,) values.
        noise: variance of their noise; (n,) where it is known.
        noisy: whether values are known to be noisy.
    """
    known = not isinstance(noise, float)
    inputs, values = torch.tensor(x, dtype=torch.float64), torch.tensor(z, dtype=torch.float64)
    if known:
        with gpytorch.settings.min_fixed_noise(double_value=NOISE_FLOOR):
            likelihood = FixedNoiseGaussianLikelihood(torch.tensor(noise, dtype=torch.float64))
    else:
        likelihood = inferred_noise(float(noise), noisy=noisy)
    return SingleTaskGP(
        inputs,
        values[:, None],
        likelihood=likelihood,
        covar_module=kernel,
        mean_module=mean,
        outcome_transform=None,
    )


def of_this_study(
    kernel: Kernel, mean: float, x: Array, z: Array, noise: Array | float, width: int
) -> SingleTaskGP:
    """An exact process on features of the study at hand, given its values and those of others.

    Args:
        kernel: the covariance of (n, d + 1) features with the task last, or of (n, d) where there
            are no earlier studies.
        mean: the constant mean.
        x: (n, d) or (n, d + 1) rows.
        z: (n,) values.
        noise: variance of their noise; (n,) where it is known.
        width: number d of features.
    """
    if x.shape[1] == width:
        return process(kernel, constant(mean), x, z, noise)
    there = x[:, -1] > 0
    here = ~there
    rows = torch.tensor(x[there], dtype=torch.float64)
    variances = noise if isinstance(noise, float) else torch.tensor(noise[there])
    with torch.no_grad():
        joint = kernel(rows, rows).to_dense()
        joint.diagonal().add_(variances)
        rest = torch.tensor(z[there]) - mean
        prior_kernel = Here(kernel, width)
        prior, moved = seen(prior_kernel, mean, WithRows(prior_kernel, rows), joint, rest)
    own = noise if isinstance(noise, float) else noise[here]
    return process(prior, moved, x[here, :width], z[here], own)
