"""What the stand-in answers with: regression on the examples in the prompt that it is sent.

It reads the very text that a language model would read, and knows nothing else. The same prompt,
seed and number of the text give the same text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from blackbox.batch import Array
from blackbox.llm.protocol import Model, ModelError, Reply, Request, Token
from blackbox.testing.stand_in_prompt import Axis, Prompt, understood

CHARACTERS_PER_TOKEN = 3.3


class Brain(Model):
    """A model that answers by kernel regression on the examples in its prompt.

    Args:
        knowledge: values of some parameters, by name, that it takes for good beforehand, as a
            language model that has read about the problem would; proposals begin there as often
            as at an observed row.
        noise: deviation of its predictions, as a share of the range seen and of the distance to
            the nearest example.
    """

    name = "stand-in"

    def __init__(self, knowledge: Mapping[str, Any] | None = None, noise: float = 0.5) -> None:
        self._knowledge, self._noise = dict(knowledge or {}), noise

    def __call__(self, request: Request) -> Reply:
        contents = [m["content"] for m in request.messages if "\nTask: " in "\n" + m["content"]]
        if not contents:
            raise ModelError("no text", "the stand-in knows the prompts of this package only")
        prompt = understood(contents[0])
        texts: list[str] = []
        logprobs: list[tuple[Token, ...]] = []
        for i in range(request.n):
            # Not of the text: minimizing the negative is to give the same rows as maximizing.
            rng = np.random.default_rng([request.seed, i, len(request.messages)])
            text, tokens = self._text(prompt, rng)
            texts.append(text)
            logprobs.append(tokens if request.logprobs else ())
        read = sum(tokens_of(m["content"]) for m in request.messages)
        return Reply(tuple(texts), read, sum(map(tokens_of, texts)), tuple(logprobs))

    def _text(self, prompt: Prompt, rng: np.random.Generator) -> tuple[str, tuple[Token, ...]]:
        if prompt.key == "configurations":
            rows = self._configurations(prompt, rng)
            names = [axis.name for axis in prompt.axes]
            reply: dict[str, Any] = {"reasoning": _reason(prompt)} if prompt.reasoning else {}
            reply["configurations"] = [dict(zip(names, row, strict=True)) for row in rows]
            return json.dumps(reply), ()
        mean, deviation = _regression(prompt)
        if prompt.key == "predictions":
            signs = np.array([sign or 1.0 for sign in prompt.signs])
            spread = signs * self._noise * deviation * rng.standard_normal(mean.shape)
            values = [[float(f"{v:.6g}") for v in row] for row in (mean + spread).tolist()]
            plain = values if mean.shape[1] > 1 else [row[0] for row in values]
            return json.dumps({"predictions": plain}), ()
        chances = np.clip(mean[:, 0], 0.01, 0.99)
        labels = (rng.random(len(chances)) < chances).astype(int).tolist()
        tokens: list[Token] = [('{"labels": [', {})]
        for i, (label, p) in enumerate(zip(labels, chances.tolist(), strict=True)):
            tokens += [(", ", {})] * (i > 0) + [
                (str(label), {"0": math.log(1 - p), "1": math.log(p)})
            ]
        return json.dumps({"labels": labels}), (*tokens, ("]}", {}))

    def _configurations(self, prompt: Prompt, rng: np.random.Generator) -> list[list[Any]]:
        good = np.flatnonzero(np.isfinite(prompt.outcomes).all(axis=1))
        chances = _closeness(prompt, good)
        made = []
        for number in range(prompt.count):
            knows = bool(self._knowledge) and (rng.random() < 0.5 or not len(good))
            if knows:
                base = [self._knowledge.get(a.name, a.draw(rng)) for a in prompt.axes]
            elif len(good):
                base = prompt.rows[int(rng.choice(good, p=chances))]
            else:
                # Spread over each axis, as far as that makes sense.
                made.append([_stratum(a, number, prompt.count, rng) for a in prompt.axes])
                continue
            step = 10.0 ** -rng.uniform(0.5, 2.0)
            moved = rng.random(len(prompt.axes)) < max(0.35, 1 / len(prompt.axes))
            moved[rng.integers(len(moved))] = True
            pairs = zip(prompt.axes, base, moved, strict=True)
            made.append([a.near(v, step, rng) if move else v for a, v, move in pairs])
        return made


def tokens_of(text: str) -> int:
    """Tokens of a text, at so many characters each."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def _coded(prompt: Prompt, rows: Sequence[Sequence[Any]]) -> Array:
    codes = [
        np.concatenate([a.code(v) for a, v in zip(prompt.axes, row, strict=True)]) for row in rows
    ]
    return np.array(codes)


def _regression(prompt: Prompt) -> tuple[Array, Array]:
    """(M, q) means at the candidates, and deviations that grow with the distance to examples."""
    good = np.flatnonzero(np.isfinite(prompt.outcomes).all(axis=1))
    y = prompt.outcomes[good]
    if not len(y):
        shape = (len(prompt.candidates), max(prompt.outcomes.shape[1], 1))
        return np.zeros(shape), np.ones(shape)
    x = _coded(prompt, [prompt.rows[i] for i in good])
    z = _coded(prompt, prompt.candidates)
    gaps = np.sqrt(((z[:, None] - x[None]) ** 2).sum(axis=2) / len(prompt.axes))
    nearest = gaps.min(axis=1, keepdims=True)
    width = 0.7 * nearest + 0.02
    weights = np.exp((nearest / width) ** 2 - (gaps / width) ** 2)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights @ y, nearest * (y.max(axis=0) - y.min(axis=0))


def _closeness(prompt: Prompt, good: Array) -> Array | None:
    """(k,) chances of the good rows to be varied: those near or beyond the target."""
    if not len(good):
        return None
    y = prompt.outcomes[good][:, : max(len(prompt.target), 1)]
    signs = np.array(prompt.signs[: y.shape[1]])
    span = np.maximum(y.max(axis=0) - y.min(axis=0), 1e-300)
    target = np.array(prompt.target) if prompt.target else np.where(signs > 0, y.max(0), y.min(0))
    short = np.maximum(signs * (target - y), 0.0) / span
    closeness = np.exp(-np.minimum(short.sum(axis=1) / 0.1, 500.0)) + 1e-9
    chances: Array = closeness / closeness.sum()
    return chances


def _stratum(axis: Axis, number: int, count: int, rng: np.random.Generator) -> Any:
    """A value in one of so many equal parts of the range, each axis in another order."""
    part = (number + int(rng.integers(count))) % count
    return axis.draw(rng, part / count, (part + 1) / count)


def _reason(prompt: Prompt) -> str:
    if not len(prompt.rows):
        return "Nothing is known yet, so the first ones are spread out."
    return f"Of {len(prompt.rows)} results the best ones are varied in a few parameters."
