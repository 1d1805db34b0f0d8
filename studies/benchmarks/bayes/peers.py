"""Every optimizer of the benchmark by its name in the tables."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import blackbox as bb
from studies.benchmarks.bayes.environments import pinned
from studies.benchmarks.bayes.foreign import Foreign

OURS = "Bayes"

Make = Callable[[bb.Problem, int], bb.Optimizer]


@dataclass(frozen=True)
class Peer:
    """How an optimizer is made and which version it is.

    Args:
        make: builds it from a problem and a seed.
        distribution: the package of this environment whose version it has; None for our own.
        environment: the environment of the benchmark that it lives in instead.
    """

    make: Make
    distribution: str | None = None
    environment: str | None = None

    @property
    def version(self) -> str:
        """The version of the peer's package; for our own optimizers a digest of the engine."""
        if self.environment is not None:
            return pinned(self.environment)
        return engine() if self.distribution is None else version(self.distribution)


@cache
def engine() -> str:
    """A digest of the sources of ``Bayes``: another engine, another version."""
    package = Path(bb.__file__).parent
    sources = [
        *package.glob("surrogates/**/*.py"),
        *package.glob("acquisitions/**/*.py"),
        *package.glob("optimizers/bayes*"),
        *package.glob("optimizers/bayes/**/*.py"),
    ]
    digest = hashlib.sha256()
    for path in sorted(path for path in sources if path.is_file()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:10]


def noisy(problem: bb.Problem) -> bool:
    """Whether a problem of this benchmark has noise."""
    return bool(getattr(problem, "noisy", False))


def _foreign(worker: str, environment: str | None) -> Make:
    return lambda problem, seed: Foreign(problem, worker, environment, seed=seed)


PEERS: dict[str, Peer] = {
    OURS: Peer(lambda problem, seed: bb.Bayes(problem, seed=seed)),
    "Random": Peer(lambda problem, seed: bb.Random(problem, seed=seed), "numpy"),
    "Sobol": Peer(lambda problem, seed: bb.Sobol(problem, seed=seed), "scipy"),
    "CMA-ES": Peer(_foreign("cma", None), "cma"),
    "NGOpt": Peer(_foreign("nevergrad", "nevergrad"), environment="nevergrad"),
    "TPE": Peer(lambda problem, seed: bb.optuna.TPE(problem, seed=seed), "optuna"),
    "GPSampler": Peer(
        lambda problem, seed: bb.optuna.GP(problem, deterministic=not noisy(problem), seed=seed),
        "optuna",
    ),
    "SMAC3": Peer(_foreign("smac", "smac"), environment="smac"),
    "BoTorch": Peer(_foreign("botorch", None), "botorch"),
    "Ax": Peer(_foreign("ax", "ax"), environment="ax"),
    "HEBO": Peer(_foreign("hebo", "hebo"), environment="hebo"),
    "Vizier": Peer(_foreign("vizier", "vizier"), environment="vizier"),
    # Populations that let 100 evaluations be five generations.
    "GA": Peer(
        lambda problem, seed: bb.pymoo.NSGA2(problem, population_size=20, seed=seed), "pymoo"
    ),
    "DE": Peer(lambda problem, seed: bb.pymoo.DE(problem, population_size=20, seed=seed), "pymoo"),
    "NSGA-II": Peer(
        lambda problem, seed: bb.pymoo.NSGA2(problem, population_size=20, seed=seed), "pymoo"
    ),
}
