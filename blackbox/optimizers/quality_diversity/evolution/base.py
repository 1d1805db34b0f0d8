"""What the evolution strategies share: interface, weights, learning rates, control of the step."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from blackbox.formulation import Floats
from blackbox.state import State

#: Beyond these float64 no longer tells the coordinates of the distribution's rows apart.
NARROWEST = 1e-13
CONDITION = 1e14


@dataclass(frozen=True)
class Rates:
    """Constants for n coordinates and a generation of k rows (Hansen 2016, table 1).

    Attributes:
        weights: (mu,) weights of the better half, falling, of sum 1.
        against: (k - mu,) negative weights of the others, for the covariance alone.
        opposed: their sum.
        mass: variance-effective selection mass (mu_eff).
        path: learning rate of the covariance's evolution path (c_c).
        step: learning rate of the step size's evolution path (c_sigma).
        damping: damping of the step size (d_sigma).
        one: learning rate of the rank-one update (c_1).
        many: learning rate of the rank-mu update (c_mu).
        length: expected length of a standard normal vector (chi_n).
    """

    weights: Floats
    against: Floats
    opposed: float
    mass: float
    path: float
    step: float
    damping: float
    one: float
    many: float
    length: float


@lru_cache(maxsize=256)
def rates(n: int, k: int, faster: float = 1.0) -> Rates:
    """The textbook's constants for n coordinates and k >= 2 rows.

    Args:
        n: coordinates.
        k: rows of a generation.
        faster: factor on the covariance's two learning rates.
    """
    preference = math.log((k + 1) / 2) - np.log(np.arange(1, k + 1))
    weights, against = preference[: k // 2], preference[k // 2 :]
    mass = float(weights.sum() ** 2 / (weights**2).sum())
    opposed = float(against.sum() ** 2 / (against**2).sum())
    one = min(0.5, faster * 2 / ((n + 1.3) ** 2 + mass))
    many = faster * 2 * (0.25 + mass + 1 / mass - 2) / ((n + 2) ** 2 + mass)
    many = min(1 - one, many)
    # So much that the covariance stays positive definite, eq. 50 to 53.
    total = min(1 + one / many, 1 + 2 * opposed / (mass + 2), (1 - one - many) / (n * many))
    step = (mass + 2) / (n + mass + 5)
    against = total * against / max(float(-against.sum()), 1e-300)
    made = Rates(
        weights=weights / weights.sum(),
        against=against,
        opposed=float(against.sum()),
        mass=mass,
        path=(4 + mass / n) / (n + 4 + 2 * mass / n),
        step=step,
        damping=1 + 2 * max(0.0, math.sqrt((mass - 1) / (n + 1)) - 1) + step,
        one=one,
        many=many,
        length=math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2)),
    )
    made.weights.setflags(write=False)
    made.against.setflags(write=False)
    return made


class Strategy(ABC):
    """A normal distribution that moves towards what is ranked well.

    It neither evaluates nor ranks: of its own points it is told an order, so that whoever asks
    decides what is good.

    Args:
        mean: (n,) where it starts.
        sigma: first standard deviation along every coordinate.
    """

    def __init__(self, mean: Floats, sigma: float) -> None:
        self.mean = np.array(mean, dtype=np.float64)
        self.sigma = float(sigma)
        self.step_path = np.zeros(len(self.mean))
        self.generation = 0

    @abstractmethod
    def ask(self, k: int, rng: np.random.Generator, *, compiled: bool = False) -> Floats:
        """(k, n) points of the current distribution.

        Args:
            k: how many.
            rng: source of every random number.
            compiled: whether to use compiled loops, which change no bit; needs numba.
        """

    @abstractmethod
    def tell(self, ranked: Floats) -> None:
        """Move.

        Args:
            ranked: (k, n) at least two points, best first, that ``ask`` has drawn since the last
                ``tell``; those that were moved back into bounds as they were evaluated.
        """

    @property
    @abstractmethod
    def degenerate(self) -> bool:
        """Whether the distribution is too narrow or too skewed for float64."""

    def state(self) -> State:
        """What ``load_state`` needs in a strategy of the same kind."""
        return {
            "mean": self.mean.copy(),
            "sigma": self.sigma,
            "step_path": self.step_path.copy(),
            "generation": self.generation,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state`` was taken."""
        self.mean, self.step_path = np.array(state["mean"]), np.array(state["step_path"])
        self.sigma, self.generation = float(state["sigma"]), int(state["generation"])

    def _control_step(self, white: Floats, r: Rates) -> bool:
        """Cumulative control of the step size (eq. 43 and 44).

        Args:
            white: (n,) the mean's move where the distribution is standard normal.
            r: rates.

        Returns:
            Whether the path is of usual length (h_sigma): after leaps the covariance's own path
            would learn too large a step.
        """
        gain = math.sqrt(r.step * (2 - r.step) * r.mass)
        self.step_path = (1 - r.step) * self.step_path + gain * white
        length = float(np.linalg.norm(self.step_path))
        self.sigma *= math.exp(min(1.0, r.step / r.damping * (length / r.length - 1)))
        self.generation += 1
        early = math.sqrt(1 - (1 - r.step) ** (2 * self.generation))
        return length < early * (1.4 + 2 / (len(self.mean) + 1)) * r.length
