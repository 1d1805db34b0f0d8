"""A study: an optimizer on a problem, and the record of everything that was told."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from blackbox.arguments import check_flag
from blackbox.batch import Array, Batch, Row, same_column
from blackbox.errors import ProblemError, StorageError, StudyMismatchError, TellError
from blackbox.formulation import Problem, missing, need_problem, no_inputs, outcome
from blackbox.optimizer import Optimizer
from blackbox.study.budget import Budget
from blackbox.study.loop import Loop, OnError, Plan
from blackbox.study.record import Record, open_study
from blackbox.study.risk import best_design
from blackbox.study.show import Progress, study_html
from blackbox.study.table import Table
from blackbox.study.tally import Tally, checked_reasons, eligible, reasons_of_failed

if TYPE_CHECKING:
    from blackbox.study.journal import Journal


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
        ProblemError: the optimizer is for another problem, or an argument is of the wrong type.
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
        need_problem(problem)
        if not isinstance(optimizer, Optimizer):
            raise ProblemError(f"optimizer is {optimizer!r}; give an Optimizer")
        if optimizer.problem is not problem and optimizer.problem.spec() != problem.spec():
            raise ProblemError(
                f"optimizer was built for {optimizer.problem.name}, not for {problem.name}; "
                "build it with the study's problem"
            )
        if not (name is None or isinstance(name, str)):
            raise ProblemError(f"name={name!r} must be a str or None")
        check_flag("keep_history", keep_history)
        self.problem = problem
        self.optimizer = optimizer
        self.name = name or type(optimizer).__name__
        self.path: Path | None = None
        self._keep = keep_history
        self._table = Table()
        self._tally = Tally(problem)
        self._seconds = 0.0
        self._reasons: dict[int, str] = {}
        self._clock: float | None = None
        self._journal: Journal | None = None
        if path is not None:
            from blackbox.storage.filesystem import as_path
            from blackbox.study.journal import Journal

            self.path = as_path(path)
            self._journal = Journal(self.path, problem, optimizer, self.name, synchronous)
            self._journal.resume(self._recount, whole=keep_history)
            self._seconds = self._journal.seconds

    @property
    def history(self) -> Batch:
        """Rows told, in the order of telling: id, inputs, outcomes, cost if there is one, ok.

        Raises:
            StorageError: ``keep_history=False`` and the study is not on disk.
        """
        if self._keep:
            return self._table.batch if len(self._table) else self._empty()
        if self._journal is not None:
            return self._journal.history()
        if self.path is None:
            raise StorageError("history was not kept: give keep_history=True or a path")
        history = open_study(self.path).history
        return history if len(history) else self._empty()

    @property
    def told(self) -> int:
        """Rows told so far, failed ones and data from outside included."""
        return self._tally.told

    @property
    def evaluations(self) -> int:
        """Rows asked for and told so far, failed ones included; what a budget counts."""
        return self._tally.evaluations

    @property
    def failed(self) -> int:
        """Rows told so far that failed."""
        return self._tally.failed

    @property
    def cost(self) -> float:
        """Cost of all rows evaluated so far, in the problem's unit (1 a row by default)."""
        return self._tally.cost

    @property
    def seconds(self) -> float:
        """Seconds spent running, earlier sessions included."""
        now = 0.0 if self._clock is None else time.monotonic() - self._clock
        return self._seconds + now

    @property
    def failures(self) -> dict[int, str]:
        """Id to traceback or reason, for rows that failed."""
        if self._keep or self.path is None:
            return dict(self._reasons)
        return self._journal.reasons() if self._journal else open_study(self.path).failures

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """For each vector column, the names of its elements."""
        return self.problem.labels

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

        With an environment rows of different scenarios cannot be compared. Then it is the
        candidate of least risk among those told in every scenario of the environment's table that
        has a weight: its parameters, and the risk in the place of the objective. An optimizer
        that does not try every scenario on a candidate leaves it None.

        Raises:
            ProblemError: the problem has several objectives (use ``front``) or none, or a
                preference, which only orders rows told together.
        """
        self._refuse_preference("best")
        if len(self.problem.objectives) != 1:
            raise ProblemError(
                f"best: {self.problem.name} has {len(self.problem.objectives)} objectives; "
                "use study.front"
            )
        if self.problem.environment is not None:
            return best_design(self.problem, self.history)
        return None if self._tally.best is None else dict(self._tally.best)

    @property
    def front(self) -> Batch:
        """The feasible rows at the target fidelity that no other such row dominates.

        Raises:
            ProblemError: the problem has an environment or a preference: no row dominates another.
            MissingExtraError: moocore is not installed (extra ``metrics``).
        """
        from blackbox.metrics import is_nondominated

        self._refuse_preference("front")
        if self.problem.environment is not None:
            raise ProblemError(
                f"front: rows of {self.problem.name} come from different scenarios; use study.best"
            )
        candidates = self.history
        candidates = candidates[eligible(self.problem, candidates)]
        if len(candidates) == 0:
            return candidates
        return candidates[is_nondominated(self.problem.scores(candidates))]

    def ask(self, n: int | None = None) -> Batch:
        """Propose candidates, as ``Optimizer.ask``, and write them down first.

        Raises:
            StorageError: the disk refuses them, or the study was closed.
        """
        self._refuse_closed()
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
            reasons: id to the reason why a row failed; passed over for a row that did not, or that
                was told before.

        Returns:
            The rows that are new, with all columns of ``history``.

        Raises:
            TellError: as ``Optimizer.tell``; also a row told before with other outcomes, or reasons
                that are no dict from ids of the batch.
            StorageError: the disk refuses the rows. They are told in memory all the same, and
                written first as soon as it takes them. Or the study was closed: nothing is told.
        """
        self._refuse_closed()
        reasons = checked_reasons(reasons)
        told = self.optimizer.checked(self._news(batch))
        reasons = reasons_of_failed(reasons, batch, told)
        if len(told) == 0:
            return told
        if self.problem.has_cost:
            told = told.drop("ok").with_columns(cost=self.prices(told), ok=told["ok"])
        if self._journal is None:
            self._learn(told, reasons)
            return told
        try:
            self._journal.told(told, reasons, self.seconds, self._changed(batch, told))
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
            workers: evaluations at once. Without an executor, local worker processes, by default
                one; with one, as many as it says that it runs at once.
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
        budget = Budget(evaluations, max_cost, max_seconds)
        plan = Plan(budget, batch, executor, workers, timeout, retries, on_error)
        with Progress(self, budget, progress) as bar:
            for _ in self._timed(plan):
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
        plan = Plan(budget, batch, executor, workers, timeout, retries, on_error)
        return self._timed(plan)

    def close(self) -> None:
        """Close the study's file; a closed study can still be read, plotted and exported.

        What ``keep_history=False`` has not kept in memory is read from the disk then too.

        Raises:
            StorageError: the disk still refuses rows that were told; the study stays open.
        """
        if self._journal is not None:
            self._journal.flush()
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

    def prices(self, batch: Batch) -> Array:
        """(n,) cost of evaluating each row, known beforehand; 1 each without a ``cost``."""
        if not self.problem.has_cost:
            return np.ones(len(batch))
        return self.problem.costs(batch.select(self.problem.inputs))

    def _timed(self, plan: Plan) -> Iterator[Batch]:
        self._refuse_closed()
        if self._journal is not None:
            self._journal.flush()
        self._clock = time.monotonic()
        try:
            yield from Loop(self, plan)
        finally:
            self._seconds, self._clock = self.seconds, None

    def _news(self, batch: Batch) -> Batch:
        """The rows not told before; a repeat must say the same."""
        if not isinstance(batch, Batch) or "id" not in batch or batch["id"].dtype != np.int64:
            return batch
        ids = batch["id"]
        repeated = self._tally.is_told(ids)
        if not repeated.any():
            return batch
        if self.problem.preference and not repeated.all():
            raise TellError(
                f"tell: id {ids[repeated][0]} was told before; to compare a candidate again, tell "
                "its parameters as a row from outside (id -1)"
            )
        history = self.history
        for i in np.flatnonzero(repeated):
            at = int(np.flatnonzero(history["id"] == ids[i])[-1])
            for name in self.problem.outcomes:
                if name not in batch:
                    continue
                try:
                    given = outcome(self.problem, name, batch[name][i : i + 1], 1)
                except ProblemError as error:
                    raise TellError(f"tell: {error}") from None
                if not same_column(given, history[name][at : at + 1]):
                    raise TellError(
                        f"tell: id {ids[i]} was told before with {name}={history[name][at]}, now "
                        f"{name}={given[0]}; a row is told once"
                    )
        return batch[~repeated]

    def _changed(self, batch: Batch, told: Batch) -> list[str]:
        """Inputs that were told otherwise than asked: a lab does not always do as it is told."""
        given = [name for name in self.problem.inputs if name in batch]
        ids = told["id"]
        if not given or (ids < 0).any():
            return []  # rows from outside bring all their columns anyway
        asked = self.optimizer.pending
        asked = asked.take(np.searchsorted(asked["id"], ids))
        return [name for name in given if not same_column(told[name], asked[name])]

    def _learn(self, told: Batch, reasons: Mapping[int, str]) -> None:
        self.optimizer.learn(told)
        self._count(told, reasons)

    def _recount(self, told: Batch, reasons: Mapping[int, str]) -> None:
        """As ``_count``, of rows that an earlier session told."""
        if ("cost" in told) != self.problem.has_cost:
            before, now = ("costs", "none") if "cost" in told else ("no costs", "cost")
            raise StudyMismatchError(
                f"the study in {str(self.path)!r} was told {before}, and {self.problem.name} "
                f"defines {now} now; build it as it was when it began, or give another folder"
            )
        self._count(told, reasons)

    def _count(self, told: Batch, reasons: Mapping[int, str]) -> None:
        """Take new rows into the history and the totals."""
        self._tally.count(told)
        if self._keep:
            self._table.append(told)
        if self._keep or self.path is None:
            self._reasons.update(reasons)

    def _refuse_closed(self) -> None:
        # What is told now would be nowhere but in memory.
        if self.path is not None and self._journal is None:
            raise StorageError(
                f"the study in {str(self.path)!r} was closed: build it again, with a fresh "
                "optimizer, to go on"
            )

    def _refuse_preference(self, what: str) -> None:
        if self.problem.preference:
            raise ProblemError(
                f"{what}: {self.problem.name} has a preference, whose values only order the rows "
                "told together"
            )

    def _empty(self) -> Batch:
        empty: dict[str, Any] = {"id": np.zeros(0, dtype=np.int64)}
        empty |= no_inputs(self.problem).columns() | missing(self.problem, 0)
        if self.problem.has_cost:
            empty["cost"] = np.zeros(0)
        return Batch(empty | {"ok": np.zeros(0, dtype=bool)})
