"""Means and deviations of a BoTorch model, with derivatives by autograd."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from blackbox.batch import Array
from blackbox.surrogates.isolation import isolated
from blackbox.surrogates.posterior import Moments

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    import torch
    from torch import Tensor

if TYPE_CHECKING:
    from blackbox.surrogates.model import Model

_CHUNK = 256  # rows whose joint covariance is made at once
_LEAST = 1e-20  # variance below which a value counts as known


def moments(model: Model, points: Array, device: str = "cpu") -> Moments:
    """Of the standardised noise-free values at (n, d) features, one component.

    The pull gives (n, d) derivatives by the features.
    """
    process = model.botorch(device)
    parts = []
    with isolated(0, device):
        for rows in _chunks(points):
            x = torch.tensor(rows, dtype=torch.float64, device=device, requires_grad=True)
            parts.append((x, *_at(process, x)))
    mean = np.concatenate([_array(mean) for _, mean, _ in parts])
    deviation = np.concatenate([_array(deviation) for *_, deviation in parts])

    def pull(by_mean: Array, by_deviation: Array) -> Array:
        pulled, start = [], 0
        with isolated(0, device):
            for x, m, s in parts:
                rows = slice(start, start := start + len(x))
                total = (m * torch.tensor(by_mean[rows, 0], device=device)).sum()
                total = total + (s * torch.tensor(by_deviation[rows], device=device)).sum()
                if total.requires_grad:
                    (slope,) = torch.autograd.grad(total, x, retain_graph=True, allow_unused=True)
                else:
                    slope = None
                pulled.append(np.zeros(tuple(x.shape)) if slope is None else _array(slope))
        return np.concatenate(pulled)

    return Moments(mean[:, None], deviation, pull)


def mean_and_deviation(model: Model, points: Array, device: str = "cpu") -> tuple[Array, Array]:
    """(n,) means and deviations of the standardised noise-free values at (n, d) features."""
    process = model.botorch(device)
    means, deviations = [np.empty(0)], [np.empty(0)]
    with isolated(0, device), torch.no_grad():
        for rows in _chunks(points):
            x = torch.tensor(rows, dtype=torch.float64, device=device)
            mean, deviation = _at(process, x)
            means.append(_array(mean))
            deviations.append(_array(deviation))
    return np.concatenate(means), np.concatenate(deviations)


def _at(process: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    # All rows jointly: a matrix product each, where a batch of single rows would repeat the
    # observed ones for every row.
    posterior = process.posterior(x)
    return posterior.mean[:, 0], posterior.variance[:, 0].clamp_min(_LEAST).sqrt()


def _chunks(points: Array) -> list[Array]:
    return [points[i : i + _CHUNK] for i in range(0, len(points), _CHUNK)] or [points]


def _array(values: Tensor) -> Array:
    array: Array = values.detach().cpu().numpy()
    return array
