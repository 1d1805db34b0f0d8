"""Knowledge gradient and the expected improvement of noisy evaluations, exact over finite choices.

Both ask how much higher the best posterior mean will be after one more, noisy, observation. The
maximum over a finite set of rows is that of random lines (see ``lines``), so neither samples.

Notation: m points, N rows to choose from, K components (draws of what pending rows will give).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.linalg import cho_solve
from scipy.special import logsumexp

from blackbox.acquisitions.base import Acquisition, AcquisitionFunction, Belief
from blackbox.acquisitions.feasibility import LogFeasibility, constrained
from blackbox.acquisitions.improvement import EI
from blackbox.acquisitions.lines import log_gain
from blackbox.acquisitions.normal import normals
from blackbox.arguments import check_count
from blackbox.batch import Array
from blackbox.errors import UnsupportedError
from blackbox.surrogates.exact import ExactModel
from blackbox.surrogates.kernel import Rows
from blackbox.surrogates.posterior import Posterior

_FANTASIES = 16
_BASELINE = 256  # evaluated rows to choose from, those of the highest means
_CHUNK = 2**20  # numbers in one matrix


@dataclass(frozen=True)
class KnowledgeGradient(Acquisition):
    """Log of the expected rise of the greatest posterior mean (Frazier 2018, section 4.2).

    The maximum is over a finite set: evaluated rows, feasible draws and the candidate itself; the
    whole space where it is small. Over that set it is exact, and a lower bound of the rise over the
    whole space. Constraints multiply it by the probability that they hold, and rows that probably
    break one are no choice.

    Args:
        candidates: number of draws.
    """

    exact: ClassVar[bool] = True

    candidates: int = 256

    def __post_init__(self) -> None:
        check_count("KnowledgeGradient: candidates", self.candidates, 1)

    def build(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        return constrained(belief, lambda: self._unconstrained(belief, rng))

    def _unconstrained(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        model = _exact(belief, self)
        if belief.features.space.cardinality <= self.candidates:
            choices = belief.features.everything()
        else:
            choices = belief.features.draw(self.candidates, rng)
        if belief.limits:
            choices = choices[LogFeasibility(belief.limits).likely(choices)]
        choices = np.concatenate([_evaluated(model, belief), choices])
        return Gain(model, fantasised(model, belief, rng), choices)


@dataclass(frozen=True)
class NoisyEI(Acquisition):
    """Log expected improvement of the best posterior mean of an evaluated row.

    ``E[max over x_1..x_n, x of mu_(n+1) - max over x_1..x_n of mu_n]``: what one gains who must
    settle for an evaluated row in the end (Frazier 2018, section 5.1). Without noise it is expected
    improvement. Constraints multiply it by the probability that they hold.
    """

    exact: ClassVar[bool] = True

    def build(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        model = _exact(belief, self)
        if not model.noisy:
            return EI().build(belief, rng)
        return constrained(
            belief,
            lambda: Gain(
                model, fantasised(model, belief, rng), _evaluated(model, belief), evaluated=True
            ),
        )


class Gain:
    """Log of the expected rise of the greatest posterior mean over choices and the candidate.

    Args:
        model: of the objective.
        posterior: its process, of K components.
        choices: (N, d) features of rows to choose from.
        evaluated: whether before the observation the candidate is no choice.
    """

    def __init__(
        self, model: ExactModel, posterior: Posterior, choices: Array, *, evaluated: bool = False
    ) -> None:
        self._model = model
        self._posterior = posterior
        self._evaluated = evaluated
        rows = model.rows(choices)
        self._means = posterior.moments(rows).mean  # (N, K)
        self._with = Covariances(posterior, rows)
        self._size = max(1, _CHUNK // max(1, self._means.size))

    def values(self, points: Array) -> Array:
        chunks = [points[i : i + self._size] for i in range(0, len(points), self._size)]
        return np.concatenate([self._measure(chunk)[0] for chunk in chunks] or [np.empty(0)])

    def values_and_gradients(self, points: Array) -> tuple[Array, Array]:
        return self._measure(points, slopes=True)

    def _measure(self, points: Array, *, slopes: bool = False) -> tuple[Array, Array]:
        rows = self._model.rows(points)
        moments = self._posterior.moments(rows)
        m, count = moments.mean.shape
        shared = self._with.values(rows)
        variance = moments.deviation**2
        scale = np.sqrt(variance + self._model.noise)
        b = np.concatenate([shared, variance[:, None]], axis=1) / scale[:, None]
        a = np.empty((m, count, b.shape[1]))
        a[:, :, :-1] = self._means.T
        a[:, :, -1] = moments.mean
        flat = log_gain(a.reshape(m * count, -1), np.repeat(b, count, axis=0))
        each, by_a, by_b = (part.reshape(m, count, *part.shape[1:]) for part in flat)
        by_mean = by_a[:, :, -1]
        if self._evaluated:
            each, by_mean, by_b = _plus(each, by_mean, by_b, moments.mean - self._means.max(axis=0))
        value = logsumexp(each, axis=1) - math.log(count)
        if not slopes:
            return value, np.empty((0, 0))
        share = np.exp(each - value[:, None]) / count
        # b = c / t with t^2 = v + noise; of the candidate itself c = v.
        by_b = np.einsum("mk,mkn->mn", share, by_b)
        by_scale = -(by_b * b).sum(axis=1) / scale
        by_variance = by_b[:, -1] / scale + by_scale / (2.0 * scale)
        gradient = moments.pull(share * by_mean, 2.0 * moments.deviation * by_variance)
        gradient += self._with.pull(rows, by_b[:, :-1] / scale[:, None])
        return value, self._model.shares.on_features(points, gradient)


def _plus(each: Array, by_mean: Array, by_b: Array, ahead: Array) -> tuple[Array, Array, Array]:
    """Log gains and slopes after adding what the candidate's mean is ahead of all others."""
    ahead = np.maximum(ahead, 0.0)
    with np.errstate(divide="ignore"):
        total = np.logaddexp(each, np.log(ahead))
    share = np.exp(each - total)
    by_mean = by_mean * share + np.exp(np.where(ahead > 0, -total, -np.inf))
    return total, by_mean, by_b * share[:, :, None]


class Covariances:
    """Posterior covariances of m points with N fixed rows.

    Args:
        posterior: the process.
        rows: (N) the fixed ones.
    """

    def __init__(self, posterior: Posterior, rows: Rows) -> None:
        self._kernel = posterior.kernel
        self._all = posterior.rows.joined(rows)
        self._n = len(posterior.rows)
        cross = self._kernel(posterior.rows, rows)
        self._solved = cho_solve((posterior.factor, True), cross)  # (n, N)

    def values(self, points: Rows) -> Array:
        """(m, N) covariances."""
        cross = self._kernel(points, self._all)
        covariances: Array = cross[:, self._n :] - cross[:, : self._n] @ self._solved
        return covariances

    def pull(self, points: Rows, weights: Array) -> Array:
        """(m, p) derivatives by the points' numbers of the (m, N) weights times covariances."""
        _, slope = self._kernel.with_slope(points, self._all)
        both = np.concatenate([-weights @ self._solved.T, weights], axis=1)
        return self._kernel.pull(points, self._all, slope, both)


def fantasised(model: ExactModel, belief: Belief, rng: np.random.Generator) -> Posterior:
    """The process completed by draws of the noisy observations that pending rows will give."""
    if not len(belief.pending):
        return model.posterior
    rows = model.rows(belief.pending)
    n = len(rows)
    normal = normals(2 * n, _FANTASIES, rng)
    drawn = model.posterior.draws(rows, normal[:n]) + math.sqrt(model.noise) * normal[n:]
    return model.posterior.given(rows, drawn, np.full(n, model.noise))


def _evaluated(model: ExactModel, belief: Belief) -> Array:
    """(N, d) feasible rows that are or will be evaluated, those of the highest means."""
    rows = np.concatenate([belief.x[belief.feasible], belief.pending])
    means = model.posterior.moments(model.rows(rows)).mean[:, 0]
    return np.asarray(rows[np.argsort(-means, kind="stable")[:_BASELINE]])


def _exact(belief: Belief, recipe: Acquisition) -> ExactModel:
    model = belief.objectives[0]
    if not isinstance(model, ExactModel):
        raise UnsupportedError(f"{type(recipe).__name__} needs the surrogate ExactGP")
    return model
