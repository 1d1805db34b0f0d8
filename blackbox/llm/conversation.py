"""What an optimizer holds a model with: retries, budgets, and a count of everything."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from blackbox.arguments import is_number
from blackbox.errors import ProblemError
from blackbox.llm.protocol import ModelError, Reply, Request, Token, as_model
from blackbox.state import State

_LOG = logging.getLogger(__name__)
_ATTEMPTS = 3
_PATIENCE = 3  # requests in a row without an answer, after which the model rests
_LONGEST_REST = 64  # trials


@dataclass
class Ledger:
    """What was asked of a model and what it took.

    Attributes:
        requests: attempts made.
        prompt_tokens: tokens of prompts, as the model counts them.
        completion_tokens: tokens of texts.
        cost: money, by the model's prices.
        faults: how often each kind of fault was met.
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def tokens(self) -> int:
        """Tokens of prompts and of texts."""
        return self.prompt_tokens + self.completion_tokens

    def state(self) -> State:
        """As plain data."""
        return {**asdict(self), "faults": dict(self.faults)}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Ledger:
        """From plain data."""
        return cls(**{**state, "faults": Counter(state["faults"])})


@dataclass(frozen=True)
class Text:
    """One text that a model answered.

    Args:
        text: what it says.
        logprobs: its tokens with their alternatives, empty where the model gives none.
    """

    text: str
    logprobs: tuple[Token, ...] = ()


class Conversation:
    """Requests to a model that never raise because of it.

    Attempts that fail are repeated after the time the server names; texts that are missing are
    asked for one by one, and from then on always. No request is sent that could take the tokens or
    the money beyond their caps: beforehand each counts with as many tokens as its prompt has bytes
    and with all the tokens its texts may have. A model that stops answering rests for 1, 2, 4, ...
    trials. What is sent depends on the answers alone and not on their order, so that a recorded
    conversation can be repeated.

    Args:
        model: a ``Model`` or any callable that takes a request.
        max_tokens: most tokens of all prompts and texts together, None for no cap.
        max_cost: most money, None for no cap.

    Raises:
        ProblemError: a cap is negative, or the model has no prices to count money by.
    """

    def __init__(
        self, model: Any, *, max_tokens: int | None = None, max_cost: float | None = None
    ) -> None:
        self.model = as_model(model)
        for name, value in {"max_tokens": max_tokens, "max_cost": max_cost}.items():
            if value is not None and not (is_number(value) and value >= 0):
                raise ProblemError(f"{name}={value!r} must be a number of at least 0, or None")
        if max_cost is not None and not any(self.model.prices):
            raise ProblemError(
                f"max_cost={max_cost!r}: {self.model.name!r} has no prices; give them, as in "
                "bb.llm.Chat(base_url, model, prices=(0.15, 0.6)), or cap max_tokens"
            )
        self._most_tokens = math.inf if max_tokens is None else max_tokens
        self._most_cost = math.inf if max_cost is None else max_cost
        self.total, self.trial = Ledger(), Ledger()
        self._single = False  # whether the model gives one text a request
        self._unanswered = 0
        self._rest, self._rests = 0, 0

    def begin(self) -> None:
        """Begin a trial: what follows is counted for it."""
        self.trial = Ledger()
        if self._rest:
            self._rest -= 1

    @property
    def resting(self) -> bool:
        """Whether the model is not asked in this trial."""
        return self._rest > 0

    def fault(self, kind: str, times: int = 1) -> None:
        """Count a fault."""
        for ledger in (self.trial, self.total):
            ledger.faults[kind] += times

    def complete(self, requests: Sequence[Request]) -> list[list[Text]]:
        """The texts of each request, fewer than asked for where the model does not answer.

        Args:
            requests: sent side by side.
        """
        texts: list[list[Text]] = [[] for _ in requests]
        sent = self.trial.requests
        waiting = [part for i, request in enumerate(requests) for part in self._parts(i, request)]
        for attempt in range(_ATTEMPTS):
            if self.resting:
                self.fault("resting", len(waiting))
                break
            admitted, waiting, wait = self._admitted(waiting), [], 0.0
            for (i, request), outcome in zip(admitted, self._outcomes(admitted), strict=True):
                self._book(request, outcome)
                if isinstance(outcome, Reply):
                    texts[i] += _texts(outcome, request.n)
                    waiting += self._missing(i, request, outcome)
                elif outcome.again and not outcome.lasting:
                    waiting.append((i, replace(request, attempt=request.attempt + 1)))
                    wait = max(wait, outcome.wait)
            if not waiting or attempt + 1 == _ATTEMPTS:
                break
            time.sleep(wait)
        if self.trial.requests > sent and not any(texts):
            self._unanswered += 1
            self._lose_patience()
        return texts

    def state(self) -> State:
        """What ``load`` needs."""
        counts = [int(self._single), self._unanswered, self._rest, self._rests]
        return {"total": self.total.state(), "trial": self.trial.state(), "counts": counts}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        self.total, self.trial = Ledger.of(state["total"]), Ledger.of(state["trial"])
        single, self._unanswered, self._rest, self._rests = map(int, state["counts"])
        self._single = bool(single)

    def _parts(self, i: int, request: Request) -> list[tuple[int, Request]]:
        """The request, or one for each text where the model gives one at a time."""
        if not self._single or request.n == 1:
            return [(i, request)]
        return [(i, one) for one in _singles(request, range(request.n))]

    def _missing(self, i: int, request: Request, reply: Reply) -> list[tuple[int, Request]]:
        have = len(reply.texts)
        if have >= request.n:
            return []
        if "no content" not in reply.faults:
            self._single = True
            self.fault("fewer texts")
        return [(i, one) for one in _singles(request, range(have, request.n))]

    def _admitted(self, waiting: Sequence[tuple[int, Request]]) -> list[tuple[int, Request]]:
        """The requests that the caps allow, whatever their answers will take."""
        admitted, prompt, texts = [], 0, 0
        for i, request in waiting:
            longer = prompt + request.prompt_bound, texts + request.n * request.max_tokens
            within = self.total.tokens + sum(longer) <= self._most_tokens
            if within and self.total.cost + self._price(*longer) <= self._most_cost:
                admitted.append((i, request))
                prompt, texts = longer
            else:
                self.fault("budget")
        return admitted

    def _outcomes(self, admitted: Sequence[tuple[int, Request]]) -> list[Reply | ModelError]:
        if not admitted:
            return []
        if len(admitted) == 1:
            return [self._attempt(admitted[0][1])]
        with ThreadPoolExecutor(min(len(admitted), self.model.concurrency)) as pool:
            return list(pool.map(self._attempt, [request for _, request in admitted]))

    def _attempt(self, request: Request) -> Reply | ModelError:
        try:
            self.model.wait_turn(request)
            return self.model.answer(request)
        except ModelError as error:
            return error

    def _book(self, request: Request, outcome: Reply | ModelError) -> None:
        """Count an attempt; what a model does not say is counted in full."""
        prompt, texts = request.prompt_bound, request.n * request.max_tokens
        if isinstance(outcome, ModelError):
            self.fault(outcome.kind)
            prompt, texts = (prompt, texts) if outcome.billed else (0, 0)
            _LOG.warning("%s: %s", self.model.name, outcome)
        else:
            said, spoken = outcome.prompt_tokens, outcome.completion_tokens
            prompt, texts = prompt if said is None else said, texts if spoken is None else spoken
        for kind in outcome.faults:
            self.fault(kind)
        for ledger in (self.trial, self.total):
            ledger.requests += 1
            ledger.prompt_tokens += prompt
            ledger.completion_tokens += texts
            ledger.cost += self._price(prompt, texts)
        if isinstance(outcome, Reply):
            self._unanswered = self._rests = 0
        elif outcome.lasting:
            self._unanswered = _PATIENCE

    def _lose_patience(self) -> None:
        """Let a model rest that has stopped answering."""
        if self._unanswered >= _PATIENCE:
            self._rest = min(2**self._rests, _LONGEST_REST) + 1
            self._rests += 1
            self._unanswered = 0
            _LOG.warning("%s does not answer: left alone for a while", self.model.name)

    def _price(self, prompt: int, texts: int) -> float:
        return (prompt * self.model.prices[0] + texts * self.model.prices[1]) / 1e6


def _singles(request: Request, numbers: range) -> list[Request]:
    """Requests of one text each, with seeds of their own."""
    return [replace(request, n=1, attempt=0, seed=request.seed + 1 + i) for i in numbers]


def _texts(reply: Reply, most: int) -> list[Text]:
    """At most so many texts of a reply."""
    logprobs = (*reply.logprobs, *((),) * len(reply.texts))  # a model may give those of some only
    pairs = zip(reply.texts, logprobs, strict=False)
    return [Text(text, tokens) for text, tokens in pairs][:most]
