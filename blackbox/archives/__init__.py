"""Archives: the best row found in each cell of the space of measures."""

from blackbox.archives.base import Added, Archive
from blackbox.archives.fronts import FrontArchive
from blackbox.archives.grid import GridArchive

__all__ = ["Added", "Archive", "FrontArchive", "GridArchive"]
