"""What is learnt from everything told: a model of each objective, each constraint, and success."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from blackbox.acquisitions.base import Belief, Limit
from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError
from blackbox.formulation import Problem
from blackbox.state import State
from blackbox.surrogates.exact import ExactGP
from blackbox.surrogates.features import Features
from blackbox.surrogates.model import Data, Model, Surrogate

_SUCCESS = "ok"  # the name, no outcome may have it, of the model of which rows fail


@dataclass(frozen=True)
class Told:
    """Everything told so far.

    Args:
        batch: inputs, outcomes and ``ok``.
        x: (n, d) features of the inputs.
    """

    batch: Batch
    x: Array

    def __len__(self) -> int:
        return len(self.batch)

    def joined(self, batch: Batch, x: Array) -> Told:
        """With further rows after these."""
        if not len(self):
            return Told(batch, x)
        return Told(Batch.concat([self.batch, batch]), np.concatenate([self.x, x]))

    @property
    def ok(self) -> Array:
        """(n,) which rows succeeded."""
        return self.batch["ok"] if len(self) else np.zeros(0, dtype=bool)


class Learning:
    """Fits the models, each going on from its last fit.

    Args:
        problem: whose outcomes are modelled.
        features: the coordinates of rows.
        surrogate: of objectives and constraints; None for the fast engine.
        prior: rows of earlier studies of the same outcomes, a batch each.
        device: where PyTorch computes what it computes.
    """

    def __init__(
        self,
        problem: Problem,
        features: Features,
        surrogate: Surrogate | None,
        prior: Sequence[Told],
        device: str,
    ) -> None:
        self._problem = problem
        self._features = features
        self._prior = [earlier for earlier in prior if earlier.ok.any()]
        self._device = device
        # Several objectives are compared by hypervolume, which a warp would distort.
        single = len(problem.objectives) == 1
        self._objective = surrogate or ExactGP(warp=single)
        self._constraint = surrogate or ExactGP(warp=False)
        self._memory: dict[str, State] = {}
        self._fits: dict[str, tuple[int, Model]] = {}

    def belief(self, told: Told, pending: Array, *, commit: bool) -> Belief | None:
        """Of everything told; None where no row succeeded yet.

        Args:
            told: all rows told.
            pending: (k, d) features of rows whose outcome is awaited.
            commit: whether later fits go on from this one. Asks do; looking at a model does not,
                so that it changes no later ask.

        Raises:
            SingularError: a covariance cannot be factorised.
        """
        ok = told.ok
        if not ok.any():
            return None
        good = told.batch[ok]
        scores = self._problem.scores(good)
        return Belief(
            self._features,
            tuple(self._objectives(told, commit=commit)),
            tuple(self._limits(told, commit=commit)),
            told.x[ok],
            scores,
            self._problem.feasible(good),
            pending,
            self._device,
        )

    def state(self) -> State:
        """The memories of the fits that later ones go on from."""
        return dict(self._memory)

    def load(self, state: State) -> None:
        """Go on from memories that ``state`` gave."""
        self._memory = dict(state)
        self._fits = {}

    def _objectives(self, told: Told, *, commit: bool) -> list[Model]:
        models = []
        for j, objective in enumerate(self._problem.objectives):
            parts = [part for part in (told, *self._prior)]
            y = [self._problem.scores(part.batch[part.ok])[:, j] for part in parts]
            data = self._data(parts, y, objective.noise)
            models.append(self._fitted(objective.name, self._objective, data, commit=commit))
        return models

    def _limits(self, told: Told, *, commit: bool) -> list[Limit]:
        limits = []
        for c in self._problem.constraints:
            parts = [part for part in (told, *self._prior)]
            data = self._data(parts, [part.batch[c.name][part.ok] for part in parts], None)
            model = self._fitted(c.name, self._constraint, data, commit=commit)
            limits.append(Limit(model, c.lower, c.upper))
        if not told.ok.all():
            y = np.where(told.ok, 1.0, -1.0)
            data = Data(self._features, told.x, y)
            model = self._fitted(_SUCCESS, ExactGP(warp=False), data, commit=commit)
            limits.append(Limit(model, 0.0, math.inf, noisy=True))
        return limits

    def _data(self, parts: Sequence[Told], y: Sequence[Array], noise: str | None) -> Data:
        """Rows that succeeded, of this study and of earlier ones as further tasks."""
        x = np.concatenate([part.x[part.ok] for part in parts])
        errors = None
        if noise is not None:
            errors = np.concatenate([part.batch[noise][part.ok] for part in parts])
        tasks = None
        if len(parts) > 1:
            tasks = np.repeat(np.arange(len(parts)), [len(values) for values in y])
        return Data(self._features, x, np.concatenate(y), noise=errors, tasks=tasks)

    def _fitted(self, name: str, surrogate: Surrogate, data: Data, *, commit: bool) -> Model:
        """The model of an outcome, fitted once for each number of rows."""
        if name not in self._fits or self._fits[name][0] != len(data.y):
            model = surrogate.fit(data, self._memory.get(name))
            self._fits[name] = len(data.y), model
        model = self._fits[name][1]
        if commit:
            self._memory[name] = model.memory()
        return model


def earlier(problem: Problem, features: Features, prior: Any) -> list[Told]:
    """The rows of earlier studies, checked.

    Raises:
        ProblemError: ``prior`` is no sequence of studies and batches, or one lacks an outcome.
        SpaceError: a row lies outside the space.
    """
    if isinstance(prior, Batch) or hasattr(prior, "history"):
        prior = [prior]
    if not isinstance(prior, list | tuple):
        raise ProblemError(f"Bayes: prior={prior!r}; give a list of studies and batches")
    found = []
    for number, study in enumerate(prior):
        batch = getattr(study, "history", study)
        if not isinstance(batch, Batch):
            raise ProblemError(f"Bayes: prior[{number}] is {study!r}; give a Study or a Batch")
        found.append(_earlier(problem, features, batch, number))
    return found


def _earlier(problem: Problem, features: Features, batch: Batch, number: int) -> Told:
    missing = [name for name in (*problem.space.names, *problem.outcomes) if name not in batch]
    if missing:
        raise ProblemError(
            f"Bayes: prior[{number}] lacks {missing}; give studies of the same space and outcomes"
        )
    columns = problem.space.check(batch).columns()
    ok = np.array(batch["ok"]) if "ok" in batch else np.ones(len(batch), dtype=bool)
    for name in problem.outcomes:
        columns[name] = np.asarray(batch[name], dtype=np.float64)
        ok &= np.isfinite(columns[name])
    told = Batch.of({**columns, "ok": ok}, len(batch))
    return Told(told, features.encode(told))
