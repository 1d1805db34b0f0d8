"""Ways to look for a mixture, each as ``ask`` one row, ``tell`` it, ``recommend`` a mixture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

import blackbox as bb
from blackbox.acquisitions.search import keys
from blackbox.batch import Array, Batch
from studies.benchmarks.data_mixtures.regressions import Regression

_DRAWN = 4000  # mixtures among which regressions look where all of the simplex may be chosen


class Mixtures(Protocol):
    """A problem of mixtures whose answers are known."""

    space: bb.Space
    fidelity: bb.Fidelity | None

    def regret(self, batch: Batch) -> Array:
        """(n,) how much worse than the best at the target."""


class Method(Protocol):
    """A way to look for a mixture."""

    def ask(self) -> Batch:
        """One row; none where nothing is left."""

    def tell(self, row: Batch) -> None:
        """What came of it."""

    def recommend(self) -> Batch:
        """The mixture to use."""


@dataclass
class Ours:
    """An optimizer of ``blackbox``.

    Before anything was told it recommends the first row that it asked for.

    Args:
        optimizer: with ``recommend``.
    """

    optimizer: bb.MultiFidelityBayes | bb.Bayes
    _first: Batch | None = None
    _told: bool = False

    def ask(self) -> Batch:
        row = self.optimizer.ask(1)
        self._first = row if self._first is None else self._first
        return row

    def tell(self, row: Batch) -> None:
        self.optimizer.tell(row)
        self._told = True

    def recommend(self) -> Batch:
        if self._told:
            return self.optimizer.recommend()
        assert self._first is not None
        return self._first


@dataclass
class Sampling:
    """Random rows at one fidelity after another: what baselines are made of.

    Args:
        problem: of mixtures.
        seed: of the draws.
        candidates: rows to choose from; None for the whole simplex.
    """

    problem: bb.Problem
    seed: int
    candidates: Batch | None = None
    told: list[Batch] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng([self.seed, 7])
        fidelity = self.problem.fidelity
        self.levels: list[float] = [0.0]
        if fidelity is not None:
            assert isinstance(fidelity.parameter, bb.Ordinal)
            self.levels = sorted(fidelity.parameter.table.tolist())
        self._left = {level: self._order(level) for level in self.levels}
        choices = self._left[self.levels[-1]]
        if choices is None:
            choices = self.problem.space.draw(_DRAWN, self.rng)["mix"]
        self.choices: Array = choices

    def draw(self, level: float) -> Batch:
        """A random mixture at a level that was not drawn there before; empty where none is left."""
        left = self._left[level]
        if left is None:
            mixes = self.problem.space.draw(1, self.rng)["mix"]
        else:
            mixes, self._left[level] = left[:1], left[1:]
        return self.row(mixes, level)

    def row(self, mixes: Array, level: float) -> Batch:
        """Mixtures at a level."""
        fidelity = self.problem.fidelity
        if fidelity is None:
            return Batch({"mix": mixes})
        return Batch({"mix": mixes, fidelity.name: np.full(len(mixes), level)})

    def tell(self, row: Batch) -> None:
        """Keep a row."""
        self.told.append(row)

    def of(self, level: float) -> tuple[Array, Array]:
        """(n, k) mixtures told at a level and their (n, m) losses, least is best, positive."""
        fidelity = self.problem.fidelity
        rows = [r for r in self.told if fidelity is None or r[fidelity.name][0] == level]
        if not rows:
            return np.empty((0, self.choices.shape[1])), np.empty((0, 1))
        batch = Batch.concat(rows)
        scores = self.problem.scores(batch)
        # A share of right answers becomes one of wrong ones.
        signs = np.array([objective.sign for objective in self.problem.objectives])
        return batch["mix"], np.where(signs > 0, 1.0 - scores, -scores)

    def best(self, level: float) -> Batch:
        """The best mixture told at a level, by the mean over tasks; a random one before any."""
        mixes, losses = self.of(level)
        if not len(mixes):
            return self.row(self.choices[self.rng.integers(len(self.choices))][None], level)
        return self.row(mixes[[np.argmin(losses.mean(axis=1))]], self.levels[-1])

    def _order(self, level: float) -> Array | None:
        """(N, k) candidates of a level in random order."""
        if self.candidates is None:
            return None
        rows, fidelity = self.candidates, self.problem.fidelity
        if fidelity is not None:
            rows = rows[rows[fidelity.name] == level]
        return np.asarray(rows["mix"][self.rng.permutation(len(rows))])


class RandomSearch(Sampling):
    """Random rows at the target; the best one seen."""

    def ask(self) -> Batch:
        return self.draw(self.levels[-1])

    def recommend(self) -> Batch:
        return self.best(self.levels[-1])


@dataclass
class Fixed(Sampling):
    """No search: the candidate nearest to given shares.

    Args:
        shares: in the order of the domains; None for equal ones.
    """

    shares: Sequence[float] | None = None

    def ask(self) -> Batch:
        return self.row(self.choices[:0], self.levels[-1])

    def recommend(self) -> Batch:
        k = self.choices.shape[1]
        wanted = np.ones(k) if self.shares is None else np.array(self.shares)
        wanted = wanted / wanted.sum()
        if self.candidates is None:
            return self.row(wanted[None], self.levels[-1])
        away = np.abs(self.choices - wanted).sum(axis=1)
        return self.row(self.choices[[np.argmin(away)]], self.levels[-1])


@dataclass
class OneShot(Sampling):
    """Random rows at the cheapest fidelity, and a regression of them that chooses.

    Args:
        regression: of the losses.
    """

    regression: Regression | None = None

    @property
    def level(self) -> float:
        """The cheapest one."""
        return self.levels[0]

    def ask(self) -> Batch:
        return self.draw(self.level)

    def recommend(self) -> Batch:
        expected = self.expected()
        return self.row(self.choices[[int(np.argmin(expected))]], self.levels[-1])

    def expected(self) -> Array:
        """(N,) mean losses expected of the choices."""
        mixes, losses = self.of(self.level)
        if len(mixes) < 3 or self.regression is None:
            return self.rng.random(len(self.choices))
        return np.asarray(self.regression(mixes, losses)(self.choices).mean(axis=1))


@dataclass
class Confirmed(OneShot):
    """Explore low, confirm high: half of what is spent goes to random cheap rows.

    The other half trains the mixtures that the regression expects most of at the target; the best
    of those is recommended.
    """

    _spent: dict[float, float] = field(default_factory=dict)

    def ask(self) -> Batch:
        high = self.levels[-1]
        if self._spent.get(self.level, 0.0) <= self._spent.get(high, 0.0) or len(self.told) < 3:
            row = self.draw(self.level)
            if len(row):
                return row
        done = keys(self.of(high)[0])
        expected = np.where(np.isin(keys(self.choices), done), np.inf, self.expected())
        free = self.choices[[int(np.argmin(expected))]]
        return self.row(free if np.isfinite(expected).any() else free[:0], high)

    def tell(self, row: Batch) -> None:
        super().tell(row)
        level = float(row[self.problem.fidelity.name][0])  # type: ignore[union-attr]
        cost = float(self.problem.costs(row)[0])
        self._spent[level] = self._spent.get(level, 0.0) + cost

    def recommend(self) -> Batch:
        mixes, _ = self.of(self.levels[-1])
        return self.best(self.levels[-1]) if len(mixes) else super().recommend()
