"""Max-value entropy search per cost over several fidelities, put together from BoTorch's parts."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

import blackbox as bb
from blackbox.batch import Array, Batch
from blackbox.state import State

if TYPE_CHECKING:
    from botorch.models.gp_regression_fidelity import SingleTaskMultiFidelityGP
    from torch import Tensor

CANDIDATES = 1000  # among which maxima are drawn, as in BoTorch's tutorial
RESTARTS, RAW = 10, 512


class MultiFidelityMES(bb.Optimizer):
    """``SingleTaskMultiFidelityGP`` with ``qMultiFidelityMaxValueEntropy`` per cost.

    The first 2 (d + 1) rows are Sobol points, each at a fidelity drawn at random. Recommends the
    greatest posterior mean at the target. For one row at a time.

    Args:
        problem: real parameters, and an ordinal fidelity whose last level is the target.
        seed: seeds all that is drawn.
    """

    supports = bb.Supports(parameters=(bb.Real,), fidelity=True)

    def __init__(self, problem: bb.Problem, *, seed: int | None = None) -> None:
        super().__init__(problem, seed=seed)
        import torch
        from botorch.exceptions.warnings import BotorchWarning

        warnings.simplefilter("ignore", BotorchWarning)
        torch.manual_seed(int(self.rng.integers(2**31)))
        assert problem.fidelity is not None
        assert isinstance(problem.fidelity.parameter, bb.Ordinal)
        self._name = problem.fidelity.name
        self._values = np.array(problem.fidelity.parameter.values)
        center = problem.space.decode(np.full((len(self._values), problem.space.width), 0.5))
        self._costs = problem.costs(center.with_columns(**{self._name: self._values}))
        self._levels = np.linspace(0.0, 1.0, len(self._values))
        d = problem.space.width
        engine = torch.quasirandom.SobolEngine(d, scramble=True, seed=int(self.rng.integers(2**31)))
        at = self.rng.choice(self._levels, 2 * (d + 1))
        self._initial = np.column_stack([engine.draw(len(at), dtype=torch.float64).numpy(), at])
        self._x, self._y = np.empty((0, d + 1)), np.empty(0)

    def recommend(self) -> Batch:
        """The design of the greatest posterior mean at the target that is found."""
        from botorch.acquisition.analytic import PosteriorMean
        from botorch.acquisition.fixed_feature import FixedFeatureAcquisitionFunction
        from botorch.optim.optimize import optimize_acqf

        d = self._x.shape[1]
        mean = FixedFeatureAcquisitionFunction(PosteriorMean(self._model()), d, [d - 1], [1.0])
        x, _ = optimize_acqf(mean, self._bounds[:, :-1], q=1, num_restarts=10, raw_samples=1024)
        return self.problem.space.decode(x.numpy())

    def _ask(self, n: int) -> Batch:
        told = len(self._y)
        row = self._initial[told] if told < len(self._initial) else self._proposal()
        level = int(np.argmin(np.abs(self._levels - row[-1])))
        batch = self.problem.space.decode(row[None, :-1])
        return batch.with_columns(**{self._name: self._values[[level]]})

    def _tell(self, batch: Batch) -> None:
        levels = self._levels[np.searchsorted(self._values, batch[self._name])]
        x = np.column_stack([self.problem.space.encode(batch), levels])
        self._x = np.concatenate([self._x, x])
        self._y = np.concatenate([self._y, self.problem.scores(batch)[:, 0]])

    def _state(self) -> State:
        return {"x": self._x, "y": self._y}

    def _load_state(self, state: State) -> None:
        self._x, self._y = np.asarray(state["x"]), np.asarray(state["y"])

    @property
    def _bounds(self) -> Tensor:
        import torch

        return torch.tensor([[0.0] * self._x.shape[1], [1.0] * self._x.shape[1]]).double()

    def _model(self) -> SingleTaskMultiFidelityGP:
        import torch
        from botorch import fit_gpytorch_mll
        from botorch.models.gp_regression_fidelity import SingleTaskMultiFidelityGP
        from gpytorch.mlls import ExactMarginalLogLikelihood

        x, y = torch.tensor(self._x), torch.tensor(self._y)[:, None]
        model = SingleTaskMultiFidelityGP(x, y, data_fidelities=[x.shape[1] - 1])
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        return model

    def _proposal(self) -> Array:
        import torch
        from botorch.acquisition.cost_aware import InverseCostWeightedUtility
        from botorch.acquisition.max_value_entropy_search import qMultiFidelityMaxValueEntropy
        from botorch.acquisition.utils import project_to_target_fidelity
        from botorch.models.deterministic import GenericDeterministicModel
        from botorch.optim.optimize import optimize_acqf_mixed

        model, d = self._model(), self._x.shape[1]
        entropy = qMultiFidelityMaxValueEntropy(
            model,
            torch.rand(CANDIDATES, d).double(),
            cost_aware_utility=InverseCostWeightedUtility(GenericDeterministicModel(self._cost)),
            project=lambda x: project_to_target_fidelity(x, {d - 1: 1.0}, d=d),
        )
        x, _ = optimize_acqf_mixed(
            entropy,
            self._bounds,
            q=1,
            num_restarts=RESTARTS,
            raw_samples=RAW,
            fixed_features_list=[{d - 1: float(level)} for level in self._levels],
            options={"batch_limit": 5, "maxiter": 200},
        )
        return np.asarray(x[0].numpy())

    def _cost(self, x: Tensor) -> Tensor:
        """(..., 1) costs of rows at their levels."""
        import torch

        level = (x[..., -1:] * (len(self._levels) - 1)).round().long()
        return torch.tensor(self._costs)[level]
