"""A study on disk: what is written when, and how a resume rebuilds the optimizer."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np

from blackbox.batch import Batch
from blackbox.errors import StudyMismatchError
from blackbox.formulation import Problem
from blackbox.optimizer import Optimizer
from blackbox.state import State
from blackbox.storage import AskEvent, StudyReader, StudyWriter, TellEvent, history

# A checkpoint may cost this share of the optimizer's own time: enough to make a resume quick
# where asking is slow, too little to notice where it is fast.
_SHARE = 0.05


class Journal:
    """Writes asks and tells before they count, and replays them.

    The log is the truth. A checkpoint of the optimizer only shortens the replay.
    """

    def __init__(
        self,
        folder: Path,
        problem: Problem,
        optimizer: Optimizer,
        name: str,
        synchronous: Literal["full", "normal"],
    ) -> None:
        if optimizer.asked:
            raise StudyMismatchError(
                f"{optimizer!r} was asked for {optimizer.asked} rows already; "
                "a study on disk takes a freshly built optimizer"
            )
        self._folder = folder
        self._optimizer = optimizer
        self._writer = StudyWriter(
            folder, header(problem, optimizer, name), synchronous=synchronous
        )
        self._waiting: list[Callable[[], object]] = []
        self._since = time.process_time()
        self._price = 0.0
        self.seconds = 0.0

    def resume(self, count: Callable[[Batch, Mapping[int, str]], None]) -> None:
        """Bring the optimizer to where the log ends, and count every row told so far."""
        try:
            self._resume(count)
        except BaseException:
            self.close()
            raise
        self._since = time.process_time()

    def asked(self, n: int | None, batch: Batch) -> None:
        """Write an ask down."""
        self._write(lambda: self._writer.ask(n, batch))

    def told(self, batch: Batch, reasons: Mapping[int, str], seconds: float) -> None:
        """Write a tell down."""
        self._write(lambda: self._writer.tell(batch, reasons, seconds=seconds))

    def checkpoint(self) -> None:
        """Write the optimizer's state down, if enough work has gone into it since the last."""
        if self._price > _SHARE * (time.process_time() - self._since):
            return
        self._checkpoint()

    def history(self) -> Batch:
        """All rows told, read from the disk."""
        reader = StudyReader(self._folder)
        try:
            return history(reader.events())
        finally:
            reader.close()

    def close(self) -> None:
        """Release the file."""
        self._writer.close()

    def _write(self, step: Callable[[], object]) -> None:
        # What the disk refuses stays first in line, so that the log never has a gap.
        self._waiting.append(step)
        while self._waiting:
            self._waiting[0]()
            self._waiting.pop(0)

    def _checkpoint(self) -> None:
        start = time.process_time()
        self._writer.checkpoint(self._optimizer.state_dict())
        self._since = time.process_time()
        self._price = self._since - start

    def _resume(self, count: Callable[[Batch, Mapping[int, str]], None]) -> None:
        optimizer = self._optimizer
        start = optimizer.state_dict()
        saved = self._writer.latest_checkpoint()
        events = list(self._writer.events())
        if not events:
            if saved is None:
                self._checkpoint()  # keeps what the operating system gave as a seed
            else:
                optimizer.load_state_dict(saved[1])
            return
        rows = history(events)
        reasons = {i: t for e in events if isinstance(e, TellEvent) for i, t in e.reasons.items()}
        self.seconds = max((e.seconds for e in events if isinstance(e, TellEvent)), default=0.0)
        if len(rows):
            count(rows, reasons)
        after = 0
        if saved is not None:
            after, state = saved
            optimizer.load_state_dict(state)
        if not self._replay([e for e in events if e.seq > after]):
            self._retell(start, events, rows)

    def _replay(self, events: list[AskEvent | TellEvent]) -> bool:
        """Ask and tell as the log says; False where the optimizer proposes other rows."""
        for event in events:
            if isinstance(event, TellEvent):
                self._optimizer.tell(event.batch)
            elif not self._optimizer.ask(event.requested).equals(event.batch):
                return False
        return True

    def _retell(self, start: State, events: list[AskEvent | TellEvent], rows: Batch) -> None:
        """Tell the whole history to the optimizer as data from outside; nothing is lost."""
        warnings.warn(
            f"{self._optimizer!r} does not repeat its proposals (a library of another version, "
            "perhaps): it is told the study's history and goes on from there, but not exactly as "
            "an uninterrupted run would have",
            stacklevel=2,
        )
        asked = Batch.concat(e.batch for e in events if isinstance(e, AskEvent))
        open_rows = asked[~np.isin(asked["id"], rows["id"])]
        start = {**start, "next": len(asked), "pending": open_rows.columns()}
        self._optimizer.load_state_dict(start)
        if len(rows):
            self._optimizer.tell(rows.with_columns(id=np.full(len(rows), -1)))


def header(problem: Problem, optimizer: Optimizer, name: str) -> dict[str, Any]:
    """What a study is: the fingerprint that a resume must match, and facts for the reader."""
    libraries = {}
    for library in ("numpy", "torch", "botorch", "optuna", "pymoo"):
        try:
            libraries[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    info = {
        "name": name,
        "problem": problem.name,
        "about": problem.about,
        "labels": problem.space.labels,
        "libraries": libraries,
    }
    declared = {"problem": problem.spec(), "optimizer": optimizer.spec(), "info": info}
    plain: dict[str, Any] = _jsonable(declared)
    return plain


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value
