"""The steps by which an object of a discrete space is built."""

from blackbox.space.construction.base import Construction

__all__ = ["Construction"]
