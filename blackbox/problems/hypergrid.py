"""Grids of cells, the smallest problems on which a sampler's whole law can be checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from blackbox.arguments import check_number
from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError
from blackbox.formulation import Maximize
from blackbox.problems.exhaustive import Exhaustive, distinct
from blackbox.problems.single import dimension
from blackbox.space import Integer, Space

Floats = npt.NDArray[np.float64]


class HyperGrid(Exhaustive):
    """A grid whose reward is high near its corners (Bengio et al. 2021, section 4.1).

    With ``a_i = |x_i / (side - 1) - 1/2|`` the reward is
    r0 + r1 prod 1[a_i > 0.25] + r2 prod 1[0.3 < a_i < 0.4]: plateaus at the 2^d corners, and a
    ring of modes inside each, far apart from one another.

    Args:
        side: cells along each axis, at least 2.
        dimension: number of axes d, at least 1.
        r0: reward everywhere, above 0; the smaller, the harder it is to cross the middle.
        r1: reward of the plateaus, at least 0.
        r2: reward of the modes, at least 0.

    Raises:
        ProblemError: an argument is out of its range.
    """

    objectives = (Maximize("reward"),)
    about = "A grid with high rewards near its corners and little in between"

    def __init__(
        self, side: int = 8, dimension: int = 4, r0: float = 0.1, r1: float = 0.5, r2: float = 2.0
    ) -> None:
        self.space = _grid(self, side, dimension)
        for name, reward in {"r0": r0, "r1": r1, "r2": r2}.items():
            check_number(f"{self.name}: {name}", reward, 0.0)
        if r0 == 0:
            raise ProblemError(f"{self.name}: r0={r0!r} must be above 0")
        self._side, self._rewards = side, (r0, r1, r2)

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The reward of every row."""
        # 10 a_i (side - 1), in whole numbers: rounding must not decide at the borders.
        away, span = 5 * np.abs(2 * batch["x"] - self._side + 1), self._side - 1
        plateau = (2 * away > 5 * span).all(axis=1)
        mode = ((away > 3 * span) & (away < 4 * span)).all(axis=1)
        r0, r1, r2 = self._rewards
        return {"reward": np.asarray(r0 + r1 * plateau + r2 * mode)}

    @cached_property
    def law(self) -> Floats:
        """(N,) probabilities proportional to the reward, for the rows of ``table``."""
        reward = self.table["reward"]
        return np.asarray(reward / reward.sum())

    @cached_property
    def modes(self) -> npt.NDArray[np.bool_]:
        """(N,) which rows of ``table`` have the highest reward."""
        return np.asarray(self.table["reward"] == self.table["reward"].max())


class HyperGridObjectives(Exhaustive):
    """Classical functions on a grid over [-1, 1]^2, all maximized (Chen and Mauch 2024).

    Each is moved and scaled to about [0, 1], as in the public code of order-preserving
    GFlowNets; on fine grids two of them reach 1.002 and 1.0006. With u = (x + 1) / 2:

    * branin: 1 - f(15 u_1 - 5, 15 u_2) / 308.13 with Branin's f, its minima turned to maxima;
    * currin: Currin's exponential function of u, over 13.77;
    * shubert: (Shubert's function of -1.5 x + 186.8) / 397;
    * sphere: (x_1^2 + x_2^2) / 2;
    * beale: Beale's function over 38.8.

    Args:
        names: at least one of those, in the order of the objectives.
        side: cells along each axis, at least 2.

    Raises:
        ProblemError: an unknown name, a name twice, none, or a side below 2.
    """

    about = "Classical functions of two numbers, on a grid"

    def __init__(self, names: Sequence[str] = ("branin", "currin"), side: int = 32) -> None:
        listed = distinct(self.name, "names", names, _FUNCTIONS)
        self.space = _grid(self, side, 2)
        self._side = side
        self.objectives = tuple(Maximize(name) for name in listed)
        self.reference = Batch({name: [0.0] for name in listed})

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """Every objective of every row."""
        x = 2 * batch["x"] / (self._side - 1) - 1
        return {o.name: _FUNCTIONS[o.name](x[:, 0], x[:, 1]) for o in self.objectives}


def _grid(problem: Exhaustive, side: int, axes: int) -> Space:
    high = dimension(problem, side, 2, "side") - 1
    return Space(Integer("x", 0, high, size=dimension(problem, axes, 1, "dimension")))


def _branin(x: Floats, y: Floats) -> Floats:
    a, b = 7.5 * x + 2.5, 7.5 * y + 7.5
    valley = b - 5.1 * a**2 / (4 * np.pi**2) + 5 * a / np.pi - 6
    value: Floats = valley**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(a) + 10
    return 1 - value / 308.13


def _currin(x: Floats, y: Floats) -> Floats:
    a, b = (x + 1) / 2, (y + 1) / 2
    above = np.polyval([2300, 1900, 2092, 60], a)
    below = np.polyval([100, 500, 4, 20], a)
    # At b = 0 the exponential is 0: the small number only keeps the division defined.
    value: Floats = (1 - np.exp(-1 / (2 * b + 1e-10))) * above / below
    return value / 13.77


def _shubert(x: Floats, y: Floats) -> Floats:
    i = np.arange(1, 6)[:, None]
    along_x, along_y = ((i * np.cos((i + 1) * -1.5 * z + i)).sum(axis=0) for z in (x, y))
    value: Floats = along_x * along_y
    return (value + 186.8) / 397


def _sphere(x: Floats, y: Floats) -> Floats:
    return (x**2 + y**2) / 2


def _beale(x: Floats, y: Floats) -> Floats:
    terms = [(c - x + x * y**k) ** 2 for k, c in enumerate((1.5, 2.25, 2.625), start=1)]
    value: Floats = np.sum(terms, axis=0)
    return value / 38.8


_FUNCTIONS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "branin": _branin,
    "currin": _currin,
    "shubert": _shubert,
    "sphere": _sphere,
    "beale": _beale,
}
