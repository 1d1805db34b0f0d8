"""What the models on BoTorch have in common."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np

from blackbox.batch import Array
from blackbox.state import State
from blackbox.surrogates.features import Features
from blackbox.surrogates.likelihood import NOISE_FLOOR
from blackbox.surrogates.model import Data, Model
from blackbox.surrogates.outcomes import Outcomes
from blackbox.surrogates.posterior import Moments
from blackbox.surrogates.torch.moments import mean_and_deviation, moments

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    import torch


class TorchModel(Model):
    """A fitted BoTorch model.

    Args:
        features: the coordinates of its inputs.
        outcomes: the map between values and the standardised ones.
        process: the BoTorch model of standardised values, with (.., n, d) features as inputs.
        noise: variance of the noise of the standardised values; the median where it is known.
        memory: hyperparameters, by name, for a later fit.
        device: where predictions are computed.
    """

    def __init__(
        self,
        features: Features,
        outcomes: Outcomes,
        process: Any,
        noise: float,
        memory: Mapping[str, Any],
        device: str = "cpu",
    ) -> None:
        self.features = features
        self.outcomes = outcomes
        self.noise = noise
        self.device = device
        # Derivatives are by inputs from here on; those by hyperparameters would cost for nothing.
        self._process = process.to(device).eval().requires_grad_(False)
        self._memory = dict(memory)

    def predict(self, points: Array) -> tuple[Array, Array]:
        return self.outcomes.band(*mean_and_deviation(self, points, self.device))

    def moments(self, points: Array) -> Moments:
        return moments(self, points, self.device)

    def botorch(self, device: str = "cpu") -> Any:
        if torch.device(device) == torch.device(self.device):
            return self._process
        return deepcopy(self._process).to(device)

    def memory(self) -> State:
        return dict(self._memory)


def standardised(data: Data) -> tuple[Outcomes, Array, Array | None]:
    """The map of the values, the (n,) standardised ones, and their noise variances if known.

    Values of each task are standardised by their own mean and deviation; the map is that of the
    study at hand.
    """
    tasks = np.zeros(len(data.y)) if data.tasks is None else np.asarray(data.tasks)
    z, deviations = np.empty(len(tasks)), np.zeros(len(tasks))
    here, _ = Outcomes.of(data.y[tasks == 0])
    for task in np.unique(tasks):
        rows = tasks == task
        own, z[rows] = Outcomes.of(data.y[rows])
        if data.noise is not None:
            deviations[rows] = own.deviations(data.y[rows], data.noise[rows])
    if data.noise is None:
        return here, z, None
    return here, z, np.maximum(deviations**2, NOISE_FLOOR)
