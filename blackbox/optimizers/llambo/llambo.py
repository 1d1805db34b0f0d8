"""LLAMBO: a language model as design, sampler and surrogate of Bayesian optimization."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np

from blackbox.arguments import check_count, check_flag
from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError
from blackbox.formulation import Problem
from blackbox.optimizers.llambo.base import LanguageModelOptimizer
from blackbox.optimizers.llambo.predicting import discriminative, generative
from blackbox.optimizers.llambo.scalar import Scalar
from blackbox.optimizers.llambo.settings import Settings
from blackbox.optimizers.sobol import Sobol
from blackbox.state import State

SurrogateKind: TypeAlias = Literal["discriminative", "generative"]


class LLAMBO(LanguageModelOptimizer):
    """Bayesian optimization inside a prompt (Liu et al. 2024, ICLR, arXiv 2402.03921).

    The first rows are proposed by the model from what it knows about the problem. After them each
    proposal has two steps. The model is shown every row told and asked for candidates that come to
    a target: the best outcome, moved by ``alpha`` times the range seen. Then it predicts the
    outcomes of all candidates several times, with the examples in other orders, and the candidate
    of the largest expected improvement is proposed. Constraints multiply that by the probability
    that they hold; several objectives become one by random weights for each proposal.

    As ``init=`` of another optimizer it is a warm start; as ``candidates=`` of ``Bayes`` with
    ``surrogate=None`` a sampler.

    Args:
        problem: up to 5 objectives and any constraints, on any parameters.
        llm: a ``bb.llm.Model`` such as ``bb.llm.Chat(base_url, model)``, or any callable that takes
            a ``bb.llm.Request`` and returns texts.
        about: what the problem is, in words, ``bb.llm.data_card`` included; by default
            ``problem.about``. This is the context of the zero-shot warm start.
        n_init: rows of the design; rows told from outside count.
        warm_start: whether the model proposes the design; else it consists of Sobol points.
        surrogate: ``"discriminative"`` predicts outcomes, ``"generative"`` whether a candidate is
            among the best, None leaves the choice among the candidates to whoever asks for them.
        settings: how the model is asked.
        max_tokens: most tokens of all prompts and replies together, never exceeded.
        max_cost: most money, by the model's prices, never exceeded.
        seed: seeds the optimizer's only generator.

    Raises:
        ProblemError: an argument is of the wrong type or out of range.
        MissingExtraError: SciPy is not installed (extra ``bayes``).
    """

    def __init__(
        self,
        problem: Problem,
        llm: Any,
        about: str = "",
        *,
        n_init: int = 5,
        warm_start: bool = True,
        surrogate: SurrogateKind | None = "discriminative",
        settings: Settings = Settings(),  # noqa: B008 - frozen
        max_tokens: int | None = None,
        max_cost: float | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, llm, about, settings, max_tokens, max_cost, seed)
        n_init = check_count("LLAMBO: n_init", n_init, 0)
        check_flag("LLAMBO: warm_start", warm_start)
        if surrogate not in ("discriminative", "generative", None):
            raise ProblemError(
                f"LLAMBO: surrogate={surrogate!r}; give 'discriminative', 'generative' or None"
            )
        self._n_init, self._warm_start, self._surrogate = n_init, warm_start, surrogate
        self._queue = np.empty((0, self._features.width))

    @property
    def batch_size(self) -> int:
        """One row, or all candidates where there is no surrogate to choose among them."""
        beginning = len(self._told) + len(self.pending) < self._n_init
        return 1 if self._surrogate or beginning else self._settings.candidates

    def _propose(self, n: int, taken: Array) -> Array:
        if len(taken) < self._n_init:
            return self._design(n, taken)
        told = self._told[self._told["ok"]] if len(self._told) else self._told
        count = max(self._settings.candidates, n)
        if not len(told):
            return self._configurations(count, self._settings.completions, [])
        scalar = Scalar.drawn(self.problem, told, self.rng)
        target = scalar.target(self._settings.alpha)
        rows = self._configurations(count, self._settings.completions, target)
        rows = self._new(rows, taken)
        if len(rows) <= 1 or self._surrogate is None:
            return rows
        value = self._value(scalar, rows)
        return np.asarray(rows[np.argsort(-value, kind="stable")])

    def _value(self, scalar: Scalar, rows: Array) -> Array:
        """(M,) what candidates are worth; all the same where the model does not say."""
        candidates, shown = self._features.decode(rows), self._shown()
        parts = self._conversation, self._briefing, shown
        if self._surrogate == "discriminative":
            predicted = discriminative(*parts, candidates, self.rng)
            if len(predicted):
                return scalar.improvement(predicted)
        else:
            probability = generative(*parts, self._worth(scalar, shown), candidates, self.rng)
            if np.isfinite(probability).any():
                return np.where(np.isfinite(probability), probability, np.nanmean(probability))
        self._fault("no predictions", 1)
        return np.zeros(len(rows))

    @staticmethod
    def _worth(scalar: Scalar, shown: Batch) -> Array:
        """(n,) worth of the rows shown, -inf of those that failed or break a constraint."""
        good = scalar.problem.feasible(shown)
        worth = np.full(len(shown), -np.inf)
        if good.any():
            worth[good] = scalar.worth(scalar.problem.scores(shown[good]))
        return worth

    def _design(self, n: int, taken: Array) -> Array:
        """Rows of the design: asked for all at once, and kept for later asks."""
        left = self._n_init - len(taken)
        if not len(self._queue):
            self._queue = self._warm(max(left, n), taken)
        rows, self._queue = self._queue[:n], self._queue[n:]
        return rows

    def _warm(self, count: int, taken: Array) -> Array:
        if self._warm_start:
            return self._new(self._configurations(count, 1, []), taken)
        if self.problem.space.polytope is not None:
            return self._features.draw(count, self.rng)
        design = Sobol(self.problem, seed=int(self.rng.integers(2**31)))
        return self._encode(design.ask(count))

    def _state(self) -> State:
        return {**super()._state(), "queue": self._queue}

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        self._queue = np.asarray(state["queue"])
