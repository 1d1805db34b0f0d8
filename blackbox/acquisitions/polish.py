"""Local ascent on the continuous coordinates of a row, inside the space and its constraints."""

from __future__ import annotations

import warnings
from typing import Any, Protocol

import numpy as np

from blackbox.batch import Array
from blackbox.errors import require
from blackbox.space import Real, Simplex
from blackbox.surrogates.features import Features

_STEPS = 50
_BARRIER = 1e10  # loss where the acquisition cannot be computed
#: Shares of the way back from a polished point that breaks a constraint by rounding.
_BACK = (0.0, 1e-9, 1e-7, 1e-5, 1e-3, 1e-1, 0.5)


class Acquisition(Protocol):
    """What a candidate is worth; larger is better."""

    def values(self, points: Array) -> Array:
        """(n,) values at (n, d) features, never NaN."""

    def values_and_gradients(self, points: Array) -> tuple[Array, Array]:
        """(n,) values and (n, d) gradients at (n, d) features."""


def polish(features: Features, acquisition: Acquisition, starts: Array) -> Array:
    """(k, d) features of feasible rows, each worth at least about as much as its (k, d) start.

    L-BFGS-B in a plain box; SLSQP where shares must sum to one or linear constraints hold, which
    walks along their faces. All rows are moved at once, as one long vector whose loss is the sum:
    evaluating several rows costs hardly more than evaluating one.
    """
    free = features.continuous
    shape = (len(starts), len(free))
    minimize = require("scipy.optimize", "bayes").minimize

    def loss(z: Array) -> tuple[float, Array]:
        points = starts.copy()
        points[:, free] = z.reshape(shape)
        values, gradients = acquisition.values_and_gradients(points)
        if not (np.all(np.isfinite(values)) and np.all(np.isfinite(gradients))):
            return _BARRIER, np.zeros(z.size)
        return -float(values.sum()), -gradients[:, free].ravel()

    constraints = _sums(features, shape) + _inequalities(features, starts)
    method: dict[str, Any] = {"method": "L-BFGS-B", "options": {"maxiter": _STEPS, "ftol": 1e-6}}
    if constraints:
        options = {"maxiter": _STEPS, "ftol": 1e-5}
        method = {"method": "SLSQP", "constraints": constraints, "options": options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of steps that leave the bounds and are clipped
        found = minimize(
            loss,
            starts[:, free].ravel(),
            jac=True,
            bounds=[(0.0, 1.0)] * (shape[0] * shape[1]),
            **method,
        ).x
    if not np.all(np.isfinite(found)):
        return starts
    ends = np.clip(found, 0.0, 1.0).reshape(shape)
    return np.array([_feasible(features, *pair) for pair in zip(starts, ends, strict=True)])


def _feasible(features: Features, start: Array, end: Array) -> Array:
    """The end, or the first row on the way back to the start that is feasible."""
    for back in _BACK:
        point = start.copy()
        point[features.continuous] = (1 - back) * end + back * start[features.continuous]
        row = features.encode(features.decode(point[None]))
        if features.feasible(row)[0]:
            return np.asarray(row[0])
    return start


def _sums(features: Features, shape: tuple[int, int]) -> list[dict[str, Any]]:
    """One equality for each simplex of each row: its shares sum to one."""
    if not features.simplexes:
        return []
    blocks = [np.arange(block.start, block.stop) for block in features.simplexes]
    one = np.array([np.isin(features.continuous, block) for block in blocks], dtype=np.float64)
    rows = np.kron(np.eye(shape[0]), one)
    return [{"type": "eq", "fun": lambda z: rows @ z - 1.0, "jac": lambda z: rows}]


def _inequalities(features: Features, starts: Array) -> list[dict[str, Any]]:
    """The space's linear constraints, written in features: ``g(z) >= 0`` with its Jacobian."""
    polytope = features.space.polytope
    if polytope is None:
        return []
    a, lower, upper = polytope.matrix
    inputs = [_Inputs(features, start) for start in starts]
    # In units of the largest change that one input can make.
    unit = np.maximum(np.abs(a).max(axis=1) * inputs[0].reach, 1e-300)
    rows = np.concatenate([a / unit[:, None], -a / unit[:, None]])
    bounds = np.concatenate([lower / unit, -upper / unit])
    rows, bounds = rows[np.isfinite(bounds)], bounds[np.isfinite(bounds)]

    def margin(z: Array) -> Array:
        parts = z.reshape(len(inputs), -1)
        margins = [rows @ f.values(part) - bounds for f, part in zip(inputs, parts, strict=True)]
        return np.concatenate(margins)

    def slope(z: Array) -> Array:
        parts = z.reshape(len(inputs), -1)
        slopes = [rows @ f.slopes(part) for f, part in zip(inputs, parts, strict=True)]
        full = np.zeros((len(rows) * len(inputs), z.size))
        for i, part in enumerate(slopes):
            full[
                i * len(rows) : (i + 1) * len(rows), i * part.shape[1] : (i + 1) * part.shape[1]
            ] = part
        return full

    return [{"type": "ineq", "fun": margin, "jac": slope}]


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
