"""Archives: the best row found in each cell of the space of measures."""

from blackbox.archives.base import Added, Archive
from blackbox.archives.cells import CellArchive
from blackbox.archives.grid import GridArchive

__all__ = ["Added", "Archive", "CellArchive", "GridArchive"]
