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

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import log_ndtr

from blackbox.acquisitions.base import Acquisition, AcquisitionFunction, Belief
from blackbox.acquisitions.feasibility import constrained
from blackbox.acquisitions.normal import hazard, log_h, log_mean, normals, ratios
from blackbox.arguments import check_number
from blackbox.batch import Array
from blackbox.surrogates.exact import ExactModel
from blackbox.surrogates.posterior import Moments, Posterior

_DRAWS = 64
_BASELINE = 48  # observed rows whose noise-free values are drawn, those of the highest means


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
    value = log_mean(each)
    share = np.exp(each - value[:, None]) / mean.shape[1]
    probability, density = ratios(z)
    return value, share * probability / s, (share * density).sum(axis=1) / deviation


def log_pi(mean: Array, deviation: Array, best: Array) -> tuple[Array, Array, Array]:
    """Log probability of normals to exceed ``best``, and its derivatives; shapes as in ``log_ei``.

    ``PI = Phi((mu - best) / s)`` (Kushner 1964), averaged over components.
    """
    s = deviation[:, None]
    z = (mean - best) / s
    each = log_ndtr(z)
    value = log_mean(each)
    density = hazard(z) * np.exp(each - value[:, None]) / mean.shape[1]
    return value, density / s, -(density * z).sum(axis=1) / deviation


Measured = tuple[Array, Array, Array]


@dataclass(frozen=True)
class Pointwise:
    """An acquisition that is a function of means and deviations.

    Args:
        moments: of (m, d) features; their ``pull`` gives derivatives by features.
        measure: (m, K) means and (m,) deviations to (m,) values and their derivatives.
        width: deviation by which the moments are widened.
    """

    moments: Callable[[Array], Moments]
    measure: Callable[[Array, Array], Measured]
    width: float = 0.0

    def widened(self, by: float) -> Pointwise:
        return replace(self, width=by)

    def values(self, points: Array) -> Array:
        moments = self.moments(points).widened(self.width)
        return self.measure(moments.mean, moments.deviation)[0]

    def values_and_gradients(self, points: Array) -> tuple[Array, Array]:
        moments = self.moments(points).widened(self.width)
        value, by_mean, by_deviation = self.measure(moments.mean, moments.deviation)
        return value, moments.pull(by_mean, by_deviation)


def moments_of(model: ExactModel, posterior: Posterior) -> Callable[[Array], Moments]:
    """The moments of a process of the model's kernel, as a function of features."""
    return lambda points: model.on_features(points, posterior.moments(model.rows(points)))


@dataclass(frozen=True)
class EI(Acquisition):
    """Log expected improvement over the best noise-free value, the acquisition of ``Bayes``.

    Without noise it is the classical one (Frazier 2018, eq. 8); with noise no observation is taken
    for the best at its face. Constraints multiply it by the probability that they hold.
    """

    def build(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        return constrained(belief, lambda: self._unconstrained(belief, rng))

    def _unconstrained(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        model = belief.objectives[0]
        if not isinstance(model, ExactModel):
            from blackbox.acquisitions.torch.improvement import noisy_ei

            return noisy_ei(belief, rng)
        posterior, best = imagined(model, belief, rng)
        return Pointwise(moments_of(model, posterior), lambda mean, s: log_ei(mean, s, best))


@dataclass(frozen=True)
class PI(Acquisition):
    """Log probability to improve on the best noise-free value by some margin.

    Constraints multiply it by the probability that they hold.

    Args:
        margin: in standard deviations of the scores; none makes it greedy.
    """

    margin: float = 0.01

    def __post_init__(self) -> None:
        check_number("PI: margin", self.margin, 0.0)

    def build(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        return constrained(belief, lambda: self._unconstrained(belief, rng))

    def _unconstrained(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        model = belief.objectives[0]
        if isinstance(model, ExactModel):
            posterior, best = imagined(model, belief, rng)
            moments = moments_of(model, posterior)
        elif len(belief.pending):
            from blackbox.acquisitions.torch.improvement import probability_of_improvement

            return probability_of_improvement(belief, self.margin, rng)
        else:
            moments = model.moments
            best = np.array([moments(belief.x[belief.feasible]).mean.max()])
        return Pointwise(moments, lambda mean, s: log_pi(mean, s, best + self.margin))


def imagined(
    model: ExactModel, belief: Belief, rng: np.random.Generator
) -> tuple[Posterior, Array]:
    """The process completed by draws of what is not known, and the (K,) best values so far."""
    observed = belief.x[belief.feasible]
    if model.noisy:
        means = model.moments(observed).mean[:, 0]
        observed = observed[np.argsort(-means, kind="stable")[:_BASELINE]]
    posterior, values = completed(model, observed, belief.pending, _DRAWS, rng)
    return posterior, values.max(axis=0)


def completed(
    model: ExactModel, observed: Array, pending: Array, count: int, rng: np.random.Generator
) -> tuple[Posterior, Array]:
    """A process given K joint draws of the noise-free values that are not known.

    Args:
        model: the process.
        observed: (n, d) features of observed rows; not known where there is noise.
        pending: (k, d) features of rows whose outcome is awaited.
        count: how many draws, a power of two; K = 1 where everything is known.
        rng: draws them.

    Returns:
        The process, and (n + k, K) values at the observed, then the pending rows.
    """
    posterior, rows, unknown = model.posterior, model.rows(observed), model.rows(pending)
    if model.noisy:
        unknown = rows.joined(unknown)
    values = np.empty((0, 1)) if model.noisy else posterior.moments(rows).mean
    if not len(unknown):
        return posterior, values
    draws = posterior.draws(unknown, normals(len(unknown), count, rng))
    known = np.broadcast_to(values, (len(values), count))
    completion = posterior.given(unknown, draws, np.zeros(len(unknown)))
    return completion, np.concatenate([known, draws])


def hallucinated(model: ExactModel, pending: Array) -> Posterior:
    """The process with (k, d) pending rows observed at their means, which narrows it there."""
    if not len(pending):
        return model.posterior
    rows = model.rows(pending)
    mean = model.posterior.moments(rows).mean
    return model.posterior.given(rows, mean, np.full(len(rows), model.noise))
