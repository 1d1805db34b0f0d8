"""What Optuna's samplers have in common: a study in memory, told row by row."""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from blackbox.batch import Batch
from blackbox.errors import require
from blackbox.formulation import Floats
from blackbox.optimizers._replay import Peer, Told
from blackbox.optimizers.optuna._axes import Axes

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import Trial


class Sampler(Peer):
    """A study in memory, with one trial for each row."""

    #: Whether a sampler learns only from rows that it has numbered itself.
    _adopts: ClassVar[bool] = False

    _study: Study
    _trials: dict[int, Trial]

    def _start(self) -> None:
        optuna = require("optuna", "optuna")
        with _silent("optuna.storages._in_memory"):
            self._study = optuna.create_study(
                storage=optuna.storages.InMemoryStorage(),
                sampler=self._sampler(optuna.samplers),
                directions=["minimize"] * len(self.problem.objectives),
                study_name="blackbox",
            )
        self._axes = Axes(self.problem.space)
        self._trials = {}

    @abstractmethod
    def _sampler(self, samplers: Any) -> BaseSampler:
        """Optuna's sampler, seeded by ``_key``."""

    def _propose(self, ids: range) -> Batch:
        params = []
        with np.errstate(all="ignore"):  # outcomes of 1e300 overflow when they are standardized
            for i in ids:
                trial = self._study.ask(self._axes.distributions)
                self._trials[i] = trial
                params.append(trial.params)
        return self._axes.rows(params)

    def _learn(self, told: Told) -> None:
        for i, ok, scores, slack in told.asked_rows():
            trial = self._trials.pop(i)
            if ok:
                self._complete(trial, scores, slack)
            else:
                self._fail(trial)
        n = len(told.ids)
        if len(told.outside):
            params = self._axes.params(told.outside)
            for row, scores, slack in zip(params, told.scores[n:], told.slack[n:], strict=True):
                self._add(row, scores, slack)

    def _complete(self, trial: Trial, scores: Floats, slack: Floats) -> None:
        for name, value in self._constraints(slack).items():
            trial.set_constraint(name, value)
        self._study.tell(trial, (-scores).tolist())

    def _fail(self, trial: Trial) -> None:
        self._study.tell(trial, state=require("optuna", "optuna").trial.TrialState.FAIL)

    def _add(self, params: dict[str, Any], scores: Floats, slack: Floats) -> None:
        """Add a row that was not asked for."""
        if self._adopts:
            self._study.enqueue_trial(params)
            trial = self._study.ask(self._axes.distributions)
            _ = trial.relative_params  # only this gives an enqueued trial its generation
            self._complete(trial, scores, slack)
            return
        added = require("optuna", "optuna").trial.create_trial(
            params=params,
            distributions=self._axes.distributions,
            values=(-scores).tolist(),
            constraints=self._constraints(slack),
        )
        self._study.add_trial(added)

    def _constraints(self, slack: Floats) -> dict[str, float]:
        names = [c.name for c in self.problem.constraints]
        return dict(zip(names, slack.tolist(), strict=True))


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """Drop this thread's records of a logger; its level and other threads stay as they are."""
    thread = threading.get_ident()

    def others(record: logging.LogRecord) -> bool:
        return record.thread != thread

    logger = logging.getLogger(name)
    logger.addFilter(others)
    try:
        yield
    finally:
        logger.removeFilter(others)
