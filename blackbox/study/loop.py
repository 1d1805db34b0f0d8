"""One run of a study: ask while the budget allows, evaluate, tell results as they come."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from blackbox.arguments import check_count
from blackbox.batch import Batch
from blackbox.errors import BlackboxError, EvaluationError, ProblemError, StorageError
from blackbox.executors import Failure, Outcome
from blackbox.formulation import missing
from blackbox.study.budget import Budget, check_positive
from blackbox.study.crew import Crew, Inline, open_crew

if TYPE_CHECKING:
    from blackbox.study.study import Study

OnError: TypeAlias = Literal["raise", "record"]


@dataclass(frozen=True)
class Plan:
    """How a run is done; the arguments of ``Study.run``.

    Raises:
        ProblemError: an argument is of the wrong type or out of range.
    """

    budget: Budget
    batch: int | None = None
    executor: Executor | None = None
    workers: int | None = None
    timeout: float | None = None
    retries: int = 0
    on_error: OnError = "raise"

    def __post_init__(self) -> None:
        check_positive("batch", self.batch, whole=True)
        check_positive("workers", self.workers, whole=True)
        check_positive("timeout", self.timeout)
        check_count("retries", self.retries, 0)
        if self.on_error not in ("raise", "record"):
            raise ProblemError(f"on_error={self.on_error!r} must be 'raise' or 'record'")


class Loop:
    """Iterates over the batches told, until the budget is spent or nothing is left to ask."""

    def __init__(self, study: Study, plan: Plan) -> None:
        problem = study.problem
        if problem.preference and not hasattr(problem, "evaluate_batch"):
            raise ProblemError(
                f"run: {problem.name} defines no evaluate_batch, which orders its rows; define it, "
                "or ask and tell by hand"
            )
        self._study = study
        self._plan = plan
        # Rows left pending by an earlier run come first: they were asked for before all others.
        self._queue = deque(self._tasks(study.optimizer.pending))
        self._flying: dict[int, Batch] = {}
        self._costs: dict[int, float] = {}

    def __iter__(self) -> Iterator[Batch]:
        plan, problem = self._plan, self._study.problem
        with open_crew(problem, plan.executor, plan.workers, plan.timeout, plan.retries) as crew:
            while True:
                while crew.free and (task := self._next()) is not None:
                    key = int(task["id"][0])
                    self._flying[key] = task
                    self._costs[key] = float(self._study.prices(task).sum())
                    crew.submit(key, self._study.problem, task)
                # Evaluations given up may hold every slot: a spent budget does not wait for them.
                if not self._flying and (crew.free or self._spent()):
                    return
                told, fatal = self._finish(crew)
                yield from told
                if fatal is not None:
                    raise fatal

    def _next(self) -> Batch | None:
        """The next task the budget allows, asked for if none waits; None if there is none."""
        study, budget, queue = self._study, self._plan.budget, self._queue
        if self._spent():
            return None
        left = self._left()
        if not queue:
            n = self._plan.batch or study.optimizer.batch_size
            queue.extend(self._tasks(study.ask(int(min(n, left)))))
        # Asking takes time, too.
        if not queue or not budget.timely(study.seconds):
            return None
        task = queue[0][: int(min(len(queue[0]), left))]
        spent = study.cost + sum(self._costs.values())
        fits = budget.affordable(study.prices(task), spent)
        if fits == 0:
            return None
        # The rest stays first in line: what comes after it must not be asked for instead.
        rest = queue.popleft()[fits:]
        if len(rest):
            queue.appendleft(rest)
        return task[:fits]

    def _left(self) -> float:
        """Evaluations left, those under way counted."""
        under_way = sum(map(len, self._flying.values()))
        return self._plan.budget.rows(self._study.evaluations + under_way)

    def _spent(self) -> bool:
        """Whether evaluations or time are used up; what cost allows depends on the row."""
        return self._left() < 1 or not self._plan.budget.timely(self._study.seconds)

    def _tasks(self, batch: Batch) -> list[Batch]:
        """What is evaluated at once: a row, or the whole batch if the problem takes batches."""
        if len(batch) == 0:
            return []
        if hasattr(self._study.problem, "evaluate_batch"):
            return [batch]
        return [batch[i : i + 1] for i in range(len(batch))]

    def _finish(self, crew: Crew) -> tuple[list[Batch], BlackboxError | None]:
        """Tell all outcomes that have come, and the error of the first that must stop the run.

        All are told before any is shown: whoever leaves the loop early loses none.
        """
        told: list[Batch] = []
        fatal: BlackboxError | None = None
        for outcome in crew.wait():
            task = self._flying.pop(outcome.key)
            del self._costs[outcome.key]
            failure = outcome.failure
            if failure is not None and failure.kind == "cancelled":
                continue  # it never ran: the row stays pending
            if failure is not None and failure.kind == "error" and self._plan.on_error == "raise":
                fatal = fatal or _evaluation_error(outcome.key, failure)
                fatal.__cause__ = crew.cause if isinstance(crew, Inline) else None
                continue
            try:
                told.append(self._tell(task, outcome))
            except StorageError as error:
                fatal = error
        return told, fatal

    def _tell(self, task: Batch, outcome: Outcome) -> Batch:
        ids = task["id"]
        if outcome.failure is None:
            return self._study.tell(Batch({"id": ids, **outcome.value}))
        failed = missing(self._study.problem, len(ids))
        reason = outcome.failure.traceback or outcome.failure.message
        return self._study.tell(
            Batch({"id": ids, **failed, "ok": np.zeros(len(ids), dtype=bool)}),
            {int(i): f"{outcome.failure.kind}: {reason}" for i in ids},
        )


def _evaluation_error(key: int, failure: Failure) -> EvaluationError:
    return EvaluationError(
        f"evaluation of row {key} failed: {failure.message}\n{failure.traceback}\n"
        'The row stays pending. Fix the problem and run again, or run with on_error="record".'
    )
