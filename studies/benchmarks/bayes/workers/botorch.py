"""BoTorch put together by hand, as its tutorials do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from botorch import fit_gpytorch_mll
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.acquisition.logei import qLogExpectedImprovement
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
from botorch.models import SingleTaskGP
from botorch.models.model_list_gp_regression import ModelListGP
from botorch.optim.optimize import optimize_acqf
from botorch.sampling.normal import SobolQMCNormalSampler
from gpytorch.mlls import ExactMarginalLogLikelihood, SumMarginalLogLikelihood
from torch import Tensor

from studies.benchmarks.bayes.workers.protocol import Peer, Point, serve

SAMPLES = 128
RESTARTS = 10
RAW = 512


class BoTorch(Peer):
    """``SingleTaskGP`` with ``qLogEI``; ``qLogNEHVI`` for several objectives.

    Starts with 2 (width + 1) scrambled Sobol points. The points of a batch are chosen jointly.
    """

    def __init__(self, **about: Any) -> None:
        super().__init__(**about)
        torch.manual_seed(self.seed)
        torch.set_default_dtype(torch.float64)
        self._engine = torch.quasirandom.SobolEngine(self.width, scramble=True, seed=self.seed)
        self._initial = self._engine.draw(2 * (self.width + 1), dtype=torch.float64)
        self._x: list[Point] = []
        self._y: list[list[float]] = []  # larger is better, then slack

    def propose(self) -> tuple[Point, Any]:
        return self.propose_batch(1)[0]

    def propose_batch(self, n: int) -> list[tuple[Point, Any]]:
        initial = self._initial[len(self._x) :][:n]
        if len(initial):  # a batch that the design does not fill is filled by Sobol's next points
            more = self._engine.draw(n - len(initial), dtype=torch.float64)
            return [(point, None) for point in torch.cat([initial, more]).tolist()]
        x, y = torch.tensor(self._x), torch.tensor(self._y)
        bounds = torch.stack([torch.zeros(self.width), torch.ones(self.width)])
        acquisition = self._improvement(x, y) if y.shape[1] == 1 else self._hypervolume(x, y)
        best, _ = optimize_acqf(
            acquisition,
            bounds,
            q=n,
            num_restarts=RESTARTS,
            raw_samples=RAW,
            options={"batch_limit": 5, "maxiter": 200},
        )
        return [(point, None) for point in best.tolist()]

    def _improvement(self, x: Tensor, y: Tensor) -> AcquisitionFunction:
        model = SingleTaskGP(x, y)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        return qLogExpectedImprovement(model, best_f=y.max(), sampler=self._sampler())

    def _hypervolume(self, x: Tensor, y: Tensor) -> AcquisitionFunction:
        m = self.objectives
        model = ModelListGP(*(SingleTaskGP(x, column[:, None]) for column in y.T))
        fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
        reference = self.reference or (-y[:, :m]).max(dim=0).values.tolist()
        limits: list[Callable[[Tensor], Tensor]] = [
            partial(_column, place=m + j) for j in range(self.constraints)
        ]
        return qLogNoisyExpectedHypervolumeImprovement(
            model,
            ref_point=[-value for value in reference],
            X_baseline=x,
            sampler=self._sampler(),
            prune_baseline=True,
            objective=IdentityMCMultiOutputObjective(outcomes=list(range(m))),
            constraints=limits or None,
        )

    def _sampler(self) -> SobolQMCNormalSampler:
        return SobolQMCNormalSampler(torch.Size([SAMPLES]))

    def learn(self, point: Point, handle: Any, values: list[float], slack: list[float]) -> None:
        self._x.append(point)
        self._y.append([-value for value in values] + slack)


def _column(samples: Tensor, place: int) -> Tensor:
    """One outcome of samples, a constraint that is satisfied where it is at most 0."""
    return samples[..., place]


if __name__ == "__main__":
    serve(BoTorch)
