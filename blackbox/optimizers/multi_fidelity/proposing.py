"""The design and the fidelity worth most, in all of the space or among candidates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from blackbox.acquisitions.base import AcquisitionFunction
from blackbox.acquisitions.multi_fidelity import (
    Expected,
    FidelityAcquisition,
    PerCost,
    Prospect,
    Target,
    eligible,
)
from blackbox.acquisitions.search import Search
from blackbox.batch import Array
from blackbox.optimizers.multi_fidelity.pool import Pool
from blackbox.optimizers.multi_fidelity.region import Inside, NearShares

_INCUMBENTS = 4
_CAUTION = 0.5  # deviations by which an untold candidate has to be better

Taken = Callable[[Array], Array]


class Proposing:
    """Looks for designs.

    Args:
        search: of the space.
        pool: candidates to choose from, or all of the space.
        acquisition: what an evaluation is worth.
        region: where mixtures may be; None for everywhere.
        least: gain per cost below which nothing is proposed.
    """

    def __init__(
        self,
        search: Search,
        pool: Pool,
        acquisition: FidelityAcquisition,
        region: NearShares | None,
        least: float,
    ) -> None:
        self._search, self._pool, self._region = search, pool, region
        self._acquisition, self._least = acquisition, least

    def best(
        self, prospect: Prospect, taken: Taken, told: Array, rng: np.random.Generator
    ) -> tuple[Array, int] | None:
        """(d,) features of the design worth most per cost, and its level; None where none is left.

        Args:
            prospect: what is believed.
            taken: of (m, d) designs (m, L) whether they cannot be evaluated at each level.
            told: (n, d) designs told, failed ones too.
            rng: draws what has to be drawn.

        Raises:
            SingularError: a covariance cannot be factorised.
        """
        target = Target(prospect)
        function = PerCost(prospect, self._acquisition.build(prospect, target, rng), taken)
        row = self._found(function, prospect, target, told, rng)
        if row is None:
            return None
        table = function.table(row[None])[0]
        level = int(np.argmax(table))
        unit = target.unit if self._acquisition.in_units else 1.0
        if not np.isfinite(table[level]):
            return None
        if not function.blind and np.exp(table[level]) * unit < self._least:
            return None
        return row, int(prospect.index[level])

    def highest(self, prospect: Prospect, designs: Array) -> Array:
        """(d,) features of the greatest posterior mean found in the whole space.

        Where little is known a mean is a guess: a design that was not told has to be better one
        standard deviation below its mean too.

        Args:
            prospect: what is believed.
            designs: (k, d) designs, the best one first, of which the result is no worse.
        """
        target = Target(prospect)
        expected = Expected(target)
        rng = np.random.default_rng(0)  # looking must not change the next ask
        searched = self._searched(expected)
        row = self._search.best(searched, designs[:0], designs[:_INCUMBENTS], rng)
        if row is None:
            return np.asarray(designs[0])
        both = np.stack([designs[0], self.inside(row[None])[0]])
        seen = target.views(both, prospect.levels[:0])
        low = seen.mean - np.sqrt(seen.variance)
        better = seen.mean[1] > seen.mean[0] and low[1] > low[0]
        return np.asarray(both[int(better)])

    def surest(self, prospect: Prospect, points: Array, means: Array, told: Array) -> int:
        """Which design has the greatest mean, or of those told the best if that is surer.

        Args:
            prospect: what is believed.
            points: (m, d) designs.
            means: (m,) posterior means of them.
            told: (m,) which of them were told at the target.
        """
        best = int(np.argmax(means))
        if told[best] or not told.any():
            return best
        seen = Target(prospect).views(points, prospect.levels[:0])
        low = seen.mean - _CAUTION * np.sqrt(seen.variance)
        rival = int(np.argmax(np.where(told, low, -np.inf)))
        return rival if low[rival] > low[best] else best

    def eligible(self, prospect: Prospect) -> Array:
        """(k, d) designs that may be the best, inside the region."""
        points = eligible(prospect)
        if self._region is None:
            return points
        points = np.unique(self.inside(points), axis=0)
        may = prospect.may(points)  # of a design drawn in, another one is known
        return points[may] if may.any() else points

    def inside(self, points: Array) -> Array:
        """(m, d) designs drawn into the region."""
        if self._region is None:
            return points
        return self._region.inside(self._search.features, points)

    def _found(
        self,
        function: PerCost,
        prospect: Prospect,
        target: Target,
        told: Array,
        rng: np.random.Generator,
    ) -> Array | None:
        if self._pool.designs is not None:
            return np.asarray(
                self._pool.designs[int(np.argmax(function.values(self._pool.designs)))]
            )
        points = self.eligible(prospect)
        incumbents = points[np.argsort(-target.means(points), kind="stable")[:_INCUMBENTS]]
        x = np.concatenate([told, prospect.pending])
        gone = x[function.gone(x)]
        row = self._search.best(self._searched(function), gone, incumbents, rng)
        if row is None:
            return None
        # A design told at one level may be worth most at another.
        rows = np.concatenate([self.inside(row[None]), points])
        return np.asarray(rows[int(np.argmax(function.values(rows)))])

    def _searched(self, function: AcquisitionFunction) -> AcquisitionFunction:
        if self._region is None:
            return function
        return Inside(function, self._region, self._search.features)
