"""A covariance matrix that is learnt from ranked steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from blackbox.formulation import Floats
from blackbox.optimizers.quality_diversity.evolution.base import Rates
from blackbox.state import State

# Share of the matrix that may be renewed before it is decomposed again, times n.
_STALE = 0.5
_LEAST = 1e-200


class Covariance:
    """The matrix C of CMA-ES with its eigenvectors B and the roots D of its eigenvalues.

    Learning costs O(k n^2). The decomposition, O(n^3), waits until C has changed enough to matter.
    It also scales C to a determinant of 1: nothing else keeps C and sigma from drifting apart.

    Args:
        n: coordinates.
        most: largest share of the matrix that one generation renews.
    """

    def __init__(self, n: int, most: float = 1.0) -> None:
        self.matrix = np.eye(n)
        self.basis = np.eye(n)
        self.spread = np.ones(n)
        self.log_scale = 0.0  # log of all factors by which D was divided
        self._most = most
        self._stale = 0.0

    def stretch(self, normal: Floats) -> Floats:
        """(k, n) draws of this covariance, of (k, n) standard normal ones."""
        stretched: Floats = (normal * self.spread) @ self.basis.T
        return stretched

    def whiten(self, step: Floats) -> Floats:
        """(n,) a step where the distribution is standard normal: the step times C^(-1/2)."""
        white: Floats = self.basis @ ((step @ self.basis) / self.spread)
        return white

    def learn(self, steps: Floats, path: Floats, steady: bool, r: Rates) -> None:
        """The update of rank one and rank mu, with weights against (Hansen 2016, eq. 46 and 47).

        Args:
            steps: (k, n) steps from the mean in units of sigma, best first.
            path: (n,) evolution path of the covariance.
            steady: whether the path was updated (h_sigma).
            r: rates.
        """
        slower = min(1.0, self._most / (r.one + r.many))
        one, many = slower * r.one, slower * r.many
        better = len(r.weights)
        # A step weighed against counts for its direction, not for its length.
        lengths = (((steps[better:] @ self.basis) / self.spread) ** 2).sum(axis=1)
        against = r.against * (len(path) / np.maximum(lengths, 1e-300))
        rows = np.concatenate([steps, path[None]])
        weights = np.concatenate([many * r.weights, many * against, [one]])
        lost = 0.0 if steady else one * r.path * (2 - r.path)
        self.matrix *= 1 + lost - one - many * (1 + float(r.against.sum()))
        self.matrix += (rows.T * weights) @ rows
        self._stale += one + many
        if self._stale * len(path) > _STALE:
            self._decompose()

    def _decompose(self) -> None:
        self.matrix = (self.matrix + self.matrix.T) / 2
        values, self.basis = np.linalg.eigh(self.matrix)
        roots = np.sqrt(np.maximum(values, _LEAST))
        shift = float(np.log(roots).mean())
        self.spread = roots / math.exp(shift)
        self.matrix /= math.exp(2 * shift)
        self.log_scale += shift
        self._stale = 0.0

    def state(self) -> State:
        """What ``load_state`` needs."""
        arrays = (self.matrix, self.basis, self.spread)
        named = zip(("matrix", "basis", "spread"), arrays, strict=True)
        numbers = {"stale": self._stale, "log_scale": self.log_scale}
        return {**{name: array.copy() for name, array in named}, **numbers}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state`` was taken."""
        self.matrix, self.basis, self.spread = (
            np.array(state[name]) for name in ("matrix", "basis", "spread")
        )
        self._stale, self.log_scale = float(state["stale"]), float(state["log_scale"])
