"""Retries, budgets and counts, with models that fail as told."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

import blackbox as bb
from blackbox.errors import ProblemError
from blackbox.llm import Conversation, Ledger, Model, ModelError, Reply, Request
from blackbox.llm.asking import Reading, answers
from blackbox.llm.structured import Misfit

MESSAGES = ({"role": "user", "content": "hello"},)
REQUEST = Request(MESSAGES, n=2, max_tokens=10)


class Script(Model):
    """Answers or raises what it was given, in order; then ``"done"`` for each text."""

    prices = (1e6, 2e6)

    def __init__(self, *outcomes: object) -> None:
        self.outcomes = list(outcomes)
        self.seen: list[Request] = []
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Reply:
        with self._lock:
            self.seen.append(request)
            outcome = self.outcomes.pop(0) if self.outcomes else ["done"] * request.n
        if isinstance(outcome, Exception):
            raise outcome
        return Reply.of(outcome)


def texts(conversation: Conversation, request: Request = REQUEST) -> list[str]:
    return [text.text for text in conversation.complete([request])[0]]


@pytest.mark.parametrize("answer", ["one", ["one"], Reply(("one",))])
def test_any_callable_serves(answer) -> None:
    conversation = Conversation(lambda request: answer)
    assert texts(conversation, Request(MESSAGES)) == ["one"]


@pytest.mark.parametrize("answer", [None, 3, [], ["a", 1], {"a": 1}, Reply((3,))])
def test_an_answer_that_is_no_text_is_a_fault(answer) -> None:
    conversation = Conversation(lambda request: answer)
    assert texts(conversation) == []
    assert sum(conversation.total.faults.values()) == 3


@pytest.mark.parametrize("model", [None, 3, "gpt", Script])
def test_what_is_no_model_is_refused(model) -> None:
    with pytest.raises(ProblemError, match="is no language model; give"):
        Conversation(model)


def test_failed_attempts_are_repeated_and_counted() -> None:
    model = Script(ModelError("rate limit"), ValueError("oops"))
    conversation = Conversation(model)
    assert texts(conversation) == ["done", "done"]
    assert conversation.total.requests == 3
    assert conversation.total.faults == {"rate limit": 1, "error ValueError": 1}
    assert [request.attempt for request in model.seen] == [0, 1, 2]
    assert len({request.key for request in model.seen}) == 3


def test_waits_as_long_as_it_is_told(monkeypatch) -> None:
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    texts(Conversation(Script(ModelError("rate limit", wait=7.0))))
    assert slept == [7.0]


def test_what_will_not_help_is_not_repeated() -> None:
    model = Script(ModelError("refused request", again=False))
    assert texts(Conversation(model)) == []
    assert len(model.seen) == 1


def test_texts_that_are_missing_are_asked_for_one_by_one() -> None:
    model = Script(["a"])
    conversation = Conversation(model)
    assert texts(conversation, Request(MESSAGES, n=3)) == ["a", "done", "done"]
    assert [request.n for request in model.seen] == [3, 1, 1]
    texts(conversation, Request(MESSAGES, n=2, seed=9))
    assert [request.n for request in model.seen[3:]] == [1, 1]
    assert len({request.key for request in model.seen}) == 5
    assert conversation.total.faults == {"fewer texts": 1}


def test_texts_without_probabilities_are_not_lost() -> None:
    reply = Reply(("a", "b"), logprobs=((("a", {"a": -0.1}),),))
    [found] = Conversation(Script(reply)).complete([REQUEST])
    assert [(text.text, len(text.logprobs)) for text in found] == [("a", 1), ("b", 0)]


def test_a_callable_that_never_answers_is_left() -> None:
    conversation = Conversation(lambda request: threading.Event().wait(2))
    start = time.monotonic()
    assert texts(conversation, Request(MESSAGES, timeout=0.05)) == []
    assert time.monotonic() - start < 1.5
    assert conversation.total.faults["timeout"] == 3


def test_requests_go_out_side_by_side() -> None:
    together = threading.Barrier(3, timeout=5)

    def model(request: Request) -> str:
        together.wait()
        return str(request.seed)

    found = Conversation(model).complete([Request(MESSAGES, seed=s) for s in range(3)])
    assert [one[0].text for one in found] == ["0", "1", "2"]


class TestBudget:
    bound = REQUEST.prompt_bound + 2 * REQUEST.max_tokens

    def test_no_request_is_sent_that_could_exceed_the_cap(self) -> None:
        model = Script()
        conversation = Conversation(model, max_tokens=self.bound - 1)
        assert texts(conversation) == []
        assert model.seen == []
        assert conversation.total.faults == {"budget": 1}
        assert texts(Conversation(model, max_tokens=self.bound)) == ["done", "done"]

    def test_requests_side_by_side_share_it(self) -> None:
        conversation = Conversation(Script(), max_tokens=2 * self.bound)
        found = conversation.complete(
            [Request(MESSAGES, 2, max_tokens=10, seed=s) for s in (1, 2, 3)]
        )
        assert [len(one) for one in found] == [2, 2, 0]

    def test_what_is_not_said_counts_in_full(self) -> None:
        conversation = Conversation(Script())
        texts(conversation)
        assert conversation.total.tokens == self.bound
        conversation = Conversation(Script(Reply(("a", "b"), 5, 7)))
        texts(conversation)
        assert conversation.total.tokens == 12
        assert conversation.total.cost == 5 + 2 * 7

    def test_only_what_may_have_been_billed_counts(self) -> None:
        for billed, tokens in ((True, self.bound), (False, 0)):
            model = Script(ModelError("x", again=False, billed=billed))
            conversation = Conversation(model)
            texts(conversation)
            assert conversation.total.tokens == tokens

    def test_money_is_capped(self) -> None:
        cost = REQUEST.prompt_bound + 2 * 2 * REQUEST.max_tokens
        assert texts(Conversation(Script(), max_cost=cost)) == ["done", "done"]
        assert texts(Conversation(Script(), max_cost=cost - 1)) == []

    def test_money_needs_prices(self) -> None:
        with pytest.raises(ProblemError, match="has no prices; give them"):
            Conversation(lambda request: "", max_cost=1.0)

    @pytest.mark.parametrize("cap", [-1, "1", True, float("nan")])
    def test_a_cap_is_a_number(self, cap) -> None:
        with pytest.raises(ProblemError, match="must be a number of at least 0"):
            Conversation(lambda request: "", max_tokens=cap)


class TestRest:
    def test_a_model_that_does_not_answer_is_left_alone_longer_and_longer(self) -> None:
        model = Script(*[ModelError("server error") for _ in range(10**3)])
        conversation = Conversation(model)
        asked = []
        for _ in range(12):
            conversation.begin()
            before = len(model.seen)
            texts(conversation)
            asked.append(len(model.seen) - before)
        # Three trials with three attempts each, then a pause of one and of two.
        assert asked == [3, 3, 3, 0, 3, 3, 3, 0, 0, 3, 3, 3]
        assert conversation.total.faults["resting"] == 3

    def test_no_quota_is_no_use_trying(self) -> None:
        model = Script(ModelError("quota", again=False, lasting=True))
        conversation = Conversation(model)
        asked = []
        for _ in range(3):
            conversation.begin()
            before = len(model.seen)
            texts(conversation)
            asked.append(len(model.seen) - before)
        assert asked == [1, 0, 1]


def test_state_goes_on_exactly() -> None:
    def model(request: Request) -> Reply:
        if request.seed % 3 == 1:
            raise ModelError("x", again=False)
        return Reply(("t",), 3, 4)

    first, second = Conversation(model, max_tokens=900), Conversation(model, max_tokens=900)
    runs = {id(first): [], id(second): []}
    for seed in range(6):
        first.begin()
        texts(first, Request(MESSAGES, n=2, seed=seed, max_tokens=10))
    second.load(first.state())
    for seed, one in itertools.product(range(6, 20), (first, second)):
        one.begin()
        runs[id(one)].append(texts(one, Request(MESSAGES, n=2, seed=seed, max_tokens=10)))
    assert runs[id(first)] == runs[id(second)]
    assert first.state() == second.state()
    assert Ledger.of(first.total.state()) == first.total


class TestAnswers:
    def read(self, text) -> Reading[int]:
        if text.text == "bad":
            raise Misfit("no JSON", "it is bad")
        return Reading(len(text.text), [Misfit("prose", "chatter")])

    def test_a_text_of_no_use_is_asked_for_once_more(self) -> None:
        model = Script(["bad", "good"], ["fine"])
        conversation = Conversation(model)
        assert answers(conversation, [REQUEST], self.read) == [4, 4]
        again = model.seen[1]
        assert again.n == 1
        assert again.messages[-2] == {"role": "assistant", "content": "bad"}
        assert "cannot be used: it is bad." in again.messages[-1]["content"]
        assert conversation.total.faults == {"no JSON": 1, "prose": 2, "repair": 1}

    def test_and_not_twice(self) -> None:
        model = Script(["bad", "bad"], ["bad"], ["bad"])
        assert answers(Conversation(model), [REQUEST], self.read) == []
        assert len(model.seen) == 3


def test_public_names() -> None:
    assert {"Chat", "Recorded", "Request", "Reply"} <= set(bb.llm.__all__)
