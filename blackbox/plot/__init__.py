"""Pictures of what was told, for papers and notebooks.

Every function takes a Study (anything with ``problem``, ``history`` and ``name``), several of
them in a list, groups of them in a dict from label to list, or a Batch with ``problem=``. It
draws on the Axes it is given, or on a new figure, and returns the Axes; nothing is shown, and no
global setting of matplotlib is touched. Outcomes are drawn in the user's own units. Failed rows
are never drawn as values; of more than 5 000 rows a regular sample is drawn, Pareto points and
the best row always among them. The arrays behind the pictures come from ``blackbox.plot.data``.

``posterior``, ``acquisition``, ``cross_validation`` and ``importance`` show what a ``Bayes``
optimizer believes: give them the optimizer, or a study of it. ``law``, ``learnt_order`` and
``preferences`` show what a GFlowNet samples; they take arrays.

``elites``, ``archive_profile``, ``cell_fronts`` and ``elite_map`` show archives of quality
diversity; ``quality_diversity`` and ``animation`` show how they grew, from the histories of
studies. ``elite_map`` and ``animation`` write files and return their paths.
"""

from blackbox.plot.acquisition import acquisition
from blackbox.plot.animation import animation
from blackbox.plot.archive_profile import archive_profile
from blackbox.plot.cell_fronts import cell_fronts
from blackbox.plot.convergence import convergence
from blackbox.plot.cross_validation import cross_validation
from blackbox.plot.elite_map import elite_map
from blackbox.plot.elites import elites
from blackbox.plot.importance import importance
from blackbox.plot.laws import law, learnt_order
from blackbox.plot.parallel import parallel_coordinates
from blackbox.plot.pareto import pareto
from blackbox.plot.posterior import posterior
from blackbox.plot.preferences import preferences
from blackbox.plot.quality_diversity import quality_diversity
from blackbox.plot.simplex import simplex
from blackbox.plot.slices import slices

__all__ = [
    "acquisition",
    "animation",
    "archive_profile",
    "cell_fronts",
    "convergence",
    "cross_validation",
    "elite_map",
    "elites",
    "importance",
    "law",
    "learnt_order",
    "parallel_coordinates",
    "pareto",
    "posterior",
    "preferences",
    "quality_diversity",
    "simplex",
    "slices",
]
