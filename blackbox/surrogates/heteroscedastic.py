"""Noise that depends on where one looks."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from blackbox.arguments import check_count
from blackbox.batch import Array
from blackbox.state import State
from blackbox.surrogates.exact import ExactGP, ExactModel
from blackbox.surrogates.model import Data

_LOG_BIAS = 1.2703628454614782  # minus the mean of the log of a squared standard normal
_LOG_DEVIATION = math.pi / math.sqrt(2.0)  # its standard deviation
_LEAST = 1e-12  # square of a standardised residual
_FEWEST = 5  # rows from which the noise is not taken for the same everywhere


@dataclass(frozen=True)
class HeteroscedasticGP:
    """Recipe of a process whose noise is a process too.

    In stages, as the most likely heteroscedastic process of Kersting, Plagemann, Pfaff and Burgard
    (2007, *Most Likely Heteroscedastic Gaussian Process Regression*, section 4): a process of the
    values gives residuals, a process of their logarithm gives the noise of each row, and a process
    of the values takes that noise as known. The residuals are those of leaving one row out
    (Rasmussen and Williams 2006, eq. 5.12); the logarithm of a squared normal has the known mean
    -1.27 and variance pi^2 / 2, which take the place of the paper's samples. Rows whose noise is
    known are fitted as they are.

    Args:
        rounds: how often noise and values are fitted in turn.

    Raises:
        ProblemError: an argument is out of its range.
    """

    rounds: int = 2

    def __post_init__(self) -> None:
        check_count("HeteroscedasticGP: rounds", self.rounds, 1)

    def fit(self, data: Data, memory: State | None) -> ExactModel:
        """Fit to data, going on from the memory of an earlier fit.

        Raises:
            SingularError: no hyperparameters give a covariance that can be factorised.
        """
        data = data.of_this_study()
        memory = memory or {}
        recipe = ExactGP(warp=False, most=len(data.y))
        model = recipe.fit(data, memory.get("first"))
        found = {"first": model.memory()}
        if data.noise is not None or len(data.y) < _FEWEST:
            return HeteroscedasticModel.of(model, None, found)
        level = None
        for _ in range(self.rounds):
            logs = _log_noise(model, data)
            known = np.full(len(logs), _LOG_DEVIATION)
            level = recipe.fit(replace(data, y=logs, noise=known), memory.get("level"))
            noise = np.exp(0.5 * level.predict(data.x)[0]) * model.outcomes.scale
            model = recipe.fit(replace(data, noise=noise), memory.get("last"))
        assert level is not None
        found |= {"level": level.memory(), "last": model.memory()}
        return HeteroscedasticModel.of(model, level, found)


class HeteroscedasticModel(ExactModel):
    """A fitted process, and that of the logarithm of its noise.

    Attributes:
        level: process of the log variance of the standardised noise; None where it is known.
    """

    level: ExactModel | None

    @classmethod
    def of(cls, model: ExactModel, level: ExactModel | None, memory: State) -> HeteroscedasticModel:
        """The same process of values with that of the noise beside it."""
        made = cls(model.shares, model.outcomes, model.likelihood, model.theta, memory)
        made.level = level
        return made

    def noise_at(self, points: Array) -> Array:
        """(n,) standard deviations of the noise of values at (n, d) features."""
        if self.level is None:
            return np.full(len(points), math.sqrt(self.noise) * self.outcomes.scale)
        return np.exp(0.5 * self.level.predict(points)[0]) * self.outcomes.scale


def _log_noise(model: ExactModel, data: Data) -> Array:
    """(n,) unbiased guesses of the log noise variance of each row, standardised."""
    posterior = model.posterior
    half = np.linalg.inv(posterior.factor)
    precision = np.einsum("ij,ij->j", half, half)  # the diagonal of the inverse covariance
    residual = posterior.alpha[:, 0] / precision
    # Of the squared residual the noise is only a part.
    noise = model.likelihood.split(model.theta)[1]
    part = np.clip(noise * precision, 1e-3, 1.0)
    logs: Array = np.log(np.maximum(residual**2 * part, _LEAST)) + _LOG_BIAS
    return logs
