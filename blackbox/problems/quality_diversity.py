"""Benchmarks of quality diversity: many elites that differ by measures.

``optimum`` and ``solution`` are those of the objective alone. What the best archive looks like is
known for the sphere, whose ``best_at`` gives the best objective at any measures.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from blackbox.arguments import check_flag
from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError
from blackbox.formulation import Maximize, Measure, Problem
from blackbox.metrics.scores import numbers
from blackbox.problems.single import dimension
from blackbox.space import Real, Space

Floats: TypeAlias = npt.NDArray[np.float64]

_BOUND = 5.12
_SHIFT = 0.4 * _BOUND


class _Projection(Problem):
    """An objective of n numbers, and as measures the sums of equally many of them each.

    A number x counts x towards its measure where |x| <= 5.12, else 5.12 / x, so that the ends of
    the measures are reached at one point only. The objective is scaled such that its optimum, at
    0.4 * 5.12 in every coordinate, is 100, and the corner of all -5.12 is 0.
    """

    optimum = 100.0

    def __init__(self, n: int = 20, measures: int = 2, *, gradients: bool = False) -> None:
        check_flag(f"{self.name}: gradients", gradients)
        dimension(self, n, 1, "n")
        if dimension(self, measures, 1, "measures") > n or n % measures:
            raise ProblemError(
                f"{self.name}: n={n} numbers cannot be shared equally by measures={measures}"
            )
        # Twice the range that counts, so that it is the fold and not the edge that turns back.
        self.space = Space(Real("x", -2 * _BOUND, 2 * _BOUND, size=n))
        self.objectives = (Maximize("f", gradient="df" if gradients else None),)
        limit = _BOUND * n / measures
        self.measures = tuple(
            Measure(f"m{k}", -limit, limit, gradient=f"dm{k}" if gradients else None)
            for k in range(1, measures + 1)
        )
        self.solution: dict[str, Any] = {"x": np.full(n, _SHIFT)}
        self._worst = n * float(self._terms(np.array([-_BOUND - _SHIFT]))[0])

    @staticmethod
    @abstractmethod
    def _terms(d: Floats) -> Floats:
        """What each coordinate loses at its distance from the optimum; 0 at 0."""

    @staticmethod
    @abstractmethod
    def _slopes(d: Floats) -> Floats:
        """The derivative of ``_terms``."""

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The objective and the measures of every row, and their gradients if declared."""
        x = batch["x"]
        outside = np.abs(x) > _BOUND
        folded = x.copy()
        np.divide(_BOUND, x, out=folded, where=outside)
        shape = (len(x), len(self.measures), -1)
        sums = folded.reshape(shape).sum(axis=2)
        found = {"f": 100 - 100 / self._worst * self._terms(x - _SHIFT).sum(axis=1)}
        found |= {m.name: sums[:, k] for k, m in enumerate(self.measures)}
        if not self.gradients:
            return found
        found["df"] = -100 / self._worst * self._slopes(x - _SHIFT)
        slopes = np.where(outside, -_BOUND / np.where(outside, x, 1.0) ** 2, 1.0)
        owner = np.repeat(np.arange(len(self.measures)), x.shape[1] // len(self.measures))
        return found | {f"dm{k + 1}": slopes * (owner == k) for k in range(len(self.measures))}


class SphereProjection(_Projection):
    """The sphere function with linear projections as measures (Fontaine et al. 2020).

    f = 100 - 100 / w * sum of (x_i - 2.048)^2 is maximized on [-10.24, 10.24]^n, with w the sum
    at -5.12 in every coordinate. The measures m1, m2, ... each are the sum of equally many
    coordinates, of which one beyond 5.12 counts only 5.12 / x_i, and range over
    +-5.12 n / measures. As most points have measures near 0, the far cells are hard to reach.

    Args:
        n: number of inputs.
        measures: number of measures; it divides n.
        gradients: whether an evaluation gives the gradients ``df``, ``dm1``, ``dm2``, ... too.

    Raises:
        ProblemError: a number that is no int of at least 1, or does not divide.
    """

    about = "Sphere function whose measures are sums of halves of the inputs"

    @staticmethod
    def _terms(d: Floats) -> Floats:
        return d**2

    @staticmethod
    def _slopes(d: Floats) -> Floats:
        return 2 * d

    def best_at(self, measures: npt.ArrayLike) -> Floats:
        """(n,) the best objective there is at each (n, m) measures, NaN where there is none.

        All coordinates of a measure are equal there: a sum of squares under a given sum.
        """
        sums = numbers("measures", measures)
        if sums.ndim != 2 or sums.shape[1] != len(self.measures):
            raise ProblemError(f"measures of shape {sums.shape}; give (n, {len(self.measures)})")
        share = self.space.width // len(self.measures)
        losses = share * ((sums / share - _SHIFT) ** 2).sum(axis=1)
        reachable = (np.abs(sums) <= _BOUND * share * (1 + 1e-12)).all(axis=1)
        best: Floats = np.where(reachable, 100 - 100 / self._worst * losses, np.nan)
        return best


class RastriginProjection(_Projection):
    """Rastrigin's function with linear projections as measures (Fontaine et al. 2020).

    As ``SphereProjection``, with 10 + d^2 - 10 cos(2 pi d) in place of d^2, where d = x_i - 2.048.

    Args:
        n: number of inputs.
        measures: number of measures; it divides n.
        gradients: whether an evaluation gives the gradients ``df``, ``dm1``, ``dm2``, ... too.

    Raises:
        ProblemError: a number that is no int of at least 1, or does not divide.
    """

    about = "Rastrigin function, many local optima, whose measures are sums of halves of the inputs"

    @staticmethod
    def _terms(d: Floats) -> Floats:
        lost: Floats = 10 + d**2 - 10 * np.cos(2 * np.pi * d)
        return lost

    @staticmethod
    def _slopes(d: Floats) -> Floats:
        slopes: Floats = 2 * d + 20 * np.pi * np.sin(2 * np.pi * d)
        return slopes


class PlanarArm(Problem):
    """Inverse kinematics of an arm in the plane: smooth postures for every place of its tip.

    The angles between consecutive links of length 1 are the inputs, each from -pi to pi. The
    objective is 100 (1 - their variance), 100 where all are equal; the measures x and y are where
    the tip is, in a disc of radius ``joints`` (Cully et al. 2015; scaled as in Fontaine and
    Nikolaidis, *Differentiable quality diversity*, 2021). It is below 0 where the variance is
    above 1.

    Args:
        joints: number of joints, as many as links.
        gradients: whether an evaluation gives the gradients ``df``, ``dx`` and ``dy`` too.

    Raises:
        ProblemError: ``joints`` is not an int of at least 1.
    """

    optimum = 100.0
    about = "Arm of links of equal length in the plane; smooth postures for each place of its tip"

    def __init__(self, joints: int = 10, *, gradients: bool = False) -> None:
        check_flag(f"{self.name}: gradients", gradients)
        dimension(self, joints, 1, "joints")
        self.space = Space(Real("angles", -np.pi, np.pi, size=joints))
        self.objectives = (Maximize("f", gradient="df" if gradients else None),)
        self.measures = tuple(
            Measure(axis, -joints, joints, gradient=f"d{axis}" if gradients else None)
            for axis in "xy"
        )
        self.solution: dict[str, Any] = {"angles": np.zeros(joints)}

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """Smoothness and place of every row, and their gradients if declared."""
        angles = batch["angles"]
        directions = np.cumsum(angles, axis=1)
        across, up = np.cos(directions), np.sin(directions)
        found = {
            "f": 100 * (1 - angles.var(axis=1)),
            "x": across.sum(axis=1),
            "y": up.sum(axis=1),
        }
        if not self.gradients:
            return found
        centred = angles - angles.mean(axis=1, keepdims=True)
        # A joint turns every link from its own on.
        return found | {
            "df": -200 / angles.shape[1] * centred,
            "dx": -_from_here_on(up),
            "dy": _from_here_on(across),
        }


def _from_here_on(values: Floats) -> Floats:
    """(n, k) sum of each value and all after it."""
    sums: Floats = np.cumsum(values[:, ::-1], axis=1)[:, ::-1]
    return sums
