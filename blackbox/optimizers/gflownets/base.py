"""What all GFlowNets behind ask and tell have in common: proposals that are new, and samples."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from blackbox.arguments import check_count, check_device, check_range
from blackbox.batch import Array, Batch, as_column
from blackbox.errors import ProblemError, SpaceError
from blackbox.formulation import Problem
from blackbox.gflownets.backbones import Backbone
from blackbox.gflownets.completion import completed
from blackbox.gflownets.exact import log_probabilities
from blackbox.gflownets.replay import diverse
from blackbox.gflownets.sampler import Sampler
from blackbox.gflownets.training import Trainer, alone
from blackbox.gflownets.walks import Walks
from blackbox.optimizer import Optimizer, Supports
from blackbox.optimizers.gflownets.known import Known
from blackbox.optimizers.gflownets.policy import Policy
from blackbox.space import Categorical, Integer, Ordinal, Permutation, Sequence
from blackbox.space.construction import MOST_STATES, Construction, enumerated, keys
from blackbox.state import State

DISCRETE = (Integer, Ordinal, Categorical, Permutation, Sequence)

_TRIES = 4  # rounds of walks, then of mutations, then of random objects, for new proposals
_ATTEMPTS = 100
_OVERSAMPLED = 4
_ELITES = 20


class GFNOptimizer(Optimizer):
    """A sampler that learns from what is told, and proposes what is not known yet.

    Proposals are walks of the sampler, several times as many as are asked for; those that have been
    evaluated or are pending are dropped. Where walks find nothing new the best objects known are
    mutated (some steps taken back, and taken anew at random), and at last objects are drawn at
    random. In a small space ``ask`` gives fewer rows when there is nothing new left.

    Args:
        problem: what is optimized.
        construction: how candidates are built: an order for ``Space.construction``, or a
            construction of your own; None takes the space's usual order.
        backbone: the balance condition.
        policy: the network and how it is trained.
        condition: numbers that describe what is wanted.
        n_init: random rows at the beginning; rows told from outside count.
        batch_size: rows that ``ask()`` gives.
        device: where PyTorch computes.
        seed: seeds the optimizer's only generator.
    """

    supports = Supports(parameters=DISCRETE, linear=True)

    def __init__(
        self,
        problem: Problem,
        *,
        construction: Construction | str | None,
        backbone: Backbone,
        policy: Policy,
        condition: int = 0,
        n_init: int,
        batch_size: int,
        device: str,
        seed: int | None,
    ) -> None:
        super().__init__(problem, seed=seed)
        name = type(self).__name__
        self._n_init = check_count(f"{name}: n_init", n_init, 0)
        self._batch_size = check_count(f"{name}: batch_size", batch_size, 1)
        if not isinstance(backbone, Backbone):
            raise ProblemError(f"{name}: backbone={backbone!r}; give one of blackbox.gflownets")
        if not isinstance(policy, Policy):
            raise ProblemError(f"{name}: policy={policy!r}; give a Policy")
        check_device(name, device, "gfn")
        self._own = isinstance(construction, Construction)
        if not isinstance(construction, Construction):
            construction = problem.space.construction(construction)  # type: ignore[arg-type]
        self.construction = construction
        self.backbone = backbone
        self._policy = policy
        self.known = Known(problem, construction)
        with alone():
            self.sampler = Sampler(
                construction,
                hidden=policy.hidden,
                learn_backward=policy.learn_backward,
                flow=backbone.flow,
                condition=condition,
                device=device,
                seed=int(self.rng.integers(2**62)),
            )
            self.trainer = Trainer(self.sampler, lr=policy.lr, lr_z=policy.lr_z)

    @property
    def batch_size(self) -> int:
        return self._batch_size

    def sample(
        self, n: int, *, given: Mapping[str, Any] | None = None, temperature: float = 1.0
    ) -> Batch:
        """n candidates from the policy as it is, the same one several times if it likes it.

        Args:
            n: how many.
            given: values of some parameters, which all candidates then have.
            temperature: scales the noise of each choice: above 1 is wilder, 0 takes the likeliest.
                Not where something is given.

        Raises:
            ProblemError: ``n`` is no positive int, or the temperature negative.
            SpaceError: a value lies outside the space, or no candidate has these values.
        """
        return self._drawn(n, given, temperature, None)

    def log_prob(self, batch: Batch) -> Array:
        """(n,) log probability that a sample is each of these candidates.

        Exact where an object has one path, or where all states can be written out; elsewhere
        estimated from 64 paths to each object, drawn by the backward policy. Where walks can end in
        dead ends it is that of a walk; ``sample`` walks anew, so all its rows are likelier by one
        factor.

        Raises:
            SpaceError: a row lies outside the space.
        """
        return self._log_prob(batch, None)

    def _log_prob(self, batch: Batch, condition: Tensor | None) -> Array:
        ends = self.construction.encode(self.problem.space.check(batch))
        if not len(ends):
            return np.zeros(0)
        with alone():
            return log_probabilities(self.sampler, ends, condition)

    def _drawn(
        self,
        n: int,
        given: Mapping[str, Any] | None,
        temperature: float,
        condition: Tensor | None,
    ) -> Batch:
        """n samples, of one (1, c) condition where the sampler takes one."""
        check_count(f"{type(self).__name__}: n", n, 1)
        check_range(f"{type(self).__name__}: temperature", temperature, 0, 1e6)
        with alone():
            if given:
                begun = self.construction.partial(self._given(given))
                ends = completed(self.sampler, *begun, n, self.rng, condition)
            else:
                ends = self._whole(n, temperature, condition)
        return self.construction.decode(ends).select(self.problem.space.names)

    def _whole(self, n: int, temperature: float, condition: Tensor | None) -> Array:
        ends = self.construction.initial(0)
        for _ in range(_ATTEMPTS):
            missing = n - len(ends)
            if not missing:
                return ends
            wanted = None if condition is None else condition.expand(missing, -1)
            walks = self.sampler.walk(missing, temperature=temperature, condition=wanted)
            ends = np.concatenate([ends, walks.ends.cpu().numpy()])
        raise SpaceError(
            f"{type(self).__name__}: walks end in states without an allowed action; loosen the "
            "constraints or choose another order"
        )

    def _given(self, given: Mapping[str, Any]) -> Batch:
        space = self.problem.space
        if not isinstance(given, Mapping):
            raise ProblemError(
                f"{type(self).__name__}: given={given!r}; give a dict from parameters to values"
            )
        columns = {
            name: space[name].check(as_column(name, [value])) for name, value in given.items()
        }
        return Batch(columns)

    @abstractmethod
    def _learn(self, told: int) -> None:
        """Gradient steps after a tell of so many rows."""

    def _walks(self, n: int) -> Walks:
        """Walks that proposals are taken from."""
        return self.sampler.walk(n, epsilon=self._policy.epsilon)

    def _ask(self, n: int) -> Batch:
        taken = self.known.keys
        if len(self.pending):
            taken = np.concatenate([taken, keys(self.construction.encode(self.pending))])
        fresh = Fresh(self.construction.initial(0), taken)
        fresh.fill(self._random, min(n, self._n_init - len(taken)))
        with alone():
            for source in (self._sampled, self._mutated, self._random, self._rest):
                fresh.fill(source, n)
        return self.construction.decode(fresh.states).select(self.problem.space.names)

    def _decoded(self, ends: Tensor) -> Batch:
        """Candidates of terminal states."""
        return self.construction.decode(ends.cpu().numpy()).select(self.problem.space.names)

    def _evaluated(self, ends: Tensor) -> Batch:
        """Candidates of terminal states with their outcomes, evaluated here and now.

        Raises:
            ProblemError: an objective is not finite.
        """
        rows = self._decoded(ends)
        rows = rows.with_columns(**self.problem.measure(rows))
        wrong = ~np.isfinite(self.problem.scores(rows)).all(axis=1)
        if wrong.any():
            row = rows[int(np.flatnonzero(wrong)[0])]
            raise ProblemError(
                f"{type(self).__name__}.train: {row} is not finite; give finite objectives"
            )
        return rows

    def _tell(self, batch: Batch) -> None:
        self.known.add(batch)
        with alone():
            self._learn(len(batch))

    def _sampled(self, n: int) -> Array:
        return self._walks(_OVERSAMPLED * n).ends.cpu().numpy()

    def _mutated(self, n: int) -> Array:
        good = self.known.good
        if not len(good):
            return self.construction.initial(0)
        states = self.known.states[good]
        elites = states[diverse(states, self.known.ranks(), 1, _ELITES)]
        parents = elites[self.rng.integers(len(elites), size=_OVERSAMPLED * n)]
        return self.construction.mutated(parents, self.rng)

    def _random(self, n: int) -> Array:
        if self._own:
            return self.construction.draw(n, self.rng)
        return self.construction.encode(self.problem.space.draw(n, self.rng))

    def _rest(self, n: int) -> Array:
        """All objects in random order, where they can be written out."""
        del n
        if self.construction.cardinality > MOST_STATES:
            return self.construction.initial(0)
        graph = enumerated(self.construction)
        if graph is None:
            return self.construction.initial(0)
        return self.rng.permutation(graph.states[graph.terminal])

    def _state(self) -> State:
        return {
            "told": self.known.batch.columns(),
            "groups": self.known.groups,
            "sampler": self.sampler.state(),
            "trainer": self.trainer.state(),
        }

    def _load_state(self, state: State) -> None:
        self.known.load(Batch(state["told"]), np.asarray(state["groups"]))
        with alone():
            self.sampler.load(state["sampler"])
            self.trainer.load(state["trainer"])


class Fresh:
    """Different objects that are not known yet.

    Args:
        states: (0, width), none of them.
        taken: keys of those that are known.
    """

    def __init__(self, states: Array, taken: Array) -> None:
        self.states = states
        self._taken = taken

    def fill(self, source: Callable[[int], Array], n: int) -> None:
        """Take objects from a source, called several times if need be, until there are n."""
        for _ in range(_TRIES):
            missing = n - len(self.states)
            if missing <= 0:
                return
            found = source(missing)
            hashed = keys(found)
            new = ~np.isin(hashed, self._taken)
            first = np.zeros(len(found), dtype=bool)
            first[np.unique(hashed, return_index=True)[1]] = True
            found, hashed = found[new & first][:missing], hashed[new & first][:missing]
            self.states = np.concatenate([self.states, found])
            self._taken = np.concatenate([self._taken, hashed])
