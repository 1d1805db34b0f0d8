"""Rules about what may be told, and what must be refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.errors import BlackboxError, SpaceError, TellError
from blackbox.formulation import Problem
from blackbox.optimizer import Optimizer
from blackbox.testing.harness import (
    Subject,
    full,
    outside,
    raises,
    require_that,
    rounds,
    same_rows,
    short,
    snapshot,
    valid,
)


def any_order(subject: Subject, problem: Problem) -> None:
    """Rows may be told late, in parts, backwards, and mixed with rows of other asks."""
    optimizer = subject.build(problem)
    late = optimizer.ask(5)
    subject.drive(optimizer)
    asked = Batch.concat([late, optimizer.ask(2), optimizer.ask(1)])
    told = short(optimizer, asked)[::-1]
    for part in (told[:1], told[1::3], told[2::3], told[3::3]):
        optimizer.tell(part)
        valid(optimizer, optimizer.ask(1), "after a late, partial tell")
    require_that(len(optimizer.pending) <= 4, "rows told are still pending")
    rounds(optimizer, 1)


def ids_suffice(subject: Subject, problem: Problem) -> None:
    """Telling only ids and outcomes is the same as telling whole rows."""
    wordy, terse = subject.build(problem), subject.build(problem)
    wanted = subject.drive(wordy)
    asked = []
    for _ in wanted:
        asked.append(terse.ask())
        if len(asked[-1]):
            terse.tell(short(terse, asked[-1]))
    same_rows(asked, wanted, "told only ids and outcomes")


def unasked(subject: Subject, problem: Problem) -> None:
    """Data from outside may be told at any time, alone or beside asked rows."""
    optimizer = subject.build(problem)
    optimizer.tell(outside(optimizer, 3))
    valid(optimizer, optimizer.ask(2), "after data from outside, told first")
    rounds(optimizer, subject.budget)
    optimizer.tell(outside(optimizer, 2, seed=8).with_columns(id=-1))
    valid(optimizer, optimizer.ask(1), "after data from outside, told with id -1")
    batch = full(optimizer, optimizer.ask(3))
    extra = outside(optimizer, 2, seed=9).with_columns(id=-1).select(batch.names)
    optimizer.tell(Batch.concat([batch[1:], extra, batch[:1]]))
    valid(optimizer, optimizer.ask(1), "after asked rows and data from outside in one batch")


def failed_rows(subject: Subject, problem: Problem) -> None:
    """NaN, infinite and failed rows, also first or all of them, break nothing."""
    kinds: dict[str, Callable[[Array], Array]] = {
        "NaN": lambda values: np.full_like(values, np.nan),
        "inf": lambda values: np.full_like(values, np.inf),
        "-inf": lambda values: np.full_like(values, -np.inf),
    }
    for name, spoil in kinds.items():
        optimizer = subject.build(problem)
        _tell_spoiled(optimizer, spoil, f"all rows so far {name}")
        _tell_spoiled(optimizer, lambda values: values, "the first rows failed")
        _tell_spoiled(optimizer, lambda v, s=spoil: _every_other(v, s(v)), name)  # type: ignore[misc]
    optimizer = subject.build(problem)
    for _ in range(3):
        batch = optimizer.ask()
        if len(batch):
            optimizer.tell(full(optimizer, batch).with_columns(ok=False))
        valid(optimizer, optimizer.ask(1), "after nothing but failed rows")


def _every_other(values: Array, others: Array) -> Array:
    """Rows of both in turn; gradients have a second axis."""
    mixed = values.copy()
    mixed[::2] = others[::2]
    return mixed


def _tell_spoiled(optimizer: Optimizer, spoil: Callable[[Array], Array], where: str) -> None:
    for batch in (optimizer.ask(), optimizer.ask(2)):
        if len(batch):
            told = full(optimizer, batch)
            spoiled = {name: spoil(told[name]) for name in optimizer.problem.outcomes}
            optimizer.tell(told.with_columns(**spoiled))
        valid(optimizer, optimizer.ask(1), f"after outcomes with {where}")


def extreme_outcomes(subject: Subject, problem: Problem) -> None:
    """Constant, huge, tiny and nearly equal outcomes break nothing."""
    shapes: dict[str, Callable[[Array], Array]] = {
        "constant": np.zeros_like,
        "huge": lambda values: np.where(values > np.median(values), 1e300, -1e300),
        "tiny": lambda values: 1e-300 * values,
        "nearly equal": lambda values: 1e6 + 1e-9 * values,
    }
    names = [o.name for o in problem.objectives] + [m.name for m in problem.measures]
    for kind, shape in shapes.items():
        optimizer = subject.build(problem)
        for batch in (optimizer.ask(6), optimizer.ask(2), optimizer.ask()):
            told = full(optimizer, batch)
            made = {name: shape(told[name]) for name in names}
            if len(batch):
                optimizer.tell(told.with_columns(**made))
        valid(optimizer, optimizer.ask(2), f"after {kind} outcomes")


def told_untouched(subject: Subject, problem: Problem) -> None:
    """Told arrays are the user's: they stay as they are."""
    optimizer = subject.build(problem)
    told: list[tuple[Batch, dict[str, Array]]] = []
    for _ in range(3):
        batch = optimizer.ask(3)
        batch = full(optimizer, batch)
        told.append((batch, {name: batch[name].copy() for name in batch.names}))
        if len(batch):
            optimizer.tell(batch)
        optimizer.tell(outside(optimizer, 2))
    optimizer.ask()
    for batch, copies in told:
        require_that(batch == Batch(copies), f"told values were changed: {batch} was {copies}")


def refusals(subject: Subject, problem: Problem) -> None:
    """What cannot be told is refused with a reason, and leaves everything as it was."""
    optimizer = subject.build(problem)
    first = optimizer.ask(2)
    optimizer.tell(short(optimizer, first))
    batch = optimizer.ask(3)
    told = full(optimizer, batch)
    name = problem.outcomes[0]
    bad: dict[str, tuple[type[BlackboxError], Callable[[], object]]] = {
        "a row told before": (TellError, lambda: told[:1].with_columns(id=first["id"][:1])),
        "a row twice": (TellError, lambda: told[[0, 0]]),
        "an id never asked for": (TellError, lambda: told[:1].with_columns(id=10**6)),
        "a negative id": (TellError, lambda: told[:1].with_columns(id=-2)),
        "a missing outcome": (TellError, lambda: told.drop(name)),
        "an outcome of strings": (TellError, lambda: told.with_columns(**{name: "good"})),
        "an outcome of vectors": (TellError, lambda: told.with_columns(**{name: np.ones((3, 2))})),
        "a dict": (TellError, told.columns),
        "outside data without inputs": (SpaceError, lambda: told.drop("id", *problem.inputs)),
    }
    if len(first) < 2 or len(batch) < 3:
        return  # an exhausted space leaves no rows to tell wrongly
    before = snapshot(optimizer)
    for what, (kind, made) in bad.items():
        wrong = made()
        raises(kind, lambda wrong=wrong: optimizer.tell(wrong), f"telling {what}")  # type: ignore[misc]
        require_that(snapshot(optimizer) == before, f"telling {what}: refused, but it left traces")
    optimizer.tell(told)
