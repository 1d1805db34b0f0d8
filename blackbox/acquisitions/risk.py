"""Knowledge gradient where a design is as good as its risk over scenarios it cannot choose.

An experiment chooses a design x and a scenario w; a design is worth the expected risk of its values
over all scenarios, V(x) = E[rho(f(x, .))]. The risk of the posterior mean would be simpler, but it
takes what was never tested for safe: as other risks than the expectation are concave, testing a
design lowers it on average, where V stays the same on average. One noisy
observation, in its standardised form Z, moves V along a line,

    V(x') + Z sum over w' of E[omega(w')] Cov(f(x', w'), Z),   omega = gradient of rho at f(x', .),

exact for the expectation, where omega are the weights (Toscano-Palmerin and Frazier 2018,
arXiv:1803.08661), and for other risks the line nearest to E[rho(f(x', .)) | Z] in mean square, as
E[rho Z] is that sum by Stein's lemma. What the best of several designs gains is the expected
maximum of random lines (see ``lines``); Cakmak et al. 2020 (arXiv:2007.12089) sample it.

Notation: m points, N designs to choose from, s scenarios, K draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.linalg import solve_triangular

from blackbox.acquisitions.base import Acquisition, AcquisitionFunction, Belief, Scenarios
from blackbox.acquisitions.feasibility import constrained
from blackbox.acquisitions.improvement import hallucinated
from blackbox.acquisitions.knowledge import Covariances
from blackbox.acquisitions.lines import log_gain
from blackbox.acquisitions.normal import normals
from blackbox.batch import Array
from blackbox.errors import UnsupportedError
from blackbox.surrogates.exact import ExactModel
from blackbox.surrogates.posterior import Posterior, SingularError

_DRAWS = 32  # pairs of them, mirrored, so that their mean is exact
_CHOICES = 16  # evaluated designs to choose from, those of the best expected risks
_CHUNK = 2**20  # numbers in one matrix
_JITTERS = (1e-8, 1e-6, 1e-4, 1e-2)  # in multiples of the signal variance
_STEP = 1e-5
_SAME = 9  # decimals in which equal designs agree


@dataclass(frozen=True)
class RiskKG(Acquisition):
    """Log of the expected rise of the best expected risk that an observation brings.

    For problems with an environment; a candidate is a design and the scenario to try it under. The
    choice is among evaluated designs before, and the candidate's own besides after. Rows that are
    pending count as observed at their means. Constraints multiply it by the probability that they
    hold. Scores must not be warped: the risk is of the standardised ones.
    """

    environment: ClassVar[bool] = True
    exact: ClassVar[bool] = True

    def build(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        """As ``Acquisition.build``.

        Raises:
            UnsupportedError: the belief has no scenarios, or its model is not of ``ExactGP``.
        """
        model, scenarios = belief.objectives[0], belief.scenarios
        if not isinstance(model, ExactModel):
            raise UnsupportedError("RiskKG needs the surrogate ExactGP")
        if scenarios is None:
            raise UnsupportedError("RiskKG needs a problem with an environment; declare one")
        risk = ExpectedRisk(model, hallucinated(model, belief.pending), scenarios, rng)
        return constrained(belief, lambda: RiskGain(risk, _best(risk, belief)))


class ExpectedRisk:
    """The risk of designs over all scenarios, as a process expects it.

    Args:
        model: of the objective.
        posterior: its process, of one component.
        scenarios: what a design meets.
        rng: for the draws, the same ones for every design.
    """

    def __init__(
        self,
        model: ExactModel,
        posterior: Posterior,
        scenarios: Scenarios,
        rng: np.random.Generator,
    ) -> None:
        self.model = model
        self.posterior = posterior
        self.scenarios = scenarios
        half = normals(len(scenarios.table), _DRAWS, rng).T
        self._normal = np.concatenate([half, -half])  # (K, s)

    def values(self, points: Array) -> Array:
        """(m,) expected risks of standardised scores of the designs of (m, d) features."""
        size = self.chunk
        chunks = [self.lines(points[i : i + size])[0] for i in range(0, len(points), size)]
        return np.concatenate(chunks or [np.empty(0)])

    @property
    def chunk(self) -> int:
        """Number of points for which every matrix is of bounded size."""
        s = len(self.scenarios.table)
        widest = max(len(self.posterior.rows), _CHOICES * s, s + 1, 2 * _DRAWS)
        return max(1, _CHUNK // ((s + 1) * widest))

    def lines(self, points: Array) -> tuple[Array, Array, Array, Array]:
        """What one observation of each point does to the expected risk of its own design.

        Returns:
            (m,) expected risks, (m, s) mean weights of the scenarios in them, (m,) covariances of
            the value at the point with the risk, (m,) variances of the value at the point.
        """
        environment = self.scenarios.environment
        mean, covariance = self._moments(points)
        s = mean.shape[1]
        if environment.risk == "expectation":
            weights = np.broadcast_to(environment.weights, mean.shape)
            risk: Array = mean @ environment.weights
        else:
            factor = self._factor(covariance[:, :s, :s])
            drawn = mean[:, None] + self._normal @ factor.transpose(0, 2, 1)  # (m, K, s)
            each = environment.risk_weights(drawn, 1.0)
            risk = np.einsum("mks,mks->m", each, drawn) / len(self._normal)
            weights = each.mean(axis=1)
        along = np.einsum("ms,ms->m", weights, covariance[:, :s, s])
        return risk, weights, along, covariance[:, s, s]

    def _moments(self, points: Array) -> tuple[Array, Array]:
        """(m, s) means under all scenarios; (m, s + 1, s + 1) covariances, the point's own last."""
        posterior, m = self.posterior, len(points)
        crossed = self.scenarios.crossed(points).reshape(m, -1, points.shape[1])
        blocks = np.concatenate([crossed, points[:, None]], axis=1)
        count = blocks.shape[1]
        rows = self.model.rows(blocks.reshape(m * count, -1))
        cross = posterior.kernel(rows, posterior.rows)
        mean = posterior.mean + (cross @ posterior.alpha[:, 0]).reshape(m, count)
        half = solve_triangular(posterior.factor, cross.T, lower=True, check_finite=False)
        halves = half.T.reshape(m, count, -1)
        covariance: Array = -(halves @ halves.transpose(0, 2, 1))
        for i in range(m):
            own = rows[slice(i * count, (i + 1) * count)]
            covariance[i] += posterior.kernel(own, own)
        return mean[:, :-1], covariance

    def _factor(self, covariance: Array) -> Array:
        """(m, s, s) lower Cholesky factors. The jitter keeps them smooth in the points."""
        unit = self.posterior.kernel.signal * np.eye(covariance.shape[1])
        for jitter in _JITTERS:
            try:
                return np.linalg.cholesky(covariance + jitter * unit)
            except np.linalg.LinAlgError:
                continue
        raise SingularError("no Cholesky factor of the covariance of a design's scenarios")


class RiskGain:
    """Log of the expected rise of the best expected risk over choices and the candidate's design.

    Args:
        risk: of designs.
        choices: (N, d) rows of the designs to choose from, N >= 1; their scenarios do not matter.
    """

    def __init__(self, risk: ExpectedRisk, choices: Array) -> None:
        self._risk = risk
        self._values, self._weights, _, _ = risk.lines(choices)
        rows = risk.model.rows(risk.scenarios.crossed(choices))
        self._with = Covariances(risk.posterior, rows)

    def values(self, points: Array) -> Array:
        size = self._risk.chunk
        chunks = [self._measure(points[i : i + size]) for i in range(0, len(points), size)]
        return np.concatenate(chunks or [np.empty(0)])

    def values_and_gradients(self, points: Array) -> tuple[Array, Array]:
        """Gradients are central differences, one-sided at the ends of the box."""
        columns = self._risk.model.features.continuous
        moved = np.repeat(points[None], 2 * len(columns), axis=0)
        ahead, behind = moved[::2], moved[1::2]
        for i, j in enumerate(columns):
            ahead[i, :, j] = np.minimum(points[:, j] + _STEP, 1.0)
            behind[i, :, j] = np.maximum(points[:, j] - _STEP, 0.0)
        every = np.concatenate([points[None], moved]).reshape(-1, points.shape[1])
        values = self.values(every).reshape(-1, len(points))
        gradient = np.zeros(points.shape)
        for i, j in enumerate(columns):
            width = ahead[i, :, j] - behind[i, :, j]
            gradient[:, j] = (values[1 + 2 * i] - values[2 + 2 * i]) / width
        return values[0], gradient

    def _measure(self, points: Array) -> Array:
        own, _, along, variance = self._risk.lines(points)
        shared = self._with.values(self._risk.model.rows(points))
        shared = shared.reshape(len(points), *self._weights.shape)
        b = np.column_stack([np.einsum("mns,ns->mn", shared, self._weights), along])
        b /= np.sqrt(np.maximum(variance, 0.0) + self._risk.model.noise)[:, None]
        a = np.column_stack([np.broadcast_to(self._values, shared.shape[:2]), own])
        with np.errstate(divide="ignore"):
            # Before, the candidate's design is no choice.
            lead = np.log(np.maximum(own - self._values.max(), 0.0))
        return np.asarray(np.logaddexp(log_gain(a, b)[0], lead))


def _best(risk: ExpectedRisk, belief: Belief) -> Array:
    """(N, d) rows of different designs that are or will be evaluated, of the best risks."""
    rows = np.concatenate([belief.x[belief.feasible], belief.pending])
    designs = np.delete(rows, risk.scenarios.columns, axis=1).round(_SAME)
    rows = rows[np.sort(np.unique(designs, axis=0, return_index=True)[1])]
    return np.asarray(rows[np.argsort(-risk.values(rows), kind="stable")[:_CHOICES]])
