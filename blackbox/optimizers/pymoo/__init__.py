"""pymoo's algorithms behind the common loop (Blank & Deb 2020, IEEE Access 8).

They breed whole generations on the unit cube. A generation is handed out in pieces of any size and
collected in any order; where more rows are asked for than it has left, spare rows fill in.
"""

from blackbox.optimizers.pymoo.algorithms import DE, NSGA2, NSGA3
from blackbox.optimizers.pymoo.cmaes import CMAES
from blackbox.optimizers.pymoo.moead import MOEAD

__all__ = ["CMAES", "DE", "MOEAD", "NSGA2", "NSGA3"]
