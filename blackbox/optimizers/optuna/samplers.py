"""Optuna's samplers as optimizers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from blackbox.arguments import check_count, check_flag, check_range
from blackbox.errors import require
from blackbox.formulation import Problem
from blackbox.optimizer import Supports
from blackbox.optimizers.optuna._sampler import Sampler
from blackbox.space import Integer, Ordinal, Permutation, Real, Simplex

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial

_MANY = float("inf")


class TPE(Sampler):
    """Tree-structured Parzen estimator (Bergstra et al. 2011, NeurIPS), Optuna's default.

    Models the density of good and of bad rows and proposes where their ratio is largest. Several
    objectives are taken as in Ozaki et al. (2020, GECCO). Failed rows are bad ones.

    Args:
        problem: any problem without linear constraints and measures.
        n_startup_trials: random rows before the model is used.
        n_ei_candidates: candidates drawn from the model for each proposal.
        multivariate: model parameters jointly; None does so for a single objective.
        constant_liar: count pending rows as bad ones, so that a batch spreads out.
        seed: seeds the sampler.

    Raises:
        ProblemError: an argument is out of its range.
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
        if multivariate is not None:
            check_flag("multivariate", multivariate)
        check_flag("constant_liar", constant_liar)
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

    def _fail(self, trial: Trial) -> None:
        # Optuna forgets failed trials. To its densities no place is as promising as one where
        # nothing bad is known, so TPE would propose rows that fail for ever.
        trial.set_constraint("failed", float("inf"))
        self._study.tell(trial, [0.0] * len(self.problem.objectives))


class GP(Sampler):
    """Gaussian-process optimization with log expected improvement (Optuna's ``GPSampler``).

    Expected hypervolume improvement for several objectives. A state is loaded by fitting every
    model again, which takes as long as the asks did.

    Args:
        problem: any problem without linear constraints and measures.
        n_startup_trials: random rows before the model is used.
        deterministic: whether evaluations are free of noise.
        seed: seeds the sampler.

    Raises:
        ProblemError: an argument is out of its range.
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
        check_flag("deterministic", deterministic)
        self._deterministic = deterministic
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


class CMAES(Sampler):
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
        ProblemError: an argument is out of its range.
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
        check_flag("with_margin", with_margin)
        check_flag("lr_adapt", lr_adapt)
        self._options = {
            "popsize": population_size,
            "n_startup_trials": check_count("n_startup_trials", n_startup_trials, 1),
            "with_margin": with_margin,
            "lr_adapt": lr_adapt,
        }
        self._start()

    def _sampler(self, samplers: Any) -> BaseSampler:
        with _experimental():
            made: BaseSampler = samplers.CmaEsSampler(
                seed=self._key, warn_independent_sampling=False, **self._options
            )
        return made


class NSGA2(Sampler):
    """NSGA-II (Deb et al. 2002, IEEE TEC 6) as Optuna runs it: row by row, uniform crossover.

    Args:
        problem: any problem without linear constraints and measures.
        population_size: rows of a generation.
        mutation_prob: probability of redrawing a parameter; by default 1 / their number.
        crossover_prob: probability of crossover.
        swapping_prob: probability of taking a parameter from the other parent.
        seed: seeds the sampler.

    Raises:
        ProblemError: an argument is out of its range.
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
        if mutation_prob is not None:
            check_range("mutation_prob", mutation_prob, 0, 1)
        check_range("crossover_prob", crossover_prob, 0, 1)
        check_range("swapping_prob", swapping_prob, 0, 1)
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


class Random(Sampler):
    """Optuna's random sampler, to compare with this package's own ``Random``.

    Args:
        problem: any problem without linear constraints and measures.
        seed: seeds the sampler.

    Raises:
        ProblemError: an argument is out of its range.
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
def _experimental() -> Iterator[None]:
    """Accept options that Optuna calls experimental: whoever sets one has chosen it."""
    category = require("optuna", "optuna").exceptions.ExperimentalWarning
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category)
        yield
