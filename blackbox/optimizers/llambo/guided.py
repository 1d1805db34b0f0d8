"""A language model that reasons about what to try next, for reactions and other such tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from blackbox.arguments import check_count
from blackbox.batch import Array
from blackbox.formulation import Problem
from blackbox.optimizers.llambo.base import LanguageModelOptimizer
from blackbox.optimizers.llambo.settings import Settings


class LLMGuided(LanguageModelOptimizer):
    """Batches that a language model proposes after reasoning about all results so far.

    MacKnight et al. 2025, *Pre-trained knowledge elevates large language models beyond traditional
    chemical reaction optimizers* (arXiv 2509.00103): the model is told what the reaction is, which
    options there are for each component, and every yield so far, and gives its reasons with each
    batch. There is no surrogate: what decides is what the model knows. The reasons are kept in
    ``record``. Nothing restricts it to reactions, but a table of choices with names that mean
    something is where such knowledge helps.

    Args:
        problem: up to 5 objectives and any constraints, on any parameters.
        llm: a ``bb.llm.Model`` such as ``bb.llm.Chat(base_url, model)``, or any callable that takes
            a ``bb.llm.Request`` and returns texts.
        about: what is made of what, in words; by default ``problem.about``.
        batch: rows of a natural batch.
        settings: how the model is asked; those of the surrogates and of ``alpha`` are not used.
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
        batch: int = 1,
        settings: Settings = Settings(),  # noqa: B008 - frozen
        max_tokens: int | None = None,
        max_cost: float | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, llm, about, settings, max_tokens, max_cost, seed)
        self._batch = check_count("LLMGuided: batch", batch, 1)

    @property
    def batch_size(self) -> int:
        """Rows that ``ask()`` gives when no number is asked for."""
        return self._batch

    def _propose(self, n: int, taken: Array) -> Array:
        rows = self._new(self._configurations(n, 1, [], reasoning=True), taken)
        if len(rows) < n and len(rows) < self.problem.space.cardinality - len(taken):
            again = self._configurations(n - len(rows), 1, [], reasoning=True)
            return np.concatenate([rows, self._new(again, np.concatenate([taken, rows]))])
        return rows
