"""ADMIRE-BayesOpt set up as its public code: BoTorch's process and max-value entropy per cost.

From github.com/xo28/ADMIRE-BayesOpt (commit dc17795): ``SingleTaskMultiFidelityGP`` with its
defaults on outcomes as they are, one maximum drawn, candidates the rows evaluated projected to the
target, one random row at the lowest fidelity first, every row of the table considered at every
step. What is recommended is the target's row of greatest acquisition.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from blackbox.batch import Array, Batch
from studies.benchmarks.data_mixtures.methods import Sampling

_CHUNK = 256


@dataclass
class Released(Sampling):
    """One model of the mean over tasks, refitted at every step.

    Args:
        most: rows after which it stops; it goes on recommending what it did last.
    """

    most: int = 40

    def ask(self) -> Batch:
        rows = self._rows()
        if not self.told:
            return self.draw(self.levels[0])
        if len(self.told) >= self.most or not len(rows):
            return self.row(self.choices[:0], self.levels[-1])
        return self._greatest(rows)

    def recommend(self) -> Batch:
        if not self.told:
            return self.best(self.levels[-1])
        rows = self._rows()
        rows = rows[self._s(rows) == 1.0]
        if not len(rows):
            return self.best(self.levels[-1])
        return self._greatest(rows)

    def _greatest(self, rows: Batch) -> Batch:
        at = np.array([np.argmax(self._information(rows))])
        return rows.take(at)

    def _rows(self) -> Batch:
        """Rows of the table that were not evaluated."""
        assert self.candidates is not None
        if not self.told:
            return self.candidates
        x = np.column_stack([self.candidates["mix"], self._s(self.candidates)])
        done = Batch.concat(self.told)
        gone = {row.tobytes() for row in np.column_stack([done["mix"], self._s(done)])}
        left: Batch = self.candidates[np.array([row.tobytes() not in gone for row in x])]
        return left

    def _s(self, rows: Batch) -> Array:
        """(n,) fidelity: cost in units of the target's."""
        return np.asarray(self.problem.costs(rows))

    def _information(self, rows: Batch) -> Array:
        """(n,) information about the maximum per cost."""
        import torch
        from botorch.acquisition.cost_aware import InverseCostWeightedUtility
        from botorch.acquisition.max_value_entropy_search import qMultiFidelityMaxValueEntropy
        from botorch.fit import fit_gpytorch_mll
        from botorch.models.cost import AffineFidelityCostModel
        from botorch.models.gp_regression_fidelity import SingleTaskMultiFidelityGP
        from gpytorch.mlls import ExactMarginalLogLikelihood

        torch.set_num_threads(1)
        done = Batch.concat(self.told)
        x = torch.tensor(np.column_stack([done["mix"], self._s(done)]))
        y = torch.tensor(self.problem.scores(done).mean(axis=1, keepdims=True))
        fidelity = x.shape[1] - 1
        costs = AffineFidelityCostModel({fidelity: 1.0}, fixed_cost=0.0)
        at = torch.tensor(np.column_stack([rows["mix"], self._s(rows)]))
        with warnings.catch_warnings(), torch.random.fork_rng():
            warnings.simplefilter("ignore")
            torch.manual_seed(int(self.rng.integers(2**31)))
            model = SingleTaskMultiFidelityGP(x, y, data_fidelities=[fidelity])
            fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))

            def project(point: torch.Tensor) -> torch.Tensor:
                there = point.clone()
                there[..., fidelity] = 1.0
                return there

            acquisition = qMultiFidelityMaxValueEntropy(
                model,
                candidate_set=project(x),
                num_mv_samples=1,
                cost_aware_utility=InverseCostWeightedUtility(costs),
                project=project,
            )
            with torch.no_grad():
                parts = [acquisition(part.unsqueeze(1)) for part in at.split(_CHUNK)]
        return np.asarray(torch.cat(parts).numpy())
