"""Rules about what ``ask`` gives."""

from __future__ import annotations

import numpy as np

from blackbox.batch import Batch
from blackbox.errors import BlackboxError, UnsupportedError
from blackbox.formulation import Problem
from blackbox.optimizer import Optimizer
from blackbox.testing.cases import guarded
from blackbox.testing.harness import (
    ConformanceError,
    Subject,
    endless,
    fail,
    full,
    raises,
    require_that,
    short,
    valid,
)


def supports(subject: Subject, problem: Problem) -> None:
    """What ``supports`` rules out is refused, with every mismatch named; the rest is taken."""
    known = next(iter(subject.supported()), None)
    if known is None:
        fail("no problem of the suite is supported; give your own with problems=[...]")
    mismatches = type(subject.build(known)).supports.mismatches(problem)
    if mismatches:
        message = raises(UnsupportedError, lambda: subject.build(problem), "a mismatched problem")
        for line in mismatches:
            require_that(line in message, f"the refusal does not say {line!r}, only {message!r}")
        return
    try:
        subject.build(problem)
    except UnsupportedError as error:
        require_that(bool(str(error)), "a problem is refused without a message")


def proposals(subject: Subject, problem: Problem) -> None:
    """Rows of ``ask()`` and ``ask(n)`` are numbered, complete, typed and inside the space."""
    optimizer = subject.build(problem)
    for n in (None, 1, 3, 7, None):
        # Read before: the natural batch may be what is left of a generation.
        asked, wanted = optimizer.asked, optimizer.batch_size if n is None else n
        batch = optimizer.ask() if n is None else optimizer.ask(n)
        _well_formed(optimizer, batch, asked, wanted)
        if len(batch):
            optimizer.tell(full(optimizer, batch))


def _well_formed(optimizer: Optimizer, batch: Batch, asked: int, count: int) -> None:
    problem, where = optimizer.problem, f"an ask for {count} rows"
    require_that(isinstance(batch, Batch), f"{where}: {type(batch).__name__} instead of a Batch")
    require_that(count >= 1, f"batch_size is {count}; give at least 1")
    require_that(len(batch) <= count, f"{where}: {len(batch)} rows instead of {count}")
    if endless(problem):
        require_that(len(batch) == count, f"{where}: {len(batch)} rows instead of {count}")
    want = {"id", *problem.inputs}
    require_that(set(batch.names) == want, f"{where}: columns {batch.names} instead of {want}")
    ids = np.arange(asked, asked + len(batch))
    require_that(np.array_equal(batch["id"], ids), f"{where}: ids {batch['id']} instead of {ids}")
    valid(optimizer, batch, where)
    _typed(optimizer, batch, where)


def _typed(optimizer: Optimizer, batch: Batch, where: str) -> None:
    problem = optimizer.problem
    canonical = problem.space.check(batch).columns()
    if problem.fidelity is not None:
        values = batch[problem.fidelity.name]
        try:
            canonical[problem.fidelity.name] = problem.fidelity.parameter.check(values)
        except BlackboxError as error:
            raise ConformanceError(f"{where}: a fidelity is not allowed: {error}") from error
    if problem.environment is not None:
        try:
            canonical |= problem.environment.space.check(batch).columns()
        except BlackboxError as error:
            raise ConformanceError(f"{where}: a scenario is not allowed: {error}") from error
    for name, column in canonical.items():
        kind, want = batch[name].dtype.kind, column.dtype.kind
        require_that(kind == want, f"{where}: column {name!r} is {batch[name].dtype}, not {want}")
        require_that(not batch[name].flags.writeable, f"{where}: column {name!r} is writeable")
    rows = [dict(row) for row in batch]
    for row, other in zip(rows, Batch(canonical), strict=True):
        for name, value in other.items():
            require_that(
                type(row[name]) is type(value),
                f"{where}: {name!r} is a {type(row[name]).__name__}, not {type(value).__name__}",
            )


def pending(subject: Subject, problem: Problem) -> None:
    """Rows asked for and not told are pending, by id; told ones are not."""
    optimizer = subject.build(problem)
    require_that(len(optimizer.pending) == 0, "a new optimizer has pending rows")
    first, second = optimizer.ask(4), optimizer.ask(3)
    asked = Batch.concat([first, second])
    require_that(optimizer.pending == asked, "pending rows are not the rows asked for")
    optimizer.tell(short(optimizer, asked)[[1, 5]])
    left = np.delete(np.arange(len(asked)), [1, 5])
    require_that(optimizer.pending == asked.take(left), "pending rows after a partial tell")
    require_that(optimizer.asked == len(asked), f"asked is {optimizer.asked}, not {len(asked)}")


def distinct_while_pending(subject: Subject, problem: Problem) -> None:
    """Rows that are still out are not proposed again."""
    optimizer = subject.build(problem)
    subject.drive(optimizer)
    asked = [optimizer.ask(1) for _ in range(4)]
    points = problem.space.encode(Batch.concat(asked))
    distinct = len(np.unique(points, axis=0))
    require_that(distinct == len(points), f"of 4 rows asked for one by one {distinct} are distinct")


def everything_pending(subject: Subject, problem: Problem) -> None:
    """An optimizer that is told nothing goes on proposing."""
    optimizer = subject.build(problem)
    for n in (None, subject.budget, None, 1):
        while True:
            batch = optimizer.ask() if n is None else optimizer.ask(n)
            out = len(optimizer.pending)
            valid(optimizer, batch, f"ask({n or ''}) with {out - len(batch)} rows out, none told")
            if n is not None or out >= subject.budget or len(batch) == 0:
                break


def problem_untouched(subject: Subject, problem: Problem) -> None:
    """The optimizer neither evaluates the problem nor changes it."""
    watched, calls = guarded(problem)
    before, declared = dict(vars(watched)), watched.spec()
    optimizer = subject.build(watched)
    subject.drive(optimizer)
    require_that(not calls, f"the problem was evaluated {len(calls)} times; only a study does that")
    require_that(watched.spec() == declared, "the problem's declaration was changed")
    after = vars(watched)
    changed = {k for k in before.keys() | after if before.get(k) is not after.get(k)}
    require_that(not changed, f"attributes {sorted(changed)} of the problem were changed")
