"""Local ascent on the continuous coordinates of a row, inside the space and its constraints."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array
from blackbox.errors import require
from blackbox.space import Real, Simplex
from blackbox.surrogates.features import Features

if TYPE_CHECKING:
    from blackbox.acquisitions.base import AcquisitionFunction

_STEPS = 150
_BARRIER = 1e10  # loss where the acquisition cannot be computed
#: Shares of the way back from a polished point that breaks a constraint by rounding.
_BACK = (0.0, 1e-9, 1e-7, 1e-5, 1e-3, 1e-1, 0.5)


def polish(
    features: Features,
    function: AcquisitionFunction,
    starts: Array,
    bounds: Array | None = None,
) -> Array:
    """(k, d) features of feasible rows, each worth about as much as its start of (k, d) or more.

    L-BFGS-B in a plain box, on the sum over all starts at once, since an acquisition costs little
    more at k points than at one (Balandat et al. 2020, *BoTorch*); SLSQP one by one where shares
    must sum to one or linear constraints hold, which walks along their faces. ``bounds`` are the
    (c, 2) ones of the continuous features, 0 and 1 where None.
    """
    if bounds is None:
        bounds = np.tile([0.0, 1.0], (len(features.continuous), 1))
    if features.simplexes or features.space.polytope is not None:
        return np.array([_along_faces(features, function, start, bounds) for start in starts])
    found = _ascent(function, starts, features.continuous, bounds, {"method": "L-BFGS-B"})
    return np.array([_feasible(features, *pair) for pair in zip(starts, found, strict=True)])


def _along_faces(
    features: Features, function: AcquisitionFunction, start: Array, bounds: Array
) -> Array:
    """(d,) row from a (d,) start, where constraints tie coordinates to one another."""
    constraints = _sums(features) + _inequalities(features, start)
    method = {"method": "SLSQP", "constraints": constraints}
    found = _ascent(function, start[None], features.continuous, bounds, method)
    return _feasible(features, start, found[0])


def _ascent(
    function: AcquisitionFunction,
    starts: Array,
    free: npt.NDArray[np.intp],
    bounds: Array,
    method: dict[str, Any],
) -> Array:
    """(k, c) free features after an ascent from each of (k, d) rows; unchanged if it broke down."""
    minimize = require("scipy.optimize", "bayes").minimize
    points = starts.copy()

    def loss(z: Array) -> tuple[float, Array]:
        points[:, free] = z.reshape(len(points), -1)
        values, gradients = function.values_and_gradients(points)
        known = np.isfinite(values) & np.isfinite(gradients).all(axis=1)
        total = np.where(known, values, -_BARRIER).sum()
        return -float(total), -np.where(known[:, None], gradients[:, free], 0.0).ravel()

    options = {"maxiter": _STEPS, "ftol": 1e-6}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of steps that leave the bounds and are clipped
        begin, edges = starts[:, free].ravel(), np.tile(bounds, (len(starts), 1))
        found = minimize(loss, begin, jac=True, bounds=edges, options=options, **method).x
    ends = found.reshape(len(starts), -1)
    kept = np.isfinite(ends).all(axis=1, keepdims=True)
    return np.clip(np.where(kept, ends, starts[:, free]), 0.0, 1.0)


def _feasible(features: Features, start: Array, end: Array) -> Array:
    """The end, of (c,) continuous features, or the first feasible row on the way back."""
    for back in _BACK:
        point = start.copy()
        point[features.continuous] = (1 - back) * end + back * start[features.continuous]
        row = features.encode(features.decode(point[None]))
        if features.feasible(row)[0]:
            return np.asarray(row[0])
    return start


def _sums(features: Features) -> list[dict[str, Any]]:
    """One equality for each simplex: its shares sum to one."""
    if not features.simplexes:
        return []
    blocks = [np.arange(block.start, block.stop) for block in features.simplexes]
    rows = np.array([np.isin(features.continuous, block) for block in blocks], dtype=np.float64)
    return [{"type": "eq", "fun": lambda z: rows @ z - 1.0, "jac": lambda z: rows}]


def _inequalities(features: Features, start: Array) -> list[dict[str, Any]]:
    """The space's linear constraints, written in features: ``g(z) >= 0`` with its Jacobian."""
    polytope = features.space.polytope
    if polytope is None:
        return []
    a, lower, upper = polytope.matrix
    inputs = _Inputs(features, start)
    # In units of the largest change that one input can make.
    unit = np.maximum(np.abs(a).max(axis=1) * inputs.reach, 1e-300)
    rows = np.concatenate([a / unit[:, None], -a / unit[:, None]])
    bounds = np.concatenate([lower / unit, -upper / unit])
    rows, bounds = rows[np.isfinite(bounds)], bounds[np.isfinite(bounds)]
    return [
        {
            "type": "ineq",
            "fun": lambda z: rows @ inputs.values(z) - bounds,
            "jac": lambda z: rows @ inputs.slopes(z),
        }
    ]


class _Inputs:
    """The inputs that linear constraints speak of, as functions of the continuous features."""

    def __init__(self, features: Features, start: Array) -> None:
        named = {
            key.partition("[")[0] for c in features.space.constraints for key in c.coefficients
        }
        used = [p for p in features.space if p.name in named]
        row = features.decode(start[None])
        self._fixed = np.concatenate([row[p.name].reshape(-1) for p in used]).astype(np.float64)
        columns = [j for p in used for j in range(*features.blocks[p.name].indices(features.width))]
        place = {int(j): i for i, j in enumerate(features.continuous)}
        #: Positions among the used inputs, and among the continuous features, of what moves.
        self._to = np.array([i for i, j in enumerate(columns) if j in place], dtype=np.intp)
        self._from = np.array([place[j] for j in columns if j in place], dtype=np.intp)
        scales = [
            (*p.scale(), p.log) if isinstance(p, Real) else (0.0, 1.0, False)
            for p in used
            if isinstance(p, Real | Simplex)
            for j in range(*features.blocks[p.name].indices(features.width))
            if j in place
        ]
        self._start = np.array([s[0] for s in scales])
        self._span = np.array([s[1] for s in scales])
        self._log = np.array([s[2] for s in scales], dtype=bool)
        self._width = len(features.continuous)
        ends = self._moving(np.ones(self._width)) - self._moving(np.zeros(self._width))
        self.reach = float(np.max(np.abs(ends), initial=1e-300))

    def values(self, z: Array) -> Array:
        """(k,) values of the used inputs."""
        values = self._fixed.copy()
        values[self._to] = self._moving(z)
        return values

    def slopes(self, z: Array) -> Array:
        """(k, c) derivatives of the used inputs by the c continuous features."""
        slopes = np.zeros((len(self._fixed), self._width))
        slopes[self._to, self._from] = self._span * np.where(self._log, self._moving(z), 1.0)
        return slopes

    def _moving(self, z: Array) -> Array:
        scaled = self._start + self._span * z[self._from]
        return np.where(self._log, np.exp(np.where(self._log, scaled, 0.0)), scaled)
