"""Multi-fidelity Bayesian optimization: where to look, and how dear a look to take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from blackbox.acquisitions.search import Search, keys
from blackbox.arguments import check_count, check_number
from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError, TellError, require
from blackbox.formulation import Problem
from blackbox.metrics.pareto import is_nondominated
from blackbox.optimizer import Optimizer, Supports
from blackbox.optimizers.bayes.design import Design
from blackbox.optimizers.bayes.told import Told
from blackbox.optimizers.multi_fidelity.pool import Pool
from blackbox.optimizers.multi_fidelity.region import NearShares
from blackbox.optimizers.multi_fidelity.trial import Trial
from blackbox.state import State
from blackbox.surrogates.features import Features

if TYPE_CHECKING:
    from blackbox.acquisitions.multi_fidelity import FidelityAcquisition, Prospect
    from blackbox.optimizers.multi_fidelity.learning import Learnt
    from blackbox.surrogates.multi_fidelity import MultiFidelityGP

_BEGIN = 0.5  # what the initial design may cost, in evaluations at the target
_SURE = 1.96  # standard errors
_CHEAP = 0.5  # share of the target's cost below which a level is worth beginning with


class MultiFidelityBayes(Optimizer):
    """Gaussian processes over designs and fidelity; every row is the best gain per unit of cost.

    The paper is ADMIRE-BayesOpt (arXiv 2508.11551), which takes the linear-truncated kernel and
    max-value entropy search per cost. Here a cheap fidelity must prove itself by forecasts of rows
    at the target: until it has, it may cost a small part of what the target did, and one whose rows
    make the target's less likely is dropped (see ``learning``). Mixtures are compared by their
    shares, the roots or the logarithms of them, whichever is likelier.

    With several objectives each has a process of its own, and a weighted sum of the objectives is
    what is maximised.

    Args:
        problem: any space; with a fidelity, or with the target alone. Its ``cost`` prices rows.
        weights: (m,) of the objectives in their sum; None takes them for equal.
        surrogate: recipe of the models; None for the truncated kernel (tasks for a fidelity
            without order).
        acquisition: recipe of what an evaluation is worth; None for ``TargetEI``.
        cost: past runs from which costs are learnt, a Batch or a study with the fidelity and a
            column "cost" or "seconds"; None takes the problem's.
        candidates: rows to choose from, a Batch of designs and perhaps their fidelity; None takes
            the whole space at every fidelity.
        region: a trust region around natural shares; None for none.
        n_init: rows of the initial design; by default grows with the number of coordinates. They
            are at the cheapest fidelity, so few that they cost at most half an evaluation at the
            target; where no fidelity is cheaper than that half, all of them are at the target.
        least_gain: expected gain per unit of cost below which nothing is proposed any more, in the
            objective's unit (of ``FidelityMES`` in nats), once a design is feasible; 0 never stops.
        seed: seeds the optimizer's only generator.

    Raises:
        ProblemError: an argument is out of range or does not fit the problem.
        MissingExtraError: SciPy is not installed (extra ``bayes``).
    """

    supports = Supports(objectives=(1, np.inf), constraints=True, linear=True, fidelity=True)

    def __init__(
        self,
        problem: Problem,
        *,
        weights: Sequence[float] | None = None,
        surrogate: MultiFidelityGP | None = None,
        acquisition: FidelityAcquisition | None = None,
        cost: Any = None,
        candidates: Batch | None = None,
        region: NearShares | None = None,
        n_init: int | None = None,
        least_gain: float = 0.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, seed=seed)
        require("scipy.optimize", "bayes")
        from blackbox.acquisitions.fidelity_gains import TargetEI
        from blackbox.acquisitions.multi_fidelity import FidelityAcquisition
        from blackbox.optimizers.multi_fidelity.learning import Learning
        from blackbox.optimizers.multi_fidelity.price import Price
        from blackbox.optimizers.multi_fidelity.proposing import Proposing
        from blackbox.surrogates.fidelity import Levels
        from blackbox.surrogates.multi_fidelity import MultiFidelityGP

        if n_init is not None:
            check_count("MultiFidelityBayes: n_init", n_init, 0)
        check_number("MultiFidelityBayes: least_gain", least_gain, 0.0)
        kinds: dict[str, tuple[Any, type]] = {
            "surrogate": (surrogate, MultiFidelityGP),
            "acquisition": (acquisition, FidelityAcquisition),
            "candidates": (candidates, Batch),
            "region": (region, NearShares),
        }
        for name, (given, kind) in kinds.items():
            if given is not None and not isinstance(given, kind):
                raise ProblemError(
                    f"MultiFidelityBayes: {name}={given!r}; give a {kind.__name__} or None"
                )
        if region is not None:
            region.checked(problem.space)
        self._weights = _weights(problem, weights)
        self._features = Features(problem.space)
        self._levels = Levels(problem.fidelity)
        self._search = Search(self._features)
        self._pool = Pool(self._features, self._levels, candidates)
        self._price = Price(problem, self._features, self._levels, cost)
        recipe = MultiFidelityGP() if surrogate is None else surrogate
        self._learning = Learning(problem, self._features, self._levels, recipe)
        acquisition = TargetEI() if acquisition is None else acquisition
        self._proposing = Proposing(self._search, self._pool, acquisition, region, least_gain)
        self._begin = 4 + self._features.width // 3 if n_init is None else n_init
        self._design = Design(problem, seed=int(self.rng.integers(2**63)))
        self._told = Told(Batch({}), self._nothing, np.zeros(0, dtype=np.intp))

    def predict(self, batch: Batch) -> dict[str, tuple[Array, Array]]:
        """What the models expect of some designs at a fidelity.

        Args:
            batch: (n) rows of the space; with the fidelity's column at that fidelity, else at the
                target.

        Returns:
            For each objective (n,) expected values and (n,) standard deviations of the noise-free
            outcome, in the user's units.

        Raises:
            TellError: no row has succeeded yet, so there is no model.
            SpaceError: a row lies outside the space.
        """
        models = self._looked_at().models
        x = self._features.encode(self.problem.space.check(batch))
        values, fidelity = self._levels.of(batch), self.problem.fidelity
        if fidelity is not None:
            values = fidelity.parameter.check(values)
        predictions = {}
        for objective, model in zip(self.problem.objectives, models, strict=True):
            mean, deviation = model.predict_at(x, values)
            predictions[objective.name] = objective.sign * mean, deviation
        return predictions

    def recommend(self, how: Literal["sum", "worst", "pareto"] = "sum") -> Batch:
        """The designs to use at the target, by posterior mean.

        They are looked for among the designs told at any fidelity and, for "sum", in the whole
        space (or the candidates): the best expected one need not have been evaluated. Then it has
        to be better than those that were by a part of its standard deviation too: where little is
        known a mean is a guess.

        Args:
            how: "sum" for the weighted sum of the objectives, "worst" for the design whose worst
                objective, in standard deviations of it, is best, "pareto" for all that are not
                dominated.

        Returns:
            Parameters alone; empty where no design is known to be feasible at the target, or more
            likely to be than not.

        Raises:
            TellError: no row has succeeded yet.
            ProblemError: ``how`` is something else.
        """
        if how not in ("sum", "worst", "pareto"):
            raise ProblemError(f"recommend(how={how!r}): give 'sum', 'worst' or 'pareto'")
        learnt = self._looked_at()
        prospect = self._prospect(learnt, self._nothing, self._levels.values[:0])
        points = self._proposing.eligible(prospect)
        if not prospect.may(points).any():
            return self._features.decode(self._nothing)
        means = np.column_stack([m.means(points) for m in learnt.models])
        scores = means @ (self._weights * [m.outcomes.scale for m in learnt.models])
        if how == "pareto":
            return self._features.decode(points[is_nondominated(means)])
        best = int(np.argmax(means.min(axis=1) if how == "worst" else scores))
        row = points[best]
        if how == "sum" and self._pool.designs is not None:
            at = self._told.ok & self._levels.at_target(self._levels.of(self._told.batch))
            told = np.isin(keys(points), keys(self._told.x[at]))
            row = points[self._proposing.surest(prospect, points, scores, told)]
        elif how == "sum" and not learnt.limits:
            order = np.argsort(-scores, kind="stable")
            row = self._proposing.highest(prospect, points[order])
        return self._features.decode(row[None])

    def replicates(self, batch: Batch) -> Array:
        """(n,) how often designs have to be evaluated to tell them from the recommended one.

        So many evaluations of both at the target make the expected difference of the weighted sum
        1.96 standard errors wide, ``2 (1.96 noise / difference)^2``: 1 where there is no noise,
        infinity where no difference is expected.

        Raises:
            TellError: no row has succeeded yet, or no design is recommended.
            SpaceError: a row lies outside the space.
        """
        models, best = self._looked_at().models, self._encode(self.recommend())
        if not len(best):
            raise TellError(
                "MultiFidelityBayes: replicates compares with the recommended design, and none is "
                "feasible so far; tell a feasible one"
            )
        x = self._features.encode(self.problem.space.check(batch))
        parts = self._weights * [m.outcomes.scale for m in models]
        means = np.column_stack([m.means(np.concatenate([best, x])) for m in models]) @ parts
        noise = parts**2 @ [m.noise for m in models]
        with np.errstate(divide="ignore"):
            needed = 2.0 * _SURE**2 * noise / (means[1:] - means[0]) ** 2
        return np.asarray(np.maximum(np.ceil(needed), 1.0))

    @property
    def evidence(self) -> dict[Any, float]:
        """For each fidelity the nats by which its rows have improved forecasts of the target's.

        Below zero they mislead; 0 where nothing has been judged yet.
        """
        values, nats = self._levels.values.tolist(), self._learning.evidence.tolist()
        return dict(zip(values, nats, strict=True))

    @property
    def kept(self) -> tuple[Any, ...]:
        """The fidelities that are learnt from, the target last."""
        return tuple(self._levels.values[self._learning.kept].tolist())

    @property
    def _nothing(self) -> Array:
        return np.empty((0, self._features.width))

    def _ask(self, n: int) -> Batch:
        out = self.pending
        awaited = self._encode(out)
        values = self._levels.of(out)
        rows, at = self._initial(n, awaited, values)
        if len(rows) < n:
            pending = np.concatenate([awaited, rows])
            more, where = self._proposals(n - len(rows), pending, np.concatenate([values, at]))
            rows, at = np.concatenate([rows, more]), np.concatenate([at, where])
        batch = self._features.decode(rows)
        if self.problem.fidelity is None:
            return batch
        return batch.with_columns(**{self.problem.fidelity.name: at})

    def _tell(self, batch: Batch) -> None:
        kept = batch.select([*self.problem.inputs, *self.problem.outcomes, "ok"])
        fresh = Told(kept, self._encode(kept), np.zeros(len(kept), dtype=np.intp))
        self._learning.judge(self._told, fresh)
        self._told = self._told.joined(kept, fresh.x)

    def _state(self) -> State:
        return {
            "told": self._told.batch.columns(),
            "groups": self._told.groups,
            "learning": self._learning.state(),
            "design": self._design.state_dict(),
        }

    def _load_state(self, state: State) -> None:
        batch = Batch(state["told"])
        self._told = Told(batch, self._encode(batch), np.asarray(state["groups"]))
        self._learning.load(state["learning"])
        self._design = Design.of_state(self.problem, state["design"])

    def _encode(self, batch: Batch) -> Array:
        return self._features.encode(batch) if len(batch) else self._nothing

    def _initial(self, n: int, awaited: Array, values: Array) -> tuple[Array, Array]:
        """At most n rows of the initial design with their fidelities."""
        level, most = self._beginning()
        n = min(n, most - len(self._told) - len(awaited))
        nothing = self._nothing, self._levels.values[:0]
        if n < 1:
            return nothing
        if self._pool.designs is None:
            rows = self._encode(self._design.ask(n).select(self.problem.space.names))
            rows = self._proposing.inside(rows)
        else:
            rows = self._pool.draw(n, level, self.rng)
        at = np.repeat(self._levels.values[level : level + 1], len(rows))
        free = ~self._taken(awaited, values)(rows)[:, level]
        free &= self._search.fresh(rows, self._nothing)
        return rows[free], at[free]

    def _beginning(self) -> tuple[int, int]:
        """The level of the initial design, and how many rows it has."""
        center = self._encode(self.problem.space.draw(1, np.random.default_rng(0)))
        costs = np.where(self._pool.levels, self._price.at(center, self._levels.values)[0], np.inf)
        cheapest = int(np.argmin(costs))
        last = len(costs) - 1
        if not costs[cheapest] < _CHEAP * costs[last]:
            return last, self._begin
        afford = int(_BEGIN * costs[last] / max(costs[cheapest], 1e-300))
        return cheapest, min(self._begin, max(afford, 1))

    def _proposals(self, n: int, awaited: Array, values: Array) -> tuple[Array, Array]:
        """At most n rows, each the best given those before it; fewer where none is left."""
        try:
            learnt = self._learning.learn(self._told, commit=True)
        except ArithmeticError:  # a covariance cannot be factorised
            learnt = None
        rows, at = self._nothing, self._levels.values[:0]
        while len(rows) < n:
            pending = np.concatenate([awaited, rows]), np.concatenate([values, at])
            found = self._best(learnt, *pending)
            if found is None:
                break
            rows = np.concatenate([rows, found[0][None]])
            at = np.concatenate([at, self._levels.values[found[1] : found[1] + 1]])
        return rows, at

    def _best(
        self, learnt: Learnt | None, awaited: Array, values: Array
    ) -> tuple[Array, int] | None:
        """The design and level worth most; one far from all others where nothing is known."""
        taken = self._taken(awaited, values)
        if learnt is not None:
            try:
                prospect = self._prospect(learnt, awaited, values)
                for closed in (self._trial(awaited, values).narrowed(taken), taken):
                    found = self._proposing.best(prospect, closed, self._told.x, self.rng)
                    if found is not None or closed is taken:
                        return found
            except ArithmeticError:
                pass  # a row far from all others is worth more than an exception
        return self._spread(awaited, taken)

    def _spread(self, awaited: Array, taken: Any) -> tuple[Array, int] | None:
        level, _ = self._beginning()
        if self._pool.designs is not None:
            free = self._pool.designs[~taken(self._pool.designs)[:, level]]
            return (free[self.rng.integers(len(free))], level) if len(free) else None
        x = np.concatenate([self._told.x, awaited])
        row = self._search.spread(x, self.rng)
        return None if row is None else (self._proposing.inside(row[None])[0], level)

    def _prospect(self, learnt: Learnt, awaited: Array, values: Array) -> Prospect:
        from blackbox.acquisitions.multi_fidelity import Prospect

        x, _ = self._evaluated(awaited, values)
        allowed = self._trial(awaited, values).allowed(self._price.at(x, self._levels.values))
        kept = learnt.kept & allowed
        levels = self._levels.values[kept]
        return Prospect(
            self._features,
            learnt.models,
            self._weights,
            learnt.limits,
            self._told.x,
            self._feasible(learnt),
            levels,
            np.flatnonzero(kept),
            lambda points: self._price.at(points, levels),
            awaited,
            values,
            self._pool.target,
        )

    def _feasible(self, learnt: Learnt) -> Array:
        """(n,) whether designs told may be the best: as they were at the target, else as is likely.

        Before anything was told at the target, what was told elsewhere decides.
        """
        from blackbox.acquisitions.multi_fidelity import probably_feasible

        x, good = self._told.x, self.problem.feasible(self._told.batch)
        known = self._levels.at_target(self._levels.of(self._told.batch))
        known = known | ~self._told.ok if known.any() else np.ones(len(x), dtype=bool)
        return probably_feasible(x, x[known], good[known], learnt.limits)

    def _trial(self, awaited: Array, values: Array) -> Trial:
        failed = np.concatenate([~self._told.ok, np.zeros(len(awaited), dtype=bool)])
        evaluated = self._evaluated(awaited, values)
        return Trial(self._learning, self._levels, self._pool, *evaluated, failed)

    def _taken(self, awaited: Array, values: Array) -> Any:
        """Of designs, (m, L) whether they were evaluated at each level, will be, or cannot be."""
        return self._pool.taken(*self._evaluated(awaited, values))

    def _evaluated(self, awaited: Array, values: Array) -> tuple[Array, Array]:
        """(n, d) designs told or awaited, and (n,) their fidelities."""
        x = np.concatenate([self._told.x, awaited])
        return x, np.concatenate([self._levels.of(self._told.batch), values])

    def _looked_at(self) -> Learnt:
        learnt = self._learning.learn(self._told, commit=False)
        if learnt is None:
            raise TellError(
                "MultiFidelityBayes: no row has succeeded yet, so there is no model; tell some"
            )
        return learnt


def _weights(problem: Problem, weights: Sequence[float] | None) -> Array:
    """(m,) weights of the objectives, which sum to one."""
    m = len(problem.objectives)
    if weights is None:
        return np.full(m, 1.0 / m)
    try:
        given = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError):
        given = np.full((), np.nan)
    if given.shape != (m,) or not np.all((given >= 0) & np.isfinite(given)) or not given.any():
        raise ProblemError(
            f"MultiFidelityBayes: weights={weights!r}; give {m} numbers of at least 0, one for "
            f"each of {[o.name for o in problem.objectives]}, not all 0"
        )
    return np.asarray(given / given.sum())
