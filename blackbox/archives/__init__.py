"""Archives: the best row found in each cell of the space of measures."""

from blackbox.archives.base import Added, Archive
from blackbox.archives.cells import CellArchive
from blackbox.archives.cvt import CVTArchive
from blackbox.archives.deep import DeepArchive
from blackbox.archives.fronts import FrontArchive
from blackbox.archives.grid import GridArchive
from blackbox.archives.population import DominatedArchive
from blackbox.archives.unstructured import UnstructuredArchive

__all__ = [
    "Added",
    "Archive",
    "CVTArchive",
    "CellArchive",
    "DeepArchive",
    "DominatedArchive",
    "FrontArchive",
    "GridArchive",
    "UnstructuredArchive",
]
