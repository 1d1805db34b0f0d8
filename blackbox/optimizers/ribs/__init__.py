"""pyribs behind the common loop (Tjanaka et al. 2023, GECCO): its schedulers and its archives.

A scheduler's generation is handed out in pieces of any size and collected in any order; where more
rows are asked for than it has left, spare rows fill in. A failed row costs no other.
"""

from blackbox.optimizers.ribs.algorithms import CMAMAE, IsoLine
from blackbox.optimizers.ribs.archives import from_ribs, to_ribs
from blackbox.optimizers.ribs.scheduler import Scheduler

__all__ = ["CMAMAE", "IsoLine", "Scheduler", "from_ribs", "to_ribs"]
