"""Surrogates in context: what a model expects of candidates, given examples in its prompt.

Each request is about all candidates at once; the examples stand in another order in each, so that
the spread of the answers says how sure the model is (Liu et al. 2024, section 5).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array, Batch
from blackbox.llm.asking import Reading, answers
from blackbox.llm.conversation import Conversation, Text
from blackbox.llm.protocol import Request
from blackbox.optimizers.llambo import reading
from blackbox.optimizers.llambo.prompts import Briefing


def discriminative(
    conversation: Conversation,
    briefing: Briefing,
    observed: Batch,
    candidates: Batch,
    rng: np.random.Generator,
) -> Array:
    """(K, M, q) predicted outcomes in the user's units, NaN where one is missing.

    Args:
        conversation: with the model.
        briefing: writes the prompts.
        observed: rows told.
        candidates: M rows.
        rng: draws the orders of the examples.
    """
    count, q = len(candidates), len(briefing.outcomes)
    requests = [
        _request(briefing, briefing.predictions(observed.take(order), candidates), rng)
        for order in _orders(len(observed), briefing, rng)
    ]

    def read(text: Text) -> Reading[Array]:
        return reading.predictions(text, count, q)

    found = answers(conversation, requests, read)
    return np.array(found).reshape(len(found), count, q)


def generative(
    conversation: Conversation,
    briefing: Briefing,
    observed: Batch,
    worth: Array,
    candidates: Batch,
    rng: np.random.Generator,
) -> Array:
    """(M,) probabilities to be among the best rows; NaN where nothing was said.

    As large where expected improvement is, up to a factor (Bergstra et al. 2011, section 4.1).

    Args:
        conversation: with the model.
        briefing: writes the prompts.
        observed: rows told.
        worth: (n,) what they are worth, -inf for failed rows.
        candidates: M rows.
        rng: draws the orders of the examples.
    """
    quantile = briefing.settings.quantile
    # At least one row is good, whatever the quantile.
    least = np.sort(worth)[-max(1, round(quantile * len(worth)))]
    good: npt.NDArray[np.bool_] = (worth >= least) & np.isfinite(worth)
    meaning = f"the best {100 * quantile:g} % of the outcomes"
    requests = []
    for order in _orders(len(observed), briefing, rng):
        asked = briefing.labels(observed.take(order), good[order], meaning, candidates)
        requests.append(_request(briefing, asked, rng, logprobs=True))

    def read(text: Text) -> Reading[Array]:
        return reading.labels(text, len(candidates))

    found = np.array(answers(conversation, requests, read)).reshape(-1, len(candidates))
    known = np.isfinite(found)
    total = np.where(known, found, 0.0).sum(axis=0)
    counted = known.sum(axis=0)
    return np.where(counted > 0, total / np.maximum(counted, 1), np.nan)


def _orders(n: int, briefing: Briefing, rng: np.random.Generator) -> list[Array]:
    count = min(briefing.settings.orders, briefing.settings.predictions)
    return [rng.permutation(n) for _ in range(count)]


def _request(
    briefing: Briefing, asked: dict[str, object], rng: np.random.Generator, logprobs: bool = False
) -> Request:
    s = briefing.settings
    n = -(-s.predictions // min(s.orders, s.predictions))
    return briefing.request(asked, n, int(rng.integers(2**31)), logprobs=logprobs)
