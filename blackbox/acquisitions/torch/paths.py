"""Sample paths of models that are not of the fast engine."""

from __future__ import annotations

import warnings

import numpy as np

from blackbox.acquisitions.torch.autograd import drawn_seed, tensor
from blackbox.batch import Array
from blackbox.errors import UnsupportedError
from blackbox.surrogates.isolation import isolated
from blackbox.surrogates.model import Model

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    import torch
    from botorch.sampling.pathwise import draw_matheron_paths


class BotorchPaths:
    """S sample paths by BoTorch (Wilson et al. 2020).

    Args:
        model: the process.
        count: number S of paths.
        rng: draws them.
        device: where they are computed.

    Raises:
        UnsupportedError: BoTorch cannot draw paths of this model.
    """

    def __init__(self, model: Model, count: int, rng: np.random.Generator, device: str) -> None:
        self._device = device
        exported = model.botorch(device)
        with isolated(drawn_seed(rng), device):
            try:
                self._paths = draw_matheron_paths(exported, torch.Size([count]))
            except NotImplementedError as error:
                raise UnsupportedError(
                    f"no sample paths of {type(exported).__name__}; take another acquisition or "
                    "the surrogate ExactGP"
                ) from error

    def values(self, points: Array) -> Array:
        with isolated(0, self._device), torch.no_grad():
            values: Array = self._paths(tensor(points, self._device)).T.cpu().numpy()
        return values

    def along(self, points: Array, index: int) -> tuple[Array, Array]:
        with isolated(0, self._device):
            x = tensor(points, self._device).requires_grad_()
            values = self._paths(x)[index]
            (gradients,) = torch.autograd.grad(values.sum(), x)
        return values.detach().cpu().numpy(), gradients.cpu().numpy()
