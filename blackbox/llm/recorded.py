"""Exchanges with a model, written down as they happen and answered from the file afterwards."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

from blackbox.arguments import is_path
from blackbox.errors import StorageError
from blackbox.llm.protocol import Model, ModelError, Reply, Request, as_model


class Recorded(Model):
    """A model whose exchanges are kept in a file and never made twice.

    Each attempt is one line of JSON: the request, and the reply or the error. A request that the
    file knows is answered from it, so a study that is resumed or run again makes the same
    proposals without a single request. What a model of another name said counts for nothing.
    Failed attempts are kept as well, since what an optimizer does next depends on them. No line
    holds a key: requests carry none.

    Args:
        model: answers what the file does not know; None replays only.
        path: of the file, for instance in the folder of the study; made when absent.

    Raises:
        StorageError: the file cannot be read, or there is none to replay.
    """

    def __init__(self, model: Any, path: str | os.PathLike[str]) -> None:
        self._model = None if model is None else as_model(model)
        if not is_path(path):
            raise StorageError(f"Recorded: path={path!r}; give the path of a file")
        self._path = Path(path)
        self._lock = threading.Lock()
        self._known: dict[str, Any] = {}
        self.name = "recorded"
        self._load()
        if self._model is not None:
            self.name, self.prices = self._model.name, self._model.prices
            self.concurrency = self._model.concurrency

    def __len__(self) -> int:
        return len(self._known)

    def __call__(self, request: Request) -> Reply:
        return self.answer(request)

    def wait_turn(self, request: Request) -> None:
        if self._model is not None and request.key not in self._known:
            self._model.wait_turn(request)

    def answer(self, request: Request) -> Reply:
        """The recorded outcome of the attempt, or the model's, which is recorded first.

        Raises:
            ModelError: the attempt failed, or the file does not know it and there is no model.
            StorageError: the exchange cannot be written down.
        """
        with self._lock:
            known = self._known.get(request.key)
        if known is not None:
            return _outcome(known)
        if self._model is None:
            raise ModelError("not recorded", f"{self._path} does not know it", again=False)
        try:
            reply = self._model.answer(request)
        except ModelError as error:
            kept = {key: value for key, value in vars(error).items() if not key.startswith("_")}
            self._append(request, {"error": kept})
            raise
        self._append(request, {"reply": asdict(reply)})
        return reply

    def _append(self, request: Request, outcome: dict[str, Any]) -> None:
        about = {"model": self.name, "prices": self.prices, "request": asdict(request)}
        exchange = {"key": request.key, **about, **outcome}
        line = json.dumps(exchange, ensure_ascii=True)
        try:
            with self._lock, self._path.open("ab") as file:
                # The first newline ends a line that a killed process may have left unfinished.
                file.write(b"\n" + line.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
                self._known[request.key] = exchange
        except OSError as error:
            raise StorageError(f"{self._path} cannot be written: {error}") from error

    def _load(self) -> None:
        if not self._path.exists():
            if self._model is None:
                raise StorageError(f"{self._path} does not exist; give the file of a recorded run")
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StorageError(f"{self._path.parent} cannot be made: {error}") from error
            return
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError as error:
            raise StorageError(f"{self._path} cannot be read: {error}") from error
        for line in filter(bytes.strip, lines):
            try:
                exchange = json.loads(line)
                key, _, _ = exchange["key"], exchange["model"], exchange["prices"]
                _ = exchange.get("reply") or exchange["error"]
            except (ValueError, KeyError, TypeError, AttributeError):
                continue  # cut off when its writer was killed
            if self._model is not None and exchange["model"] != self._model.name:
                continue
            self._known.setdefault(key, exchange)
            self.name, self.prices = exchange["model"], tuple(exchange["prices"])


def _outcome(exchange: dict[str, Any]) -> Reply:
    if "error" in exchange:
        error = dict(exchange["error"])
        raise ModelError(error.pop("kind"), error.pop("message"), **{**error, "wait": 0.0})
    reply = exchange["reply"]
    logprobs = tuple(
        tuple((token, alternatives) for token, alternatives in text) for text in reply["logprobs"]
    )
    return Reply(
        tuple(reply["texts"]),
        reply["prompt_tokens"],
        reply["completion_tokens"],
        logprobs,
        tuple(reply["faults"]),
    )
