"""Rules about saving and loading."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from blackbox.batch import Batch
from blackbox.errors import StateError
from blackbox.formulation import Problem
from blackbox.optimizer import Optimizer
from blackbox.state import pack, unpack
from blackbox.testing.harness import (
    Subject,
    full,
    raises,
    require_that,
    rounds,
    same_rows,
    short,
    snapshot,
)


def _fresh(subject: Subject, optimizer: Optimizer) -> None:
    """Nothing has happened yet."""


def _told(subject: Subject, optimizer: Optimizer) -> None:
    """Everything asked for is told."""
    subject.drive(optimizer)


def _pending(subject: Subject, optimizer: Optimizer) -> None:
    """Rows are out, some of them told."""
    subject.drive(optimizer)
    batch = optimizer.ask(4)
    optimizer.tell(short(optimizer, batch)[len(batch) // 2 :])
    optimizer.ask(2)


def _first_pending(subject: Subject, optimizer: Optimizer) -> None:
    """Nothing is told yet, the first rows are out."""
    optimizer.ask()


_MOMENTS: dict[str, Callable[[Subject, Optimizer], None]] = {
    "fresh": _fresh,
    "first rows pending": _first_pending,
    "all told": _told,
    "partly told": _pending,
}


def resume(subject: Subject, problem: Problem) -> None:
    """Built the same way and loaded, it goes on exactly, whenever the state was taken."""
    for moment, bring in _MOMENTS.items():
        optimizer = subject.build(problem)
        bring(subject, optimizer)
        loaded = subject.build(problem)
        loaded.load_state_dict(unpack(snapshot(optimizer)))
        where = f"resumed when {moment}"
        require_that(loaded.asked == optimizer.asked, f"{where}: the numbering starts anew")
        require_that(loaded.pending == optimizer.pending, f"{where}: other rows are pending")
        same_rows(_on(loaded), _on(optimizer), where)


def resume_unseeded(subject: Subject, problem: Problem) -> None:
    """Built without a seed and loaded, it goes on exactly: its state holds all that was drawn."""
    optimizer = subject.build(problem, seed=None)
    rounds(optimizer, 1, least=1)
    loaded = subject.build(problem, seed=None)
    loaded.load_state_dict(unpack(snapshot(optimizer)))
    same_rows(_on(loaded), _on(optimizer), "resumed without a seed")


def _on(optimizer: Optimizer) -> list[Batch]:
    """Go on: tell half of what was pending, then ask and tell."""
    out = optimizer.pending
    if len(out):
        optimizer.tell(short(optimizer, out)[::2])
    return [optimizer.ask(2), *rounds(optimizer, 1, least=1), optimizer.ask(1)]


def load_replaces(subject: Subject, problem: Problem) -> None:
    """Loading replaces what the optimizer knew, also in one that has been used."""
    optimizer, used = subject.build(problem), subject.build(problem)
    rounds(optimizer, 1, least=1)
    state = snapshot(optimizer)
    subject.drive(used)
    used.ask(2)
    used.load_state_dict(unpack(state))
    same_rows(_on(used), _on(optimizer), "loaded into a used optimizer")


def state_is_a_copy(subject: Subject, problem: Problem) -> None:
    """What happens after ``state_dict`` or ``load_state_dict`` leaves that state as it was."""
    optimizer = subject.build(problem)
    subject.drive(optimizer)
    taken = optimizer.state_dict()
    before = pack(taken)
    rounds(optimizer, 1, least=2)
    require_that(pack(taken) == before, "a state taken earlier changed by later asks and tells")
    loaded = subject.build(problem)
    loaded.load_state_dict(taken)
    rounds(loaded, 1, least=2)
    require_that(pack(taken) == before, "a loaded state changed by later asks and tells")


def foreign_state(subject: Subject, problem: Problem) -> None:
    """The state of another optimizer, or of one built with other arguments, is refused."""
    optimizer, other = subject.build(problem), subject.build(problem, seed=1)
    batch = other.ask()
    if len(batch):
        other.tell(full(other, batch))
    before = snapshot(optimizer)
    seeded = other.state_dict()
    renamed = {**optimizer.state_dict(), "optimizer": {"type": "Other", "arguments": {}}}
    for what, state in {"seed 1": seeded, "another type": renamed, "no optimizer": {}}.items():
        message = f"the state of {what} given to an optimizer with seed 0"
        raises(StateError, lambda state=state: optimizer.load_state_dict(state), message)  # type: ignore[misc]
        require_that(snapshot(optimizer) == before, f"{message}: refused, yet something changed")


def older_state(subject: Subject, problem: Problem) -> None:
    """A state that lacks a part is refused as one, and spoils nothing for the next that is loaded.

    A resume needs both: it passes over a checkpoint of an older version and replays the log.
    """
    optimizer, used = subject.build(problem), subject.build(problem)
    start = snapshot(optimizer)
    rounds(used, 1, least=1)
    state = used.state_dict()
    for part in state["own"]:
        rest = {name: value for name, value in state["own"].items() if name != part}
        with suppress(StateError):  # what it can do without, it may
            optimizer.load_state_dict({**state, "own": rest})
    optimizer.load_state_dict(unpack(start))
    wanted = subject.drive(subject.build(problem))
    same_rows(subject.drive(optimizer), wanted, "from the beginning after states that lack a part")
