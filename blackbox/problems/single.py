"""Smooth functions of real numbers with one objective, all minimized.

Formulas and optima as collected by Surjanovic and Bingham, *Virtual Library of Simulation
Experiments* (2013); each class names the first source.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from blackbox.arguments import check_count
from blackbox.batch import Array, Batch
from blackbox.formulation import Minimize, Problem
from blackbox.space import Real, Space


class Branin(Problem):
    """Branin: two inputs, three equally good valleys (Branin 1972; Dixon and Szegö 1978).

    f = (y - 5.1 x^2 / (4 pi^2) + 5 x / pi - 6)^2 + 10 (1 - 1 / (8 pi)) cos x + 10 on
    [-5, 10] x [0, 15].
    """

    space = Space(Real("x", -5, 10), Real("y", 0, 15))
    objectives = (Minimize("f"),)
    optimum = 5 / (4 * np.pi)
    solution = {"x": np.pi, "y": 2.275}  # noqa: RUF012 - read, never written
    about = "Branin's function of two real numbers; three equal minima"

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The value of every row."""
        x, y = batch["x"], batch["y"]
        valley = y - 5.1 * x**2 / (4 * np.pi**2) + 5 * x / np.pi - 6
        return {"f": valley**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x) + 10}


class Hartmann6(Problem):
    """Hartmann: six inputs, six local minima (Hartman 1973; Dixon and Szegö 1978).

    f = -sum over i of alpha_i exp(-sum over j of A_ij (x_j - P_ij)^2) on [0, 1]^6.
    """

    space = Space(Real("x", 0, 1, size=6))
    objectives = (Minimize("f"),)
    optimum = -3.322368011415514
    solution = {  # noqa: RUF012
        "x": np.array([0.20168951, 0.15001069, 0.47687397, 0.27533243, 0.31165162, 0.65730053])
    }
    about = "Hartmann's function of six real numbers; six local minima"

    _alpha = np.array([1.0, 1.2, 3.0, 3.2])
    _a = np.array(
        [
            [10, 3, 17, 3.5, 1.7, 8],
            [0.05, 10, 17, 0.1, 8, 14],
            [3, 3.5, 1.7, 10, 17, 8],
            [17, 8, 0.05, 10, 0.1, 14],
        ]
    )
    _p = 1e-4 * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    )

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The value of every row."""
        distance = (self._a * (batch["x"][:, None, :] - self._p) ** 2).sum(axis=2)
        return {"f": -(np.exp(-distance) @ self._alpha)}


class Ackley(Problem):
    """Ackley: a deep hole in a nearly flat field of ripples (Ackley 1987).

    f = 20 - 20 exp(-0.2 sqrt(mean x^2)) + e - exp(mean cos(2 pi x)) on [-32.768, 32.768]^d.

    Args:
        d: number of inputs, at least 1.

    Raises:
        ProblemError: ``d`` is not an int of at least 1.
    """

    objectives = (Minimize("f"),)
    optimum = 0.0
    about = "Ackley's function; a deep hole at the origin among many ripples"

    def __init__(self, d: int = 2) -> None:
        self.space = Space(Real("x", -32.768, 32.768, size=dimension(self, d, 1)))
        self.solution: dict[str, Any] = {"x": np.zeros(d)}

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The value of every row."""
        x = batch["x"]
        hole = -20 * np.exp(-0.2 * np.sqrt((x**2).mean(axis=1)))
        ripples = -np.exp(np.cos(2 * np.pi * x).mean(axis=1))
        return {"f": hole + ripples + 20 + np.e}


class Levy(Problem):
    """Levy: ripples along every input (Levy and Montalvo 1985; Laguna and Martí 2005).

    With w = 1 + (x - 1) / 4: f = sin^2(pi w_1) + sum over i < d of
    (w_i - 1)^2 (1 + 10 sin^2(pi w_i + 1)) + (w_d - 1)^2 (1 + sin^2(2 pi w_d)) on [-10, 10]^d.

    Args:
        d: number of inputs, at least 1.

    Raises:
        ProblemError: ``d`` is not an int of at least 1.
    """

    objectives = (Minimize("f"),)
    optimum = 0.0
    about = "Levy's function; ripples along every input, the minimum at ones"

    def __init__(self, d: int = 2) -> None:
        self.space = Space(Real("x", -10, 10, size=dimension(self, d, 1)))
        self.solution: dict[str, Any] = {"x": np.ones(d)}

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The value of every row."""
        w = 1 + (batch["x"] - 1) / 4
        inner, last = w[:, :-1], w[:, -1]
        middle = ((inner - 1) ** 2 * (1 + 10 * np.sin(np.pi * inner + 1) ** 2)).sum(axis=1)
        end = (last - 1) ** 2 * (1 + np.sin(2 * np.pi * last) ** 2)
        return {"f": np.sin(np.pi * w[:, 0]) ** 2 + middle + end}


class Rosenbrock(Problem):
    """Rosenbrock: a curved, nearly flat valley (Rosenbrock 1960).

    f = sum over i < d of 100 (x_{i+1} - x_i^2)^2 + (1 - x_i)^2 on [-5, 10]^d.

    Args:
        d: number of inputs, at least 2.

    Raises:
        ProblemError: ``d`` is not an int of at least 2.
    """

    objectives = (Minimize("f"),)
    optimum = 0.0
    about = "Rosenbrock's function; a curved, nearly flat valley, the minimum at ones"

    def __init__(self, d: int = 2) -> None:
        self.space = Space(Real("x", -5, 10, size=dimension(self, d, 2)))
        self.solution: dict[str, Any] = {"x": np.ones(d)}

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The value of every row."""
        x = batch["x"]
        valley = 100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2
        return {"f": (valley + (1 - x[:, :-1]) ** 2).sum(axis=1)}


def dimension(problem: Problem, size: object, least: int, name: str = "d") -> int:
    """The size given to a problem, refused where it is not an int of at least ``least``."""
    return check_count(f"{problem.name}: {name}", size, least)
