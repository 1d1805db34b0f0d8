"""Bayesian optimization with an exact Gaussian process: the default where evaluations are dear."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from blackbox.acquisitions.search import Search
from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError, require
from blackbox.formulation import Problem
from blackbox.optimizer import Optimizer, Supports
from blackbox.optimizers.random import Random
from blackbox.optimizers.sobol import Sobol
from blackbox.space import Categorical, Integer, Ordinal, Real, Simplex
from blackbox.state import State
from blackbox.surrogates.features import Features

if TYPE_CHECKING:
    from blackbox.surrogates.gp import GaussianProcess

_INCUMBENTS = 3


class Bayes(Optimizer):
    """Gaussian process, noisy expected improvement, and a search made for mixed spaces.

    After an initial design each proposal maximises the expected improvement under an exact
    Gaussian process (Frazier 2018, *A Tutorial on Bayesian Optimization*, arXiv 1807.02811; Ament
    et al. 2023, *Unexpected Improvements to Expected Improvement*). A batch is chosen one row after
    another; rows that are pending count as observed with unknown outcome. Noise is inferred, or
    taken as declared by ``Minimize(name, noise=...)``. A failed row is never proposed again and
    enters the model with the worst score observed: without it the model would know nothing of
    the place and send the next proposal beside it; with a penalty far below the worst, the
    model would spend its smoothness on the cliff.

    Fitting costs the cube of the number of rows told: a few hundred are well within reach.

    Args:
        problem: one objective on Real, Integer, Ordinal, Categorical and Simplex parameters.
        n_init: rows of the initial design; rows told from outside count. By default twice the
            number of coordinates, between 4 and 20.
        init: optimizer of the same problem that proposes the initial design; by default Sobol, or
            Random under linear constraints.
        device: where the model is computed, a PyTorch device such as ``"cpu"`` or ``"cuda"``.
        seed: seeds the optimizer's only generator.

    Raises:
        ProblemError: ``n_init`` is negative, ``init`` was built for another problem, or the
            device cannot be used.
        MissingExtraError: PyTorch or BoTorch is not installed (extra ``bayes``).
    """

    supports = Supports(parameters=(Real, Integer, Ordinal, Categorical, Simplex), linear=True)

    def __init__(
        self,
        problem: Problem,
        *,
        n_init: int | None = None,
        init: Optimizer | None = None,
        device: str = "cpu",
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, seed=seed)
        with warnings.catch_warnings():
            # Their imports use parts of PyTorch that it has deprecated.
            warnings.simplefilter("ignore")
            for module in ("scipy.optimize", "torch", "gpytorch", "botorch"):
                require(module, "bayes")
        _try_device(device)
        space = problem.space
        self._features = Features(space)
        self._search = Search(self._features)
        if n_init is None:
            n_init = min(max(2 * space.width, 4), 20)
        elif isinstance(n_init, bool) or not isinstance(n_init, int) or n_init < 0:
            raise ProblemError(f"Bayes: n_init={n_init!r} must be an int of at least 0 or None")
        if init is None:
            kind = Random if space.polytope is not None else Sobol
            init = kind(problem, seed=int(self.rng.integers(2**63)))
        elif init.problem.spec() != problem.spec():
            raise ProblemError(
                f"Bayes: init={init!r} is for another problem; build it for this one"
            )
        self._init = init
        self._init_left = n_init
        self._init_ids: dict[int, int] = {}  # ids of open rows of the initial design: own to init's
        self._device = device
        self._told = Batch({})
        self._model: GaussianProcess | None = None  # of the rows told, a function of them alone

    def _ask(self, n: int) -> Batch:
        awaited = self._encode(self.pending)
        rows = self._initial(min(n, self._init_left), awaited)
        fresh = [*self._encode(rows)]
        if len(fresh) < n:
            fresh += self._proposals(n - len(fresh), np.concatenate([awaited, *_rows(fresh)]))
        return self._features.decode(np.array(fresh).reshape(-1, self._features.width))

    def _tell(self, batch: Batch) -> None:
        if self._init_left:
            own = [self._init_ids.get(i, -1) for i in batch["id"].tolist()]
            self._init.tell(batch.with_columns(id=np.array(own, dtype=np.int64)))
            self._init_left = max(0, self._init_left - int(np.sum(batch["id"] < 0)))
        kept = batch.select([*self.problem.space.names, *self.problem.outcomes, "ok"])
        self._told = Batch.concat([self._told, kept]) if len(self._told) else kept
        self._model = None

    def _state(self) -> State:
        return {
            "told": self._told.columns(),
            "init": self._init.state_dict(),
            "init_left": self._init_left,
            "init_ids": np.array([*self._init_ids.items()], dtype=np.int64).reshape(-1, 2),
        }

    def _load_state(self, state: State) -> None:
        self._told = Batch(state["told"])
        self._init.load_state_dict(state["init"])
        self._init_left = int(state["init_left"])
        self._init_ids = {int(own): int(inner) for own, inner in state["init_ids"]}
        self._model = None

    def _encode(self, batch: Batch) -> Array:
        if not len(batch):
            return np.empty((0, self._features.width))
        return self._features.encode(batch)

    def _initial(self, n: int, awaited: Array) -> Batch:
        """At most n rows of the initial design; in a finite space without repetitions."""
        if n < 1:
            return Batch({})
        rows = self._init.ask(n)
        self._init_left = 0 if len(rows) < n else self._init_left - n
        if self._search.finite:
            taken = np.concatenate([self._encode(self._told), awaited])
            rows = rows[self._search.fresh(self._encode(rows), taken)]
        first = self.asked
        self._init_ids.update({first + i: int(own) for i, own in enumerate(rows["id"])})
        return rows

    def _proposals(self, n: int, awaited: Array) -> list[Array]:
        """At most n rows, each the best given those before it; fewer where none is left."""
        from blackbox.surrogates.isolation import isolated

        made: list[Array] = []
        with isolated(int(self.rng.integers(2**31)), self._device):
            gp = self._fitted()
            while len(made) < n:
                row = self._best(gp, np.concatenate([awaited, *_rows(made)]))
                if row is None:
                    break
                made.append(row)
        return made

    def _best(self, gp: GaussianProcess | None, awaited: Array) -> Array | None:
        from blackbox.acquisitions.log_nei import LogNoisyEI
        from blackbox.surrogates.gp import NUMERICAL_ERRORS

        told = self._encode(self._told)
        taken = np.concatenate([told, awaited])
        seed = int(self.rng.integers(2**31))
        if gp is not None:
            observed = told[self._told["ok"]]
            try:
                best = np.argsort(-gp.predict(observed)[0], kind="stable")[:_INCUMBENTS]
                value = LogNoisyEI(gp, observed, awaited, seed)
                return self._search.best(value, taken, observed[best], self.rng)
            except NUMERICAL_ERRORS:
                pass  # a row far from all others is worth more than an exception
        return self._search.spread(taken, self.rng)

    def _fitted(self) -> GaussianProcess | None:
        """The model of everything told; None where no row succeeded or no fit did."""
        from blackbox.surrogates.gp import NUMERICAL_ERRORS, GaussianProcess

        if self._model is None and len(self._told) and self._told["ok"].any():
            scores, noise = self._outcomes()
            try:
                self._model = GaussianProcess(
                    self._encode(self._told),
                    scores,
                    noise=noise,
                    categorical=self._features.categorical,
                    device=self._device,
                )
            except NUMERICAL_ERRORS:
                return None
        return self._model

    def _outcomes(self) -> tuple[Array, Array | None]:
        """(n,) scores, failed rows at the worst one seen, and known variances."""
        ok = self._told["ok"]
        scores = self.problem.scores(self._told)[:, 0]
        scores = np.where(ok, scores, scores[ok].min())
        name = self.problem.objectives[0].noise
        if name is None:
            return scores, None
        deviations = self._told[name]
        return scores, np.where(ok, deviations, np.median(deviations[ok]))


def _try_device(device: str) -> None:
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise ProblemError(
            f"Bayes: device={device!r} cannot be used: {first}; give 'cpu'"
        ) from error


def _rows(rows: list[Array]) -> list[Array]:
    """Rows as matrices of one row, to concatenate."""
    return [row[None] for row in rows]
