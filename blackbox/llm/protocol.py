"""What a language model is here: something that answers a request with texts."""

from __future__ import annotations

import hashlib
import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from blackbox.errors import BlackboxError, ProblemError

#: Alternatives of one token of a text: the token itself, then log-probabilities by token.
Token: TypeAlias = tuple[str, Mapping[str, float]]


class ModelError(BlackboxError, RuntimeError):
    """A model gave no usable answer; an optimizer counts it and never raises it from ``ask``.

    Args:
        kind: a few words by which it is counted, such as ``"rate limit"``.
        message: what happened.
        wait: seconds to wait before another attempt.
        again: whether another attempt may help.
        lasting: whether no request is likely to succeed for a while.
        billed: whether the attempt may have been charged for all the same.
        faults: kinds of what went wrong before.
    """

    def __init__(
        self,
        kind: str,
        message: str = "",
        *,
        wait: float = 0.0,
        again: bool = True,
        lasting: bool = False,
        billed: bool = False,
        faults: Sequence[str] = (),
    ) -> None:
        super().__init__(f"{kind}: {message}" if message else kind)
        self.kind, self.message = kind, message
        self.wait, self.again, self.lasting, self.billed = wait, again, lasting, billed
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Request:
    """One request for n texts.

    Args:
        messages: dicts with ``role`` and ``content``.
        n: how many texts.
        schema: JSON schema that each text should satisfy, or None for free text.
        temperature: of the sampling.
        top_p: share of the probability that is sampled from.
        logprobs: whether log-probabilities of the tokens are wanted.
        max_tokens: most tokens of each text.
        timeout: seconds after which an attempt has failed.
        seed: makes equal prompts different requests, and their texts repeatable where a server
            supports it.
        attempt: how often this request failed before.
    """

    messages: tuple[Mapping[str, str], ...]
    n: int = 1
    schema: Mapping[str, Any] | None = None
    temperature: float = 0.7
    top_p: float = 0.95
    logprobs: bool = False
    max_tokens: int = 1024
    timeout: float = 60.0
    seed: int = 0
    attempt: int = 0

    @property
    def key(self) -> str:
        """A digest of everything but the timeout: what an exchange is recorded under."""
        plain = {name: value for name, value in asdict(self).items() if name != "timeout"}
        text = json.dumps(plain, sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def prompt_bound(self) -> int:
        """Tokens that the prompt has at most: every token stands for at least one byte."""
        size = sum(16 + len(m["content"].encode("utf-8", "replace")) for m in self.messages)
        return size + (0 if self.schema is None else len(json.dumps(self.schema)))


@dataclass(frozen=True)
class Reply:
    """What a model answered.

    Args:
        texts: the texts, possibly fewer than were asked for.
        prompt_tokens: tokens of the prompt, None where it was not said.
        completion_tokens: tokens of all texts together, None where it was not said.
        logprobs: for each text its tokens, or empty.
        faults: kinds of what went wrong on the way.
    """

    texts: tuple[str, ...]
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    logprobs: tuple[tuple[Token, ...], ...] = ()
    faults: tuple[str, ...] = ()

    @classmethod
    def of(cls, answer: Any) -> Reply:
        """A reply from what a callable gave: a reply, a text, or a sequence of texts.

        Raises:
            ModelError: it gave something else, or nothing.
        """
        if isinstance(answer, Reply):
            reply = answer
        elif isinstance(answer, str):
            reply = cls((answer,))
        elif isinstance(answer, Sequence) and all(isinstance(text, str) for text in answer):
            reply = cls(tuple(answer))
        else:
            kind = type(answer).__name__
            raise ModelError("no text", f"the model gave a {kind}; give a Reply or texts")
        if not reply.texts:
            raise ModelError("no choices", "the model gave no text")
        if not all(isinstance(text, str) for text in reply.texts):
            raise ModelError("no text", f"the model gave {reply.texts!r}; give texts")
        return reply


class Model(ABC):
    """A language model: one method that answers a request; any callable can stand in for it.

    Attributes:
        name: what it is called in records and fingerprints.
        prices: money for a million tokens of prompts and of texts.
        concurrency: most requests at once.
    """

    name: str = "model"
    prices: tuple[float, float] = (0.0, 0.0)
    concurrency: int = 8

    @abstractmethod
    def __call__(self, request: Request) -> Reply:
        """One attempt.

        Raises:
            ModelError: there is no usable answer.
        """

    def wait_turn(self, request: Request) -> None:  # noqa: B027 - most have no rate limit
        """Wait until a rate limit allows the request."""

    def answer(self, request: Request) -> Reply:
        """One attempt that ends within the request's timeout, whatever the model does.

        Raises:
            ModelError: as for a call, of kind ``"timeout"`` where there is no answer by then.
        """
        return in_time(self, request)


def in_time(call: Callable[[Request], Any], request: Request) -> Reply:
    """What a call answers, if it does within the request's timeout.

    Raises:
        ModelError: it raised something, or there is no answer by then.
    """
    answers: list[Reply | ModelError] = []
    # A thread that hangs cannot be stopped, only left behind; it must not keep Python alive.
    thread = threading.Thread(target=lambda: answers.append(_attempt(call, request)), daemon=True)
    thread.start()
    thread.join(request.timeout)
    late = ModelError("timeout", f"no answer within {request.timeout:g} s", billed=True)
    found = answers[0] if answers else late
    if isinstance(found, ModelError):
        raise found
    return found


def _attempt(call: Callable[[Request], Any], request: Request) -> Reply | ModelError:
    try:
        return Reply.of(call(request))
    except ModelError as error:
        return error
    except Exception as error:  # noqa: BLE001 - whatever a callable raises is a failed attempt
        return ModelError(f"error {type(error).__name__}", str(error), billed=True)


class _Function(Model):
    """A callable as a model."""

    def __init__(self, function: Callable[[Request], Any]) -> None:
        self._function = function
        self.name = getattr(function, "__qualname__", type(function).__qualname__)

    def __call__(self, request: Request) -> Reply:
        return Reply.of(self._function(request))


def as_model(model: Any) -> Model:
    """A model from a model or from any callable that takes a request.

    Raises:
        ProblemError: it is neither.
    """
    if isinstance(model, Model):
        return model
    if not callable(model) or isinstance(model, type):
        raise ProblemError(
            f"llm={model!r} is no language model; give bb.llm.Chat(base_url, model), or a function "
            "that takes a Request and returns texts"
        )
    return _Function(model)
