"""The fast engine's covariance in PyTorch, with derivatives by everything.

Kernels here take features, as ``Features`` gives them; with earlier studies one more column counts
the task, 0 for the study at hand. Numbers are read off by autograd; the codes of categories,
permutations and strings have no derivative and come from NumPy.

Notation as in ``blackbox.surrogates.kernel``; d features, t earlier studies.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array
from blackbox.surrogates.features import Features
from blackbox.surrogates.kernel import TREND
from blackbox.surrogates.shares import FLOOR, ShareMap, Shares

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    import torch
    from gpytorch.constraints import Interval
    from gpytorch.kernels import Kernel
    from gpytorch.priors import Prior
    from torch import Tensor

_ROOT5 = math.sqrt(5.0)
_LEAST = 1e-30  # squared distance; keeps the derivative of its root finite


class Embedding:
    """Features as what kernels compare.

    Args:
        features: the coordinates.
        tasks: number t of earlier studies.
        shares: how the shares of mixtures are compared.

    Attributes:
        groups: (q,) group of each column of codes, those of the earlier studies last.
    """

    def __init__(self, features: Features, tasks: int = 0, shares: Shares = "plain") -> None:
        self.features, self.tasks = features, tasks
        self._shares = ShareMap(features, shares)
        first = int(features.groups.max(initial=-1)) + 1
        self.groups: npt.NDArray[np.intp] = np.concatenate(
            [features.groups, first + np.arange(tasks, dtype=np.intp)]
        )
        self._numbers = features.numbers.tolist()

    def __deepcopy__(self, memo: dict[int, Any]) -> Embedding:
        return self  # nothing in it changes, and fantasies copy their model

    def numbers(self, x: Tensor) -> Tensor:
        """(.., n, p) numbers of (.., n, d) features."""
        numbers = x[..., self._numbers]
        kind = self._shares.kind
        if kind == "plain" or not self._shares.among.any():
            return numbers
        among = torch.tensor(self._shares.among, device=x.device)
        return torch.where(among, _mapped(numbers.clamp_min(0.0), kind), numbers)

    def codes(self, x: Tensor) -> Tensor:
        """(.., n, q) codes; without derivatives."""
        if not len(self.groups):
            return x[..., :0].detach()
        flat = x.detach().cpu().numpy().reshape(-1, x.shape[-1])
        codes = self.features.rows(flat[:, : self.features.width]).codes
        if self.tasks:
            hot = flat[:, -1:] == np.arange(1, self.tasks + 1)
            codes = np.concatenate([codes, hot.astype(np.float64)], axis=1)
        return torch.tensor(codes).to(x).reshape(*x.shape[:-1], codes.shape[1])


def _mapped(shares: Tensor, kind: Shares) -> Tensor:
    """As ``blackbox.surrogates.shares``."""
    e = FLOOR[kind]
    if kind == "root":
        return ((shares + e).sqrt() - math.sqrt(e)) / (math.sqrt(1.0 + e) - math.sqrt(e))
    return torch.log1p(shares / e) / math.log1p(1.0 / e)


class Covariance(Kernel):  # type: ignore[misc]  # GPyTorch comes without types
    """The covariance of ``blackbox.surrogates.kernel``.

    Args:
        embedding: of its inputs.
        theta: (p + g + 3,) logarithms of its hyperparameters.
        prior: of theta, or None.
        axes: (p, p) of the length scales, None for those of the cube.
    """

    def __init__(
        self,
        embedding: Embedding,
        theta: Array,
        prior: Prior | None = None,
        axes: Array | None = None,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.register_buffer("axes", None if axes is None else torch.tensor(axes))
        self.register_parameter(
            "theta", torch.nn.Parameter(torch.tensor(theta, dtype=torch.float64))
        )
        if prior is not None:
            self.register_prior("theta_prior", prior, "theta")
        self.register_buffer("groups", torch.tensor(embedding.groups))
        g = int(embedding.groups.max(initial=-1)) + 1
        self._sizes = [len(theta) - g - TREND - 1, g, TREND, 1]

    @property
    def hyperparameters(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Length scales (p,), code scales (g,), the trend's two variances, signal variance (1,)."""
        lengths, scales, trend, signal = torch.split(self.theta.exp(), self._sizes)
        return lengths, scales, trend, signal

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: Any) -> Tensor:
        lengths, scales, trend, signal = self.hyperparameters
        a, b = self._along(x1), self._along(x2)
        value = signal * matern(a / lengths, b / lengths, diag)
        if len(self.groups):
            value = value * code_factor(self.embedding, scales[self.groups], x1, x2, diag)
        line, other = 2.0 * a - 1.0, 2.0 * b - 1.0
        for t, left, right in ((trend[0], line, other), (trend[1], line**2, other**2)):
            value = value + t * _products(left, right, diag)
        return value

    def _along(self, x: Tensor) -> Tensor:
        numbers = self.embedding.numbers(x)
        return numbers if self.axes is None else 0.5 + (numbers - 0.5) @ self.axes


class CodeKernel(Kernel):  # type: ignore[misc]
    """The factor of the fast engine's kernel that compares codes, to multiply any kernel with.

    Args:
        embedding: of its inputs; it must have codes.
        constraint: of the (g,) scales.
        prior: of the scales.
    """

    def __init__(self, embedding: Embedding, constraint: Interval, prior: Prior) -> None:
        super().__init__()
        self.embedding = embedding
        count = int(embedding.groups.max()) + 1
        self.register_parameter("raw_scales", torch.nn.Parameter(torch.zeros(count).double()))
        self.register_constraint("raw_scales", constraint)
        self.register_prior("scales_prior", prior, "scales")
        self.register_buffer("groups", torch.tensor(embedding.groups))

    @property
    def scales(self) -> Tensor:
        """(g,) squared distances at which correlation falls to 1/e."""
        scales: Tensor = self.raw_scales_constraint.transform(self.raw_scales)
        return scales

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: Any) -> Tensor:
        return code_factor(self.embedding, self.scales[self.groups], x1, x2, diag)


def matern(a: Tensor, b: Tensor, diag: bool = False) -> Tensor:
    """(.., n, m) Matern 5/2 correlations of scaled numbers (Rasmussen and Williams, eq. 4.17)."""
    s = _ROOT5 * _squares(a, b, diag).clamp_min(_LEAST).sqrt()
    return (1.0 + s + s**2 / 3.0) * torch.exp(-s)


def code_factor(
    embedding: Embedding, scales: Tensor, x1: Tensor, x2: Tensor, diag: bool = False
) -> Tensor:
    """(.., n, m) correlations of codes, with (q,) scales of their columns."""
    root = scales.sqrt()
    return torch.exp(-_squares(embedding.codes(x1) / root, embedding.codes(x2) / root, diag))


def _squares(a: Tensor, b: Tensor, diag: bool) -> Tensor:
    """Squared distances; of each row with its partner where ``diag``."""
    if diag:
        return ((a - b) ** 2).sum(dim=-1)
    center = a.detach().mean(dim=-2, keepdim=True)  # less cancellation
    a, b = a - center, b - center
    squares = (a**2).sum(dim=-1)[..., :, None] + (b**2).sum(dim=-1)[..., None, :]
    return (squares - 2.0 * a @ b.mT).clamp_min(0.0)


def _products(a: Tensor, b: Tensor, diag: bool) -> Tensor:
    return (a * b).sum(dim=-1) if diag else a @ b.mT
