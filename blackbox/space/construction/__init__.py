"""The steps by which an object of a discrete space is built."""

from blackbox.space.construction.base import Construction, keys
from blackbox.space.construction.graph import Graph, enumerated

__all__ = ["Construction", "Graph", "enumerated", "keys"]
