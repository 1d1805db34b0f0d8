"""Models behind a server that speaks the chat-completions protocol."""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from blackbox.arguments import check_count, check_number, check_range
from blackbox.errors import ProblemError, require
from blackbox.llm.protocol import Model, ModelError, Reply, Request, Token, in_time

_LOCAL = ("localhost", "127.0.0.1", "::1")
_LONGEST_WAIT = 60.0
#: What a server may refuse, each with what is tried in its place.
_OPTIONAL = {
    "max_completion_tokens": "max_tokens",
    "max_tokens": None,
    "response_format": None,
    "temperature": None,
    "top_p": None,
    "seed": None,
    "top_logprobs": None,
    "logprobs": None,
    "n": None,
}
_STATUS = {401: "key refused", 403: "key refused", 404: "not found", 429: "rate limit"}


class _RefusedError(ModelError):
    """The server takes no such parameter; the same request may succeed without it."""


class Chat(Model):
    """A model of OpenAI, vLLM, llama.cpp, Ollama or any other server of the same protocol.

    What a server refuses is left out of later requests, and of the same one, which is sent again.
    The key is read from the environment once and stands in no message, file or ``repr``.

    Args:
        base_url: for instance ``"https://api.openai.com/v1"`` or ``"http://localhost:11434/v1"``.
        model: the model's name on that server.
        key: name of the environment variable that holds the key; a server on this machine needs
            none.
        prices: money for a million tokens of prompts and of texts, in your unit; what ``max_cost``
            counts.
        requests_per_minute: rate that is never exceeded, None for no limit.
        concurrency: most requests at once.
        backoff: seconds before the first further attempt where the server names no time; doubled
            each time.

    Raises:
        ProblemError: the address is no http(s) URL, the key is not in the environment, or a number
            is out of range.
        MissingExtraError: the client is not installed (extra ``llm``).
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        key: str = "OPENAI_API_KEY",
        prices: tuple[float, float] = (0.0, 0.0),
        requests_per_minute: float | None = None,
        concurrency: int = 8,
        backoff: float = 0.5,
    ) -> None:
        openai = require("openai", "llm")
        local = _checked_url(base_url)
        if not isinstance(model, str) or not model:
            raise ProblemError(f"Chat: model={model!r}; give the model's name on the server")
        if not isinstance(key, str):
            raise ProblemError(f"Chat: key={key!r}; give the name of an environment variable")
        secret = os.environ.get(key, "").strip()
        if not secret and not local:
            raise ProblemError(
                f"Chat: the environment variable {key} is not set; put the key of {base_url} "
                "there, or name another variable with key=..."
            )
        if not isinstance(prices, list | tuple) or len(prices) != 2:
            raise ProblemError(f"Chat: prices={prices!r}; give those of prompts and of texts")
        for price in prices:
            check_number("Chat: prices", price, 0.0)
        check_number("Chat: backoff", backoff, 0.0)
        rate = requests_per_minute
        if rate is not None:
            check_range("Chat: requests_per_minute", rate, 1e-6, 1e9)
        self.name, self.base_url = model, base_url
        self.prices = (float(prices[0]), float(prices[1]))
        self.concurrency = check_count("Chat: concurrency", concurrency, 1)
        self._secret, self._backoff = secret, backoff
        self._client = openai.OpenAI(api_key=secret or "none", base_url=base_url, max_retries=0)
        self._pause = 0.0 if rate is None else 60.0 / rate
        self._next_turn = 0.0
        self._lock = threading.Lock()
        self._refused: set[str] = set()

    def __repr__(self) -> str:
        return f"Chat({self.base_url!r}, {self.name!r})"

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Chat:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def wait_turn(self, request: Request) -> None:
        with self._lock:
            turn = max(self._next_turn, time.monotonic())
            self._next_turn = turn + self._pause
        time.sleep(max(0.0, turn - time.monotonic()))

    def __call__(self, request: Request) -> Reply:
        return self.answer(request)

    def answer(self, request: Request) -> Reply:
        """As ``Model.answer``; sent again, with its timeout anew, without what was refused."""
        faults: list[str] = []
        while True:
            try:
                reply = in_time(self._exchange, request)
            except _RefusedError:
                faults.append("refused parameter")
                self.wait_turn(request)
            except ModelError as error:
                error.faults = (*faults, *error.faults)
                raise
            else:
                return replace(reply, faults=(*faults, *reply.faults))

    def _exchange(self, request: Request) -> Reply:
        """One request and its response."""
        import openai

        sent = self._parameters(request)
        try:
            raw = self._client.chat.completions.with_raw_response.create(**sent)
            return _reply(self._mask(raw.text))
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            name = _named(error, sent)
            if name is None:
                raise self._error("refused request", error, again=False) from None
            with self._lock:
                self._refused.add(name)
            raise _RefusedError(name) from None
        except openai.OpenAIError as error:
            raise self._failure(error, request) from None

    def _parameters(self, request: Request) -> dict[str, Any]:
        wanted: dict[str, Any] = {
            "n": request.n if request.n > 1 else None,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "seed": request.seed,
            "max_completion_tokens": request.max_tokens,
        }
        if request.logprobs:
            wanted |= {"logprobs": True, "top_logprobs": 5}
        if request.schema is not None:
            named = {"name": "reply", "strict": True, "schema": dict(request.schema)}
            wanted["response_format"] = {"type": "json_schema", "json_schema": named}
        with self._lock:
            refused = set(self._refused)
        if "logprobs" in refused:
            refused.add("top_logprobs")
        for name, other in _OPTIONAL.items():
            if name in wanted and name in refused:
                value = wanted.pop(name)
                if other is not None:
                    wanted[other] = value
        sent = {name: value for name, value in wanted.items() if value is not None}
        messages = [dict(message) for message in request.messages]
        return {"model": self.name, "messages": messages, "timeout": request.timeout, **sent}

    def _failure(self, error: Exception, request: Request) -> ModelError:
        """What an exception of the client means."""
        import openai

        wait = min(self._backoff * 2.0**request.attempt, _LONGEST_WAIT)
        if isinstance(error, openai.APITimeoutError):
            return self._error("timeout", error, wait=wait, billed=True)
        if isinstance(error, openai.APIConnectionError):
            refused = type(error.__cause__).__name__ in ("ConnectError", "UnsupportedProtocol")
            return self._error("connection", error, wait=wait, billed=not refused)
        if not isinstance(error, openai.APIStatusError):
            return self._error(f"error {type(error).__name__}", error, wait=wait, billed=True)
        kind = _STATUS.get(error.status_code, "server error")
        if "insufficient_quota" in f"{error.code} {error.message}":
            kind = "quota"
        if kind in ("quota", "key refused", "not found"):
            return self._error(kind, error, again=False, lasting=True)
        wait = _retry_after(error.response.headers, wait)
        return self._error(kind, error, wait=wait, again=error.status_code >= 408)

    def _error(self, kind: str, error: Exception, **how: Any) -> ModelError:
        return ModelError(kind, self._mask(str(error)), **how)

    def _mask(self, text: str) -> str:
        """A text of the server without the key, should it echo it."""
        return text.replace(self._secret, "***") if self._secret else text


def _checked_url(url: str) -> bool:
    """Whether the server is on this machine.

    Raises:
        ProblemError: no http(s) URL, or one with a password in it.
    """
    parts = None
    with contextlib.suppress(ValueError, AttributeError, TypeError):
        parts = urlsplit(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ProblemError(
            f"Chat: base_url={url!r} is no address; give one such as 'http://localhost:8000/v1'"
        )
    if parts.username or parts.password:
        raise ProblemError("Chat: base_url holds a password; put the key into the environment")
    return parts.hostname in _LOCAL


def _named(error: Any, sent: Mapping[str, Any]) -> str | None:
    """The optional parameter that a refusal names, if it was sent."""
    candidates = [name for name in _OPTIONAL if name in sent]
    param = str(getattr(error, "param", None) or "")
    for name in candidates:
        if param == name or param.startswith(f"{name}."):
            return name
    text = str(error.message)
    for name in candidates:
        quoted = rf"['\"`]{name}['\"`]"
        if re.search(quoted if name == "n" else rf"\b{name}\b", text):
            return name
    return None


def _retry_after(headers: Mapping[str, str], otherwise: float) -> float:
    """Seconds that a server asks to wait: a number, or a date."""
    given = headers.get("retry-after", "")
    try:
        seconds = float(given)
    except ValueError:
        try:
            until = parsedate_to_datetime(given)
            seconds = (until - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return otherwise
    return min(max(seconds, 0.0), _LONGEST_WAIT) if seconds == seconds else otherwise


def _reply(text: str) -> Reply:
    """A reply from the body of a response.

    Raises:
        ModelError: it is no JSON, or holds no text.
    """
    try:
        body = json.loads(text)
        choices = [c for c in body.get("choices") or [] if isinstance(c, dict)]
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise ModelError("not JSON", text[:80], billed=True) from None
    usage = body.get("usage")
    if not choices:
        raise ModelError("no choices", billed=True)
    kept = [choice for choice in choices if _content(choice)]
    if not kept:
        raise ModelError("no content", billed=True)
    faults = ["no content"] * (len(choices) - len(kept))
    counts = [_count(usage, name) for name in ("prompt_tokens", "completion_tokens")]
    faults += ["no usage"] * (None in counts)
    faults += ["truncated" for choice in kept if choice.get("finish_reason") == "length"]
    return Reply(
        tuple(_content(choice) for choice in kept),
        counts[0],
        counts[1],
        tuple(_tokens(choice.get("logprobs")) for choice in kept),
        tuple(faults),
    )


def _content(choice: Mapping[str, Any]) -> str:
    """The text of a choice; empty where there is none."""
    message = choice.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str) else ""


def _count(usage: Any, name: str) -> int | None:
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if type(value) is int and value >= 0 else None


def _tokens(logprobs: Any) -> tuple[Token, ...]:
    """The tokens of a text with their alternatives; empty where the server gives none."""
    try:
        return tuple(
            (str(t["token"]), {str(a["token"]): float(a["logprob"]) for a in t["top_logprobs"]})
            for t in logprobs["content"]
        )
    except (KeyError, TypeError, ValueError):
        return ()
