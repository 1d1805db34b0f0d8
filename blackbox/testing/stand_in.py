"""A server that stands in for a language model, for tests and for trying things out.

It listens on this machine only, speaks the chat-completions protocol and answers by regression on
the examples in each prompt. Faults are queued, or happen at random::

    with StandIn() as server:
        llm = bb.llm.Chat(server.base_url, "stand-in")
        server.faults.extend(["429", "truncated"])
        bb.LLAMBO(problem, llm, seed=0).ask()

That an optimizer runs with it says nothing about how good a language model is.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from blackbox.llm.protocol import ModelError, Reply, Request
from blackbox.testing.stand_in_brain import Brain
from blackbox.testing.stand_in_faults import CONTENTS, FAULTS, RESPONSES, SILENT, spoiled
from blackbox.testing.stand_in_prompt import understood

_OPTIONAL = ("temperature", "top_p", "seed", "response_format", "logprobs", "n")


class StandIn:
    """The server; it runs until it is closed, and is a context manager that closes it.

    Args:
        knowledge: values of parameters that it takes for good beforehand.
        rate: chance of a fault for each request.
        kinds: faults that happen by chance.
        seed: of the chance.
        hang: seconds that a request hangs at most.

    Attributes:
        faults: faults of the next requests, in order.
        injected: how often each fault was done.
        requests: requests received.
        tokens: tokens billed: of every request that was read and answered with status 200, and of
            those that were cut off.
    """

    def __init__(
        self,
        knowledge: Mapping[str, Any] | None = None,
        *,
        rate: float = 0.0,
        kinds: tuple[str, ...] = FAULTS,
        seed: int = 0,
        hang: float = 30.0,
    ) -> None:
        self.brain = Brain(knowledge)
        self.faults: deque[str] = deque()
        self.injected: Counter[str] = Counter()
        self.requests = self.tokens = 0
        self._rate, self._kinds, self._hang = rate, kinds, hang
        self._rng = np.random.default_rng(seed)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def base_url(self) -> str:
        """Address for ``bb.llm.Chat``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def close(self) -> None:
        """Stop listening; requests that hang end."""
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def next_fault(self) -> str | None:
        """The fault of the request that has just come, if any."""
        with self._lock:
            self.requests += 1
            if self.faults:
                return self.faults.popleft()
            if self._rate and self._rng.random() < self._rate:
                return str(self._rng.choice(self._kinds))
        return None

    def count(self, fault: str, tokens: int = 0) -> None:
        """Note a fault that was done."""
        with self._lock:
            self.injected[fault] += 1
            self.tokens += tokens

    def bill(self, tokens: int) -> None:
        """Note tokens."""
        with self._lock:
            self.tokens += tokens

    def wait(self) -> None:
        """Hang."""
        self._stop.wait(self._hang)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, owner: StandIn) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what the faults are for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        """Answer one request."""
        owner = self.server.owner
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = owner.next_fault()
        if fault in SILENT or fault in RESPONSES:
            self._transport(str(fault))
            return
        if fault == "unsupported parameter":
            refused = next((name for name in _OPTIONAL if name in body), None)
            if refused is not None:
                owner.count(fault)
                message = f"Unsupported parameter: '{refused}'"
                self._send(400, json.dumps({"error": {"message": message, "param": refused}}))
                return
        try:
            reply = owner.brain(_request(body))
        except (ModelError, ValueError, KeyError) as error:
            self._send(400, json.dumps({"error": {"message": str(error)}}))
            return
        answer = self._answer(body, reply, fault)
        owner.bill((reply.prompt_tokens or 0) + (reply.completion_tokens or 0))
        self._send(200, json.dumps(answer))

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""

    def _transport(self, fault: str) -> None:
        owner = self.server.owner
        owner.count(fault)
        if fault in RESPONSES:
            status, text, headers = RESPONSES[fault]
            self._send(status, text, headers)
            return
        if fault == "hang":
            owner.wait()
        else:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{")
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, body: Mapping[str, Any], reply: Reply, fault: str | None) -> dict[str, Any]:
        """The body of a response, with a fault of content or envelope."""
        owner = self.server.owner
        texts: list[str | None] = [*reply.texts]
        usage: dict[str, int] | None = {
            "prompt_tokens": reply.prompt_tokens or 0,
            "completion_tokens": reply.completion_tokens or 0,
        }
        prompt = understood(_task(body))
        spoilt = fault in CONTENTS and spoiled(str(fault), reply.texts[0], prompt)
        if spoilt:
            texts[0] = spoilt
        elif fault == "n ignored" and len(texts) > 1:
            texts = texts[:1]
        elif fault == "null content":
            texts[0] = None
        elif fault == "no usage":
            usage = None
        else:
            fault = None
        if fault is not None:
            owner.count(fault)
        choices = [
            {
                "index": i,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "length" if fault == "truncated" and i == 0 else "stop",
                "logprobs": _logprobs(reply, i) if body.get("logprobs") else None,
            }
            for i, text in enumerate(texts)
        ]
        return {
            "id": "stand-in",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": str(body.get("model")),
            "choices": choices,
            "usage": usage,
        }

    def _send(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        data = text.encode()
        self.send_response(status)
        sent = {"Content-Type": "application/json", "Content-Length": str(len(data))}
        for name, value in {**sent, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def _request(body: Mapping[str, Any]) -> Request:
    return Request(
        tuple(body["messages"]),
        n=int(body.get("n", 1)),
        logprobs=bool(body.get("logprobs", False)),
        seed=int(body.get("seed", 0)),
    )


def _task(body: Mapping[str, Any]) -> str:
    texts: list[str] = [m["content"] for m in body["messages"]]
    return next(text for text in texts if "\nTask: " in "\n" + text)


def _logprobs(reply: Reply, i: int) -> dict[str, Any] | None:
    if not reply.logprobs or not reply.logprobs[i]:
        return None
    return {
        "content": [
            {
                "token": token,
                "logprob": max(others.values(), default=0.0),
                "top_logprobs": [{"token": t, "logprob": p} for t, p in others.items()],
            }
            for token, others in reply.logprobs[i]
        ]
    }
