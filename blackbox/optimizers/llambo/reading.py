"""What is made of a model's texts: configurations, predicted outcomes, labels."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from blackbox.batch import Array
from blackbox.llm.asking import Reading
from blackbox.llm.conversation import Text
from blackbox.llm.structured import Fields, Misfit, listed, parsed

_LONGEST_REASON = 4000


@dataclass(frozen=True)
class Proposed:
    """Configurations of one text.

    Args:
        rows: values by parameter.
        reasoning: why, in the model's words.
    """

    rows: list[dict[str, Any]]
    reasoning: str = ""


def configurations(text: Text, fields: Fields, count: int) -> Reading[Proposed]:
    """The configurations that can be used; of no use where there is none.

    Raises:
        Misfit: the text has not the form that was asked for.
    """
    reply, items, misfits = _object(text, "configurations")
    misfits += _counted(len(items), count)
    rows = []
    for item in items[:count]:
        try:
            rows.append(fields.read(item))
        except Misfit as wrong:
            misfits.append(wrong)
    reason = reply.get("reasoning", "")
    reason = reason[:_LONGEST_REASON] if isinstance(reason, str) else ""
    # A lone surrogate can stand in JSON, but in no file.
    reason = reason.encode("utf-8", "replace").decode()
    return Reading(Proposed(rows, reason) if rows else None, misfits)


def predictions(text: Text, count: int, q: int) -> Reading[Array]:
    """(count, q) predicted outcomes, NaN where one cannot be used; of no use if all are.

    Raises:
        Misfit: the text has not the form that was asked for.
    """
    _, items, misfits = _object(text, "predictions")
    misfits += _counted(len(items), count)
    if len(items) != count:  # nobody can say which are missing
        return Reading(None, misfits)
    values = np.full((count, q), np.nan)
    for i, item in enumerate(items):
        row = item if isinstance(item, list) else [item]
        fits = len(row) == q and all(_number(v) for v in row)
        if not fits:
            misfits.append(Misfit("wrong type", f"prediction {i + 1} must be {q} numbers"))
            continue
        values[i] = row
    return Reading(values if np.isfinite(values).any() else None, misfits)


def labels(text: Text, count: int) -> Reading[Array]:
    """(count,) probabilities of class 1: by the tokens' log-probabilities where there are any.

    Raises:
        Misfit: the text has not the form that was asked for.
    """
    _, items, misfits = _object(text, "labels")
    misfits += _counted(len(items), count)
    if len(items) != count:
        return Reading(None, misfits)
    values = np.full(count, np.nan)
    for i, item in enumerate(items):
        if isinstance(item, bool) or item not in (0, 1):
            misfits.append(Misfit("wrong type", f"label {i + 1} must be 0 or 1"))
            continue
        values[i] = item
    if not np.isfinite(values).any():
        return Reading(None, misfits)
    sure = _probabilities(text, count)
    return Reading(values if sure is None else np.where(np.isnan(sure), values, sure), misfits)


def _object(text: Text, key: str) -> tuple[Mapping[str, Any], list[Any], list[Misfit]]:
    """The object in a text, the list under its key, and whether there was anything else."""
    reply, around = parsed(text.text, key)
    prose = [Misfit("prose", "there is text around the JSON object")] if around else []
    return reply, listed(reply, key), prose


def _counted(found: int, count: int) -> list[Misfit]:
    if found == count:
        return []
    kind = "too few" if found < count else "too many"
    return [Misfit(kind, f"there are {found} entries instead of {count}")]


def _number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return abs(float(value)) < 1e300
    except OverflowError:
        return False


def _probabilities(text: Text, count: int) -> Array | None:
    """(count,) p(1) / (p(0) + p(1)) of the token of each label, NaN where it is not known."""
    found = re.search(r'"labels"\s*:\s*\[([\s\d,]*)\]', text.text)
    if found is None or not text.logprobs:
        return None
    at = [m.start() + found.start(1) for m in re.finditer(r"\d", found.group(1))]
    if len(at) != count:
        return None
    # A server may give tokens of thoughts or blanks that the text has lost.
    lost = "".join(token for token, _ in text.logprobs).rfind(text.text)
    if lost < 0:
        return None
    alternatives: dict[int, Mapping[str, float]] = {}
    end = -lost
    for token, others in text.logprobs:
        start, end = end, end + len(token)
        for position in range(max(start, 0), end):
            if text.text[position : position + 1] in ("0", "1"):
                alternatives[position] = others
    return np.array([_share(alternatives.get(position, {})) for position in at])


def _share(alternatives: Mapping[str, float]) -> float:
    """p(1) / (p(0) + p(1)), one that is not named counting as 0; NaN where neither is."""
    chance = {"0": 0.0, "1": 0.0}
    for token, logprob in alternatives.items():
        label = token.strip(" ,[]")
        if label in chance and logprob <= 0:
            chance[label] += math.exp(logprob)
    total = chance["0"] + chance["1"]
    return chance["1"] / total if total > 0 else math.nan
