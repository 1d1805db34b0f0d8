"""What the rules are written with: building, driving and comparing optimizers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import numpy as np

from blackbox.batch import Batch
from blackbox.errors import BlackboxError, UnsupportedError
from blackbox.formulation import Problem
from blackbox.optimizer import Optimizer
from blackbox.state import pack
from blackbox.testing.cases import answer

#: Builds an optimizer for a problem and a seed, which may be None; the optimizer's class will do.
Make: TypeAlias = Callable[[Problem, int | None], Optimizer] | type[Optimizer]


class ConformanceError(BlackboxError, AssertionError):
    """An optimizer breaks the contract; the message names the rule, the problem and the reason."""


def fail(reason: str) -> NoReturn:
    """Report a broken rule."""
    raise ConformanceError(reason)


def require_that(condition: bool, reason: str) -> None:
    """Report a broken rule unless the condition holds."""
    if not condition:
        fail(reason)


@dataclass(frozen=True)
class Subject:
    """The optimizer under test, in as many copies as a rule needs.

    Args:
        make: builds one.
        problems: the problems of the suite.
        budget: rows told in each run before a rule looks at what the optimizer does.
    """

    make: Make
    problems: Sequence[Problem]
    budget: int

    def build(self, problem: Problem, seed: int | None = 0) -> Optimizer:
        """A new optimizer."""
        if isinstance(self.make, type):
            optimizer: Optimizer = self.make(problem, seed=seed)
            return optimizer
        return self.make(problem, seed)

    def supported(self) -> Iterator[Problem]:
        """The problems that the optimizer takes."""
        for problem in self.problems:
            try:
                self.build(problem)
            except UnsupportedError:
                continue
            yield problem

    def drive(self, optimizer: Optimizer) -> list[Batch]:
        """Ask and tell natural batches until the budget is told (three of them at least)."""
        return rounds(optimizer, self.budget)


def rounds(optimizer: Optimizer, budget: int, least: int = 3) -> list[Batch]:
    """Ask and tell natural batches; gives what was asked."""
    asked: list[Batch] = []
    told = 0
    while told < budget or len(asked) < least:
        batch = optimizer.ask()
        asked.append(batch)
        if len(batch) == 0:
            break
        optimizer.tell(full(optimizer, batch))
        told += len(batch)
    return asked


def full(optimizer: Optimizer, batch: Batch) -> Batch:
    """The asked rows with their outcomes, as a study tells them."""
    return batch.with_columns(**answer(optimizer.problem, batch))


def short(optimizer: Optimizer, batch: Batch) -> Batch:
    """Only ids and outcomes of the asked rows."""
    return batch.select(["id"]).with_columns(**answer(optimizer.problem, batch))


def outside(optimizer: Optimizer, n: int, seed: int = 7) -> Batch:
    """Told data that the optimizer never asked for: uniform rows, without ids."""
    problem = optimizer.problem
    rng = np.random.default_rng(seed)
    rows = problem.space.draw(n, rng)
    if problem.fidelity is not None:
        rows = rows.with_columns(**{problem.fidelity.name: problem.fidelity.target})
    if problem.environment is not None:
        rows = rows.with_columns(**problem.environment.draw(n, rng).columns())
    return rows.with_columns(**answer(problem, rows))


def endless(problem: Problem) -> bool:
    """Whether the space has so many candidates that an optimizer never runs out of them."""
    return not problem.space.discrete


def valid(optimizer: Optimizer, batch: Batch, where: str) -> None:
    """Report rows outside the space, or none at all where there are endlessly many."""
    problem = optimizer.problem
    if len(batch) == 0 and endless(problem):
        fail(f"{where}: no rows, though the space has endlessly many candidates")
    try:
        problem.space.check(batch)
    except BlackboxError as error:
        raise ConformanceError(f"{where}: a proposal is not in the space: {error}") from error


def same_rows(found: Sequence[Batch], wanted: Sequence[Batch], what: str) -> None:
    """Report the first round in which two runs differ."""
    for i, (a, b) in enumerate(zip(found, wanted, strict=False)):
        if a != b:
            fail(f"{what}: round {i} gives {_shown(a)} instead of {_shown(b)}")
    require_that(len(found) == len(wanted), f"{what}: {len(found)} rounds instead of {len(wanted)}")


def _shown(batch: Batch) -> str:
    text = str([{k: np.asarray(v).tolist() for k, v in row.items()} for row in batch[:2]])
    return text[:200] + ("..." if len(text) > 200 or len(batch) > 2 else "")


def snapshot(optimizer: Optimizer) -> bytes:
    """The optimizer's state as bytes."""
    return pack(optimizer.state_dict())


def raises(kind: type[Exception], call: Callable[[], Any], what: str) -> str:
    """The message with which a call is refused; reports one that is not, or otherwise."""
    try:
        call()
    except kind as error:
        require_that(bool(str(error)), f"{what}: refused without a message")
        return str(error)
    except Exception as error:
        raise ConformanceError(
            f"{what}: raises {type(error).__name__} ({error}) instead of {kind.__name__}"
        ) from error
    fail(f"{what}: accepted; {kind.__name__} is due")
