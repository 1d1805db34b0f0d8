"""From scores to what a Gaussian process is fitted to: standardised, and warped where that helps.

A loss that spans orders of magnitude tells a process nothing about the neighbourhood of the best
row, which is what matters. The warp compresses what is far below the best,

    u = -log(1 + (best - y) / c),

and c is chosen with the hyperparameters, by likelihood; c = inf leaves the scores as they are.
(Snelson, Rasmussen and Ghahramani 2003, *Warped Gaussian Processes*; Song et al. 2024, *The Vizier
Gaussian Process Bandit Algorithm*, warp the worse half by rank.)

Notation: y (n,) scores, larger is better; z = (u - shift) / scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from blackbox.batch import Array

_LEAST = 4 * float(np.finfo(float).eps)
#: Candidates for c, in multiples of the median distance to the best.
_SCALES = (0.3, 0.03, 0.003)


def standardise(y: Array) -> tuple[Array, float, float]:
    """Scores of mean 0 and standard deviation 1, with shift and scale; constants become 0.

    Works for scores near the largest float and for differences near rounding.
    """
    top = float(np.max(np.abs(y), initial=0.0))
    if top == 0.0 or np.ptp(y / top) <= _LEAST:
        return np.zeros_like(y), float(y[0]) if len(y) else 0.0, 1.0
    relative = y / top
    center = float(relative.mean())
    spread = float((relative - center).std())
    return (relative - center) / spread, center * top, spread * top


@dataclass(frozen=True)
class Outcomes:
    """A monotone map between scores and standardised values, fitted to given scores.

    Args:
        best: the largest score.
        c: distance to the best beyond which differences are compressed; inf for none.
        shift: mean of the warped scores.
        scale: their standard deviation.
    """

    best: float
    c: float
    shift: float
    scale: float

    @classmethod
    def of(cls, y: Array, ratio: float = math.inf) -> tuple[Outcomes, Array]:
        """The map and the (n,) standardised values of the scores.

        Args:
            y: (n,) finite scores.
            ratio: c in multiples of the median distance to the best.
        """
        best = float(np.max(y))
        c = math.inf
        with np.errstate(over="ignore"):  # of scores as large as floats can be
            gap = best - y
        if math.isfinite(ratio) and np.all(np.isfinite(gap)):
            typical = float(np.median(gap))
            c = ratio * typical if typical > 0 else math.inf
        u = y if math.isinf(c) else -np.log1p(gap / c)
        z, shift, scale = standardise(u)
        return cls(best, c, shift, scale), z

    @staticmethod
    def candidates(y: Array) -> tuple[float, ...]:
        """Ratios worth trying: of few scores, or where all are alike, none but that of no warp."""
        return (math.inf, *_SCALES) if len(y) > 4 and np.any(y != y[0]) else (math.inf,)

    def log_slope(self, y: Array) -> float:
        """Sum over the scores of log dz/dy, which makes likelihoods of maps comparable."""
        bent = 0.0 if math.isinf(self.c) else float(np.log(self.c + (self.best - y)).sum())
        return -len(y) * math.log(self.scale) - bent

    def forward(self, y: Array) -> Array:
        """Standardised values of scores; above the best the map goes on in a straight line."""
        if math.isinf(self.c):
            u = y
        else:
            gap = self.best - y
            u = np.where(gap > 0, -np.log1p(np.maximum(gap, 0.0) / self.c), -gap / self.c)
        standardised: Array = (u - self.shift) / self.scale
        return standardised

    def backward(self, z: Array) -> Array:
        """Scores of standardised values."""
        u = self.shift + self.scale * z
        if math.isinf(self.c):
            return u
        with np.errstate(over="ignore"):
            below = self.best - self.c * np.expm1(np.maximum(-u, 0.0))
        return np.where(u < 0, below, self.best + self.c * u)

    def band(self, mean: Array, deviation: Array) -> tuple[Array, Array]:
        """Scores of standardised means, and half the widths from one deviation below to above."""
        upper, lower = self.backward(mean + deviation), self.backward(mean - deviation)
        return self.backward(mean), upper / 2 - lower / 2

    def deviations(self, y: Array, noise: Array) -> Array:
        """Standard errors of scores as ones of standardised values."""
        slope = 1.0 if math.isinf(self.c) else 1.0 / (self.c + np.maximum(self.best - y, 0.0))
        deviations: Array = noise * slope / self.scale
        return deviations
