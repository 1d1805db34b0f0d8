"""A study on disk: what is written when, and how a resume rebuilds the optimizer."""

from __future__ import annotations

import math
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from blackbox.batch import Batch
from blackbox.errors import StateError, StorageError, StudyMismatchError
from blackbox.formulation import Problem
from blackbox.optimizer import Optimizer
from blackbox.pending import Pending
from blackbox.state import State
from blackbox.storage import AskEvent, StudyWriter, TellEvent, reasons

Count: TypeAlias = Callable[[Batch, Mapping[int, str]], None]

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
        self._optimizer = optimizer
        self._writer = StudyWriter(
            folder, header(problem, optimizer, name), synchronous=synchronous
        )
        self._check_order(folder, problem)
        self._waiting: deque[tuple[int, Callable[[], object]]] = deque()
        self._since = time.process_time()
        self._price = 0.0
        self.seconds = 0.0

    def resume(self, count: Count, whole: bool) -> None:
        """Bring the optimizer to where the log ends, and count every row told so far.

        Args:
            count: takes rows told and the reasons of those that failed.
            whole: count the whole history at once, which is fast; else event by event, which
                needs little memory.
        """
        try:
            self._restore()
            if whole:
                rows = self._writer.history()
                if len(rows):
                    failed = not rows["ok"].all()
                    count(rows, reasons(self._writer.events()) if failed else {})
            else:
                for rows, why in self._joined():
                    count(rows, why)
            self.seconds = self._writer.summary().seconds
        except BaseException:
            self.close()
            raise
        self._since = time.process_time()

    def asked(self, n: int | None, batch: Batch) -> None:
        """Write an ask down."""
        self._write(lambda: self._writer.ask(n, batch))

    def told(
        self, batch: Batch, why: Mapping[int, str], seconds: float, changed: list[str]
    ) -> None:
        """Write a tell down; ``changed`` are the inputs that differ from what was asked."""
        self._write(lambda: self._writer.tell(batch, why, seconds=seconds, changed=changed))

    def checkpoint(self) -> None:
        """Write the optimizer's state down, if enough work has gone into it since the last."""
        if self._price > _SHARE * (time.process_time() - self._since):
            return
        # Only a cache: the next row says so if the disk is full.
        with suppress(StorageError):
            self._checkpoint()

    def history(self) -> Batch:
        """All rows told, read from the disk."""
        return self._writer.history()

    def reasons(self) -> dict[int, str]:
        """Why rows failed, by id, read from the disk."""
        return reasons(self._writer.events())

    def close(self) -> None:
        """Release the file."""
        self._writer.close()

    def _check_order(self, folder: Path, problem: Problem) -> None:
        """Refuse inputs in another order: a checkpoint holds their coordinates, not their names."""
        # Older studies did not write it down.
        stored = self._writer.header["info"].get("inputs", list(problem.inputs))
        if stored == list(problem.inputs):
            return
        self.close()
        raise StudyMismatchError(
            f"the study in {str(folder)!r} was made with inputs in the order {stored}, not "
            f"{list(problem.inputs)}; declare them as they were, or give another folder"
        )

    def _write(self, step: Callable[[], object]) -> None:
        # What the disk refuses stays first in line, so that the log never has a gap.
        self._waiting.append((self._writer.last + len(self._waiting) + 1, step))
        self.flush()

    def flush(self) -> None:
        """Write what the disk refused before.

        Raises:
            StorageError: it refuses still.
        """
        while self._waiting:
            number, step = self._waiting[0]
            if self._writer.last < number:  # a Ctrl-C may have come just after it was written
                step()
            self._waiting.popleft()

    def _checkpoint(self) -> None:
        start = time.process_time()
        self._writer.checkpoint(self._optimizer.state_dict())
        self._since = time.process_time()
        self._price = self._since - start

    def _restore(self) -> None:
        """The newest checkpoint, then every event after it."""
        optimizer = self._optimizer
        start = optimizer.state_dict()
        saved = self._writer.latest_checkpoint()
        after = 0
        if saved is not None:
            after, state = saved
            try:
                optimizer.load_state_dict(state)
            except StateError:  # of an older version, say: the log holds all there is to know
                optimizer.load_state_dict(start)
                after = 0
        elif self._writer.last == 0:
            self._checkpoint()  # keeps what the operating system gave as a seed
        if not self._replay(after):
            self._retell(start)

    def _joined(self) -> Iterator[tuple[Batch, Mapping[int, str]]]:
        """Rows told together, event by event, with the inputs they were asked with."""
        pending, asked = Pending(), 0
        for event in self._writer.events():
            if isinstance(event, AskEvent):
                pending.add(event.batch)
                asked += event.n
                continue
            told, ids = event.batch, event.batch["id"]
            inside = ids >= 0
            rows = pending.find(ids[inside], asked)
            pending.remove(ids[inside])
            # Beside rows from outside those asked for are stored with all their columns, too.
            if rows is not None and inside.all():
                told = rows.with_columns(**told.columns())
            yield told, event.reasons

    def _replay(self, after: int) -> bool:
        """Ask and tell as the log says; False where the optimizer proposes other rows."""
        for event in self._writer.events(after):
            if isinstance(event, TellEvent):
                self._optimizer.tell(event.batch)
            elif not self._optimizer.ask(event.requested).equals(event.batch):
                return False
        return True

    def _retell(self, start: State) -> None:
        """Tell the whole history to the optimizer as data from outside; nothing is lost."""
        warnings.warn(
            f"{self._optimizer!r} does not repeat its proposals (a library of another version, "
            "perhaps): it is told the study's history and goes on from there, but not exactly as "
            "an uninterrupted run would have",
            stacklevel=2,
        )
        rows = self._writer.history()
        events = self._writer.events()
        asked = Batch.concat(e.batch for e in events if isinstance(e, AskEvent))
        open_rows = asked[~np.isin(asked["id"], rows["id"])]
        start = {**start, "next": len(asked), "pending": open_rows.columns()}
        self._optimizer.load_state_dict(start)
        # A preference orders only the rows that were told together.
        apart = self._optimizer.problem.preference
        for told in [rows for rows, _ in self._joined()] if apart else [rows]:
            if len(told):
                self._optimizer.tell(told.with_columns(id=np.full(len(told), -1)))


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
        "labels": problem.labels,
        "inputs": problem.inputs,
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
