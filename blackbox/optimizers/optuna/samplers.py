"""Optuna's samplers as optimizers."""

from __future__ import annotations

import logging
import threading
import warnings
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from blackbox.batch import Batch
from blackbox.errors import require
from blackbox.formulation import Floats, Problem
from blackbox.optimizer import Supports
from blackbox.optimizers._replay import Peer, Told, check_count
from blackbox.optimizers.optuna._axes import Axes
from blackbox.space import Integer, Ordinal, Permutation, Real, Simplex

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import Trial

_MANY = float("inf")


class _Sampler(Peer):
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
                self._study.tell(trial, state=require("optuna", "optuna").trial.TrialState.FAIL)
        n = len(told.ids)
        if len(told.outside):
            params = self._axes.params(told.outside)
            for row, scores, slack in zip(params, told.scores[n:], told.slack[n:], strict=True):
                self._add(row, scores, slack)

    def _complete(self, trial: Trial, scores: Floats, slack: Floats) -> None:
        for name, value in self._constraints(slack).items():
            trial.set_constraint(name, value)
        self._study.tell(trial, (-scores).tolist())

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


class TPE(_Sampler):
    """Tree-structured Parzen estimator (Bergstra et al. 2011, NeurIPS), Optuna's default.

    Models the density of good and of bad rows and proposes where their ratio is largest. Several
    objectives are taken as in Ozaki et al. (2020, GECCO).

    Args:
        problem: any problem without linear constraints, measures.
        n_startup_trials: random rows before the model is used.
        n_ei_candidates: candidates drawn from the model for each proposal.
        multivariate: model parameters jointly; None does so for a single objective.
        constant_liar: count pending rows as bad ones, so that a batch spreads out.
        seed: seeds the sampler.

    Raises:
        MissingExtraError: Optuna is not installed (extra ``optuna``).
    """

    supports = Supports(objectives=(1, _MANY), constraints=True)

    def __init__(
        self,
        problem: Problem,
        *,
        n_startup_trials: int = 10,
        n_ei_candidates: int = 24,
        multivariate: bool | None = None,
        constant_liar: bool = True,
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, seed=seed)
        self._options = {
            "n_startup_trials": check_count("n_startup_trials", n_startup_trials, 0),
            "n_ei_candidates": check_count("n_ei_candidates", n_ei_candidates, 1),
            "multivariate": multivariate,
            "constant_liar": constant_liar,
        }
        self._start()

    def _sampler(self, samplers: Any) -> BaseSampler:
        made: BaseSampler = samplers.TPESampler(seed=self._key, **self._options)
        return made


class GP(_Sampler):
    """Gaussian-process optimization with log expected improvement (Optuna's ``GPSampler``).

    Expected hypervolume improvement for several objectives. A state is loaded by fitting every
    model again, which takes as long as the asks did.

    Args:
        problem: any problem without linear constraints, measures.
        n_startup_trials: random rows before the model is used.
        deterministic: whether evaluations are free of noise.
        seed: seeds the sampler.

    Raises:
        MissingExtraError: Optuna, torch or scipy is not installed (extra ``optuna``).
    """

    supports = Supports(objectives=(1, _MANY), constraints=True)

    def __init__(
        self,
        problem: Problem,
        *,
        n_startup_trials: int = 10,
        deterministic: bool = False,
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, seed=seed)
        for module in ("optuna", "torch", "scipy"):
            require(module, "optuna")
        self._n_startup = check_count("n_startup_trials", n_startup_trials, 1)
        self._deterministic = bool(deterministic)
        self._start()

    def _sampler(self, samplers: Any) -> BaseSampler:
        with _experimental():
            made: BaseSampler = samplers.GPSampler(
                seed=self._key,
                n_startup_trials=self._n_startup,
                deterministic_objective=self._deterministic,
                warn_independent_sampling=False,
            )
        return made


class CMAES(_Sampler):
    """Covariance matrix adaptation (Hansen 2016, arXiv:1604.00772; Optuna's ``CmaEsSampler``).

    Takes results one by one: a generation is complete once enough of its rows were told, whichever
    they are. Data from outside does not move the distribution, because an update weighs rows that
    the distribution drew. Categories have no distances, so Categorical and Sequence are refused;
    a Permutation is searched through random keys.

    Args:
        problem: one objective, no constraints; Real, Integer, Ordinal, Simplex, Permutation.
        population_size: rows of a generation; by default 4 + floor(3 log(width)).
        n_startup_trials: random rows before the first generation.
        with_margin: keep integers from getting stuck (Hamano et al. 2022, GECCO).
        lr_adapt: adapt the learning rate, for noisy or multimodal objectives (Nomura et al. 2023,
            GECCO); not together with ``with_margin``.
        seed: seeds the sampler.

    Raises:
        MissingExtraError: Optuna or cmaes is not installed (extra ``optuna``).
    """

    supports = Supports(parameters=(Real, Integer, Ordinal, Simplex, Permutation))

    def __init__(
        self,
        problem: Problem,
        *,
        population_size: int | None = None,
        n_startup_trials: int = 1,
        with_margin: bool = False,
        lr_adapt: bool = False,
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, seed=seed)
        for module in ("optuna", "cmaes"):
            require(module, "optuna")
        if population_size is not None:
            check_count("population_size", population_size, 3)
        self._options = {
            "popsize": population_size,
            "n_startup_trials": check_count("n_startup_trials", n_startup_trials, 1),
            "with_margin": bool(with_margin),
            "lr_adapt": bool(lr_adapt),
        }
        self._start()

    def _sampler(self, samplers: Any) -> BaseSampler:
        with _experimental():
            made: BaseSampler = samplers.CmaEsSampler(
                seed=self._key, warn_independent_sampling=False, **self._options
            )
        return made


class NSGA2(_Sampler):
    """NSGA-II (Deb et al. 2002, IEEE TEC 6) as Optuna runs it: row by row, uniform crossover.

    Args:
        problem: any problem without linear constraints, measures.
        population_size: rows of a generation.
        mutation_prob: probability of redrawing a parameter; by default 1 / their number.
        crossover_prob: probability of crossover.
        swapping_prob: probability of taking a parameter from the other parent.
        seed: seeds the sampler.

    Raises:
        MissingExtraError: Optuna is not installed (extra ``optuna``).
    """

    supports = Supports(objectives=(1, _MANY), constraints=True)
    _adopts = True

    def __init__(
        self,
        problem: Problem,
        *,
        population_size: int = 50,
        mutation_prob: float | None = None,
        crossover_prob: float = 0.9,
        swapping_prob: float = 0.5,
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, seed=seed)
        self._options = {
            "population_size": check_count("population_size", population_size, 2),
            "mutation_prob": mutation_prob,
            "crossover_prob": crossover_prob,
            "swapping_prob": swapping_prob,
        }
        self._start()

    def _sampler(self, samplers: Any) -> BaseSampler:
        made: BaseSampler = samplers.NSGAIISampler(seed=self._key, **self._options)
        return made


class Random(_Sampler):
    """Optuna's random sampler, to compare with this package's own ``Random``.

    Args:
        problem: any problem without linear constraints, measures.
        seed: seeds the sampler.

    Raises:
        MissingExtraError: Optuna is not installed (extra ``optuna``).
    """

    supports = Supports(objectives=(1, _MANY), constraints=True)

    def __init__(self, problem: Problem, *, seed: int | None = None) -> None:
        super().__init__(problem, seed=seed)
        self._start()

    def _sampler(self, samplers: Any) -> BaseSampler:
        made: BaseSampler = samplers.RandomSampler(seed=self._key)
        return made


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


@contextmanager
def _experimental() -> Iterator[None]:
    """Accept options that Optuna calls experimental: whoever sets one has chosen it."""
    category = require("optuna", "optuna").exceptions.ExperimentalWarning
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category)
        yield
