"""Questions whose answers have a form: read strictly, and asked once more where they lack it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from blackbox.llm.conversation import Conversation, Text
from blackbox.llm.protocol import Request
from blackbox.llm.structured import Misfit

_SHOWN = 4000  # characters of a reply that a repair shows again

T = TypeVar("T")


@dataclass(frozen=True)
class Reading(Generic[T]):
    """What was understood of a text.

    Args:
        value: None where the text is of no use.
        misfits: what could not be used.
    """

    value: T | None
    misfits: Sequence[Misfit] = ()


def answers(
    conversation: Conversation,
    requests: Sequence[Request],
    read: Callable[[Text], Reading[T]],
) -> list[T]:
    """What was understood of all texts, in order; every misfit is counted.

    A text that is of no use is shown to the model again with what is wrong, once.

    Args:
        conversation: with the model.
        requests: sent side by side.
        read: makes a value of a text; may raise ``Misfit``.
    """
    values: list[T] = []
    repairs: list[Request] = []
    for request, texts in zip(requests, conversation.complete(requests), strict=True):
        for number, text in enumerate(texts):
            reading = _counted(conversation, read, text)
            if reading.value is not None:
                values.append(reading.value)
            else:
                repairs.append(_repair(request, text, reading, number))
    if repairs:
        conversation.fault("repair", len(repairs))
        for texts in conversation.complete(repairs):
            found = [_counted(conversation, read, text).value for text in texts]
            values += [value for value in found if value is not None]
    return values


def _counted(
    conversation: Conversation, read: Callable[[Text], Reading[T]], text: Text
) -> Reading[T]:
    try:
        reading = read(text)
    except Misfit as wrong:
        reading = Reading(None, [wrong])
    for misfit in reading.misfits:
        conversation.fault(misfit.kind)
    return reading


def _repair(request: Request, text: Text, reading: Reading[T], number: int) -> Request:
    wrong = "; ".join(str(misfit) for misfit in list(reading.misfits)[:5])
    again = f"That cannot be used: {wrong}. Send the whole JSON object once more, corrected."
    shown = {"role": "assistant", "content": text.text[:_SHOWN]}
    messages = (*request.messages, shown, {"role": "user", "content": again})
    return replace(request, messages=messages, n=1, seed=request.seed + 100 + number)
