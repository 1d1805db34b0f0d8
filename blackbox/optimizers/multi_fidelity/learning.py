"""What is learnt from rows at several fidelities, and which fidelities are worth learning from.

A fidelity is judged by forecasts: before a row at the target is learnt, it is predicted from
everything told so far, with the rows of that fidelity and without them. The sum of the log ratios
of both densities is the evidence for the fidelity (Dawid 1984, *The Prequential Approach*): no row
judges what it has itself shaped, and rows that were chosen for being good need no correction. One
row counts for two nats at most. A fidelity that the evidence is against is not proposed, and its
rows are left out where that is clear; it goes on being judged, so nothing is dropped for good.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blackbox.acquisitions.base import Limit
from blackbox.acquisitions.feasibility import success_limit
from blackbox.batch import Array
from blackbox.formulation import Problem
from blackbox.optimizers.bayes.told import Told
from blackbox.state import State
from blackbox.surrogates.features import Features
from blackbox.surrogates.fidelity import Levels
from blackbox.surrogates.fidelity_data import FidelityData
from blackbox.surrogates.model import Data, Model, Surrogate
from blackbox.surrogates.multi_fidelity import FidelityModel, MultiFidelityGP

_FEWEST = 2  # rows at the target before forecasts of further ones are worth comparing
_MOST = 2.0  # nats that one row may count for or against
_CLEAR = 3.0  # nats of evidence that decide: a factor of 20
_DOUBT = 1.0  # nats against a fidelity from which no more is spent on it
_SUCCESS = "ok"  # the name of the model of which rows fail, as in ``Bayes``


@dataclass(frozen=True)
class Learnt:
    """Models of everything told.

    Args:
        models: of each objective's score.
        limits: what must hold at the target.
        kept: (L,) which levels are learnt from, the target last.
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
    """

    def __init__(
        self,
        problem: Problem,
        features: Features,
        levels: Levels,
        surrogate: MultiFidelityGP,
    ) -> None:
        self._problem, self._features, self._levels = problem, features, levels
        self._surrogate = surrogate
        self._memory: dict[str, State] = {}
        self._evidence = np.zeros(len(levels.values))

    @property
    def evidence(self) -> Array:
        """(L,) nats for each level so far, of the target 0."""
        return self._evidence.copy()

    @property
    def kept(self) -> Array:
        """(L,) which levels are learnt from."""
        return np.asarray(self._evidence >= -_CLEAR)

    @property
    def doubted(self) -> Array:
        """(L,) which levels are not proposed."""
        return np.asarray(self._evidence < -_DOUBT)

    @property
    def proven(self) -> Array:
        """(L,) which levels the evidence is clearly for; the target is."""
        proven = np.asarray(self._evidence > _CLEAR)
        proven[-1] = True
        return proven

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
        kept = self.kept
        models = self._models(told, kept, memory)
        return Learnt(models, tuple(self._limits(told, kept, memory)), kept)

    def judge(self, told: Told, fresh: Told) -> None:
        """Compare forecasts of fresh rows at the target, from all rows told before.

        Args:
            told: rows told before.
            fresh: rows that are about to be learnt.
        """
        at = self._levels.at_target(self._levels.of(fresh.batch)) & fresh.ok
        seen = self._seen(told)
        if not (at.any() and seen and self._targets(told) >= _FEWEST):
            return
        everything = np.ones(len(self._levels.values), dtype=bool)
        try:
            whole = self._forecast(told, everything, fresh, at)
            for level in seen:
                without = everything.copy()
                without[level] = False
                ratio = whole - self._forecast(told, without, fresh, at)
                self._evidence[level] += np.clip(ratio, -_MOST, _MOST).sum()
        except ArithmeticError:  # a covariance cannot be factorised: nothing is said
            return

    def state(self) -> State:
        """What later fits and judgements go on from."""
        return {"models": dict(self._memory), "evidence": self._evidence.copy()}

    def load(self, state: State) -> None:
        """Go on from what ``state`` gave."""
        self._memory = dict(state["models"])
        self._evidence = np.array(state["evidence"], dtype=np.float64)

    def _forecast(self, told: Told, kept: Array, fresh: Told, at: Array) -> Array:
        """(k,) log densities of the scores of fresh rows at the target."""
        models = self._models(told, kept, self._memory)
        scores = self._problem.scores(fresh.batch[at])
        total = np.zeros(int(at.sum()))
        for j, (objective, model) in enumerate(zip(self._problem.objectives, models, strict=True)):
            name = objective.standard_error
            noise = None if name is None else fresh.batch[name][at]
            total += model.forecast(fresh.x[at], scores[:, j], noise)
        return total

    def _targets(self, told: Told) -> int:
        return int(self._levels.at_target(self._levels.of(told.batch[told.ok])).sum())

    def _seen(self, told: Told) -> list[int]:
        """Levels below the target that have rows."""
        values = self._levels.of(told.batch[told.ok])
        return [i for i, v in enumerate(self._levels.values[:-1]) if np.any(values == v)]

    def _rows(self, told: Told, kept: Array) -> Array:
        """(n,) rows to learn from: they succeeded, at a level that is kept."""
        values = self._levels.of(told.batch)
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
            name = objective.standard_error
            noise = None if name is None else batch[name]
            data = self._data(told, rows, scores[:, j], noise, noisy=objective.noise is True)
            models.append(self._fitted(objective.name, data, memory))
        return tuple(models)

    def _limits(self, told: Told, kept: Array, memory: dict[str, State]) -> list[Limit]:
        limits = []
        rows = self._rows(told, kept)
        for c in self._problem.constraints:
            data = self._data(told, rows, told.batch[c.name][rows], None, noisy=False)
            model = self._fitted(c.name, data, memory)
            limits.append(Limit(model, c.lower, c.upper))
        if not told.ok.all():

            def fit(recipe: Surrogate, data: Data) -> Model:
                model = recipe.fit(data, memory.get(_SUCCESS))
                memory[_SUCCESS] = model.memory()
                return model

            limits.append(success_limit(self._features, told.x, told.ok, fit))
        return limits

    def _data(
        self, told: Told, rows: Array, y: Array, noise: Array | None, *, noisy: bool
    ) -> FidelityData:
        values = self._levels.of(told.batch[rows])
        return FidelityData(self._features, self._levels, told.x[rows], values, y, noise, noisy)

    def _fitted(self, name: str, data: FidelityData, memory: dict[str, State]) -> FidelityModel:
        seen = [str(int(np.any(data.fidelity == value))) for value in self._levels.values]
        key = f"{name} {''.join(seen)}"  # a fit goes on from one of the same levels
        model = self._surrogate.fit(data, memory.get(key))
        memory[key] = model.memory()
        return model
