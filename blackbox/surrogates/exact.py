"""The fast engine: an exact Gaussian process in NumPy and LAPACK, maximum a posteriori."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from blackbox.arguments import check_count, check_flag
from blackbox.batch import Array
from blackbox.state import State
from blackbox.surrogates.axes import turned
from blackbox.surrogates.kernel import Rows
from blackbox.surrogates.likelihood import (
    LENGTH,
    NOISE_FLOOR,
    SHORT,
    Likelihood,
    due,
    fitted,
)
from blackbox.surrogates.model import Data, Model
from blackbox.surrogates.outcomes import Outcomes
from blackbox.surrogates.posterior import Moments, Posterior, SingularError
from blackbox.surrogates.shares import SHARES, ShareMap

_SKETCH = 150  # rows on which several starts and warps are compared
_OWN = 10  # rows from which on a study with earlier ones is standardised by itself
_PREFERENCE = 1.0  # nats by which a warp must be likelier than none


@dataclass(frozen=True)
class ExactGP:
    """Recipe of the fast engine, the surrogate that ``Bayes`` takes by itself.

    Matern 5/2 over numbers and shares, with one length scale each and the dimension-scaled prior of
    Hvarfner, Hellsten and Nardi (2024), steeper below its mode, plus a parabolic trend; exponential
    kernels over categories, permutations and strings. The shares of mixtures are compared as they
    are, by their roots or by their logarithms, whichever is likeliest (see
    ``blackbox.surrogates.shares``), with length scales that are about alike. Where there are none,
    the axes of the length scales are turned where that makes the scores much likelier (see
    ``blackbox.surrogates.axes``). Rows of earlier studies are further tasks, whose correlation with
    this one is a hyperparameter (intrinsic coregionalisation; Bonilla, Chai and Williams 2007,
    *Multi-task Gaussian Process Prediction*).

    Args:
        warp: whether scores may be warped where that makes them likelier; with rows of earlier
            studies they never are.
        most: rows beyond which it is fitted to the best and a draw of the others.
        turn: whether the axes may be turned.

    Raises:
        ProblemError: an argument is out of its range.
    """

    warp: bool = True
    most: int = 1500
    turn: bool = True

    def __post_init__(self) -> None:
        check_flag("ExactGP: warp", self.warp)
        check_flag("ExactGP: turn", self.turn)
        check_count("ExactGP: most", self.most, 1)

    def fit(self, data: Data, memory: State | None) -> ExactModel:
        """Fit to data, going on from the memory of an earlier fit.

        Raises:
            SingularError: no hyperparameters give a covariance that can be factorised.
        """
        return self.fit_to(data.thinned(self.most), memory, len(data.y))

    def fit_to(self, data: Data, memory: State | None, n: int) -> ExactModel:
        """Fit to some of n rows: when hyperparameters are due depends on how many there are.

        Raises:
            SingularError: no hyperparameters give a covariance that can be factorised.
        """
        memory = dict(memory) if memory else {}
        theta, ratio = memory.get("theta"), float(memory.get("ratio", math.inf))
        axes, shares = memory.get("axes"), ShareMap(data.features, memory.get("shares", "plain"))
        when = due(memory, n)
        if when == "afresh":
            theta, ratio, axes, shares = self._fresh(data)
            memory = {"afresh": n, "fitted": n}
        elif when == "again":
            theta = fitted(_likelihood(data, shares, ratio, axes)[1], np.asarray(theta))
            memory["fitted"] = n
        outcomes, likelihood = _likelihood(data, shares, ratio, axes)
        memory |= {"theta": np.asarray(theta), "ratio": ratio, "axes": axes, "shares": shares.kind}
        return ExactModel(shares, outcomes, likelihood, np.asarray(theta), memory)

    def _fresh(self, data: Data) -> tuple[Array, float, Array | None, ShareMap]:
        """Hyperparameters from several starts, the likeliest map of shares, warp, and the axes."""
        sketch = data.thinned(_SKETCH)
        best = (math.inf, np.empty(0), math.inf)
        theta, shares = _likeliest_shares(sketch)
        warp = self.warp and data.tasks is None
        for ratio in Outcomes.candidates(sketch.y) if warp else (math.inf,):
            outcomes, likelihood = _likelihood(sketch, shares, ratio)
            if math.isfinite(ratio):
                theta = fitted(likelihood, theta)
            loss = likelihood(theta)[0] - outcomes.log_slope(sketch.y)
            loss += _PREFERENCE if math.isfinite(ratio) else 0.0
            if loss < best[0] or not best[1].size:
                best = loss, theta, ratio
        _, theta, ratio = best
        axes = None
        if self.turn and not shares.among.any():  # whose scales are tied
            theta, axes = turned(_likelihood(sketch, shares, ratio)[1], theta)
        if len(sketch.y) < len(data.y):
            theta = fitted(_likelihood(data, shares, ratio, axes)[1], theta)
        return theta, ratio, axes, shares


class ExactModel(Model):
    """A fitted process.

    Attributes:
        posterior: of the standardised values.
        noise: variance of the noise of the standardised values; the median where it is known.
    """

    def __init__(
        self,
        shares: ShareMap,
        outcomes: Outcomes,
        likelihood: Likelihood,
        theta: Array,
        memory: State,
    ) -> None:
        self.features, self.shares = shares.features, shares
        self.outcomes = outcomes
        self.likelihood = likelihood
        self.theta = theta
        self.posterior: Posterior = likelihood.posterior(theta)
        # An observation to come is one of this study; earlier ones may be noisier.
        theirs = likelihood.rows.codes[:, len(shares.features.groups) :].any(axis=1)
        noise = likelihood.split(theta)[1]
        self.noise = float(np.median(noise if theirs.all() else noise[~theirs]))
        self._memory = memory

    @property
    def noisy(self) -> bool:
        """Whether observations cannot be taken at their face."""
        return self.noise > 100 * NOISE_FLOOR

    def rows(self, points: Array) -> Rows:
        """What the kernel compares, of (n, d) features of the task at hand."""
        rows = self.shares.rows(points)
        tasks = self.likelihood.rows.codes.shape[1] - rows.codes.shape[1]
        if not tasks:
            return rows
        return Rows(rows.numbers, np.pad(rows.codes, ((0, 0), (0, tasks))))

    def predict(self, points: Array) -> tuple[Array, Array]:
        moments = self.posterior.moments(self.rows(points))
        return self.outcomes.band(moments.mean[:, 0], moments.deviation)

    def moments(self, points: Array) -> Moments:
        return self.on_features(points, self.posterior.moments(self.rows(points)))

    def on_features(self, points: Array, moments: Moments) -> Moments:
        """Moments of (m, d) features whose ``pull`` gives derivatives by these."""

        def pull(by_mean: Array, by_deviation: Array) -> Array:
            return self.shares.on_features(points, moments.pull(by_mean, by_deviation))

        return Moments(moments.mean, moments.deviation, pull)

    def memory(self) -> State:
        return dict(self._memory)

    def botorch(self, device: str = "cpu") -> Any:
        from blackbox.surrogates.torch.export import exported

        return exported(self, device)


def _likeliest_shares(data: Data) -> tuple[Array, ShareMap]:
    """Hyperparameters, and the map of the shares under which the scores are likeliest."""
    found = []
    for kind in SHARES if data.features.simplexes else SHARES[:1]:
        shares = ShareMap(data.features, kind)
        likelihood = _likelihood(data, shares, math.inf)[1]
        theta = fitted(likelihood, None)
        found.append((likelihood(theta)[0], theta, shares))
    _, theta, shares = min(found, key=lambda one: one[0])
    return theta, shares


def _likelihood(
    data: Data, shares: ShareMap, ratio: float, axes: Array | None = None
) -> tuple[Outcomes, Likelihood]:
    """The map of the scores of the task at hand, and the likelihood of all."""
    rows, groups = shares.rows(data.x), data.features.groups
    # A few rows say little of their scale; earlier studies are likely to share it.
    few = data.tasks is not None and np.count_nonzero(data.here) < _OWN
    outcomes, _ = Outcomes.of(data.y if few else data.y[data.here], ratio)
    z, noise = outcomes.forward(data.y), None
    if data.noise is not None:
        noise = outcomes.deviations(data.y, data.noise)
    if data.tasks is not None:
        others = np.unique(data.tasks[data.tasks > 0])
        for task in others:
            there = data.tasks == task
            own, z[there] = Outcomes.of(data.y[there], ratio)
            if data.noise is not None and noise is not None:
                noise[there] = own.deviations(data.y[there], data.noise[there])
        hot = (data.tasks[:, None] == others).astype(np.float64)
        rows = Rows(rows.numbers, np.concatenate([rows.codes, hot], axis=1))
        groups = np.concatenate([groups, groups.max(initial=-1) + 1 + np.arange(len(others))])
    variance = None if noise is None else np.maximum(noise**2, NOISE_FLOOR)
    short = LENGTH if shares.among.any() else SHORT
    return outcomes, Likelihood(
        rows, groups, z, variance, data.noisy, short=short, axes=axes, shares=shares.among
    )


__all__ = ["ExactGP", "ExactModel", "SingularError"]
