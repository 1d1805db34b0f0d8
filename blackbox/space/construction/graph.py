"""A construction written out: every state and every edge, where there are not too many."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array
from blackbox.errors import SpaceError
from blackbox.space.construction.base import Construction, keys

#: States that an enumeration may have unless somebody asks for more.
MOST_STATES = 100_000


@dataclass(frozen=True)
class Graph:
    """All states of a construction, and the edges between them.

    Attributes:
        states: (N, width) states, each after all of its parents; the first is the empty one.
        parent: (E,) position of the state that each edge leaves.
        action: (E,) action of each edge.
        child: (E,) position of the state that each edge leads to.
        terminal: (N,) finished objects.
        levels: positions of the states after 0, 1, 2, ... steps, as slices.
    """

    states: Array
    parent: npt.NDArray[np.int64]
    action: npt.NDArray[np.int64]
    child: npt.NDArray[np.int64]
    terminal: npt.NDArray[np.bool_]
    levels: list[slice]

    @property
    def edges(self) -> list[slice]:
        """The edges that leave each level."""
        bounds = [*(level.start for level in self.levels), len(self.states)]
        starts = np.searchsorted(self.parent, bounds).tolist()
        return [slice(a, b) for a, b in pairwise(starts)]

    @property
    def completable(self) -> npt.NDArray[np.bool_]:
        """(N,) states from which an object can be finished."""
        alive = self.terminal.copy()
        starts = np.searchsorted(self.parent, [level.start for level in self.levels])
        for start, stop in reversed(
            list(zip(starts, [*starts[1:], len(self.parent)], strict=True))
        ):
            edges = slice(start, stop)
            alive[self.parent[edges][alive[self.child[edges]]]] = True
        return alive


def enumerated(construction: Construction, most: int = MOST_STATES) -> Graph | None:
    """The graph of a construction, None where it has more than ``most`` states.

    Raises:
        SpaceError: a state is reached by paths of different lengths.
    """
    level = construction.initial(1)
    states, edges = [level], [np.empty((3, 0), dtype=np.int64)]
    levels, start = [slice(0, 1)], 0
    while True:
        rows, actions = np.nonzero(construction.allowed(level))
        if not len(rows):
            break
        children = construction.step(level[rows], actions)
        _, first, inverse = np.unique(keys(children), return_index=True, return_inverse=True)
        stop = start + len(level)
        edges.append(np.stack([start + rows, actions, stop + inverse]))
        level, start = children[first], stop
        if start + len(level) > most:
            return None
        states.append(level)
        levels.append(slice(start, start + len(level)))
    every = np.concatenate(states)
    if len(np.unique(keys(every))) < len(every):
        raise SpaceError(
            f"{type(construction).__name__}: a state is reached by paths of different lengths; "
            "every path to a state must take equally many steps"
        )
    parent, action, child = np.concatenate(edges, axis=1)
    return Graph(every, parent, action, child, construction.terminal(every), levels)
