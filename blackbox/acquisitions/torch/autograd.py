"""A BoTorch acquisition of one point, as a function of features."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from blackbox.acquisitions.base import Belief
from blackbox.batch import Array
from blackbox.surrogates.isolation import isolated

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    import torch
    from botorch.sampling.normal import SobolQMCNormalSampler

_CHUNK = 1024
_WORTHLESS = -1e10  # value where one cannot be computed


class Autograd:
    """Values and gradients of what maps (n, 1, d) tensors to (n,).

    Every call runs isolated: nothing is drawn from PyTorch's global generators, and the same points
    give the same numbers.

    Args:
        function: a BoTorch acquisition.
        device: where it computes.
        chunk: points at once.
    """

    def __init__(
        self, function: Callable[[torch.Tensor], torch.Tensor], device: str, chunk: int = _CHUNK
    ) -> None:
        self._function = function
        self._device = device
        self._chunk = chunk

    def values(self, points: Array) -> Array:
        parts = [np.empty(0)]
        with isolated(0, self._device), torch.no_grad():
            for start in range(0, len(points), self._chunk):
                x = tensor(points[start : start + self._chunk, None], self._device)
                parts.append(self._function(x).cpu().numpy())
        return _worth(np.concatenate(parts))

    def values_and_gradients(self, points: Array) -> tuple[Array, Array]:
        with isolated(0, self._device):
            x = tensor(points, self._device).requires_grad_()
            values = self._function(x[:, None])
            (gradients,) = torch.autograd.grad(values.sum(), x)
        value, gradient = values.detach().cpu().numpy(), gradients.cpu().numpy()
        smooth = np.isfinite(value) & np.isfinite(gradient).all(axis=1)
        return _worth(value), np.where(smooth[:, None], gradient, 0.0)


def _worth(values: Array) -> Array:
    return np.where(np.isnan(values), _WORTHLESS, np.maximum(values, _WORTHLESS))


def tensor(values: npt.ArrayLike, device: str) -> torch.Tensor:
    """A float64 tensor of its own."""
    return torch.tensor(np.asarray(values), dtype=torch.float64, device=device)


def awaited(belief: Belief) -> torch.Tensor | None:
    """(k, d) pending rows; None where there are none."""
    return tensor(belief.pending, belief.device) if len(belief.pending) else None


def drawn_seed(rng: np.random.Generator) -> int:
    """A seed of a sampler."""
    return int(rng.integers(2**31))


def sampler(samples: int, seed: int) -> SobolQMCNormalSampler:
    """Quasi-random normal samples with an explicit seed; BoTorch would take a global one."""
    return SobolQMCNormalSampler(torch.Size([samples]), seed=seed)
