"""Joint and predictive entropy search."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from blackbox.acquisitions.base import Acquisition, AcquisitionFunction, Belief
from blackbox.acquisitions.feasibility import constrained
from blackbox.acquisitions.paths import draw_paths, optima
from blackbox.acquisitions.torch.autograd import Autograd, awaited, drawn_seed, tensor
from blackbox.arguments import check_count
from blackbox.surrogates.isolation import isolated

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    import torch
    from botorch.acquisition.joint_entropy_search import qJointEntropySearch
    from botorch.acquisition.predictive_entropy_search import qPredictiveEntropySearch

_FLOOR = 1e-4  # nats below which an estimate, which may be negative, counts as nothing
_DEEP = 30.0  # where a softplus is an exponential to double precision
_CHUNK = 16  # points at once: each meets every sampled optimum


@dataclass(frozen=True)
class JES(Acquisition):
    """Log of what an observation tells about the best row and its value together, in nats.

    Hvarfner, Hutter and Nardi (2022), *Joint Entropy Search for Maximally-Informed Bayesian
    Optimization*; the lower bound of Tu et al. (2022). The optima are those of sample paths. Of
    pending rows only what a candidate adds to them counts. Constraints multiply it by the
    probability that they hold.

    Args:
        samples: number of optima.
    """

    exact: ClassVar[bool] = True

    samples: int = 16

    def __post_init__(self) -> None:
        check_count(f"{type(self).__name__}: samples", self.samples, 1)

    def build(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        return constrained(belief, lambda: self._unconstrained(belief, rng))

    def _unconstrained(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        inputs, outputs = _optima(belief, self.samples, rng)
        with isolated(drawn_seed(rng), belief.device):
            function = qJointEntropySearch(
                belief.objectives[0].botorch(belief.device), inputs, outputs
            )
        return _log_information(function, belief, rng)


@dataclass(frozen=True)
class PES(Acquisition):
    """Log of what an observation tells about the place of the best row, in nats.

    Hernandez-Lobato, Hoffman and Ghahramani (2014), *Predictive Entropy Search for Efficient Global
    Optimization of Black-box Functions*, by expectation propagation. The optima are those of sample
    paths. Of pending rows only what a candidate adds to them counts. Constraints multiply it by
    the probability that they hold. It is the slowest of the entropy searches and its estimates are
    the roughest.

    Args:
        samples: number of optima.
    """

    exact: ClassVar[bool] = True

    samples: int = 16

    def __post_init__(self) -> None:
        check_count(f"{type(self).__name__}: samples", self.samples, 1)

    def build(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        return constrained(belief, lambda: self._unconstrained(belief, rng))

    def _unconstrained(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        inputs, _ = _optima(belief, self.samples, rng)
        with isolated(drawn_seed(rng), belief.device):
            function = qPredictiveEntropySearch(belief.objectives[0].botorch(belief.device), inputs)
        return _log_information(function, belief, rng)


def _optima(
    belief: Belief, count: int, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """(S, d) rows where sample paths are largest, and their (S, 1) values."""
    paths = draw_paths(belief.objectives[0], count, rng, belief.device)
    rows, values = optima(paths, belief, rng)
    return tensor(rows, belief.device), tensor(values[:, None], belief.device)


def _log_information(
    function: Callable[[torch.Tensor], torch.Tensor], belief: Belief, rng: np.random.Generator
) -> AcquisitionFunction:
    """Log of the information of a row less that of the pending ones alone."""
    pending = awaited(belief)
    known = 0.0
    if pending is not None:
        with isolated(drawn_seed(rng), belief.device), torch.no_grad():
            known = float(function(pending[None]))

    def log_gain(x: torch.Tensor) -> torch.Tensor:
        if pending is not None:
            x = torch.cat([x, pending.expand(len(x), *pending.shape)], dim=1)
        nats = (function(x) - known) / _FLOOR
        # softplus: nats where positive, a small positive number that keeps its slope elsewhere.
        far = nats < -_DEEP
        log = torch.log(torch.nn.functional.softplus(torch.where(far, 0.0, nats)))
        return torch.where(far, nats, log) + float(np.log(_FLOOR))

    return Autograd(log_gain, belief.device, _CHUNK)
