"""Local ascent on the continuous coordinates of a row, inside the space and its constraints."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from blackbox.batch import Array
from blackbox.errors import require
from blackbox.space import Real, Simplex
from blackbox.surrogates.features import Features

if TYPE_CHECKING:
    from blackbox.acquisitions.base import AcquisitionFunction

_STEPS = 50
_BARRIER = 1e10  # loss where the acquisition cannot be computed
#: Shares of the way back from a polished point that breaks a constraint by rounding.
_BACK = (0.0, 1e-9, 1e-7, 1e-5, 1e-3, 1e-1, 0.5)


def polish(
    features: Features,
    function: AcquisitionFunction,
    start: Array,
    bounds: Array | None = None,
) -> Array:
    """(d,) features of a feasible row, worth at least about as much as its (d,) start.

    L-BFGS-B in a plain box; SLSQP where shares must sum to one or linear constraints hold, which
    walks along their faces. ``bounds`` are the (c, 2) ones of the continuous features, 0 and 1
    where None.
    """
    free = features.continuous
    minimize = require("scipy.optimize", "bayes").minimize

    def loss(z: Array) -> tuple[float, Array]:
        point = start.copy()
        point[free] = z
        value, gradient = function.values_and_gradients(point[None])
        if not (np.isfinite(value[0]) and np.all(np.isfinite(gradient))):
            return _BARRIER, np.zeros(z.size)
        return -float(value[0]), -gradient[0, free]

    constraints = _sums(features) + _inequalities(features, start)
    method: dict[str, Any] = {"method": "L-BFGS-B", "options": {"maxiter": _STEPS, "ftol": 1e-6}}
    if constraints:
        options = {"maxiter": _STEPS, "ftol": 1e-6}
        method = {"method": "SLSQP", "constraints": constraints, "options": options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of steps that leave the bounds and are clipped
        if bounds is None:
            bounds = np.tile([0.0, 1.0], (len(free), 1))
        found = minimize(loss, start[free], jac=True, bounds=bounds, **method).x
    if not np.all(np.isfinite(found)):
        return start
    return _feasible(features, start, np.clip(found, 0.0, 1.0))


def _feasible(features: Features, start: Array, end: Array) -> Array:
    """The end, or the first row on the way back to the start that is feasible."""
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
