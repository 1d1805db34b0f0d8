"""Ready-made problems whose best answers are known.

Each single-objective problem has ``optimum`` (the best value, in the units of its outcome) and
``solution`` (a row that attains it). Each problem with several objectives has ``front(n)``, a
Batch of outcomes on its Pareto front, and ``reference``, a Batch of one row of outcomes: the
usual reference point of the hypervolume. ``problem.scores`` turns both into scores.
"""

from blackbox.problems.mixed import Mixture, Tuning
from blackbox.problems.pipeline import Pipeline
from blackbox.problems.quality_diversity import PlanarArm, RastriginProjection, SphereProjection
from blackbox.problems.several import BNH, DTLZ2, ZDT1, ZDT2
from blackbox.problems.single import Ackley, Branin, Hartmann6, Levy, Rosenbrock

__all__ = [
    "BNH",
    "DTLZ2",
    "ZDT1",
    "ZDT2",
    "Ackley",
    "Branin",
    "Hartmann6",
    "Levy",
    "Mixture",
    "Pipeline",
    "PlanarArm",
    "RastriginProjection",
    "Rosenbrock",
    "SphereProjection",
    "Tuning",
]
