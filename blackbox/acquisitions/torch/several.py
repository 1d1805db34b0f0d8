"""Several objectives: hypervolume improvement and scalarisations.

Processes are of standardised, perhaps warped scores; volumes and weights speak of scores. Samples
are therefore mapped back to scores, in units of the observed scores' mean and deviation, before
anything is computed of them.

Notation: m objectives; y scores in these units, larger is better.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from blackbox.acquisitions.base import (
    Acquisition,
    AcquisitionFunction,
    Belief,
    checked_numbers,
    need_sized,
)
from blackbox.acquisitions.feasibility import constrained
from blackbox.acquisitions.torch.autograd import Autograd, awaited, drawn_seed, sampler, tensor
from blackbox.acquisitions.torch.improvement import noisy_improvement
from blackbox.arguments import check_flag
from blackbox.batch import Array
from blackbox.errors import ProblemError
from blackbox.formulation import Problem
from blackbox.surrogates.isolation import isolated
from blackbox.surrogates.outcomes import Outcomes

with warnings.catch_warnings():
    # Their imports use parts of PyTorch that it has deprecated.
    warnings.simplefilter("ignore")
    import torch
    from botorch.acquisition.multi_objective import logei
    from botorch.acquisition.multi_objective.objective import GenericMCMultiOutputObjective
    from botorch.acquisition.multi_objective.utils import prune_inferior_points_multi_objective
    from botorch.acquisition.objective import GenericMCObjective
    from botorch.models.gpytorch import GPyTorchModel
    from botorch.models.model import ModelList
    from botorch.models.model_list_gp_regression import ModelListGP
    from botorch.utils.multi_objective.box_decompositions import FastNondominatedPartitioning

_SAMPLES = {2: 128, 3: 64}
_FEW_SAMPLES = 32  # of four objectives and more
_ROUGH = 1e-3  # share of the volume that the partition for these leaves out
_EXACT_UP_TO = 3
_AUGMENTED = 0.05  # share of the sum in the Chebyshev scalarisation (Knowles 2006, eq. 2)
_STEEP = 300.0  # exponent whose exponential is still finite when squared
_CHUNK = 64  # points at once: each meets every cell of every sample's partition


def noisy_ehvi(belief: Belief, reference: Array, rng: np.random.Generator) -> AcquisitionFunction:
    """Log noisy expected improvement of the hypervolume above (m,) scores, by quasi-Monte Carlo."""
    seed, m = drawn_seed(rng), len(belief.objectives)
    units = _Units(belief)
    corner = tensor(units.of(reference[None])[0], belief.device)
    model = joint(belief)
    objective = GenericMCMultiOutputObjective(units.scores)
    with isolated(seed, belief.device), _uncompiled():
        baseline = prune_inferior_points_multi_objective(
            model, tensor(belief.x[belief.feasible], belief.device), corner, objective
        )
        function = logei.qLogNoisyExpectedHypervolumeImprovement(
            model,
            corner,
            baseline,
            sampler=sampler(_SAMPLES.get(m, _FEW_SAMPLES), seed),
            objective=objective,
            X_pending=awaited(belief),
            alpha=0.0 if m <= _EXACT_UP_TO else _ROUGH,
        )
    return Autograd(function, belief.device, _CHUNK)


def partition(front: Array, corner: Array) -> tuple[Array, Array]:
    """(b, m) lower and upper corners of boxes that fill what a (f, m) front leaves above a corner.

    Lacour, Klamroth and Fonseca (2017), *A box decomposition algorithm to compute the hypervolume
    indicator*, as in BoTorch; a box without an upper end has an infinite one.
    """
    with isolated(0, "cpu"), _uncompiled():
        boxes = FastNondominatedPartitioning(tensor(corner, "cpu"), tensor(front, "cpu"))
        lower, upper = boxes.get_hypercell_bounds().numpy()
    return lower, upper


@dataclass(frozen=True)
class ParEGO(Acquisition):
    """Log noisy expected improvement of a random augmented Chebyshev scalarisation.

    Knowles (2006), *ParEGO: a hybrid algorithm with on-line landscape approximation for expensive
    multiobjective optimization problems*, eq. 2; weights are uniform on the simplex and drawn anew
    for each row. Here the objectives are modelled, not the scalarisation (as in Daulton et al.
    2020). Constraints multiply it by the probability that they hold.
    """

    objectives: ClassVar[tuple[int, float]] = (1, math.inf)

    def build(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        weights = rng.dirichlet(np.ones(len(belief.objectives)))
        return constrained(belief, lambda: _scalarised(belief, weights, True, rng))


@dataclass(frozen=True)
class Scalarised(Acquisition):
    """Log noisy expected improvement of one scalarisation of all objectives.

    Scores are first scaled such that the observed feasible ones span 0 to 1. Constraints multiply
    it by the probability that they hold.

    Args:
        weights: (m,) positive or zero, of each objective.
        chebyshev: whether the weighted shortfalls from the best values are not summed, but their
            largest counts (augmented as in ``ParEGO``): it reaches fronts that are not convex.

    Raises:
        ProblemError: an argument is out of its range.
    """

    weights: tuple[float, ...]
    chebyshev: bool = False
    objectives: ClassVar[tuple[int, float]] = (1, math.inf)

    def __post_init__(self) -> None:
        weights = checked_numbers("Scalarised: weights", self.weights)
        if min(weights, default=0.0) < 0 or not any(weights):
            raise ProblemError(
                f"Scalarised: weights={weights}; give numbers of at least 0, one of them positive"
            )
        check_flag("Scalarised: chebyshev", self.chebyshev)
        object.__setattr__(self, "weights", weights)

    def checked(self, problem: Problem) -> None:
        super().checked(problem)
        need_sized("Scalarised: weights", self.weights, len(problem.objectives))

    def build(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        need_sized("Scalarised: weights", self.weights, len(belief.objectives))
        weights = np.array(self.weights) / sum(self.weights)
        return constrained(belief, lambda: _scalarised(belief, weights, self.chebyshev, rng))


def _scalarised(
    belief: Belief, weights: Array, chebyshev: bool, rng: np.random.Generator
) -> AcquisitionFunction:
    units = _Units(belief)
    best, extent = units.observed.max(axis=0), np.ptp(units.observed, axis=0)
    scale = tensor(weights / np.where(extent > 0, extent, 1.0), belief.device)
    top = tensor(best, belief.device)

    def utility(samples: torch.Tensor, X: torch.Tensor | None = None) -> torch.Tensor:  # noqa: N803
        shortfall = (top - units.scores(samples)) * scale
        total = shortfall.sum(dim=-1)
        if not chebyshev:
            return -total
        return -(shortfall.amax(dim=-1) + _AUGMENTED * total)

    return noisy_improvement(joint(belief), belief, GenericMCObjective(utility), rng)


def joint(belief: Belief) -> Any:
    """One BoTorch model of all objectives, which are independent."""
    models = [model.botorch(belief.device) for model in belief.objectives]
    plain = all(isinstance(model, GPyTorchModel) for model in models)
    return ModelListGP(*models) if plain else ModelList(*models)


class _Units:
    """Scores in units of the observed ones.

    Attributes:
        observed: (n, m) feasible scores in these units.
    """

    def __init__(self, belief: Belief) -> None:
        feasible = belief.scores[belief.feasible]
        self._shift = feasible.mean(axis=0)
        deviation = feasible.std(axis=0)
        self._scale = np.where(deviation > 0, deviation, 1.0)
        self._maps = [_backward(model.outcomes) for model in belief.objectives]
        self.observed = self.of(feasible)

    def of(self, scores: Array) -> Array:
        """(n, m) of (n, m) scores."""
        units: Array = (scores - self._shift) / self._scale
        return units

    def scores(self, samples: torch.Tensor, X: torch.Tensor | None = None) -> torch.Tensor:  # noqa: N803
        """(..., m) of standardised samples."""
        parts = [
            (backward(z) - shift) / scale
            for backward, z, shift, scale in zip(
                self._maps, samples.unbind(dim=-1), self._shift, self._scale, strict=True
            )
        ]
        return torch.stack(parts, dim=-1)


def _backward(outcomes: Outcomes) -> Callable[[torch.Tensor], torch.Tensor]:
    """``Outcomes.backward`` of tensors."""

    def backward(z: torch.Tensor) -> torch.Tensor:
        u = outcomes.shift + outcomes.scale * z
        if np.isinf(outcomes.c):
            return u
        below = outcomes.best - outcomes.c * torch.expm1(u.clamp(max=0.0).neg().clamp(max=_STEEP))
        return torch.where(u < 0, below, outcomes.best + outcomes.c * u)

    return backward


@contextmanager
def _uncompiled() -> Iterator[None]:
    """Keeps BoTorch from compiling C++ into the user's cache when it builds this acquisition."""
    before = logei._load_attempted
    logei._load_attempted = True
    try:
        yield
    finally:
        logei._load_attempted = before
