"""Ready-made problems whose best answers are known.

Each single-objective problem has ``optimum`` (the best value, in the units of its outcome) and
``solution`` (a row that attains it). Each problem with several objectives has ``front(n)``, a
Batch of outcomes on its Pareto front, and ``reference``, a Batch of one row of outcomes: the
usual reference point of the hypervolume. ``problem.scores`` turns both into scores. Of problems
with measures ``optimum`` is that of the objective alone; a ``Walker`` has none that is known.
Published tables are read from files that the package does not ship: give ``path=``, or name their
folder by the environment variable ``BLACKBOX_DATA``.
"""

from blackbox.problems.aptamers import Aptamer
from blackbox.problems.fragments import Fragments
from blackbox.problems.hypergrid import HyperGrid, HyperGridObjectives
from blackbox.problems.mixed import Mixture, Tuning
from blackbox.problems.ngrams import NGrams
from blackbox.problems.pipeline import Pipeline
from blackbox.problems.quality_diversity import PlanarArm, RastriginProjection, SphereProjection
from blackbox.problems.retina import Retina
from blackbox.problems.several import BNH, DTLZ2, ZDT1, ZDT2
from blackbox.problems.single import Ackley, Branin, Hartmann6, Levy, Rosenbrock
from blackbox.problems.tables import NatsBench, QM9Strings, TFBind8
from blackbox.problems.walker import Walker

__all__ = [
    "BNH",
    "DTLZ2",
    "ZDT1",
    "ZDT2",
    "Ackley",
    "Aptamer",
    "Branin",
    "Fragments",
    "Hartmann6",
    "HyperGrid",
    "HyperGridObjectives",
    "Levy",
    "Mixture",
    "NGrams",
    "NatsBench",
    "Pipeline",
    "PlanarArm",
    "QM9Strings",
    "RastriginProjection",
    "Retina",
    "Rosenbrock",
    "SphereProjection",
    "TFBind8",
    "Tuning",
    "Walker",
]
