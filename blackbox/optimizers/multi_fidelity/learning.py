"""What is learnt from rows at several fidelities, and which fidelities are worth learning from.

A fidelity is judged by the target's own rows: are they more likely, each given all other rows, with
what was told at that fidelity or without it? One that makes them less likely is dropped: its rows
are left out of the models and it is not proposed. Every further row at the target judges again, so
that nothing is dropped for good.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from blackbox.acquisitions.base import Limit
from blackbox.batch import Array, Batch
from blackbox.formulation import Problem
from blackbox.optimizers.bayes.told import Told
from blackbox.state import State
from blackbox.surrogates.exact import ExactGP
from blackbox.surrogates.features import Features
from blackbox.surrogates.fidelity import Levels
from blackbox.surrogates.model import Data
from blackbox.surrogates.multi_fidelity import FidelityData, FidelityModel, MultiFidelityGP

_JUDGED = 4  # rows at the target from which on fidelities are judged
_AGAIN = 1.2  # growth of these rows after which they are judged again
_OFTEN = 10  # rows up to which they are judged with every one
_LABEL = 0.5  # standard error of the labels of success, as in ``Bayes``


@dataclass(frozen=True)
class Learnt:
    """Models of everything told.

    Args:
        models: of each objective's score.
        limits: what must hold at the target.
        kept: (L,) which levels are learnt from and proposed, the target last.
    """

    models: tuple[FidelityModel, ...]
    limits: tuple[Limit, ...]
    kept: Array


class Learning:
    """Fits the models, each going on from its last fit.

    Args:
        problem: whose outcomes are modelled.
        features: coordinates of designs.
        levels: of the fidelity.
        surrogate: of objectives and constraints.
        drop: whether useless fidelities are dropped.
    """

    def __init__(
        self,
        problem: Problem,
        features: Features,
        levels: Levels,
        surrogate: MultiFidelityGP,
        *,
        drop: bool,
    ) -> None:
        self._problem, self._features, self._levels = problem, features, levels
        self._surrogate, self._drop = surrogate, drop
        self._memory: dict[str, State] = {}
        self._kept = np.ones(len(levels.values), dtype=bool)
        self._judged = 0

    def learn(self, told: Told, *, commit: bool) -> Learnt | None:
        """From everything told; None where nothing can be learnt from yet.

        Args:
            told: all rows told.
            commit: whether later fits and judgements go on from this one; looking does not.

        Raises:
            SingularError: a covariance cannot be factorised.
        """
        if not told.ok.any():
            return None
        memory = self._memory if commit else dict(self._memory)
        kept, judged = self._judgement(told, memory)
        if commit:
            self._kept, self._judged = kept, judged
        models = self._models(told, kept, memory)
        return Learnt(models, tuple(self._limits(told, kept, memory)), kept)

    def evidence(self, told: Told) -> Array:
        """(L,) nats that each level's rows add to the likelihood of the target's rows.

        Of the target 0; NaN where a level has no row or the target too few.

        Raises:
            SingularError: a covariance cannot be factorised.
        """
        count = len(self._levels.values)
        found = np.full(count, np.nan)
        found[-1] = 0.0
        if self._targets(told) < _JUDGED:
            return found
        everything, memory = np.ones(count, dtype=bool), dict(self._memory)
        whole = self._density(told, everything, memory)
        for level in self._seen(told):
            without = everything.copy()
            without[level] = False
            found[level] = whole - self._density(told, without, memory)
        return found

    def state(self) -> State:
        """What later fits and judgements go on from."""
        return {"models": dict(self._memory), "kept": self._kept, "judged": self._judged}

    def load(self, state: State) -> None:
        """Go on from what ``state`` gave."""
        self._memory = dict(state["models"])
        self._kept = np.asarray(state["kept"], dtype=bool)
        self._judged = int(state["judged"])

    def _judgement(self, told: Told, memory: dict[str, State]) -> tuple[Array, int]:
        """Which levels are kept, and the number of rows at the target that said so."""
        rows = self._targets(told)
        due = rows != self._judged and (rows <= _OFTEN or rows >= _AGAIN * self._judged)
        if not self._drop or rows < _JUDGED or not due:
            return self._kept, self._judged
        kept = np.ones(len(self._levels.values), dtype=bool)
        left, best = self._seen(told), self._density(told, kept, memory)
        while left:
            trials = []
            for level in left:
                without = kept.copy()
                without[level] = False
                trials.append((self._density(told, without, memory), level))
            density, level = max(trials)
            if density <= best:
                break
            best, kept[level] = density, False
            left.remove(level)
        return kept, rows

    def _density(self, told: Told, kept: Array, memory: dict[str, State]) -> float:
        """Sum over objectives of the log density of the target's rows, each left out."""
        models = self._models(told, kept, memory)
        return float(sum(model.left_out().sum() for model in models))

    def _targets(self, told: Told) -> int:
        return int(self._levels.at_target(self._fidelity(told.batch[told.ok])).sum())

    def _seen(self, told: Told) -> list[int]:
        """Levels below the target that have rows."""
        values = self._fidelity(told.batch[told.ok])
        return [i for i, v in enumerate(self._levels.values[:-1]) if np.any(values == v)]

    def _fidelity(self, batch: Batch) -> Array:
        fidelity = self._problem.fidelity
        return np.zeros(len(batch)) if fidelity is None else batch[fidelity.name]

    def _rows(self, told: Told, kept: Array) -> Array:
        """(n,) rows to learn from: they succeeded, at a level that is kept."""
        values = self._fidelity(told.batch)
        dropped = np.isin(values, self._levels.values[~kept])
        rows = told.ok & ~dropped
        return rows if rows.any() else told.ok

    def _models(
        self, told: Told, kept: Array, memory: dict[str, State]
    ) -> tuple[FidelityModel, ...]:
        rows = self._rows(told, kept)
        batch = told.batch[rows]
        scores = self._problem.scores(batch)
        models = []
        for j, objective in enumerate(self._problem.objectives):
            noise = None if objective.noise is None else batch[objective.noise]
            models.append(self._fitted(objective.name, told, rows, scores[:, j], noise, memory))
        return tuple(models)

    def _limits(self, told: Told, kept: Array, memory: dict[str, State]) -> list[Limit]:
        limits = []
        rows = self._rows(told, kept)
        for c in self._problem.constraints:
            model = self._fitted(c.name, told, rows, told.batch[c.name][rows], None, memory)
            limits.append(Limit(model, c.lower, c.upper))
        if not told.ok.all():
            labels, noise = np.where(told.ok, 1.0, -1.0), np.full(len(told), _LABEL)
            data = Data(self._features, told.x, labels, noise=noise)
            success = ExactGP(warp=False).fit(data, memory.get("ok"))
            memory["ok"] = success.memory()
            limits.append(Limit(success, 0.0, math.inf))
        return limits

    def _fitted(
        self,
        name: str,
        told: Told,
        rows: Array,
        y: Array,
        noise: Array | None,
        memory: dict[str, State],
    ) -> FidelityModel:
        values = self._fidelity(told.batch[rows])
        data = FidelityData(self._features, self._levels, told.x[rows], values, y, noise)
        seen = [str(int(np.any(values == value))) for value in self._levels.values]
        key = f"{name} {''.join(seen)}"  # a fit goes on from one of the same levels
        model = self._surrogate.fit(data, memory.get(key))
        memory[key] = model.memory()
        return model
