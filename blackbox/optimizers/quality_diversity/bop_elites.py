"""BOP-Elites: quality diversity where evaluations are dear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np

from blackbox.archives import GridArchive
from blackbox.arguments import check_count, is_finite
from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError, TellError, require
from blackbox.formulation import Problem
from blackbox.optimizer import Optimizer, Supports
from blackbox.optimizers.bayes.design import Design
from blackbox.optimizers.bayes.told import Told
from blackbox.state import State
from blackbox.surrogates.features import Features

if TYPE_CHECKING:
    from blackbox.acquisitions.base import AcquisitionFunction, Belief
    from blackbox.surrogates.model import Model

_INCUMBENTS = 16  # elites near which to look more closely


class BOPElites(Optimizer):
    """Gaussian processes of objective and measures, and the joint improvement of all elites.

    After an initial design each proposal maximises the expected joint improvement of elites: over
    all cells of a grid, the probability of falling into the cell times the expected improvement
    over its elite (Kent, Gaier, Mouret and Branke 2024, *BOP-Elites*). So a few hundred evaluations
    fill a map for which MAP-Elites needs many thousands. Rows that are pending count as observed as
    predicted. Constraints and failed rows multiply by the probability that a row is feasible and
    succeeds.

    Fitting costs the cube of the number of rows: this is for hundreds, a thousand at most.

    Args:
        problem: one objective, at least one measure, any parameters and constraints.
        cells: of the grid along each measure, such as ``(25, 25)``; by default 20 along each.
        floor: what an empty cell counts as, in the objective's unit, so that filling it is an
            improvement over that; by default the worst told so far. A worse one draws more rows
            into empty cells.
        n_init: rows of the initial design, the centre and Sobol points; by default 4 for each
            coordinate, at least 8. Rows told from outside count.
        seed: seeds the optimizer's only generator.

    Raises:
        ProblemError: an argument is of the wrong type or out of range.
        MissingExtraError: SciPy is not installed (extra ``bayes``).
    """

    supports = Supports(constraints=True, linear=True, measures=True)

    def __init__(
        self,
        problem: Problem,
        *,
        cells: Sequence[int] | None = None,
        floor: float | None = None,
        n_init: int | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, seed=seed)
        require("scipy.optimize", "bayes")
        from blackbox.acquisitions.search import Search
        from blackbox.optimizers.bayes.learning import Learning
        from blackbox.surrogates.exact import ExactGP

        self._features = Features(problem.space)
        self._search = Search(self._features)
        # Without a warp: improvements in different cells are added up. Along the axes of the cube,
        # as its figures were measured.
        self._learning = Learning(
            problem, self._features, ExactGP(warp=False, turn=False), (), "cpu"
        )
        if n_init is None:
            n_init = max(8, 4 * self._features.width)
        n_init = check_count("BOPElites: n_init", n_init, 0)
        if floor is not None and not is_finite(floor):
            raise ProblemError(f"BOPElites: floor={floor!r} must be finite or None")
        self._floor = floor
        if isinstance(cells, Integral):
            raise ProblemError(f"BOPElites: cells={cells!r}; give their number along each measure")
        self._design = Design(problem, seed=int(self.rng.integers(2**63)))
        self._init_left = n_init
        self._told = Told(Batch({}), self._features.encode(_nothing(problem)), np.zeros(0, np.intp))
        #: The elites of everything told so far.
        self.archive = GridArchive(problem, 20 if cells is None else cells)

    def predict(self, batch: Batch) -> dict[str, tuple[Array, Array]]:
        """(n,) mean and standard deviation of the objective, each measure and each constraint.

        By name, in the user's units.

        Raises:
            TellError: no row has succeeded yet.
            SpaceError: a row lies outside the space.
        """
        x = self._features.encode(self._features.space.check(batch))
        belief, models = self._looked_at()
        (objective,) = self.problem.objectives
        mean, deviation = belief.objectives[0].predict(x)
        found = {objective.name: (objective.sign * mean, deviation)}
        for measure, model in zip(self.problem.measures, models, strict=True):
            found[measure.name] = model.predict(x)
        # Where rows have failed a further limit, of success, is the last.
        for constraint, limit in zip(self.problem.constraints, belief.limits, strict=False):
            found[constraint.name] = limit.model.predict(x)
        return found

    def predicted_archive(self, evaluations: int = 50_000, *, seed: int = 0) -> GridArchive:
        """The map that the models believe in, found by MAP-Elites on their means.

        The elites hold predicted outcomes, by which they satisfy all constraints; those told so far
        are where the search starts. (The prediction map of SAIL: Gaier, Asteroth and Mouret 2018.)

        Args:
            evaluations: of the models, which are cheap.
            seed: of the search; the optimizer itself is not changed.

        Raises:
            TellError: no row has succeeded yet.
        """
        from blackbox.optimizers.quality_diversity.map_elites import MapElites

        self._looked_at()
        imagined = _Predicted(self)
        inner = MapElites(imagined, cells=self.archive.dims, seed=seed)
        known = self._told.batch[self._told.ok].select(self.problem.space.names)
        inner.tell(known.with_columns(**imagined.measure(known)))
        while inner.asked < evaluations:
            asked = inner.ask()
            inner.tell(asked.with_columns(**imagined.measure(asked)))
        archive = inner.archive
        assert isinstance(archive, GridArchive)
        return archive

    def _ask(self, n: int) -> Batch:
        awaited = self._encode(self.pending)
        rows = self._initial(min(n, self._init_left), awaited)
        fresh = [*self._encode(rows)]
        while len(fresh) < n:
            pending = np.concatenate([awaited, *(row[None] for row in fresh)])
            row = self._best(pending)
            if row is None:
                break
            fresh.append(row)
        return self._features.decode(np.array(fresh).reshape(-1, self._features.width))

    def _tell(self, batch: Batch) -> None:
        self._init_left = max(0, self._init_left - int(np.sum(batch["id"] < 0)))
        self._remember(batch)

    def _remember(self, batch: Batch) -> None:
        self._told = self._told.joined(batch, self._encode(batch))
        self.archive.learn(batch)

    def _state(self) -> State:
        return {
            "told": self._told.batch.columns(),
            "models": self._learning.state(),
            "design": self._design.state_dict(),
            "init_left": self._init_left,
        }

    def _load_state(self, state: State) -> None:
        self._told = Told(Batch({}), self._told.x[:0], np.zeros(0, np.intp))
        self.archive = self.archive.like()
        if state["told"]:
            self._remember(Batch(state["told"]))
        self._learning.load(state["models"])
        self._design = Design.of_state(self.problem, state["design"])
        self._init_left = int(state["init_left"])

    def _encode(self, batch: Batch) -> Array:
        return self._features.encode(batch) if len(batch) else self._told.x[:0]

    def _initial(self, n: int, awaited: Array) -> Batch:
        """At most n rows of the initial design; in a finite space without repetitions."""
        if n < 1:
            return Batch({})
        rows = self._design.ask(n)
        self._init_left = 0 if len(rows) < n else self._init_left - n
        if self._search.finite:
            taken = np.concatenate([self._told.x, awaited])
            rows = rows[self._search.fresh(self._encode(rows), taken)]
        return rows

    def _best(self, pending: Array) -> Array | None:
        """(d,) features of the row worth most; one far from all others where nothing is known."""
        taken = np.concatenate([self._told.x, pending])
        try:
            belief = self._learning.belief(self._told, pending, commit=True)
            if belief is not None:
                function = self._function(belief)
                return self._search.best(function, taken, self._incumbents(), self.rng)
        except ArithmeticError:  # a covariance cannot be factorised
            pass
        return self._search.spread(taken, self.rng)

    def _function(self, belief: Belief) -> AcquisitionFunction:
        from blackbox.acquisitions.feasibility import constrained

        return constrained(belief, partial(self._joint, belief))

    def _joint(self, belief: Belief) -> AcquisitionFunction:
        """The joint improvement over the elites, as they are once pending rows are told."""
        from blackbox.acquisitions.elites import JointImprovement
        from blackbox.acquisitions.improvement import moments_of
        from blackbox.surrogates.exact import ExactModel

        measures = self._learning.measures(self._told, commit=True)
        models = [m for m in (*belief.objectives, *measures) if isinstance(m, ExactModel)]
        best = np.full(self.archive.size, self._worst(belief))
        best[self.archive.cells] = self.archive.scores
        functions, means = [], []
        for model in models:
            posterior = model.posterior
            if len(belief.pending):
                rows = model.rows(belief.pending)
                expected = posterior.moments(rows).mean
                means.append(model.outcomes.backward(expected[:, 0]))
                posterior = posterior.given(rows, expected, np.zeros(len(rows)))
            functions.append(moments_of(model, posterior))
        if means:
            cells = self.archive.cell_of(np.column_stack(means[1:]))
            np.maximum.at(best, cells[cells >= 0], means[0][cells >= 0])
        edges = [
            model.outcomes.forward(bounds)
            for model, bounds in zip(models[1:], self.archive.boundaries, strict=True)
        ]
        best = models[0].outcomes.forward(best)
        return JointImprovement(functions[0], functions[1:], edges, best)

    def _worst(self, belief: Belief) -> float:
        """Score of an empty cell."""
        if self._floor is None:
            return float(belief.scores.min())
        return self.problem.objectives[0].sign * self._floor

    def _incumbents(self) -> Array:
        """(k, d) some of the elites, near which empty and weak cells are likely to be."""
        k = len(self.archive)
        if not k:
            return self._told.x[:0]
        return self._encode(self.archive.sample(min(k, _INCUMBENTS), self.rng))

    def _looked_at(self) -> tuple[Belief, list[Model]]:
        belief = self._learning.belief(self._told, self._encode(self.pending), commit=False)
        if belief is None:
            raise TellError("BOPElites: no row has succeeded yet, so there is no model")
        return belief, self._learning.measures(self._told, commit=False)


class _Predicted(Problem):
    """The means of the models in place of the problem."""

    def __init__(self, optimizer: BOPElites) -> None:
        self.space = optimizer.problem.space
        (objective,) = optimizer.problem.objectives
        self.objectives = (type(objective)(objective.name),)
        self.measures = [replace(m, gradient=None) for m in optimizer.problem.measures]
        self.constraints = [replace(c, gradient=None) for c in optimizer.problem.constraints]
        self._predict = optimizer.predict

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        return {name: mean for name, (mean, _) in self._predict(batch).items()}


def _nothing(problem: Problem) -> Batch:
    from blackbox.formulation import no_inputs

    return no_inputs(problem)
