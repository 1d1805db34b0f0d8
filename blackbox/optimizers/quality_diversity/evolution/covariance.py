"""A covariance matrix that is learnt from ranked steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from blackbox.errors import require
from blackbox.formulation import Floats
from blackbox.optimizers.quality_diversity.evolution.base import Rates
from blackbox.state import State

blas: Any = require("scipy.linalg.blas", "qd")
lapack: Any = require("scipy.linalg.lapack", "qd")

# Share of the matrix that may be renewed before it is factorized again, times n.
_STALE = 0.5
_DRIFT = 0.1  # of the logarithm of the mean axis, from where on it is scaled back
# Of the largest variance, added where rounding left the matrix indefinite.
_RIDGES = (1e-15, 1e-13, 1e-11, 1e-9)


class Covariance:
    """The matrix C of CMA-ES with its Cholesky factor R, C = R'R.

    The textbook takes eigenvectors; R serves as well, since steps have the same distribution and
    the length of a step in the metric of C is the same (Krause, Arbones and Igel 2016, *CMA-ES with
    optimal covariance update and storage complexity*), and costs a thirtieth in 100 dimensions.
    Learning costs O(k n^2). The factorization, O(n^3), waits until C has changed enough to matter.
    It also keeps the determinant of C near 1: nothing else keeps C and sigma from drifting apart.

    Attributes:
        factor: (n, n) R, upper triangular, of C as it was factorized last.
        widest: the largest standard deviation of a coordinate, by R.
        narrowest: the least standard deviation of a coordinate given those before it.

    Args:
        n: coordinates.
        most: largest share of the matrix that one generation renews.
    """

    def __init__(self, n: int, most: float = 1.0) -> None:
        self._upper = np.eye(n, order="F")  # the triangle of C; what is below stays 0
        self.factor = np.eye(n, order="F")
        self.widest = self.narrowest = 1.0
        self.log_scale = 0.0  # log of all factors by which R was divided
        self._most = most
        self._stale = 0.0

    @property
    def matrix(self) -> Floats:
        """(n, n) C."""
        above: Floats = np.triu(self._upper, 1)
        return self._upper + above.T

    def stretch(self, normal: Floats, sigma: float = 1.0) -> Floats:
        """(k, n) draws of sigma^2 C, of (k, n) standard normal ones, which are overwritten."""
        stretched: Floats = blas.dtrmm(sigma, self.factor, normal.T, trans_a=1, overwrite_b=1).T
        return stretched

    def whiten(self, steps: Floats, sigma: float = 1.0) -> Floats:
        """(k, n) steps where the distribution is standard normal: ``stretch`` gives them back."""
        white: Floats = blas.dtrsm(1.0 / sigma, self.factor, steps.T, trans_a=1).T
        return white

    def learn(
        self, steps: Floats, lengths: Floats, path: Floats, steady: bool, r: Rates, sigma: float = 1
    ) -> None:
        """The update of rank one and rank mu, with weights against (Hansen 2016, eq. 46 and 47).

        Args:
            steps: (k, n) steps from the mean, best first.
            lengths: squared lengths of those weighed against, where the distribution is standard
                normal.
            path: (n,) evolution path of the covariance.
            steady: whether the path was updated (h_sigma).
            r: rates.
            sigma: unit of the steps.
        """
        slower = min(1.0, self._most / (r.one + r.many))
        one, many = slower * r.one, slower * r.many
        better = len(r.weights)
        # A step weighed against counts for its direction, not for its length.
        against = r.against * (len(path) / np.maximum(lengths, 1e-300))
        lost = 0.0 if steady else one * r.path * (2 - r.path)
        kept = 1 + lost - one - many * (1 + r.opposed)
        self._add(1.0, (np.sqrt(many * r.weights) / sigma)[:, None] * steps[:better], kept)
        self._add(-1.0, (np.sqrt(-many * against) / sigma)[:, None] * steps[better:])
        self._upper = blas.dsyr(one, path, a=self._upper, overwrite_a=1)
        self._stale += one + many
        if self._stale * len(path) > _STALE:
            self._factorize()

    def _add(self, weight: float, rows: Floats, kept: float = 1.0) -> None:
        """In place: kept * C + weight * rows' rows."""
        self._upper = blas.dsyrk(weight, rows.T, beta=kept, c=self._upper, overwrite_c=1)

    def _factorize(self) -> None:
        factor, failed = lapack.dpotrf(self._upper)
        for share in _RIDGES if failed else ():
            self._upper[np.diag_indices_from(self._upper)] += share * self._upper.diagonal().max()
            factor, failed = lapack.dpotrf(self._upper)
            if not failed:
                break
        shift = float(np.log(factor.diagonal()).mean())
        if abs(shift) > _DRIFT:
            factor /= math.exp(shift)
            self._upper /= math.exp(2 * shift)
            self.log_scale += shift
        self._take(factor)
        self._stale = 0.0

    def _take(self, factor: Floats) -> None:
        self.factor = factor
        self.widest = math.sqrt(float(np.einsum("ij,ij->j", factor, factor).max()))
        self.narrowest = float(factor.diagonal().min())

    def state(self) -> State:
        """What ``load_state`` needs."""
        return {
            "matrix": self.matrix,
            "factor": self.factor.copy(),
            "stale": self._stale,
            "log_scale": self.log_scale,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state`` was taken."""
        self._upper = np.asfortranarray(np.triu(state["matrix"]))
        self._take(np.array(state["factor"], order="F"))
        self._stale, self.log_scale = float(state["stale"]), float(state["log_scale"])
