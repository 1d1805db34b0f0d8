"""A trust region for mixtures: no further from the natural shares than a divergence allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from blackbox.acquisitions.base import AcquisitionFunction
from blackbox.batch import Array
from blackbox.errors import ProblemError
from blackbox.space import Simplex, Space
from blackbox.surrogates.features import Features

_HALVINGS = 40
_LEAST = 1e-12  # share; mixtures closer are the same


@dataclass(frozen=True)
class NearShares:
    """Mixtures h with ``KL(h || natural) <= radius``, in nats.

    The region is convex and holds the natural shares, so a mixture outside is drawn towards them
    along a straight line until it is inside; linear constraints that the natural shares satisfy
    stay satisfied. (Olmix, arXiv 2602.12237, penalises the same divergence.)

    Args:
        natural: for each simplex its natural shares, positive, in proportion.
        radius: greatest divergence, above 0.
    """

    natural: Mapping[str, Sequence[float]]
    radius: float

    def checked(self, space: Space) -> None:
        """Refuse a region of another space.

        Raises:
            ProblemError: an unknown simplex, shares that are not positive, or a radius that is not.
        """
        if not self.radius > 0:
            raise ProblemError(f"NearShares: radius={self.radius!r} must be above 0")
        sizes = {p.name: p.size for p in space if isinstance(p, Simplex)}
        for name, shares in self.natural.items():
            if name not in sizes:
                raise ProblemError(
                    f"NearShares: {name!r} is no simplex of the space; there are {[*sizes]}"
                )
            given = np.asarray(shares, dtype=np.float64)
            if given.shape != (sizes[name],) or not np.all(given > 0) or np.any(np.isinf(given)):
                raise ProblemError(
                    f"NearShares: natural shares of {name!r} are {[*shares]}; give "
                    f"{sizes[name]} positive numbers"
                )

    def inside(self, features: Features, points: Array) -> Array:
        """(m, d) features of rows with their mixtures drawn into the region."""
        points = points.copy()
        for name, shares in self.natural.items():
            block = features.blocks[name]
            center = np.asarray(shares, dtype=np.float64) / np.sum(shares)
            points[:, block] = self._drawn(points[:, block], center)
        return points

    def pull(self, features: Features, points: Array, inside: Array, slopes: Array) -> Array:
        """(m, d) derivatives by rows, of those by the rows drawn in.

        A mixture h is drawn to x = c + t (h - c), and t follows from the divergence of x, which
        stays at the radius: with its gradient g,
        ``dt = -t (g . dh) / (g . (h - c))``.
        """
        slopes = slopes.copy()
        for name, shares in self.natural.items():
            block = features.blocks[name]
            center = np.asarray(shares, dtype=np.float64) / np.sum(shares)
            h, x = points[:, block] - center, inside[:, block]
            drawn = np.abs(points[:, block] - x).max(axis=1) > _LEAST
            t = np.linalg.norm(x - center, axis=1) / np.maximum(np.linalg.norm(h, axis=1), 1e-300)
            g = np.log(np.maximum(x, _LEAST) / center) + 1.0
            along = (slopes[:, block] * h).sum(axis=1) / (g * h).sum(axis=1)
            pulled = t[:, None] * (slopes[:, block] - g * along[:, None])
            slopes[:, block] = np.where(drawn[:, None], pulled, slopes[:, block])
        return slopes

    def _drawn(self, mixes: Array, center: Array) -> Array:
        low, high = np.zeros(len(mixes)), np.ones(len(mixes))
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            fits = divergence(center + middle[:, None] * (mixes - center), center) <= self.radius
            low, high = np.where(fits, middle, low), np.where(fits, high, middle)
        step = np.where(divergence(mixes, center) <= self.radius, 1.0, low)
        return np.asarray(center + step[:, None] * (mixes - center))


def divergence(mixes: Array, center: Array) -> Array:
    """(m,) Kullback-Leibler divergences of (m, k) mixtures from (k,) shares, in nats."""
    shares = np.maximum(mixes, 0.0)
    logs = np.log(np.where(shares > 0, shares, 1.0) / center)
    return np.asarray((shares * logs).sum(axis=1))


@dataclass(frozen=True)
class Inside:
    """A function of rows drawn into the region.

    Args:
        function: what a row is worth.
        region: where rows may be.
        features: their coordinates.
    """

    function: AcquisitionFunction
    region: NearShares
    features: Features

    def values(self, points: Array) -> Array:
        return self.function.values(self.region.inside(self.features, points))

    def values_and_gradients(self, points: Array) -> tuple[Array, Array]:
        inside = self.region.inside(self.features, points)
        values, gradients = self.function.values_and_gradients(inside)
        return values, self.region.pull(self.features, points, inside, gradients)
