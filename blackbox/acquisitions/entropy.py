"""Max-value entropy search."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import erfcx, log_ndtr, logsumexp

from blackbox.acquisitions.base import Acquisition, AcquisitionFunction, Belief
from blackbox.acquisitions.feasibility import constrained
from blackbox.acquisitions.improvement import Pointwise, moments_of
from blackbox.acquisitions.normal import hazard
from blackbox.acquisitions.paths import draw_paths, optima
from blackbox.arguments import check_count
from blackbox.batch import Array
from blackbox.surrogates.exact import ExactModel

_LOG_ROOT = 0.5 * math.log(2.0 * math.pi)
_FAR = -200.0  # where the next term of the asymptotic series of Mills' ratio is below 1e-8


@dataclass(frozen=True)
class MES(Acquisition):
    """Log of what a noise-free observation tells about the largest value, in nats.

    Wang and Jegelka (2017), *Max-value Entropy Search for Efficient Bayesian Optimization*, eq. 6.
    The maxima are those of sample paths. Pending rows are fantasised from the same paths, so each
    maximum meets the process that it belongs to; under other surrogates than ``ExactGP`` only the
    draw of the maxima spreads a batch. Constraints multiply it by the probability that
    they hold.

    Args:
        samples: number of maxima.
    """

    exact: ClassVar[bool] = True

    samples: int = 32

    def __post_init__(self) -> None:
        check_count("MES: samples", self.samples, 1)

    def build(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        return constrained(belief, lambda: self._unconstrained(belief, rng))

    def _unconstrained(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        model = belief.objectives[0]
        paths = draw_paths(model, self.samples, rng, belief.device)
        _, maxima = optima(paths, belief, rng)
        if isinstance(model, ExactModel):
            posterior = model.posterior
            if len(belief.pending):
                rows = model.rows(belief.pending)
                drawn = paths.values(belief.pending)
                posterior = posterior.given(rows, drawn, np.zeros(len(rows)))
            moments = moments_of(model, posterior)
        else:
            moments = model.moments
        return Pointwise(moments, lambda mean, s: log_mes(mean, s, maxima))


def log_mes(mean: Array, deviation: Array, maxima: Array) -> tuple[Array, Array, Array]:
    """Log information of normals about the (S,) maxima, and its derivatives.

    With ``g = (maximum - mu) / s``: the average of ``g phi(g) / (2 Phi(g)) - log Phi(g)``.

    Args:
        mean: (m, 1), or (m, S) of components that belong to the maxima.
        deviation: (m,).
        maxima: (S,).

    Returns:
        (m,) values, derivatives by the means, (m,) by the deviations.
    """
    s = deviation[:, None]
    g = (maxima - mean) / s
    each, slope = _log_information(g)
    value = logsumexp(each, axis=1) - math.log(len(maxima))
    by_g = np.exp(each - value[:, None]) / len(maxima) * slope
    by_mean = -by_g / s
    if mean.shape[1] == 1:
        by_mean = by_mean.sum(axis=1, keepdims=True)
    return value, by_mean, -(by_g * g).sum(axis=1) / deviation


def _log_information(g: Array) -> tuple[Array, Array]:
    """Log of ``g r / 2 - log Phi(g)``, r = phi(g) / Phi(g), and its derivative, for all g."""
    above, below = np.maximum(g, 0.0), np.minimum(g, 0.0)
    # Right of 0 everything in multiples of phi, which may underflow.
    mills = math.sqrt(math.pi / 2.0) * erfcx(above / math.sqrt(2.0))
    miss = np.exp(-0.5 * above**2 - _LOG_ROOT) * mills  # 1 - Phi
    surprise = np.where(miss > 0, -np.log1p(-miss) / np.where(miss > 0, miss, 1.0), 1.0) * mills
    inside = above / (2.0 * (1.0 - miss)) + surprise
    right = -0.5 * above**2 - _LOG_ROOT + np.log(inside)
    # Left of 0 everything by r: what is left of the squares of g is far smaller.
    ratio = hazard(below)
    far = np.minimum(below, _FAR) ** -2.0
    rest = np.where(below > _FAR, 1.0 + below * (below + ratio), far * (2.0 - 10.0 * far))
    left = np.log((rest - 1.0) / 2.0 + np.log(ratio) + _LOG_ROOT)
    value = np.where(g > 0, right, left)
    # d/dg = r / 2 - g r (g + r) / 2 - r = -r (1 + g (g + r)) / 2.
    log_r = np.where(g > 0, -0.5 * above**2 - _LOG_ROOT - log_ndtr(above), np.log(ratio))
    bend = np.where(g > 0, 1.0 + above * (above + np.exp(log_r)), rest)
    return value, -0.5 * np.exp(log_r - value) * bend
