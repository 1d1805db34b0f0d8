"""Covariances of values with derivatives."""

from __future__ import annotations

import warnings
from typing import Any

from blackbox.surrogates.torch.kernels import Covariance, code_factor

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    import torch
    from torch import Tensor


class WithSlopes(torch.nn.Module):
    """Covariances of values with derivatives at given rows, in closed form.

    With s = sqrt(5) r, D = x - x', v the signal variance and H the factor of the codes,

        d k / d x'_j = (5/3) v H (1 + s) e^-s D_j / l_j^2,
        d^2 k / d x_i d x'_j = (5/3) v H e^-s ((1 + s) [i = j] - 5 D_i D_j / l_j^2) / l_i^2,

    to which the trend adds its own.

    Args:
        kernel: the covariance of values.
        at: (e, d) features where each derivative is.
        by: (e,) which number each is by.
    """

    kernel: Covariance
    at: Tensor
    by: Tensor

    def __init__(self, kernel: Covariance, at: Tensor, by: Tensor) -> None:
        super().__init__()
        self.kernel = kernel
        self.register_buffer("at", at)
        self.register_buffer("by", by)

    def forward(self, x: Tensor, joint: bool = False) -> Any:
        """(.., n, e) covariances with the values at (.., n, d) features.

        With ``joint``: of the values, of values with derivatives, of the derivatives.
        """
        if joint:
            return self.kernel.forward(x, x), self._with(x), self.among()
        return self._with(x)

    def _with(self, x: Tensor) -> Tensor:
        lengths, _, trend, _ = self.kernel.hyperparameters
        a, b = self.kernel.embedding.numbers(x), self.kernel.embedding.numbers(self.at)
        s, outer = self._radial(x)
        own, other = a[..., self.by], b.gather(1, self.by[:, None])[:, 0]
        value = outer * (1.0 + s) * (own - other) / lengths[self.by] ** 2
        line, there = 2.0 * own - 1.0, 2.0 * other - 1.0
        return value + 2.0 * trend[0] * line + 4.0 * trend[1] * line**2 * there

    def among(self) -> Tensor:
        """(e, e) covariances of the derivatives."""
        lengths, _, trend, _ = self.kernel.hyperparameters
        numbers = self.kernel.embedding.numbers(self.at)
        s, outer = self._radial(self.at)
        squares = lengths[self.by] ** 2
        # Entry (k, l): D between the rows of k and of l, by the number of k, and by that of l.
        by_row = numbers[:, self.by]
        own = by_row.diagonal()
        by_first, by_second = own[:, None] - by_row.T, by_row - own[None, :]
        same = (self.by[:, None] == self.by[None, :]).to(numbers)
        value = outer / squares[:, None] * ((1.0 + s) * same - 5.0 * by_first * by_second / squares)
        line = 2.0 * own - 1.0
        along = 4.0 * trend[0] + 16.0 * trend[1] * line[:, None] * line[None, :]
        return value + same * along

    def _radial(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """s, and (5/3) v H e^-s."""
        lengths, scales, _, signal = self.kernel.hyperparameters
        embedding = self.kernel.embedding
        a, b = embedding.numbers(x) / lengths, embedding.numbers(self.at) / lengths
        squares = (a**2).sum(-1)[..., :, None] + (b**2).sum(-1) - 2.0 * a @ b.mT
        s = (5.0 * squares.clamp_min(1e-30)).sqrt()
        outer = (5.0 / 3.0) * signal * torch.exp(-s)
        if len(embedding.groups):
            outer = outer * code_factor(embedding, scales[self.kernel.groups], x, self.at)
        return s, outer
