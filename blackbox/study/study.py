"""The loop: ask, evaluate, tell, and write each step down before it counts."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from blackbox.batch import Array, Batch, Row, same_column
from blackbox.errors import (
    BlackboxError,
    EvaluationError,
    ProblemError,
    StorageError,
    TellError,
)
from blackbox.executors import Failure, Outcome
from blackbox.formulation import Problem
from blackbox.optimizer import Optimizer
from blackbox.study.budget import Budget
from blackbox.study.crew import Crew, Inline, open_crew
from blackbox.study.record import Record
from blackbox.study.show import Progress, study_html
from blackbox.study.table import Table

if TYPE_CHECKING:
    from blackbox.study.journal import Journal

OnError = Literal["raise", "record"]


class Study(Record):
    """Runs an optimizer on a problem and keeps everything that was told.

    With a path the study is durable: a folder with one SQLite file, written before anything
    counts. The same lines that began it resume it, after a crash too: nothing told is lost or
    evaluated again, rows that were under way are evaluated anew, and a sequential run continues
    exactly as if it had never stopped.

    Args:
        problem: what is optimized.
        optimizer: freshly built for the same problem.
        path: folder of the durable study, made when absent; None keeps it in memory.
        name: name for plots and reports; by default the optimizer's.
        keep_history: keep told rows in memory. Without, ``history`` reads them from the disk.
        synchronous: ``"full"`` survives power loss; ``"normal"`` is faster and survives the
            death of the process, but may lose the last moments before a power loss.

    Raises:
        StudyMismatchError: the folder holds the study of another problem or optimizer; lists
            every difference.
        StudyLockedError: another process (or another Study of this one) is writing it.
        StorageError: the folder cannot be read or written.
    """

    def __init__(
        self,
        problem: Problem,
        optimizer: Optimizer,
        path: str | os.PathLike[str] | None = None,
        *,
        name: str | None = None,
        keep_history: bool = True,
        synchronous: Literal["full", "normal"] = "full",
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise ProblemError(f"optimizer is {optimizer!r}; give an Optimizer")
        if optimizer.problem is not problem and optimizer.problem.spec() != problem.spec():
            raise ProblemError(
                f"optimizer was built for {optimizer.problem.name}, not for {problem.name}; "
                "build it with the study's problem"
            )
        self.problem = problem
        self.optimizer = optimizer
        self.name = name or type(optimizer).__name__
        self.path = None if path is None else Path(path)
        self._keep = keep_history
        self._table = Table()
        self._told_ids = np.zeros(1024, dtype=bool)
        self._told = self._evaluations = self._failed = 0
        self._cost = self._seconds = 0.0
        self._best: Row | None = None
        self._best_score = -np.inf
        self._reasons: dict[int, str] = {}
        self._clock: float | None = None
        self._journal: Journal | None = None
        if self.path is not None:
            from blackbox.study.journal import Journal

            self._journal = Journal(self.path, problem, optimizer, self.name, synchronous)
            self._journal.resume(self._count, whole=keep_history)
            self._seconds = self._journal.seconds

    @property
    def history(self) -> Batch:
        """Rows told, in the order of telling: id, inputs, outcomes, cost if there is one, ok.

        Raises:
            StorageError: ``keep_history=False`` and the study is not on disk.
        """
        if self._keep:
            return self._table.batch if len(self._table) else self._empty()
        if self._journal is None:
            raise StorageError("history was not kept: give keep_history=True or a path")
        return self._journal.history()

    @property
    def told(self) -> int:
        """Rows told so far, failed ones and data from outside included."""
        return self._told

    @property
    def evaluations(self) -> int:
        """Rows asked for and told so far, failed ones included; what a budget counts."""
        return self._evaluations

    @property
    def failed(self) -> int:
        """Rows told so far that failed."""
        return self._failed

    @property
    def cost(self) -> float:
        """Cost of all rows evaluated so far, in the problem's unit (1 a row by default)."""
        return self._cost

    @property
    def seconds(self) -> float:
        """Seconds spent running, earlier sessions included."""
        now = 0.0 if self._clock is None else time.monotonic() - self._clock
        return self._seconds + now

    @property
    def failures(self) -> dict[int, str]:
        """Id to traceback or reason, for rows that failed."""
        if self._keep or self._journal is None:
            return dict(self._reasons)
        return self._journal.reasons()

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """For each vector parameter, the names of its elements."""
        return self.problem.space.labels

    def to_optuna(self, storage_url: str, study_name: str | None = None) -> None:
        """Write an ordinary Optuna study, for optuna-dashboard and Optuna's plots.

        Args:
            storage_url: for instance ``"sqlite:///optuna.db"``.
            study_name: name of the Optuna study; by default this study's.

        Raises:
            MissingExtraError: Optuna is not installed (extra ``optuna``).
        """
        from blackbox.storage.export import to_optuna

        to_optuna(self.problem, self.history, storage_url, study_name or self.name, self.failures)

    @property
    def best(self) -> Row | None:
        """The best row at the target fidelity: parameters and outcomes; None before there is one.

        Raises:
            ProblemError: the problem has several objectives (use ``front``) or none.
        """
        if len(self.problem.objectives) != 1:
            raise ProblemError(
                f"best: {self.problem.name} has {len(self.problem.objectives)} objectives; "
                "use study.front"
            )
        return None if self._best is None else dict(self._best)

    @property
    def front(self) -> Batch:
        """The feasible rows at the target fidelity that no other such row dominates.

        Raises:
            MissingExtraError: moocore is not installed (extra ``metrics``).
        """
        from blackbox.metrics import is_nondominated

        candidates = self.history
        candidates = candidates[self._eligible(candidates)]
        if len(candidates) == 0:
            return candidates
        return candidates[is_nondominated(self.problem.scores(candidates))]

    def ask(self, n: int | None = None) -> Batch:
        """Propose candidates, as ``Optimizer.ask``, and write them down first."""
        if self._journal is not None:
            self._journal.flush()
        batch = self.optimizer.ask(n)
        if self._journal is not None and len(batch):
            self._journal.asked(n, batch)
        return batch

    def tell(self, batch: Batch, reasons: Mapping[int, str] | None = None) -> Batch:
        """Learn outcomes, as ``Optimizer.tell``, and write them down first.

        Args:
            batch: outcomes of asked rows or data from outside. A row that was told before with
                the same outcomes is passed over.
            reasons: id to the reason why a row failed.

        Returns:
            The rows that are new, with all columns of ``history``.

        Raises:
            TellError: as ``Optimizer.tell``; also a row told before with other outcomes.
            StorageError: the disk refuses the rows. They are told in memory all the same, and
                written first as soon as it takes them.
        """
        told = self.optimizer.checked(self._news(batch))
        if len(told) == 0:
            return told
        if self.problem.has_cost:
            told = told.drop("ok").with_columns(cost=self._prices(told), ok=told["ok"])
        reasons = {int(i): str(text) for i, text in (reasons or {}).items()}
        if self._journal is None:
            self._learn(told, reasons)
            return told
        try:
            self._journal.told(told, reasons, self.seconds)
        except TellError:
            raise
        except BaseException:
            # An evaluation may have cost days: neither a full disk nor a Ctrl-C forgets it.
            self._learn(told, reasons)
            raise
        self._learn(told, reasons)
        self._journal.checkpoint()
        return told

    def run(
        self,
        evaluations: int | None = None,
        *,
        max_cost: float | None = None,
        max_seconds: float | None = None,
        batch: int | None = None,
        executor: Executor | None = None,
        workers: int | None = None,
        timeout: float | None = None,
        retries: int = 0,
        on_error: OnError = "raise",
        progress: bool | None = None,
    ) -> Study:
        """Run until the first budget is spent; budgets are totals over the study's whole life.

        Args:
            evaluations: rows to evaluate, failed ones included.
            max_cost: sum of the problem's costs, never exceeded.
            max_seconds: seconds spent running; no evaluation starts after them.
            batch: rows a proposal; by default the optimizer's natural batch.
            executor: any ``concurrent.futures.Executor``; it stays open.
            workers: evaluations at once. Without an executor, local worker processes.
            timeout: seconds an evaluation may take; then its row has failed.
            retries: how often a failed evaluation is tried again.
            on_error: ``"raise"`` stops at the first exception of an evaluation and leaves its
                row pending; ``"record"`` tells it as a failed row. NaN outcomes, timeouts and
                dead workers are always failed rows.
            progress: show a progress bar; by default where somebody looks and rich is installed.

        Returns:
            The study itself.

        Raises:
            EvaluationError: an evaluation raised, with ``on_error="raise"``.
            ProblemError: no budget, or an argument out of range.
        """
        steps = self.steps(
            evaluations,
            max_cost=max_cost,
            max_seconds=max_seconds,
            batch=batch,
            executor=executor,
            workers=workers,
            timeout=timeout,
            retries=retries,
            on_error=on_error,
        )
        budget = Budget(evaluations, max_cost, max_seconds)
        with Progress(self, budget, progress) as bar:
            for _ in steps:
                bar.update()
        return self

    def steps(
        self,
        evaluations: int | None = None,
        *,
        max_cost: float | None = None,
        max_seconds: float | None = None,
        batch: int | None = None,
        executor: Executor | None = None,
        workers: int | None = None,
        timeout: float | None = None,
        retries: int = 0,
        on_error: OnError = "raise",
    ) -> Iterator[Batch]:
        """The loop of ``run`` as an iterator over the batches told: break, print, plot, stop."""
        budget = Budget(evaluations, max_cost, max_seconds)
        _positive("batch", batch, Integral)
        _positive("workers", workers, Integral)
        _positive("timeout", timeout, Real)
        if isinstance(retries, bool) or not isinstance(retries, Integral) or retries < 0:
            raise ProblemError(f"retries={retries!r} must be an int of at least 0")
        if on_error not in ("raise", "record"):
            raise ProblemError(f"on_error={on_error!r} must be 'raise' or 'record'")
        return self._steps(budget, batch, executor, workers, timeout, int(retries), on_error)

    def close(self) -> None:
        """Close the study's file; a closed study can still be read, plotted and exported."""
        if self._journal is not None:
            if not self._keep:
                history, self._reasons = self.history, self.failures
                self._table, self._keep = Table(history if len(history) else None), True
            self._journal.close()
            self._journal = None

    def __enter__(self) -> Study:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        where = "in memory" if self.path is None else str(self.path)
        return f"Study({self.name} on {self.problem.name}, {self.told} told, {where})"

    def _repr_html_(self) -> str:
        return study_html(self)

    # --- the loop ---------------------------------------------------------------------------

    def _steps(
        self,
        budget: Budget,
        size: int | None,
        executor: Executor | None,
        workers: int | None,
        timeout: float | None,
        retries: int,
        on_error: OnError,
    ) -> Iterator[Batch]:
        # Rows left pending by an earlier run come first: they were asked for before all others.
        if self._journal is not None:
            self._journal.flush()
        queue = deque(self._tasks(self.optimizer.pending))
        flying: dict[int, Batch] = {}
        costs: dict[int, float] = {}
        self._clock = time.monotonic()
        try:
            with open_crew(executor, workers, timeout, retries) as crew:
                while True:
                    while crew.free:
                        task = self._next(queue, budget, size, flying, costs)
                        if task is None:
                            break
                        key = int(task["id"][0])
                        flying[key] = task
                        costs[key] = float(self._prices(task).sum())
                        crew.submit(key, self.problem, task)
                    if not flying and crew.free:
                        return
                    told, fatal = self._finish(crew, flying, costs, on_error)
                    yield from told
                    if fatal is not None:
                        raise fatal
        finally:
            self._seconds, self._clock = self.seconds, None

    def _next(
        self,
        queue: deque[Batch],
        budget: Budget,
        size: int | None,
        flying: Mapping[int, Batch],
        costs: Mapping[int, float],
    ) -> Batch | None:
        """The next task the budget allows, asked for if none is queued; None if there is none."""
        started = self._evaluations + sum(map(len, flying.values()))
        left = budget.rows(started)
        if left < 1 or not budget.timely(self.seconds):
            return None
        if not queue:
            n = self.optimizer.batch_size if size is None else size
            queue.extend(self._tasks(self.ask(int(min(n, left)))))
        if not queue:
            return None
        task = queue[0][: int(min(len(queue[0]), left))]
        prices = self._prices(task)
        fits = budget.affordable(prices, self._cost + sum(costs.values()))
        if fits == 0:
            return None
        queue.popleft()
        return task[:fits]

    def _tasks(self, batch: Batch) -> list[Batch]:
        """What is evaluated at once: a row, or the whole batch if the problem takes batches."""
        if len(batch) == 0:
            return []
        if hasattr(self.problem, "evaluate_batch"):
            return [batch]
        return [batch[i : i + 1] for i in range(len(batch))]

    def _prices(self, batch: Batch) -> Array:
        """(n,) cost of evaluating each row."""
        if not self.problem.has_cost:
            return np.ones(len(batch))
        return self.problem.costs(batch.select(self.problem.inputs))

    def _finish(
        self, crew: Crew, flying: dict[int, Batch], costs: dict[int, float], on_error: OnError
    ) -> tuple[list[Batch], BlackboxError | None]:
        """Tell all outcomes that have come, and the error of the first that must stop the run.

        All are told before any is shown: whoever leaves the loop early loses none.
        """
        told: list[Batch] = []
        fatal: BlackboxError | None = None
        for outcome in crew.wait():
            task = flying.pop(outcome.key)
            del costs[outcome.key]
            failure = outcome.failure
            if failure is not None and failure.kind == "cancelled":
                continue  # it never ran: the row stays pending
            if failure is not None and failure.kind == "error" and on_error == "raise":
                fatal = fatal or _evaluation_error(outcome.key, failure)
                fatal.__cause__ = crew.cause if isinstance(crew, Inline) else None
            else:
                try:
                    told.append(self._tell_outcome(task, outcome))
                except StorageError as error:
                    fatal = error
        return told, fatal

    def _tell_outcome(self, task: Batch, outcome: Outcome) -> Batch:
        ids = task["id"]
        if outcome.failure is None:
            return self.tell(Batch({"id": ids, **outcome.value}))
        failed = {name: np.full(len(ids), np.nan) for name in self.problem.outcomes}
        reason = outcome.failure.traceback or outcome.failure.message
        return self.tell(
            Batch({"id": ids, **failed, "ok": np.zeros(len(ids), dtype=bool)}),
            {int(i): f"{outcome.failure.kind}: {reason}" for i in ids},
        )

    # --- bookkeeping ------------------------------------------------------------------------

    def _news(self, batch: Batch) -> Batch:
        """The rows not told before; a repeat must say the same."""
        if not isinstance(batch, Batch) or "id" not in batch or batch["id"].dtype != np.int64:
            return batch
        ids = batch["id"]
        repeated = (ids >= 0) & (ids < len(self._told_ids))
        repeated[repeated] = self._told_ids[ids[repeated]]
        if not repeated.any():
            return batch
        history = self.history
        for i in np.flatnonzero(repeated):
            at = int(np.flatnonzero(history["id"] == ids[i])[-1])
            for name in self.problem.outcomes:
                given = np.asarray(batch[name][i : i + 1], np.float64)
                if name in batch and not same_column(given, history[name][at : at + 1]):
                    raise TellError(
                        f"tell: id {ids[i]} was told before with {name}={history[name][at]}, now "
                        f"{name}={given[0]}; a row is told once"
                    )
        return batch[~repeated]

    def _learn(self, told: Batch, reasons: Mapping[int, str]) -> None:
        self.optimizer.learn(told)
        self._count(told, reasons)

    def _count(self, told: Batch, reasons: Mapping[int, str]) -> None:
        """Take new rows into the history and the totals."""
        ids = told["id"]
        asked = ids[ids >= 0]
        if asked.size:
            self._mark(asked)
        if self._keep:
            self._table.append(told)
            self._reasons.update(reasons)
        self._told += len(told)
        self._evaluations += len(asked)
        self._failed += int(np.count_nonzero(~told["ok"]))
        self._cost += float(told["cost"].sum()) if "cost" in told else float(len(asked))
        if len(self.problem.objectives) == 1:
            self._improve(told)

    def _mark(self, ids: Array) -> None:
        largest = int(ids.max())
        if largest >= len(self._told_ids):
            larger = np.zeros(max(2 * len(self._told_ids), largest + 1), dtype=bool)
            larger[: len(self._told_ids)] = self._told_ids
            self._told_ids = larger
        self._told_ids[ids] = True

    def _improve(self, told: Batch) -> None:
        scores = np.where(self._eligible(told), self.problem.scores(told)[:, 0], -np.inf)
        i = int(np.argmax(scores))
        if scores[i] > self._best_score:
            self._best_score = float(scores[i])
            row = next(self.problem.space.rows(told[i : i + 1].drop("ok")))
            self._best = row

    def _eligible(self, batch: Batch) -> Array:
        """(n,) rows that count: not failed, feasible, at the target fidelity."""
        good = self.problem.feasible(batch)
        fidelity = self.problem.fidelity
        return good if fidelity is None else good & (batch[fidelity.name] == fidelity.target)

    def _empty(self) -> Batch:
        problem = self.problem
        empty: dict[str, Any] = {"id": np.zeros(0, dtype=np.int64)}
        empty |= problem.space.decode(np.zeros((0, problem.space.width))).columns()
        if problem.fidelity is not None:
            empty[problem.fidelity.name] = np.zeros(0)
        empty |= {name: np.zeros(0) for name in problem.outcomes}
        if problem.has_cost:
            empty["cost"] = np.zeros(0)
        return Batch(empty | {"ok": np.zeros(0, dtype=bool)})


def _positive(name: str, value: Any, kind: type) -> None:
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, kind) or not value > 0  # type: ignore[operator]
    ):
        what = "a positive int" if kind is Integral else "a positive number"
        raise ProblemError(f"{name}={value!r} must be {what} or None")


def _evaluation_error(key: int, failure: Failure) -> EvaluationError:
    return EvaluationError(
        f"evaluation of row {key} failed: {failure.message}\n{failure.traceback}\n"
        'The row stays pending. Fix the problem and run again, or run with on_error="record".'
    )
