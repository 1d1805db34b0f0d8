"""Which designs may be evaluated at which fidelity, and which have been."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from blackbox.acquisitions.search import keys
from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError
from blackbox.surrogates.features import Features
from blackbox.surrogates.fidelity import Levels


class Pool:
    """The candidates to choose from, or all of the space.

    Args:
        features: coordinates of designs.
        levels: of the fidelity.
        candidates: designs with the fidelity's column, or without it for every fidelity; None for
            the whole space.

    Attributes:
        designs: (N, d) features of the candidates, each once; None for the whole space.
        target: those that may be evaluated at the target; None for the whole space.

    Raises:
        ProblemError: no candidate at the target, or a fidelity that is no level.
        SpaceError: a candidate lies outside the space.
    """

    def __init__(self, features: Features, levels: Levels, candidates: Batch | None) -> None:
        self._levels = levels
        self.designs: Array | None = None
        self.target: Array | None = None
        if candidates is None:
            return
        x = features.encode(features.space.check(candidates))
        self._known, first, which = np.unique(keys(x), return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        self._place = np.empty(len(order), dtype=np.intp)  # of each key among the designs
        self._place[order] = np.arange(len(order))
        self.designs = x[first[order]]
        self._may = np.zeros((len(self.designs), len(levels.values)), dtype=bool)
        fidelity = levels.fidelity
        if fidelity is None or fidelity.name not in candidates:
            self._may[:] = True
        else:
            values = fidelity.parameter.check(candidates[fidelity.name])
            at = values[:, None] == levels.values
            if not at.any(axis=1).all():
                row = int(np.flatnonzero(~at.any(axis=1))[0])
                raise ProblemError(
                    f"MultiFidelityBayes: candidates[{row}] has {fidelity.name}={values[row]!r}, "
                    f"which is none of {levels.values.tolist()}"
                )
            self._may[self._place[which.ravel()], at.argmax(axis=1)] = True
        if not self._may[:, -1].any():
            raise ProblemError("MultiFidelityBayes: no candidate is at the target fidelity")
        self.target = self.designs[self._may[:, -1]]

    @property
    def levels(self) -> Array:
        """(L,) levels at which something may be evaluated."""
        if self.designs is None:
            return np.ones(len(self._levels.values), dtype=bool)
        return np.asarray(self._may.any(axis=0))

    def nested(self, levels: Array) -> bool:
        """Whether a design may be evaluated both at one of (L,) levels and at the target."""
        if self.designs is None:
            return True
        return bool((self._may[:, levels].any(axis=1) & self._may[:, -1]).any())

    def at_target(self, points: Array) -> Array:
        """(m,) whether (m, d) designs may be evaluated at the target at all."""
        if self.target is None:
            return np.ones(len(points), dtype=bool)
        return np.isin(keys(points), keys(self.target))

    def draw(self, n: int, level: int, rng: np.random.Generator) -> Array:
        """(k, d) at most n different candidates of a level, of those at the target if there are."""
        assert self.designs is not None
        both = self._may[:, level] & self._may[:, -1]
        there = np.flatnonzero(both if both.any() else self._may[:, level])
        return np.asarray(self.designs[rng.choice(there, min(n, len(there)), replace=False)])

    def taken(self, x: Array, values: Array) -> Callable[[Array], Array]:
        """Of (m, d) designs (m, L) whether they cannot be evaluated at each level (any more).

        Args:
            x: (n, d) designs evaluated or pending.
            values: (n,) their fidelities.
        """
        gone = [keys(x[values == value]) for value in self._levels.values]

        def mask(points: Array) -> Array:
            here = keys(points)
            found = np.column_stack([np.isin(here, each) for each in gone])
            if self.designs is not None:
                at = np.searchsorted(self._known, here).clip(max=len(self._known) - 1)
                there = self._known[at] == here
                found |= ~(self._may[self._place[at]] & there[:, None])
            return found

        return mask
