"""A Gaussian process of one outcome at several fidelities, and what it says of the target.

Where the noise of an evaluation is known, what the process cannot explain beyond it is true of the
row: two mixtures next to each other may really differ. Where it is not known, all of it is noise.

Notation: n rows told, m rows asked about, L levels; z standardised values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from blackbox.arguments import check_count
from blackbox.batch import Array
from blackbox.errors import ProblemError, UnsupportedError
from blackbox.state import State
from blackbox.surrogates.fidelity import Coupling, FidelityKernel, FidelityRows, Levels
from blackbox.surrogates.fidelity_data import Alignment, FidelityData
from blackbox.surrogates.fidelity_likelihood import FidelityLikelihood
from blackbox.surrogates.likelihood import due, fitted
from blackbox.surrogates.model import Model
from blackbox.surrogates.outcomes import Outcomes
from blackbox.surrogates.posterior import Moments, Posterior
from blackbox.surrogates.shares import SHARES, ShareMap, Shares

_SKETCH = 200  # rows on which several starts and maps of the shares are compared
_LEAST = 1e-12  # variance below which a value counts as known
_SAME = 1e-9  # features of one design agree to this


@dataclass(frozen=True)
class MultiFidelityGP:
    """Recipe of a process over designs and fidelity, on the fast engine.

    Args:
        coupling: how fidelities are related: "truncated" or "tasks" (see ``fidelity``); None takes
            the first for ordered fidelities, the second for categories.
        shares: maps of mixtures among which likelihood chooses.
        most: rows beyond which some are left out: the cheap ones first, then old ones.

    Raises:
        ProblemError: an argument is out of its range.
    """

    coupling: Coupling | None = None
    shares: tuple[Shares, ...] = SHARES
    most: int = 600

    def __post_init__(self) -> None:
        check_count("MultiFidelityGP: most", self.most, 1)
        if self.coupling not in (None, *get_args(Coupling)):
            raise ProblemError(
                f"MultiFidelityGP: coupling={self.coupling!r}; give 'truncated', 'tasks' or None"
            )
        known = isinstance(self.shares, tuple) and all(kind in SHARES for kind in self.shares)
        if not known or not self.shares:
            raise ProblemError(
                f"MultiFidelityGP: shares={self.shares!r}; give a tuple of some of {SHARES}"
            )

    def fit(self, data: FidelityData, memory: State | None) -> FidelityModel:
        """Fit to data, going on from the memory of an earlier fit.

        Raises:
            SingularError: no hyperparameters give a covariance that can be factorised.
        """
        data = data.pooled()
        n, memory = len(data.y), dict(memory) if memory else {}
        data = data.thinned(self.most)
        theta, kind = memory.get("theta"), memory.get("shares", "plain")
        when = due(memory, n)
        if when == "afresh":
            theta, kind = self._fresh(data)
            memory = {"afresh": n, "fitted": n}
        elif when == "again":
            theta = fitted(self._likelihood(data, kind)[1], np.asarray(theta))
            memory["fitted"] = n
        alignment, likelihood = self._likelihood(data, kind)
        memory |= {"theta": np.asarray(theta), "shares": kind}
        return FidelityModel(data, kind, alignment, likelihood, np.asarray(theta), memory)

    def _fresh(self, data: FidelityData) -> tuple[Array, Shares]:
        """Hyperparameters from several starts, and the likeliest map of the shares."""
        sketch = data.thinned(_SKETCH)
        kinds = self.shares if data.features.simplexes else self.shares[:1]
        found: list[tuple[float, Array, Shares]] = []
        for kind in kinds:
            likelihood = self._likelihood(sketch, kind)[1]
            theta = fitted(likelihood, None)
            found.append((likelihood(theta)[0], theta, kind))
        _, theta, kind = min(found, key=lambda one: one[0])
        if len(sketch.y) < len(data.y):
            theta = fitted(self._likelihood(data, kind)[1], theta)
        return theta, kind

    def _likelihood(self, data: FidelityData, kind: Shares) -> tuple[Alignment, FidelityLikelihood]:
        alignment = Alignment.of(data)
        shift, scale = alignment.at(data.fidelity)
        known = np.zeros(len(data.y)) if data.noise is None else (data.noise / scale) ** 2
        shares = ShareMap(data.features, kind)
        rows = fidelity_rows(shares, data.levels, data.x, data.fidelity)
        coupling = self.coupling or ("truncated" if data.levels.ordered else "tasks")
        z = (data.y - shift) / scale
        likelihood = FidelityLikelihood(
            rows, data.features.groups, z, known, coupling, shares.among, data.noisy
        )
        return alignment, likelihood


def fidelity_rows(shares: ShareMap, levels: Levels, x: Array, values: Array) -> FidelityRows:
    """What the kernel compares, of (n, d) features and (n,) fidelities."""
    rows = shares.rows(x)
    return FidelityRows(rows.numbers, rows.codes, levels.nearness(values), levels.design(values))


@dataclass(frozen=True)
class Views:
    """What is believed of the target at m designs, and what a row there would tell.

    Args:
        mean: (m,) of the target's value.
        variance: (m,) of it.
        cross: (m, L) covariances of it with what an evaluation at each level would give.
        seen: (m, L) variances of what that would give, noise included.
        pull: (m, d) derivatives by the features of any quantity, from its derivatives by all four.
    """

    mean: Array
    variance: Array
    cross: Array
    seen: Array
    pull: Callable[[Array, Array, Array, Array], Array]


class FidelityModel(Model):
    """A fitted process. As a ``Model`` it is that of the target.

    Attributes:
        levels: of the fidelity.
        posterior: of the standardised values.
        target: which rows fitted to are at the target.
    """

    def __init__(
        self,
        data: FidelityData,
        kind: Shares,
        alignment: Alignment,
        likelihood: FidelityLikelihood,
        theta: Array,
        memory: State,
    ) -> None:
        self.features, self.levels, self.data = data.features, data.levels, data
        self.shares = ShareMap(data.features, kind)
        self.alignment, self.likelihood, self.theta = alignment, likelihood, theta
        shift, scale = (float(part[0]) for part in alignment.at(data.levels.target))
        self.outcomes = Outcomes(float(data.y.max()), math.inf, shift, scale)
        self.posterior: Posterior = likelihood.posterior(theta)
        self.target = data.levels.at_target(data.fidelity)
        self.exact = data.noise is not None
        typical = 0.0 if data.noise is None else float(np.median(data.noise))
        inferred = self._inferred(data.levels.target)[0]
        self._known = typical
        #: Variance of what is true of single rows alone, at the target.
        self.own = inferred if self.exact else 0.0
        self.noise = (typical / scale) ** 2 + inferred - self.own
        self._memory = memory

    @property
    def kernel(self) -> FidelityKernel:
        """The covariance."""
        kernel = self.posterior.kernel
        assert isinstance(kernel, FidelityKernel)
        return kernel

    def rows(self, points: Array, values: Array | None = None) -> FidelityRows:
        """What the kernel compares, of (m, d) features at (m,) fidelities, else at the target."""
        values = np.repeat(self.levels.target, len(points)) if values is None else values
        return fidelity_rows(self.shares, self.levels, points, values)

    def noise_at(self, values: Array) -> Array:
        """(m,) variances of what an evaluation at fidelities adds to the process."""
        scale = self.alignment.at(values)[1]
        return np.asarray((self._known / scale) ** 2 + self._inferred(values))

    def _inferred(self, values: Array) -> Array:
        """(m,) inferred noise variances at fidelities."""
        return self.likelihood.inferred(self.theta, self.levels.design(values))

    def moments(self, points: Array) -> Moments:
        views = self.views(points, self.levels.values[:0])

        def pull(by_mean: Array, by_deviation: Array) -> Array:
            nothing = np.zeros((len(points), 0))
            by_variance = by_deviation / (2.0 * deviation)
            return views.pull(by_mean[:, 0], by_variance, nothing, nothing)

        deviation = np.sqrt(views.variance)
        return Moments(views.mean[:, None], deviation, pull)

    def predict(self, points: Array) -> tuple[Array, Array]:
        moments = self.moments(points)
        mean, deviation = moments.mean[:, 0], moments.deviation
        return self.outcomes.backward(mean), self.outcomes.scale * deviation

    def predict_at(self, points: Array, values: Array) -> tuple[Array, Array]:
        """(m,) expectation and standard deviation of noise-free values at fidelities.

        At the target that is ``predict``, which knows what is true of single rows alone.
        """
        moments = self.posterior.moments(self.rows(points, values))
        shift, scale = self.alignment.at(values)
        own = self._inferred(values) if self.exact else 0.0
        mean = shift + scale * moments.mean[:, 0]
        deviation = scale * np.sqrt(moments.deviation**2 + own)
        target = self.levels.at_target(values)
        if target.any():
            mean[target], deviation[target] = self.predict(points[target])
        return mean, deviation

    def told_at(self, points: Array) -> npt.NDArray[np.intp]:
        """(m,) which of the rows fitted to, told at the target, each design is; -1 for none.

        Where noise is not known, none: the process knows all there is to know of a row.
        """
        found = np.full(len(points), -1)
        if self.exact and self.target.any():
            told = np.flatnonzero(self.target)
            same = np.abs(points[:, None, :] - self.data.x[told]).max(axis=2) < _SAME
            found = np.where(same.any(axis=1), told[same.argmax(axis=1)], -1)
        return found

    def means(self, points: Array) -> Array:
        """(m,) expected standardised values at the target."""
        mean = self.posterior.moments(self.rows(points)).mean[:, 0]
        told = self.told_at(points)
        return mean + np.where(told >= 0, self.own * self.posterior.alpha[told, 0], 0.0)

    def values(self, points: Array, process: Array, normal: Array) -> Array:
        """(m, S) draws of the target's values, from draws of the process and standard normals.

        Given the process, what is true of a row alone is a normal of its own: known from what was
        observed of a design told, as likely as before of any other.
        """
        told = self.told_at(points)
        noise = np.where(told >= 0, self.likelihood.known[told], math.inf)[:, None]
        part = self._part(noise)
        miss = np.where(told >= 0, self.likelihood.z[told], 0.0)[:, None] - process
        spread = np.sqrt(self.own * (1.0 - part))
        return np.asarray(process + np.where(part > 0, part * miss, 0.0) + spread * normal)

    def moved(self, points: Array) -> Array:
        """(m,) by what part of its covariance with the process a row moves the target's value.

        All of it but at designs told there, of which the noise alone is not known: a process that
        moves takes from what was true of the row alone.
        """
        told = self.told_at(points)
        return 1.0 - self._part(np.where(told >= 0, self.likelihood.known[told], math.inf))

    def _part(self, noise: Array) -> Array:
        """Of what an observation has beyond the process, the part that is true of its row."""
        return np.asarray(self.own / (self.own + noise)) if self.own else np.zeros_like(noise)

    def forecast(self, points: Array, y: Array, noise: Array | None) -> Array:
        """(m,) log densities of values observed at the target, with their known noise.

        They are Student's, with as many degrees of freedom as there are rows at the target (two at
        least): the process takes its variance for known, which it is from those rows alone.
        """
        moments = self.moments(points)
        added = self.noise if noise is None else (noise / self.outcomes.scale) ** 2
        variance = moments.deviation**2 + added
        miss = self.outcomes.forward(y) - moments.mean[:, 0]
        free = max(float(self.target.sum()), 2.0)
        tail = np.log1p(miss**2 / (free * variance))
        height = gammaln(0.5 * (free + 1.0)) - gammaln(0.5 * free) - math.log(self.outcomes.scale)
        spread = np.log(math.pi * free * variance) + (free + 1.0) * tail
        return np.asarray(height - 0.5 * spread)

    def views(
        self, points: Array, values: Sequence[Any] | Array, posterior: Posterior | None = None
    ) -> Views:
        """The target at (m, d) features, and what each of L fidelities would tell of it.

        Args:
            points: designs.
            values: (L,) fidelities.
            posterior: the process with pending rows, say; by default that of the rows told.
        """
        process = self.posterior if posterior is None else posterior
        kernel, m, count = self.kernel, len(points), len(values)
        # The target's rows, then those of each level.
        stacked = np.concatenate([self.levels.target, np.asarray(values, self.levels.values.dtype)])
        rows = self.rows(np.tile(points, (count + 1, 1)), np.repeat(stacked, m))
        covariance, slope = kernel.with_slope(rows, process.rows)
        at_target = self.levels.at_target(stacked)
        # What is true of a row alone was observed with it.
        told, alone = self.told_at(points), self.own * at_target
        known = np.flatnonzero(told >= 0)
        for block in np.flatnonzero(at_target):
            covariance[block * m + known, told[known]] += self.own
        half = process.forward(covariance.T)
        back = process.backward(half).T
        halves = half.reshape(len(half), count + 1, m)
        prior = kernel.variance(rows).reshape(count + 1, m) + alone[:, None]
        left = np.maximum(prior - (halves**2).sum(axis=0), _LEAST)
        mean = process.mean + covariance[:m] @ process.alpha[:, 0]
        variance = left[0]
        shared = kernel.to_target(rows)[0].reshape(count + 1, m)
        cross = (shared - (halves[:, :1] * halves).sum(axis=0))[1:].T
        cross = cross + alone[1:]
        seen = left[1:].T + self.noise_at(stacked[1:]) - alone[1:]

        def pull(by_mean: Array, by_variance: Array, by_cross: Array, by_seen: Array) -> Array:
            c, s = by_cross.T.reshape(count * m, 1), by_seen.T.reshape(count * m, 1)
            own = back[:m]
            weights = np.concatenate(
                [
                    by_mean[:, None] * process.alpha[:, 0] - 2.0 * by_variance[:, None] * own,
                    -c * np.tile(own, (count, 1)) - 2.0 * s * back[m:],
                ]
            )
            weights[:m] -= (c * back[m:]).reshape(count, m, len(process.rows)).sum(axis=0)
            pulled = kernel.pull(rows, process.rows, slope, weights)
            pulled += np.concatenate([by_variance[:, None], s]) * kernel.variance_slope(rows)
            pulled[m:] += c * kernel.to_target(rows)[1][m:]
            return self.shares.on_features(points, pulled.reshape(count + 1, m, -1).sum(axis=0))

        return Views(mean, variance, cross, seen, pull)

    def given(self, points: Array, values: Array) -> Posterior:
        """The process with (k, d) rows at fidelities observed at their means.

        Raises:
            SingularError: the covariance cannot be factorised.
        """
        if not len(points):
            return self.posterior
        rows = self.rows(points, values)
        mean = self.posterior.moments(rows).mean
        return self.posterior.given(rows, mean, np.maximum(self.noise_at(values), 1e-6))

    def memory(self) -> State:
        return dict(self._memory)

    def botorch(self, device: str = "cpu") -> Any:
        raise UnsupportedError(
            "a process over fidelities has no BoTorch model; take an acquisition of "
            "blackbox.acquisitions.multi_fidelity"
        )


__all__ = ["FidelityData", "FidelityModel", "MultiFidelityGP", "Views"]
