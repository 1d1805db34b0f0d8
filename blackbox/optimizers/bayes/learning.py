"""What is learnt from everything told: a model of each objective, each constraint, and success."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from functools import partial

import numpy as np

from blackbox import surrogates
from blackbox.acquisitions.base import Belief, Limit, Scenarios
from blackbox.acquisitions.feasibility import success_limit
from blackbox.batch import Array
from blackbox.errors import ProblemError
from blackbox.formulation import Constraint, Measure, Problem
from blackbox.formulation.outcomes import Objective
from blackbox.optimizers.bayes.told import Told
from blackbox.space import Real, Space
from blackbox.state import State
from blackbox.surrogates.exact import ExactGP
from blackbox.surrogates.features import Features
from blackbox.surrogates.model import Data, Model, Surrogate

_SUCCESS = "ok"  # the name, no outcome may have it, of the model of which rows fail


class Learning:
    """Fits the models, each going on from its last fit.

    Args:
        problem: whose outcomes are modelled.
        features: the coordinates of rows.
        surrogate: of objectives and constraints; None for the fast engine.
        prior: rows of earlier studies of the same outcomes, a batch each.
        device: where PyTorch computes what it computes.
        exact: whether the fast engine learns on a GPU too.

    Raises:
        ProblemError: ``surrogate`` is no recipe, such as the class in the place of what it makes.
    """

    def __init__(
        self,
        problem: Problem,
        features: Features,
        surrogate: Surrogate | None,
        prior: Sequence[Told],
        device: str,
        *,
        exact: bool = False,
    ) -> None:
        if surrogate is not None and (isinstance(surrogate, type) or not hasattr(surrogate, "fit")):
            raise ProblemError(
                f"surrogate={surrogate!r}; give one of blackbox.surrogates, as ExactGP()"
            )
        self._problem = problem
        self._features = features
        self._prior = [earlier for earlier in prior if earlier.ok.any()]
        self._device = device
        self._exact = exact or device == "cpu"
        self._surrogate = surrogate
        self._scenarios = _scenarios(problem, features)
        self._memory: dict[str, State] = {}
        self._begun: dict[str, State] = {}
        self._fits: dict[str, tuple[int, Model]] = {}

    def belief(self, told: Told, pending: Array, *, commit: bool) -> Belief | None:
        """Of everything told; None where nothing can be learnt from yet.

        Args:
            told: all rows told.
            pending: (k, d) features of rows whose outcome is awaited.
            commit: whether later fits go on from this one. Asks do; looking at a model does not,
                so that it changes no later ask.

        Raises:
            SingularError: a covariance cannot be factorised.
        """
        ok = told.ok
        if not ok.any() or (
            self._problem.preference and not len(_comparisons(self._problem, told))
        ):
            return None
        good = told.batch[ok]
        return Belief(
            self._features,
            tuple(self._objectives(told, commit=commit)),
            tuple(self._limits(told, commit=commit)),
            told.x[ok],
            self._problem.scores(good),
            self._problem.feasible(good),
            pending,
            self._device,
            self._scenarios,
        )

    def measures(self, told: Told, *, commit: bool) -> list[Model]:
        """A model of each measure, of everything told; some row must have succeeded.

        Raises:
            SingularError: a covariance cannot be factorised.
        """
        models = []
        for m in self._problem.measures:
            data = self._data((told,), [told.batch[m.name][told.ok]], m, 1.0)
            recipe = self._recipe(m.name, warp=False)
            models.append(self._fitted(m.name, recipe, data, commit=commit))
        return models

    def state(self) -> State:
        """The memories of fits that later ones go on from, and those that the last went on from."""
        return {"memory": dict(self._memory), "begun": dict(self._begun)}

    def load(self, state: State) -> None:
        """Go on from memories that ``state`` gave."""
        self._memory, self._begun = dict(state["memory"]), dict(state["begun"])
        self._fits = {}

    def _objectives(self, told: Told, *, commit: bool) -> list[Model]:
        # A warp bends what a hypervolume or a risk would add up.
        warp = len(self._problem.objectives) == 1 and self._scenarios is None
        models = []
        for j, objective in enumerate(self._problem.objectives):
            parts = (told, *self._prior)
            y = [self._problem.scores(part.batch[part.ok])[:, j] for part in parts]
            data = self._data(parts, y, objective, objective.sign)
            if self._problem.preference:
                data = replace(data, comparisons=_comparisons(self._problem, told))
            recipe = self._recipe(objective.name, warp=warp)
            models.append(self._fitted(objective.name, recipe, data, commit=commit))
        return models

    def _limits(self, told: Told, *, commit: bool) -> list[Limit]:
        limits = []
        for c in self._problem.constraints:
            parts = (told, *self._prior)
            y = [part.batch[c.name][part.ok] for part in parts]
            data = self._data(parts, y, c, 1.0)
            model = self._fitted(c.name, self._recipe(c.name, warp=False), data, commit=commit)
            limits.append(Limit(model, c.lower, c.upper))
        if not told.ok.all():
            fit = partial(self._fitted, _SUCCESS, commit=commit)
            limits.append(success_limit(self._features, told.x, told.ok, fit))
        return limits

    def _recipe(self, name: str, *, warp: bool) -> Surrogate:
        """The surrogate of an outcome: as asked for, or what its data and the device need."""
        if self._surrogate is not None:
            return self._surrogate if self._scenarios is None else _unwarped(self._surrogate)
        if self._problem.preference:
            return surrogates.PairwiseGP(device=self._device)
        if name in self._problem.gradients:
            return surrogates.GradientGP(device=self._device)
        return ExactGP(warp=warp) if self._exact else surrogates.TorchGP(device=self._device)

    def _data(
        self,
        parts: Sequence[Told],
        y: Sequence[Array],
        of: Objective | Constraint | Measure,
        sign: float,
    ) -> Data:
        """Rows that succeeded, of this study and of earlier ones as further tasks."""

        def column(name: str) -> Array:
            return np.concatenate([part.batch[name][part.ok] for part in parts])

        x = np.concatenate([part.x[part.ok] for part in parts])
        noise = of.standard_error if isinstance(of, Objective) else None
        slopes = None
        if of.gradient is not None:
            slopes = sign * _slopes(self._problem.space, self._features, x, column(of.gradient))
        tasks = None
        if len(parts) > 1:
            tasks = np.repeat(np.arange(len(parts)), [len(values) for values in y])
        return Data(
            self._features,
            x,
            np.concatenate(y),
            noise=None if noise is None else column(noise),
            gradients=slopes,
            tasks=tasks,
            noisy=isinstance(of, Objective) and of.noise is True,
        )

    def _fitted(self, name: str, surrogate: Surrogate, data: Data, *, commit: bool) -> Model:
        """The model of an outcome, fitted once for each number of rows."""
        n = len(data.y)
        if name not in self._fits or self._fits[name][0] != n:
            begun = self._begun.get(name, {})
            again = begun.get("rows") == n  # loaded: the last fit is made again as it was
            memory = begun.get("memory") if again else self._memory.get(name)
            self._fits[name] = n, surrogate.fit(data, memory)
            if not again:
                self._begun[name] = {"rows": n} if memory is None else {"rows": n, "memory": memory}
        model = self._fits[name][1]
        if commit:
            self._memory[name] = model.memory()
        return model


def _unwarped(recipe: Surrogate) -> Surrogate:
    """The same without its warp, which would bend what a risk adds up."""
    if is_dataclass(recipe) and any(field.name == "warp" for field in fields(recipe)):
        return replace(recipe, warp=False)
    return recipe


def _scenarios(problem: Problem, features: Features) -> Scenarios | None:
    environment = problem.environment
    if environment is None or not features.blocks.keys() >= set(environment.names):
        return None
    blocks = [features.blocks[name] for name in environment.names]
    columns = np.concatenate([np.arange(block.start, block.stop) for block in blocks])
    return Scenarios(environment, columns, Features(environment.space).encode(environment.table))


def _comparisons(problem: Problem, told: Told) -> Array:
    """(k, 2) pairs of rows, counted among those that succeeded: each with all of the next rank.

    Ranks are those of the values within one tell; equal values say nothing.
    """
    ok = told.ok
    values, groups = problem.scores(told.batch[ok])[:, 0], told.groups[ok]
    pairs = [np.empty((0, 2), dtype=np.intp)]
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        _, rank = np.unique(values[rows], return_inverse=True)
        better, worse = np.nonzero(rank[:, None] == rank[None] + 1)
        pairs.append(np.column_stack([rows[better], rows[worse]]))
    return np.concatenate(pairs)


def _slopes(space: Space, features: Features, x: Array, gradients: Array) -> Array:
    """(n, p) derivatives by the numbers of the features, of (n, g) ones in the user's units.

    Those by anything but a Real are not known.
    """
    by_feature = np.full((len(x), features.width), np.nan)
    start = 0
    for p in space:
        if not isinstance(p, Real):
            continue
        block = features.blocks[p.name]
        low, span = p.scale()
        stretch: Array | float = span
        if p.log:
            stretch = span * np.exp(low + span * x[:, block])
        by_feature[:, block] = gradients[:, start : start + p.width] * stretch
        start += p.width
    return by_feature[:, features.numbers]
