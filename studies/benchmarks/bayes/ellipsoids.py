"""Ellipsoids of ten numbers and more, some of them whole, with names and under constraints."""

from __future__ import annotations

from typing import Any

import numpy as np

import blackbox as bb

_WHOLE = 30  # values of a whole number beyond the first


class Ellipsoid(bb.Problem):
    """A turned ellipsoid of condition 10^4, in an instance for each seed.

    Args:
        seed: draws the axes, the optimum and what names and constraints do.
        reals: how many reals.
        whole: how many whole numbers, 0 to 30.
        names: how many choices of three; each moves the optimum and adds up to 5.
        limited: whether the optimum is cut off, by a plane and by a ball around the centre.
    """

    objectives = (bb.Minimize("f"),)

    def __init__(
        self, seed: int, *, reals: int, whole: int = 0, names: int = 0, limited: bool = False
    ) -> None:
        d, rng = reals + whole, np.random.default_rng(seed)
        self._weights, self._optimum = 10 ** rng.uniform(-1, 1, d), rng.uniform(0.2, 0.8, d)
        self._axes = np.linalg.qr(rng.normal(size=(d, d)))[0]
        self._names = [f"c{i}" for i in range(names)]
        self._moves = rng.uniform(-0.15, 0.15, (names, 3, d))
        self._lifts = rng.uniform(0.0, 5.0, (names, 3))
        self._plane, self._limited = rng.uniform(0.5, 1.5, d), limited
        parameters: list[bb.Parameter] = [bb.Categorical(c, ["0", "1", "2"]) for c in self._names]
        if reals:
            parameters.append(bb.Real("x", 0, 1, size=reals))
        if whole:
            parameters.append(bb.Integer("k", 0, _WHOLE, size=whole))
        self.space = bb.Space(*parameters)
        if limited:
            self.constraints = (bb.Constraint("plane", upper=0), bb.Constraint("ball", upper=0))

    def evaluate(self, p: dict[str, Any]) -> dict[str, float]:
        """The value, and by how much the limits are passed."""
        nothing = np.empty(0)
        x = np.concatenate([p.get("x", nothing), np.asarray(p.get("k", nothing)) / _WHOLE])
        chosen = [int(p[name]) for name in self._names]
        moved = sum((self._moves[i, c] for i, c in enumerate(chosen)), self._optimum)
        lift = sum(self._lifts[i, c] for i, c in enumerate(chosen))
        value = 100.0 * np.sum((self._weights * (self._axes @ (x - moved))) ** 2) + lift
        if not self._limited:
            return {"f": float(value)}
        beyond = self._plane @ (x - self._optimum) + 0.02 * len(x)
        around = np.sum((x - 0.5) ** 2) - 0.05 * len(x)
        return {"f": float(value), "plane": float(beyond), "ball": float(around)}
