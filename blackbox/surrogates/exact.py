"""The fast engine: an exact Gaussian process in NumPy and LAPACK, fitted by maximum a posteriori."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from blackbox.batch import Array
from blackbox.state import State
from blackbox.surrogates.features import Features
from blackbox.surrogates.likelihood import NOISE_FLOOR, Likelihood, fitted
from blackbox.surrogates.model import Data, Model
from blackbox.surrogates.outcomes import Outcomes
from blackbox.surrogates.posterior import Posterior, SingularError

_REFIT = 1.03  # growth of the data after which hyperparameters are fitted again, from the last ones
_AFRESH = 1.25  # growth after which they are looked for from several starts
_PREFERENCE = 1.0  # nats by which a warp must be likelier than none


@dataclass(frozen=True)
class ExactGP:
    """Recipe of the fast engine, the surrogate that ``Bayes`` takes by itself.

    Matern 5/2 over numbers and shares, with one length scale each and the dimension-scaled prior of
    Hvarfner, Hellsten and Nardi (2024); times exponential kernels over categories, permutations
    and strings.

    Args:
        warp: whether scores may be warped where that makes them likelier.
        most: rows beyond which it is fitted to the best and a draw of the others.
    """

    warp: bool = True
    most: int = 1500

    def fit(self, data: Data, memory: State | None) -> ExactModel:
        """Fit to data, going on from the memory of an earlier fit.

        Raises:
            SingularError: no hyperparameters give a covariance that can be factorised.
        """
        data = data.thinned(self.most)
        n = len(data.y)
        memory = dict(memory) if memory else {}
        theta, ratio = memory.get("theta"), float(memory.get("ratio", math.inf))
        afresh = theta is None or n >= _AFRESH * memory["afresh"] or n < memory["fitted"]
        if afresh:
            theta, ratio = self._fresh(data)
            memory = {"afresh": n, "fitted": n}
        elif n > 50 and n < _REFIT * memory["fitted"]:
            pass  # a row more hardly moves them
        else:
            theta = fitted(_likelihood(data, ratio)[1], np.asarray(theta))
            memory["fitted"] = n
        outcomes, likelihood = _likelihood(data, ratio)
        memory |= {"theta": np.asarray(theta), "ratio": ratio}
        return ExactModel(data.features, outcomes, likelihood, np.asarray(theta), memory)

    def _fresh(self, data: Data) -> tuple[Array, float]:
        """Hyperparameters from several starts, and the likeliest warp."""
        ratios = Outcomes.candidates(data.y) if self.warp and data.noise is None else (math.inf,)
        found: tuple[float, Array, float] | None = None
        for ratio in ratios:
            outcomes, likelihood = _likelihood(data, ratio)
            theta = fitted(likelihood, None)
            loss = likelihood(theta)[0] - outcomes.log_slope(data.y)
            loss += 0.0 if math.isinf(ratio) else _PREFERENCE
            if found is None or loss < found[0]:
                found = loss, theta, ratio
        assert found is not None
        return found[1], found[2]


class ExactModel(Model):
    """A fitted process.

    Attributes:
        posterior: of the standardised values.
        noise: variance of the noise of the standardised values; the median where it is known.
    """

    def __init__(
        self,
        features: Features,
        outcomes: Outcomes,
        likelihood: Likelihood,
        theta: Array,
        memory: State,
    ) -> None:
        self.features = features
        self.outcomes = outcomes
        self.likelihood = likelihood
        self.theta = theta
        self.posterior: Posterior = likelihood.posterior(theta)
        self.noise = float(np.median(likelihood.split(theta)[1]))
        self._memory = memory

    @property
    def noisy(self) -> bool:
        """Whether observations cannot be taken at their face."""
        return self.noise > 100 * NOISE_FLOOR

    def predict(self, points: Array) -> tuple[Array, Array]:
        moments = self.posterior.moments(self.features.rows(points))
        mean, deviation = moments.mean[:, 0], moments.deviation
        upper = self.outcomes.backward(mean + deviation)
        lower = self.outcomes.backward(mean - deviation)
        return self.outcomes.backward(mean), (upper - lower) / 2

    def memory(self) -> State:
        return dict(self._memory)

    def botorch(self, device: str = "cpu") -> Any:
        from blackbox.surrogates.export import exported

        return exported(self, device)


def _likelihood(data: Data, ratio: float) -> tuple[Outcomes, Likelihood]:
    outcomes, z = Outcomes.of(data.y, ratio)
    noise = None
    if data.noise is not None:
        noise = np.maximum(outcomes.deviations(data.y, data.noise) ** 2, NOISE_FLOOR)
    return outcomes, Likelihood(data.features.rows(data.x), data.features.groups, z, noise)


__all__ = ["ExactGP", "ExactModel", "SingularError"]
