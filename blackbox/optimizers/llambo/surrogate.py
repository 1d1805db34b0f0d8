"""A language model as the surrogate of ``Bayes``: means and deviations from its predictions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from blackbox.acquisitions.base import Acquisition, AcquisitionFunction, Belief
from blackbox.acquisitions.feasibility import constrained
from blackbox.acquisitions.improvement import Pointwise, log_ei
from blackbox.batch import Array, Batch
from blackbox.errors import UnsupportedError
from blackbox.formulation import Maximize, problem
from blackbox.llm.conversation import Conversation, Ledger
from blackbox.optimizers.llambo.predicting import discriminative
from blackbox.optimizers.llambo.prompts import Briefing
from blackbox.optimizers.llambo.settings import Settings
from blackbox.state import State
from blackbox.surrogates.features import Features
from blackbox.surrogates.model import Data, Model
from blackbox.surrogates.outcomes import Outcomes
from blackbox.surrogates.posterior import Moments

_FLOOR = 1e-5
_AT_ONCE = 50  # candidates in one request


@dataclass(frozen=True)
class InContext:
    """Surrogate that asks a language model, for ``Bayes(surrogate=InContext(llm))``.

    Each candidate costs tokens, so it belongs with ``candidates=Only(...)`` and
    ``acquisition=ObservedEI()``: then only what the other proposes is predicted.

    Args:
        llm: a ``bb.llm.Model``, or any callable that takes a ``bb.llm.Request``.
        about: what the problem is, in words.
        settings: how the model is asked.
        max_tokens: most tokens of all prompts and replies together, for as long as this object
            lives.
        seed: seeds the orders of the examples.
    """

    llm: Any
    about: str = ""
    settings: Settings = field(default_factory=Settings)
    max_tokens: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        conversation = Conversation(self.llm, max_tokens=self.max_tokens)
        object.__setattr__(self, "_conversation", conversation)

    @property
    def usage(self) -> Ledger:
        """Requests, tokens and faults so far."""
        conversation: Conversation = self._conversation  # type: ignore[attr-defined]
        return Ledger.of(conversation.total.state())

    def fit(self, data: Data, memory: State | None) -> InContextModel:
        """Nothing is fitted: the data stand in the prompt."""
        conversation: Conversation = self._conversation  # type: ignore[attr-defined]
        conversation.begin()
        rng = np.random.default_rng([self.seed, len(data.y)])
        return InContextModel(data, conversation, self.about, self.settings, rng)


class InContextModel(Model):
    """Predictions of a language model, asked for once for each row and then remembered.

    Args:
        data: observations of one outcome, as scores.
        conversation: with the model.
        about: what the problem is.
        settings: how the model is asked.
        rng: draws the orders of the examples.
    """

    def __init__(
        self,
        data: Data,
        conversation: Conversation,
        about: str,
        settings: Settings,
        rng: np.random.Generator,
    ) -> None:
        self.features: Features = data.features
        self.outcomes, z = Outcomes.of(data.y)
        self.noise = 0.0
        self._conversation, self._rng = conversation, rng
        named = problem(lambda p: 0.0, data.features.space, Maximize("score"), about=about)
        self._briefing = Briefing(named, about, settings)
        rows = data.features.decode(data.x)
        shown = rows.with_columns(score=data.y, ok=True)
        best = np.sort(np.argsort(-data.y, kind="stable")[: settings.examples])
        self._shown: Batch = shown.take(best)
        self._known = {
            x.tobytes(): (value, _FLOOR) for x, value in zip(data.x, z.tolist(), strict=True)
        }

    def predict(self, points: Array) -> tuple[Array, Array]:
        moments = self.moments(points)
        mean = moments.mean[:, 0]
        value = self.outcomes.backward(mean)
        above = self.outcomes.backward(mean + moments.deviation)
        return value, np.maximum(above - value, 0.0)

    def moments(self, points: Array) -> Moments:
        """As ``Model.moments``; nothing is known of derivatives, so they are zero."""
        keys = [np.ascontiguousarray(x).tobytes() for x in points]
        new = [i for i, key in enumerate(keys) if key not in self._known]
        for start in range(0, len(new), _AT_ONCE):
            chosen = new[start : start + _AT_ONCE]
            self._ask(points[chosen], [keys[i] for i in chosen])
        mean, deviation = np.array([self._known[key] for key in keys]).reshape(-1, 2).T
        zeros = np.zeros((len(points), self.features.width))
        return Moments(mean[:, None], deviation, lambda by_mean, by_deviation: zeros)

    def botorch(self, device: str = "cpu") -> Any:
        """Refused: there is no process behind the predictions.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError(
            "InContext is no Gaussian process, so BoTorch's acquisitions cannot use it; take "
            "acquisition=ObservedEI()"
        )

    def _ask(self, points: Array, keys: list[bytes]) -> None:
        """Ask for predictions; what is not said is the average, with the observations' spread."""
        candidates = self.features.decode(points)
        found = discriminative(
            self._conversation, self._briefing, self._shown, candidates, self._rng
        )
        with np.errstate(over="ignore", invalid="ignore"):
            z = self.outcomes.forward(found[:, :, 0]) if len(found) else np.empty((0, len(points)))
        for j, key in enumerate(keys):
            values = z[:, j][np.isfinite(z[:, j])]
            if not len(values):
                self._known[key] = (0.0, 1.0)
                continue
            deviation = float(values.std(ddof=1)) if len(values) > 1 else 1.0
            self._known[key] = (float(values.mean()), max(deviation, _FLOOR))


@dataclass(frozen=True)
class ObservedEI(Acquisition):
    """Log expected improvement over the best observation, for any surrogate.

    As in LLAMBO; noise and pending rows are not accounted for. Constraints multiply it by the
    probability that they hold.
    """

    def build(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        return constrained(belief, lambda: self._unconstrained(belief))

    @staticmethod
    def _unconstrained(belief: Belief) -> AcquisitionFunction:
        model = belief.objectives[0]
        best = np.array([model.outcomes.forward(belief.scores[belief.feasible, 0]).max()])
        return Pointwise(model.moments, lambda mean, s: log_ei(mean, s, best))
