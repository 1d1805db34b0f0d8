"""The steps by which an object of a discrete space is built."""

from blackbox.space.construction.base import Construction, keys
from blackbox.space.construction.graph import MOST_STATES, Graph, enumerated

__all__ = ["MOST_STATES", "Construction", "Graph", "enumerated", "keys"]
