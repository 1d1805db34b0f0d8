"""Problems with several objectives, all minimized, whose Pareto fronts are known."""

from __future__ import annotations

import math
from abc import abstractmethod

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.formulation import Constraint, Minimize, Problem
from blackbox.problems.single import dimension
from blackbox.space import Real, Space


class _ZDT(Problem):
    """f1 = x_1, f2 = g h(f1 / g) with g = 1 + 9 mean(x_2 ... x_d) on [0, 1]^d."""

    objectives = (Minimize("f1"), Minimize("f2"))
    reference = Batch({"f1": [1.1], "f2": [1.1]})

    def __init__(self, d: int = 30) -> None:
        self.space = Space(Real("x", 0, 1, size=dimension(self, d, 2)))

    @staticmethod
    @abstractmethod
    def _shape(ratio: Array) -> Array:
        """h: the front's f2 as a function of f1."""

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """Both objectives of every row."""
        first = batch["x"][:, 0]
        g = 1 + 9 * batch["x"][:, 1:].mean(axis=1)
        return {"f1": first, "f2": g * self._shape(first / g)}

    def front(self, n: int = 100) -> Batch:
        """Outcomes of n points of the Pareto front, evenly spaced in f1."""
        first = np.linspace(0, 1, n)
        return Batch({"f1": first, "f2": self._shape(first)})


class ZDT1(_ZDT):
    """ZDT1: a convex front, f2 = 1 - sqrt(f1) (Zitzler, Deb and Thiele 2000).

    Args:
        d: number of inputs, at least 2; the front is where all but the first are 0.

    Raises:
        ProblemError: ``d`` is not an int of at least 2.
    """

    about = "ZDT1: two objectives with a convex front"

    @staticmethod
    def _shape(ratio: Array) -> Array:
        curve: Array = 1 - np.sqrt(ratio)
        return curve


class ZDT2(_ZDT):
    """ZDT2: a concave front, f2 = 1 - f1^2 (Zitzler, Deb and Thiele 2000).

    Args:
        d: number of inputs, at least 2; the front is where all but the first are 0.

    Raises:
        ProblemError: ``d`` is not an int of at least 2.
    """

    about = "ZDT2: two objectives with a concave front"

    @staticmethod
    def _shape(ratio: Array) -> Array:
        curve: Array = 1 - ratio**2
        return curve


class DTLZ2(Problem):
    """DTLZ2: the front is the positive part of the unit sphere (Deb et al. 2002).

    f_i = (1 + g) cos(x_1 pi/2) ... cos(x_{m-i} pi/2) sin(x_{m-i+1} pi/2), without the sine for
    i = 1, with g = sum over the last d - m + 1 inputs of (x - 0.5)^2, on [0, 1]^d.

    Args:
        m: number of objectives, at least 2.
        d: number of inputs, at least m; by default m + 9.

    Raises:
        ProblemError: ``m`` or ``d`` is too small.
    """

    about = "DTLZ2: the Pareto front is the positive part of the unit sphere"

    def __init__(self, m: int = 3, d: int | None = None) -> None:
        dimension(self, m, 2, "m")
        self.space = Space(Real("x", 0, 1, size=dimension(self, m + 9 if d is None else d, m)))
        self.objectives = tuple(Minimize(f"f{i + 1}") for i in range(m))
        self.reference = Batch({o.name: [1.1] for o in self.objectives})

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """All objectives of every row."""
        m = len(self.objectives)
        angles, rest = batch["x"][:, : m - 1] * (np.pi / 2), batch["x"][:, m - 1 :]
        radius = 1 + ((rest - 0.5) ** 2).sum(axis=1)
        return self._by_name(radius[:, None] * _sphere(angles))

    def front(self, n: int = 100) -> Batch:
        """Outcomes of about n points of the Pareto front, on a grid of angles that grows with n."""
        m = len(self.objectives)
        steps = max(2, math.ceil(n ** (1 / (m - 1))))
        grid = np.meshgrid(*[np.linspace(0, np.pi / 2, steps)] * (m - 1), indexing="ij")
        points = _sphere(np.column_stack([axis.ravel() for axis in grid]))
        # At the poles many angles are one point.
        return Batch(self._by_name(np.unique(points.round(12), axis=0)))

    def _by_name(self, values: Array) -> dict[str, Array]:
        return {o.name: values[:, j] for j, o in enumerate(self.objectives)}


def _sphere(angles: Array) -> Array:
    """(n, m) points of the unit sphere for (n, m - 1) angles."""
    n = len(angles)
    cosines = np.column_stack([np.ones(n), np.cumprod(np.cos(angles), axis=1)])
    sines = np.column_stack([np.sin(angles), np.ones(n)])
    # The i-th objective has m - i cosines and one sine; the first has no sine.
    points: Array = (cosines * sines)[:, ::-1]
    return points


class BNH(Problem):
    """Binh and Korn: two objectives under two constraints (Binh and Korn 1997).

    f1 = 4 x^2 + 4 y^2, f2 = (x - 5)^2 + (y - 5)^2 on [0, 5] x [0, 3], with
    c1 = (x - 5)^2 + y^2 <= 25 and c2 = (x - 8)^2 + (y + 3)^2 >= 7.7.
    """

    space = Space(Real("x", 0, 5), Real("y", 0, 3))
    objectives = (Minimize("f1"), Minimize("f2"))
    constraints = (Constraint("c1", upper=25), Constraint("c2", lower=7.7))
    reference = Batch({"f1": [140.0], "f2": [50.0]})
    about = "Binh and Korn's problem: two objectives, two constraints"

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """Both objectives and both constraints of every row."""
        x, y = batch["x"], batch["y"]
        return {
            "f1": 4 * x**2 + 4 * y**2,
            "f2": (x - 5) ** 2 + (y - 5) ** 2,
            "c1": (x - 5) ** 2 + y**2,
            "c2": (x - 8) ** 2 + (y + 3) ** 2,
        }

    def front(self, n: int = 100) -> Batch:
        """Outcomes of n points of the Pareto front: x = y up to 3, then y = 3."""
        x = np.linspace(0, 5, n)
        return Batch(self.evaluate_batch(Batch({"x": x, "y": np.minimum(x, 3.0)})))
