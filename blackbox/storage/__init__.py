"""The durable record of a study: one SQLite file, a row for every batch asked or told.

The log of asks and tells is the truth; everything else (archives, models, checkpoints of the
optimizer) can be rebuilt from it.

Example:
    >>> with StudyWriter("runs/net", {"problem": ..., "optimizer": ...}) as writer:
    ...     writer.ask(4, batch)
    ...     writer.tell(outcomes, seconds=12.5)
    >>> StudyReader("runs/net").history()
"""

from blackbox.storage.events import AskEvent, TellEvent
from blackbox.storage.history import history, reasons
from blackbox.storage.log import Summary
from blackbox.storage.reader import StudyReader
from blackbox.storage.writer import StudyWriter

__all__ = [
    "AskEvent",
    "StudyReader",
    "StudyWriter",
    "Summary",
    "TellEvent",
    "history",
    "reasons",
]
