"""Every optimizer of the benchmark by its name in the tables."""

from __future__ import annotations

from collections.abc import Callable

import blackbox as bb
from blackbox.optimizers.bayes.design import Design
from studies.benchmarks.bayes.foreign import Foreign
from studies.benchmarks.bayes.multi_fidelity_mes import MultiFidelityMES
from studies.benchmarks.common.suites import Algorithm

OURS = "Bayes"
#: The sources of ``Bayes``: another engine, another version.
ENGINE = (
    "blackbox/surrogates/**/*.py",
    "blackbox/acquisitions/**/*.py",
    "blackbox/optimizers/bayes/**/*.py",
)
#: Of ``MultiFidelityBayes``.
FIDELITIES = (*ENGINE, "blackbox/optimizers/multi_fidelity/**/*.py")

Make = Callable[[bb.Problem, int], bb.Optimizer]


def noisy(problem: bb.Problem) -> bool:
    """Whether a problem of this benchmark has noise, or is declared to have some."""
    declared = any(objective.noise for objective in problem.objectives)
    return declared or bool(getattr(problem, "noisy", False))


def _foreign(worker: str, environment: str | None) -> Make:
    return lambda problem, seed: Foreign(problem, worker, environment, seed=seed)


PEERS: dict[str, Algorithm] = {
    OURS: Algorithm(lambda problem, seed: bb.Bayes(problem, seed=seed), ENGINE),
    # What the default is compared with: as it begins in fewer dimensions.
    "Bayes from Sobol": Algorithm(
        lambda problem, seed: bb.Bayes(problem, init=Design(problem, seed=seed), seed=seed), ENGINE
    ),
    "MultiFidelityBayes": Algorithm(
        lambda problem, seed: bb.MultiFidelityBayes(problem, seed=seed), FIDELITIES
    ),
    "BoTorch MES": Algorithm(lambda problem, seed: MultiFidelityMES(problem, seed=seed), "botorch"),
    "Random": Algorithm(lambda problem, seed: bb.Random(problem, seed=seed), "numpy"),
    "Sobol": Algorithm(lambda problem, seed: bb.Sobol(problem, seed=seed), "scipy"),
    "CMA-ES": Algorithm(_foreign("cma", None), "cma"),
    "NGOpt": Algorithm(_foreign("nevergrad", "nevergrad"), environment="nevergrad"),
    "TPE": Algorithm(lambda problem, seed: bb.optuna.TPE(problem, seed=seed), "optuna"),
    "GPSampler": Algorithm(
        lambda problem, seed: bb.optuna.GP(problem, deterministic=not noisy(problem), seed=seed),
        "optuna",
    ),
    "SMAC3": Algorithm(_foreign("smac", "smac"), environment="smac"),
    "BoTorch": Algorithm(_foreign("botorch", None), "botorch"),
    "Ax": Algorithm(_foreign("ax", "ax"), environment="ax"),
    "HEBO": Algorithm(_foreign("hebo", "hebo"), environment="hebo"),
    "Vizier": Algorithm(_foreign("vizier", "vizier"), environment="vizier"),
    # Populations that let 100 evaluations be five generations.
    "GA": Algorithm(
        lambda problem, seed: bb.pymoo.NSGA2(problem, population_size=20, seed=seed), "pymoo"
    ),
    "DE": Algorithm(
        lambda problem, seed: bb.pymoo.DE(problem, population_size=20, seed=seed), "pymoo"
    ),
    "NSGA-II": Algorithm(
        lambda problem, seed: bb.pymoo.NSGA2(problem, population_size=20, seed=seed), "pymoo"
    ),
}
