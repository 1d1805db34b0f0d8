"""What the optimizers with a language model have in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from blackbox.acquisitions.search import Search
from blackbox.batch import Array, Batch
from blackbox.errors import MissingExtraError, ProblemError, require
from blackbox.formulation import Problem
from blackbox.llm.asking import Reading, answers
from blackbox.llm.conversation import Conversation, Ledger, Text
from blackbox.optimizer import Optimizer, Supports
from blackbox.optimizers.bayes import Bayes
from blackbox.optimizers.llambo import reading
from blackbox.optimizers.llambo.prompts import Briefing
from blackbox.optimizers.llambo.scalar import Scalar
from blackbox.optimizers.llambo.settings import Settings
from blackbox.optimizers.sobol import Sobol
from blackbox.state import State
from blackbox.surrogates.features import Features

_BEGIN = 4  # rows that must have succeeded before a Gaussian process stands in


class LanguageModelOptimizer(Optimizer):
    """Asks a model, checks what it says, and goes on by itself where it says nothing of use.

    Rows that were told or are pending are never proposed again. Where the model gives too few new
    rows the others are those of ``Bayes``, or Sobol points at the beginning; ``record`` says how
    often.

    Args:
        problem: what is optimized.
        llm: a ``bb.llm.Model``, or any callable that takes a ``bb.llm.Request``.
        about: what the problem is, in words; by default the problem's own text.
        settings: how the model is asked.
        max_tokens: most tokens of all prompts and replies together.
        max_cost: most money, by the model's prices.
        seed: seeds the optimizer's only generator.
    """

    supports = Supports(objectives=(1, 5), constraints=True, linear=True)

    def __init__(
        self,
        problem: Problem,
        llm: Any,
        about: str,
        settings: Settings,
        max_tokens: int | None,
        max_cost: float | None,
        seed: int | None,
    ) -> None:
        super().__init__(problem, seed=seed)
        require("scipy.stats", "bayes")
        if not isinstance(about, str):
            raise ProblemError(f"about={about!r}; give a text, or nothing")
        if not isinstance(settings, Settings):
            raise ProblemError(f"settings={settings!r}; give Settings(...)")
        self._conversation = Conversation(llm, max_tokens=max_tokens, max_cost=max_cost)
        self._settings = settings
        self._briefing = Briefing(problem, about or problem.about, settings)
        self._features = Features(problem.space)
        self._search = Search(self._features)
        self._told = Batch({})
        self._x = np.empty((0, self._features.width))
        self._entries: list[dict[str, Any]] = []
        self._reasoning: list[str] = []

    @property
    def usage(self) -> Ledger:
        """Requests, tokens, money and faults of the whole run so far."""
        return Ledger.of(self._conversation.total.state())

    @property
    def record(self) -> tuple[dict[str, Any], ...]:
        """One entry for each ask.

        ``told`` is how many rows were told before it, ``rows`` how many it gave, ``own`` how many
        of these are not the model's; then ``requests``, ``prompt_tokens``, ``completion_tokens``,
        ``cost``, ``faults`` (kind to number) and the model's ``reasoning``.
        """
        return tuple({**entry, "faults": dict(entry["faults"])} for entry in self._entries)

    def spec(self) -> dict[str, Any]:
        """Type and arguments: the model by its name; caps may be raised when a study goes on."""
        spec = super().spec()
        spec["arguments"]["llm"] = self._conversation.model.name
        for cap in ("max_tokens", "max_cost"):
            spec["arguments"].pop(cap, None)
        return spec

    def suggest(self) -> Batch:
        """What the model itself would try next: at most a natural batch of rows without ids.

        Nobody promises to evaluate them, so they are not pending; there may be none. This is what
        ``Bayes(candidates=...)`` asks for.
        """
        return self._asked(self.batch_size, alone=False)

    def _ask(self, n: int) -> Batch:
        return self._asked(n, alone=True)

    def _asked(self, n: int, *, alone: bool) -> Batch:
        """At most n rows, with own ones where the model's do not suffice, if it is ``alone``."""
        self._conversation.begin()
        self._reasoning = []
        taken = np.concatenate([self._x, self._encode(self.pending)])
        proposed = self._new(self._propose(n, taken), taken)[:n]
        missing = n - len(proposed) if alone else 0
        own = self._own(missing, np.concatenate([taken, proposed])) if missing else proposed[:0]
        self._entries.append(
            {
                "told": len(self._told),
                "rows": len(proposed) + len(own),
                "own": len(own),
                **self._conversation.trial.state(),
                "reasoning": "\n".join(filter(None, self._reasoning)),
            }
        )
        return self._features.decode(np.concatenate([proposed, own]))

    @abstractmethod
    def _propose(self, n: int, taken: Array) -> Array:
        """(k, d) features of rows from the model, the best first; those taken are left out."""

    def _tell(self, batch: Batch) -> None:
        kept = batch.select([*self.problem.inputs, *self.problem.outcomes, "ok"])
        self._told = Batch.concat([self._told, kept]) if len(self._told) else kept
        self._x = np.concatenate([self._x, self._encode(kept)])

    def _state(self) -> State:
        return {
            "told": self._told.columns(),
            "conversation": self._conversation.state(),
            "record": [dict(entry) for entry in self._entries],
        }

    def _load_state(self, state: State) -> None:
        self._told = Batch(state["told"])
        self._x = self._encode(self._told)
        self._conversation.load(state["conversation"])
        self._entries = [dict(entry) for entry in state["record"]]

    def _encode(self, batch: Batch) -> Array:
        if not len(batch):
            return np.empty((0, self._features.width))
        return self._features.encode(batch)

    def _new(self, rows: Array, taken: Array) -> Array:
        """The rows that are feasible, and neither taken nor repeated; the others are counted."""
        feasible = self._features.feasible(rows) if len(rows) else np.zeros(0, dtype=bool)
        fresh = self._search.fresh(rows, taken) if len(rows) else feasible
        self._fault("constraint broken", int(np.sum(~feasible)))
        self._fault("duplicate", int(np.sum(feasible & ~fresh)))
        kept: Array = rows[feasible & fresh]
        return kept

    def _fault(self, kind: str, times: int) -> None:
        if times:
            self._conversation.fault(kind, times)

    def _own(self, n: int, taken: Array) -> Array:
        """At most n rows without the model; fewer where the space has no more."""
        self._fault("own proposal", n)
        seed = int(self.rng.integers(2**31))
        # The process does not know rows that are out; in a small space it may well choose one.
        out = len(taken) - len(self._x) if self._search.finite else 0
        made = self._alone(n + out, seed)
        made = made[self._search.fresh(made, taken)][:n] if len(made) else made
        while len(made) < n:
            row = self._search.spread(np.concatenate([taken, made]), self.rng)
            if row is None:
                break
            made = np.concatenate([made, row[None]])
        return made

    def _alone(self, n: int, seed: int) -> Array:
        """At most n rows of a Gaussian process, of Sobol where there is too little to learn."""
        told = self._told
        if not len(told) or np.count_nonzero(told["ok"]) < _BEGIN:
            if self.problem.space.polytope is not None:
                return self._features.draw(n, self.rng)
            return self._encode(Sobol(self.problem, seed=seed).ask(n))
        try:
            process = Bayes(self.problem, n_init=0, seed=seed)
            process.tell(told)
            return self._encode(process.ask(n))
        except MissingExtraError:  # several objectives need PyTorch and BoTorch
            return np.empty((0, self._features.width))

    def _shown(self) -> Batch:
        """The rows that prompts show: all, or the best of them; outcomes permuted in a control."""
        rows = self._told
        if len(rows) > self._settings.examples:
            rows = rows.take(np.sort(self._order()[: self._settings.examples]))
        if self._settings.permuted and len(rows):
            order = self.rng.permutation(len(rows))
            names = [*self.problem.outcomes, "ok"]
            rows = rows.with_columns(**{name: rows[name][order] for name in names})
        return rows

    def _order(self) -> Array:
        """(n,) rows told, the best first, behind them those that break a constraint or failed."""
        ok, m = self._told["ok"], len(self.problem.objectives)
        worth = np.full(len(ok), -np.inf)
        if ok.any():
            worth[ok] = Scalar(self.problem, self._told[ok], np.full(m, 1 / m)).observed()
        return np.argsort(-worth, kind="stable")

    def _configurations(
        self, count: int, texts: int, target: list[float], *, reasoning: bool = False
    ) -> Array:
        """(k, d) features of what the model proposes, about ``count`` rows in so many texts."""
        texts = min(texts, count)
        each = -(-count // texts)
        shown = self._shown()
        order = self.rng.permutation(len(shown))
        asked = self._briefing.configurations(
            shown.take(order) if len(shown) else shown,
            self.pending,
            each,
            target,
            reasoning=reasoning,
        )
        fields = self._briefing.fields

        def read(text: Text) -> Reading[reading.Proposed]:
            return reading.configurations(text, fields, each)

        request = self._briefing.request(asked, texts, int(self.rng.integers(2**31)))
        found = answers(self._conversation, [request], read)
        self._reasoning += [proposed.reasoning for proposed in found]
        rows = fields.batch([row for proposed in found for row in proposed.rows])
        # As the model saw them: what it repeats may differ in digits it was not shown.
        seen = {*self._written(self._told), *self._written(self.pending)}
        fresh = np.array([row not in seen for row in self._written(rows)], dtype=bool)
        self._fault("duplicate", int(np.sum(~fresh)))
        return self._encode(rows[fresh])

    def _written(self, rows: Batch) -> list[str]:
        return self._briefing.fields.write(rows) if len(rows) else []
