"""Bayesian optimization with Gaussian processes: the default where evaluations are dear."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from blackbox import acquisitions
from blackbox.acquisitions.search import Box, Search
from blackbox.arguments import check_count, check_device, check_flag
from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError, TellError, require
from blackbox.formulation import Problem
from blackbox.metrics.pareto import is_nondominated
from blackbox.optimizer import Optimizer, Supports
from blackbox.optimizers.bayes.advice import Advice, Consultation, as_advice
from blackbox.optimizers.bayes.descent import Descent
from blackbox.optimizers.bayes.design import Design
from blackbox.optimizers.bayes.told import Told, earlier, joint_space
from blackbox.state import State, digest
from blackbox.surrogates.features import Features

if TYPE_CHECKING:
    from blackbox.acquisitions.base import Acquisition, Belief
    from blackbox.surrogates.model import Surrogate

_INCUMBENTS = 3


class Bayes(Optimizer):
    """Gaussian processes, an acquisition that says what is worth trying, and a search for it.

    After an initial design each proposal maximises an acquisition under the posterior of everything
    told (Frazier 2018, *A Tutorial on Bayesian Optimization*, arXiv 1807.02811). By itself it takes
    an exact Gaussian process and log expected improvement over the best noise-free value, both in
    closed form on the CPU; for several objectives the expected improvement of the hypervolume above
    the problem's ``reference``, in closed form for two (from three on it needs PyTorch and BoTorch,
    which cut the volume into boxes). A batch is chosen one row after another; rows that are pending
    count as observed with unknown outcome. Noise is inferred, or taken as declared by
    ``Minimize(name, noise=...)``. Constraints have processes of their own, and so has success where
    rows have failed; a failed row is never proposed again.

    A problem with an environment is optimized for its risk, and the scenario of each row is
    chosen too; gradients that a problem returns are learnt from; a ``Preference`` is learnt from
    pairs of rows told together (the last two need PyTorch and BoTorch).

    Fitting costs the cube of the number of rows: beyond some thousand the default fits the best and
    a draw of the others.

    Args:
        problem: up to 5 objectives and any constraints, on any parameters.
        surrogate: recipe of the models, of ``blackbox.surrogates``; None for the fast engine. Under
            an environment its scores are not warped.
        acquisition: recipe of what a row is worth, of ``blackbox.acquisitions``; None chooses by
            the problem.
        prior: earlier studies (or batches with their rows) of the same space and outcomes, from
            whose rows at the target fidelity the models learn as from related tasks.
        n_init: rows of the initial design; rows told from outside count, and it goes on while all
            outcomes are alike. By default grows with the number of coordinates, from 4 to 20, or
            from 10 to 20 under an environment; 3 to 27 where it is a descent.
        init: optimizer of the same problem that proposes the initial design; by default the centre
            of the space (names, which have none, are drawn), then Sobol points, or uniform ones
            under linear constraints. From ten numbers on, or with a mixture, where there is one
            objective and no declared noise, a descent: the centre, a step along each axis, then,
            without constraints, downhill (unless ``n_init`` is too small for it).
        candidates: optimizer of the same problem, such as ``LLAMBO``, whose proposals are
            considered at every step; alone, they are accepted where they are worth almost as much
            as Bayes' own, or by a rule of ``blackbox.optimizers.bayes`` around it.
        trust_region: whether rows are looked for only in a region around the best one, which
            grows with successes and shrinks with failures: a box of the numbers (Eriksson et al.
            2019), a Hamming ball of the categories (Wan et al. 2021); for one objective. Off by
            default: of numbers alone no gain was shown, for the trend and the short initial design
            already keep the search local.
        device: where PyTorch computes what it computes, such as ``"cpu"`` or ``"cuda"``.
        seed: seeds the optimizer's only generator.

    Raises:
        ProblemError: ``surrogate`` or ``acquisition`` is no recipe, ``n_init`` is negative,
            ``init`` or ``candidates`` was built for another problem, ``prior`` lacks a column, the
            device cannot be used, or a trust region is asked for with several objectives.
        UnsupportedError: the acquisition would see one of several objectives only, or no
            environment.
        MissingExtraError: SciPy is not installed, or PyTorch and BoTorch where they are needed
            (extra ``bayes``).
    """

    supports = Supports(
        objectives=(1, 5), constraints=True, linear=True, environment=True, preference=True
    )

    def __init__(
        self,
        problem: Problem,
        *,
        surrogate: Surrogate | None = None,
        acquisition: Acquisition | None = None,
        prior: Sequence[Any] = (),
        n_init: int | None = None,
        init: Optimizer | None = None,
        candidates: Optimizer | Advice | None = None,
        trust_region: bool = False,
        device: str = "cpu",
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, seed=seed)
        require("scipy.optimize", "bayes")
        from blackbox.acquisitions.base import need_acquisition
        from blackbox.optimizers.bayes.learning import Learning

        if device != "cpu":
            check_device("Bayes", device, "bayes")
        self._features = Features(joint_space(problem))
        self._search = Search(self._features)
        self._prior = earlier(problem, self._features, prior)
        if acquisition is None:
            acquisition = _default(problem)
        need_acquisition("Bayes", acquisition, problem)
        self._acquisition = acquisition
        self._learning = Learning(
            problem, self._features, surrogate, self._prior, device, exact=acquisition.exact
        )
        if n_init is None:
            n_init = _begin(problem, self._features.width, init)
        n_init = check_count("Bayes: n_init", n_init, 0)
        check_flag("Bayes: trust_region", trust_region)
        plain = problem.environment is None and not problem.preference
        if trust_region and not (plain and len(problem.objectives) == 1):
            raise ProblemError(
                "Bayes: trust_region=True needs one objective to minimize or maximize, and no "
                "environment; leave it out"
            )
        self._advice = as_advice(candidates)
        if self._advice is not None:
            self._advice.checked(problem, init)
        if init is None:
            descends = Descent.suits(problem) and n_init >= Descent.rows(problem)
            kind = Descent if descends else Design
            init = kind(problem, seed=int(self.rng.integers(2**63)))
        elif not isinstance(init, Optimizer):
            raise ProblemError(f"Bayes: init={init!r}; give an Optimizer")
        elif init.problem.spec() != problem.spec():
            raise ProblemError(
                f"Bayes: init={init!r} is for another problem; build it for this one"
            )
        self._in_region = trust_region
        self._init = init
        self._n_init = n_init
        self._init_left = n_init
        self._init_ids: dict[int, int] = {}  # ids of open rows of the initial design: own to init's
        nothing = np.empty((0, self._features.width))
        self._told = Told(Batch({}), nothing, np.zeros(0, dtype=np.intp))

    @property
    def batch_size(self) -> int:
        return 2 if self.problem.preference else 1

    def spec(self) -> dict[str, Any]:
        """Type and arguments as a plain dict; of each earlier study a digest of its rows."""
        declared = super().spec()
        declared["arguments"]["prior"] = [digest(told.batch.columns()) for told in self._prior]
        return declared

    def predict(self, batch: Batch) -> dict[str, tuple[Array, Array]]:
        """What the models expect at some rows.

        Args:
            batch: (n) rows of the space, with the environment's columns where there is one.

        Returns:
            For each objective and constraint (n,) expected values and (n,) standard deviations of
            the noise-free outcome, in the user's units. Where the surrogate warps scores, as the
            default may for one objective, medians and half the widths of the bands of one standard
            deviation to both sides.

        Raises:
            TellError: no row has succeeded yet, so there is no model.
            SpaceError: a row lies outside the space.
        """
        belief = self._looked_at()
        x = self._features.encode(self._features.space.check(batch))
        predictions = {}
        for objective, model in zip(self.problem.objectives, belief.objectives, strict=True):
            mean, deviation = model.predict(x)
            predictions[objective.name] = objective.sign * mean, deviation
        for constraint, limit in zip(self.problem.constraints, belief.limits, strict=False):
            predictions[constraint.name] = limit.model.predict(x)
        return predictions

    def worth(self, batch: Batch) -> Array:
        """(n,) values of the acquisition at n rows of the space, as the next ask would see them.

        Raises:
            TellError: no row has succeeded yet.
            SpaceError: a row lies outside the space.
        """
        x = self._features.encode(self._features.space.check(batch))
        rng = np.random.default_rng(0)  # looking must not change the next ask
        return self._acquisition.build(self._looked_at(), rng).values(x)

    def recommend(self) -> Batch:
        """The rows to use: of those told and feasible the one of best posterior mean.

        With several objectives those whose means are not dominated; under an environment the
        design of best risk. With noise this is not the row of the best observation, which is likely
        to have been lucky (Frazier 2018, section 4).

        Returns:
            Parameters alone; empty where no feasible row was told.

        Raises:
            TellError: no row has succeeded yet.
        """
        belief = self._looked_at()
        rows = self._told.batch[self._told.ok].select(self.problem.space.names)
        candidates = np.flatnonzero(belief.feasible)
        if not candidates.size:
            return rows.take(candidates)
        means = _means(belief)[candidates]
        best = np.array([np.argmax(means)])
        if means.shape[1] > 1:
            best = np.flatnonzero(is_nondominated(means))
        return rows.take(candidates[best])

    def _ask(self, n: int) -> Batch:
        awaited = self._encode(self.pending)
        rows = self._initial(n if self._flat else min(n, self._init_left), awaited)
        fresh = [*self._encode(rows)]
        if len(fresh) < n:
            fresh += self._proposals(n - len(fresh), np.concatenate([awaited, *_rows(fresh)]))
        return self._features.decode(np.array(fresh).reshape(-1, self._features.width))

    def _tell(self, batch: Batch) -> None:
        own = [self._init_ids.pop(i, -1) for i in batch["id"].tolist()]
        if self._init_left:
            self._init.tell(batch.with_columns(id=np.array(own, dtype=np.int64)))
            self._init_left = max(0, self._init_left - int(np.sum(batch["id"] < 0)))
        if self._advice is not None:
            self._advice.optimizer.tell(batch.with_columns(id=np.full(len(batch), -1)))
        kept = batch.select([*self.problem.inputs, *self.problem.outcomes, "ok"])
        self._told = self._told.joined(kept, self._encode(kept))

    def _state(self) -> State:
        advice = {} if self._advice is None else {"advice": self._advice.optimizer.state_dict()}
        return {
            **advice,
            "told": self._told.batch.columns(),
            "groups": self._told.groups,
            "models": self._learning.state(),
            "init": self._init.state_dict(),
            "init_left": self._init_left,
            "init_ids": np.array([*self._init_ids.items()], dtype=np.int64).reshape(-1, 2),
        }

    def _load_state(self, state: State) -> None:
        batch = Batch(state["told"])
        self._told = Told(batch, self._encode(batch), np.asarray(state["groups"]))
        self._learning.load(state["models"])
        if self._arguments["init"] is None:
            self._init = type(self._init).of_state(self.problem, state["init"])
        else:
            self._init.load_state_dict(state["init"])
        if self._advice is not None:
            self._advice.optimizer.load_state_dict(state["advice"])
        self._init_left = int(state["init_left"])
        self._init_ids = {int(own): int(inner) for own, inner in state["init_ids"]}

    def _encode(self, batch: Batch) -> Array:
        if not len(batch):
            return np.empty((0, self._features.width))
        return self._features.encode(batch)

    def _initial(self, n: int, awaited: Array) -> Batch:
        """At most n rows of the initial design; in a finite space without repetitions."""
        if n < 1:
            return Batch({})
        rows = self._init.ask(n)
        self._init_left = 0 if len(rows) < n else max(0, self._init_left - n)
        if self._search.finite:
            taken = np.concatenate([self._told.x, awaited])
            rows = rows[self._search.fresh(self._encode(rows), taken)]
        first = self.asked
        self._init_ids.update({first + i: int(own) for i, own in enumerate(rows["id"])})
        return rows

    @property
    def _flat(self) -> bool:
        """Whether all rows came out alike: a model knows nothing then, and the design goes on."""
        if np.count_nonzero(self._told.ok) < 2:
            return False
        told = self._told.batch[self._told.ok]
        columns = [told[name] for name in self.problem.outcomes]
        return all(bool((column == column[:1]).all()) for column in columns)

    def _proposals(self, n: int, awaited: Array) -> list[Array]:
        """At most n rows, each the best given those before it; fewer where none is left."""
        try:
            belief = self._learning.belief(self._told, awaited, commit=True)
        except ArithmeticError:  # a covariance cannot be factorised
            belief = None
        made: list[Array] = []
        while len(made) < n:
            taken = np.concatenate([self._told.x, awaited, *_rows(made)])
            row = self._best(belief, taken)
            if row is None:
                break
            made.append(row)
            belief = belief and belief.awaiting(row)
        return made

    def _best(self, belief: Belief | None, taken: Array) -> Array | None:
        """The row worth most; one far from all others where there is nothing to compute with."""
        if belief is not None:
            try:
                function = self._acquisition.build(belief, self.rng)
                incumbents = _incumbents(belief)
                box = self._box(belief, incumbents[0]) if self._in_region else None
                if box is not None:
                    incumbents = incumbents[self._search.inside(incumbents, box)]

                def own() -> Array | None:
                    return self._search.best(
                        function, taken, incumbents, self.rng, box, sharp=belief.sharp
                    )

                theirs = self._advised(taken)
                if self._advice is None or not len(theirs):
                    return own()
                inside = partial(self._inside, belief, incumbents[0])
                trial = max(1, len(taken) - self._n_init + 1)
                asked = Consultation(function, theirs, own, belief, inside, trial, self.rng)
                return self._advice.choose(asked)
            except ArithmeticError:
                pass  # a row far from all others is worth more than an exception
        return self._search.spread(taken, self.rng)

    def _advised(self, taken: Array) -> Array:
        """(k, d) features of proposals of the other optimizer that can be made."""
        rows = Batch({}) if self._advice is None else self._advice.proposals()
        if not len(rows):
            return taken[:0]
        x = self._encode(rows)
        x = x[self._search.fresh(x, taken)]
        return x[self._features.feasible(x)] if len(x) else x

    def _box(self, belief: Belief, center: Array) -> Box | None:
        """The trust region around a row; none while no row is feasible."""
        from blackbox.optimizers.bayes.region import TrustRegion

        if not belief.feasible.any():
            return None
        return TrustRegion.of(self._features).box(belief, center, self._n_init)

    def _inside(self, belief: Belief, center: Array, rows: Array) -> Array:
        """(k,) whether (k, d) rows lie in the trust region around a row."""
        box = self._box(belief, center)
        return np.zeros(len(rows), dtype=bool) if box is None else self._search.inside(rows, box)

    def _looked_at(self) -> Belief:
        belief = self._learning.belief(self._told, self._encode(self.pending), commit=False)
        if belief is None:
            raise TellError(
                "Bayes: no row has succeeded yet (or none was preferred to another), so there is "
                "no model; tell some first"
            )
        return belief


def _default(problem: Problem) -> Acquisition:
    if problem.environment is not None:
        return acquisitions.RiskKG()
    if len(problem.objectives) == 1 and not problem.preference:
        return acquisitions.EI()
    return acquisitions.EUBO() if problem.preference else acquisitions.EHVI.of(problem)


def _begin(problem: Problem, width: int, init: Optimizer | None) -> int:
    """Rows of the initial design: few, since rows that a model chooses are worth more.

    Under an environment more of them: a model that has seen the scenarios differ by chance alone
    may take them for equal, and never try them. A descent has a number of rows of its own.
    """
    if init is None and Descent.suits(problem):
        return Descent.rows(problem)
    return min((4 if problem.environment is None else 10) + width // 3, 20)


def _means(belief: Belief) -> Array:
    """(n, m) posterior means, or risks, of the standardised objectives at the rows observed."""
    if belief.scenarios is None:
        return np.column_stack([m.moments(belief.x).mean[:, 0] for m in belief.objectives])
    crossed = belief.scenarios.crossed(belief.x)
    means = [m.moments(crossed).mean.reshape(len(belief.x), -1) for m in belief.objectives]
    return np.column_stack([belief.scenarios.risk(mean) for mean in means])


def _incumbents(belief: Belief) -> Array:
    """(k, d) rows near which better ones are likely: of the best means, feasible if any is."""
    means = _means(belief)
    if belief.feasible.any():
        means = np.where(belief.feasible[:, None], means, means.min(axis=0) - 1.0)
    order = np.argsort(-means, axis=0, kind="stable")[:_INCUMBENTS]
    balanced = np.argsort(-means.min(axis=1), kind="stable")[:1]
    chosen = np.concatenate([order.T.ravel(), balanced])
    rows: Array = belief.x[chosen[np.sort(np.unique(chosen, return_index=True)[1])]]
    return rows


def _rows(rows: list[Array]) -> list[Array]:
    """Rows as matrices of one row, to concatenate."""
    return [row[None] for row in rows]
