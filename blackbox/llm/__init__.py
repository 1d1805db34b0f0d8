"""Language models: what one is, how it is reached, paid for and recorded.

A model is anything that takes a ``Request`` and gives a ``Reply``, a text or several: ``Chat``
reaches a server, ``Recorded`` keeps every exchange, and any callable serves. An optimizer holds it
in a ``Conversation``, which counts, caps and never raises.
"""

from blackbox.llm.cards import data_card
from blackbox.llm.chat import Chat
from blackbox.llm.conversation import Conversation, Ledger
from blackbox.llm.protocol import Model, ModelError, Reply, Request
from blackbox.llm.recorded import Recorded

__all__ = [
    "Chat",
    "Conversation",
    "Ledger",
    "Model",
    "ModelError",
    "Recorded",
    "Reply",
    "Request",
    "data_card",
]
