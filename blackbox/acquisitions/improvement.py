"""Expected improvement and its kin, in closed form on the fast engine.

Noise and pending rows make the best value so far a random variable. Both are handled the same way:
K joint draws of the noise-free values at the rows in question, each of which completes the
observations to a process of its own. These K processes share their deviations and differ in
their means, so K expected improvements cost hardly more than one. (Letham et al. 2019,
*Constrained Bayesian Optimization with Noisy Experiments*, eq. 11, with quasi-random draws;
Snoek, Larochelle and Adams 2012 for pending rows.)

Notation: m points, K components; mu, s mean and deviation of standardised values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import erfcx, log_ndtr, logsumexp

from blackbox.acquisitions.base import Acquisition, AcquisitionFunction, Belief
from blackbox.acquisitions.feasibility import Feasibly, LogFeasibility
from blackbox.acquisitions.normal import normals
from blackbox.batch import Array
from blackbox.surrogates.exact import ExactModel
from blackbox.surrogates.posterior import Posterior

_DRAWS = 64
_BASELINE = 48  # observed rows whose noise-free values are drawn, those of the highest means
_LOG_ROOT = 0.5 * math.log(2.0 * math.pi)
_FAR = -1.0 / math.sqrt(float(np.finfo(float).eps))


def log_h(z: Array) -> Array:
    """Log of ``phi(z) + z Phi(z)``, exact for all z (Ament et al. 2023, eq. 9)."""
    z = np.asarray(z, dtype=np.float64)
    near = np.maximum(z, -1.0)
    value = np.log(np.exp(-0.5 * near**2 - _LOG_ROOT) + near * np.exp(log_ndtr(near)))
    far = np.clip(z, _FAR, -1.0)
    with np.errstate(divide="ignore"):
        middle = np.log1p(far * math.sqrt(math.pi / 2.0) * erfcx(-far / math.sqrt(2.0)))
    tail = np.where(z > _FAR, middle, -2.0 * np.log(np.maximum(-z, 1.0)))
    return np.where(z > -1.0, value, -0.5 * z**2 - _LOG_ROOT + tail)


def log_ei(mean: Array, deviation: Array, best: Array) -> tuple[Array, Array, Array]:
    """Log expected improvement of normals over ``best``, and its derivatives.

    ``EI = s h((mu - best) / s)`` (Jones, Schonlau and Welch 1998, eq. 15), averaged over
    components.

    Args:
        mean: (m, K).
        deviation: (m,).
        best: (K,).

    Returns:
        (m,) values, (m, K) derivatives by the means, (m,) by the deviations.
    """
    s = deviation[:, None]
    z = (mean - best) / s
    each = np.log(s) + log_h(z)
    value = logsumexp(each, axis=1) - math.log(mean.shape[1])
    share = np.exp(each - value[:, None]) / mean.shape[1]
    ratio = np.exp(log_ndtr(z) - log_h(z))  # Phi / h
    by_mean = share * ratio / s
    by_deviation = (share * (1.0 - z * ratio)).sum(axis=1) / deviation
    return value, by_mean, by_deviation


Measured = tuple[Array, Array, Array]


@dataclass(frozen=True)
class Pointwise:
    """An acquisition that is a function of means and deviations.

    Args:
        model: of the objective.
        posterior: its process, perhaps of several components.
        measure: (m, K) means and (m,) deviations to (m,) values and their derivatives.
    """

    model: ExactModel
    posterior: Posterior
    measure: Callable[[Array, Array], Measured]

    def values(self, points: Array) -> Array:
        moments = self.posterior.moments(self.model.rows(points))
        return self.measure(moments.mean, moments.deviation)[0]

    def values_and_gradients(self, points: Array) -> tuple[Array, Array]:
        moments = self.model.on_features(self.posterior.moments(self.model.rows(points)))
        value, by_mean, by_deviation = self.measure(moments.mean, moments.deviation)
        return value, moments.pull(by_mean, by_deviation)


@dataclass(frozen=True)
class EI(Acquisition):
    """Log expected improvement over the best noise-free value, the acquisition of ``Bayes``.

    Without noise it is the classical one (Frazier 2018, eq. 8); with noise no observation is taken
    for the best at its face. Constraints multiply it by the probability that they hold; where no
    row is feasible yet, that probability alone is sought.
    """

    def build(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        limits = belief.limits
        if limits and not belief.feasible.any():
            return LogFeasibility(limits)
        if not belief.exact:
            from blackbox.acquisitions.torch.improvement import noisy_ei

            function = noisy_ei(belief, rng)
        else:
            function = _log_ei(belief, rng)
        return Feasibly(function, limits) if limits else function


def _log_ei(belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
    model = belief.objectives[0]
    assert isinstance(model, ExactModel)
    posterior, best = imagined(model, belief, rng)
    return Pointwise(model, posterior, lambda mean, s: log_ei(mean, s, best))


def imagined(
    model: ExactModel, belief: Belief, rng: np.random.Generator
) -> tuple[Posterior, Array]:
    """The process completed by draws of what is not known, and the (K,) best values so far."""
    posterior = model.posterior
    rows = model.rows(belief.x[belief.feasible])
    means = posterior.moments(rows).mean[:, 0]
    best = np.array([means.max()])
    unknown = model.rows(belief.pending)
    if model.noisy:
        top = np.argsort(-means, kind="stable")[:_BASELINE]
        unknown = rows[top].joined(unknown)
    if not len(unknown):
        return posterior, best
    draws = posterior.draws(unknown, normals(len(unknown), _DRAWS, rng))
    best = draws.max(axis=0) if model.noisy else np.maximum(draws.max(axis=0), best)
    return posterior.given(unknown, draws, np.zeros(len(unknown))), best
