"""Ask, evaluate, tell: what every suite of optimization does."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import blackbox as bb
from blackbox.batch import Batch
from blackbox.problems.exhaustive import Exhaustive


@dataclass(frozen=True)
class Table:
    """A table that holds every answer, and how much of it may be seen.

    Args:
        build: makes the problem.
        evaluations: how many.
        batch: rows of each ask.
    """

    build: Callable[[], Exhaustive]
    evaluations: int
    batch: int


def optimize(optimizer: bb.Optimizer, evaluations: int, batch: int) -> tuple[Batch, float]:
    """Run to a budget.

    Args:
        optimizer: asked for ``batch`` rows at a time, and told every one.
        evaluations: how many.
        batch: rows of each ask.

    Returns:
        The rows told in order, with their outcomes, and the CPU seconds of all asks and tells.
    """
    problem, told, seconds = optimizer.problem, [], 0.0
    done = 0
    while done < evaluations:
        begun = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the peers
            rows = optimizer.ask(min(batch, evaluations - done))
        seconds += time.process_time() - begun
        if not len(rows):
            break
        rows = rows.with_columns(**problem.measure(rows))
        begun = time.process_time()
        optimizer.tell(rows)
        seconds += time.process_time() - begun
        told.append(rows)
        done += len(rows)
    return Batch.concat(told), seconds
