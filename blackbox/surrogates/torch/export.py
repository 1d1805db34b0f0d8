"""The fast engine's process as a BoTorch model."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from blackbox.surrogates.isolation import isolated
from blackbox.surrogates.kernel import Rows
from blackbox.surrogates.torch.given import of_this_study
from blackbox.surrogates.torch.inverse import features_of
from blackbox.surrogates.torch.kernels import Covariance, Embedding

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    from botorch.models import SingleTaskGP

if TYPE_CHECKING:
    from blackbox.surrogates.exact import ExactModel


def exported(model: ExactModel, device: str = "cpu") -> SingleTaskGP:
    """The same process, of standardised values, with (.., n, d) features as inputs.

    Rows of earlier studies are part of its prior (see ``given``), so its training inputs are
    features of the study at hand.
    """
    features, likelihood = model.features, model.likelihood
    rows, own = likelihood.rows, len(features.groups)
    tasks = rows.codes.shape[1] - own
    numbers = model.shares.plain(rows.numbers)
    x = features_of(features, Rows(numbers, rows.codes[:, :own]))
    if tasks:
        task = rows.codes[:, own:] @ np.arange(1.0, tasks + 1)
        x = np.column_stack([x, task])
    kernel = Covariance(
        Embedding(features, tasks, model.shares.kind),
        model.posterior.kernel.theta,
        axes=likelihood.axes,
    )
    noise = model.noise if likelihood.noise is None else likelihood.noise
    with isolated(0, device):
        process = of_this_study(
            kernel, model.posterior.mean, x, likelihood.z, noise, features.width
        )
        return process.to(device).eval().requires_grad_(False)
