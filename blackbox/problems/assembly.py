"""How a tree of fragments is built, one fragment after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array, Batch
from blackbox.space import Sequence as String
from blackbox.space import Space
from blackbox.space.construction import Construction

Ints = npt.NDArray[np.int64]
Tree = tuple[list[int], list[tuple[int, int, int, int]]]


class Assembly(Construction):
    """Trees of fragments with attachment points, each point used once.

    The first fragment is the root. Then a fragment and the point it will be bound by are picked,
    and after that the open point it goes to; at last comes a stop. Only leaves were the last
    fragment to come, so a tree of several leaves has several paths.

    State of at most m fragments: for each its *pick* (fragment and point, -1 for none) and the
    *site* it hangs on (fragment of the tree times S, plus point; -1 for the root), then the pick
    that waits for a site, then 1 where it is finished. Fragments stand by their sites, which is
    the breadth-first order of the tree: equal trees are equal states.

    Args:
        space: the parameters of ``blackbox.problems.Fragments``.
        points: attachment points of each fragment, at most S.
    """

    def __init__(self, space: Space, points: Sequence[int]) -> None:
        self._space = space
        tokens = space["fragments"]
        assert isinstance(tokens, String)
        self._alphabet = np.array([*tokens.alphabet, ""])
        self._lookup = {token: i for i, token in enumerate(tokens.alphabet)} | {"": -1}
        self._most = m = tokens.length[1]
        self._points = np.array(points, dtype=np.int64)
        self._reach = s = int(self._points.max())
        self._first = np.cumsum(self._points) - self._points  # pick of a fragment by its point 0
        self._fragment = np.repeat(np.arange(len(points)), points)
        self._point = np.arange(len(self._fragment)) - self._first[self._fragment]
        self._picks = len(self._fragment)
        self._sites = (m - 1) * s
        self.width = 2 * m + 2
        self.actions = self._picks + self._sites + 1
        self.depth = 2 * m

    def initial(self, n: int) -> Ints:
        states = np.full((n, self.width), -1, dtype=np.int64)
        states[:, -1] = 0
        return states

    def terminal(self, states: Any) -> Any:
        return states[:, -1] == 1

    def allowed(self, states: Any) -> Any:
        picks, _, waiting, done = self._parted(states)
        open_sites = self._open(states)
        mask = np.zeros((len(states), self.actions), dtype=bool)
        empty = picks[:, 0] < 0
        mask[np.ix_(empty, self._first)] = True
        free = ~empty & (waiting < 0) & ~done
        room = free & (picks[:, -1] < 0) & open_sites.any(axis=1)
        mask[room, : self._picks] = True
        mask[free, -1] = True
        mask[:, self._picks : -1] = open_sites & (waiting >= 0)[:, None]
        return mask

    def step(self, states: Any, actions: Any) -> Any:
        made = states.copy()
        m = self._most
        stop, pick = actions == self.actions - 1, actions < self._picks
        made[stop, -1] = 1
        root = pick & (states[:, 0] < 0)
        made[root, 0] = actions[root]
        later = pick & ~root
        made[later, 2 * m] = actions[later]
        bound = ~stop & ~pick
        made[bound] = self._insert(states[bound], actions[bound] - self._picks)
        return made

    def parents(self, states: Any) -> Any:
        picks, sites, waiting, done = self._parted(states)
        mask = np.zeros((len(states), self.actions), dtype=bool)
        mask[done, -1] = True
        waits = np.flatnonzero(waiting >= 0)
        mask[waits, waiting[waits]] = True
        grown = ~done & (waiting < 0) & (picks[:, 0] >= 0)
        alone = np.flatnonzero(grown & (picks[:, 1] < 0))
        mask[alone, picks[alone, 0]] = True
        held = np.where(sites >= 0, sites // self._reach, -1)
        bears = (held[:, None, :] == np.arange(self._most)[:, None]).any(axis=2)
        rows, leaves = np.nonzero(grown[:, None] & (sites >= 0) & ~bears)
        mask[rows, self._picks + sites[rows, leaves]] = True
        return mask

    def undo(self, states: Any, actions: Any) -> Any:
        made = states.copy()
        m = self._most
        stop, pick = actions == self.actions - 1, actions < self._picks
        made[stop, -1] = 0
        waiting = pick & (states[:, 2 * m] >= 0)
        made[waiting, 2 * m] = -1
        made[pick & ~waiting, 0] = -1
        bound = ~stop & ~pick
        made[bound] = self._remove(states[bound], actions[bound] - self._picks)
        return made

    def features(self, states: Any) -> Any:
        """One-hot picks and sites of every fragment, open points, and the pick that waits."""
        picks, sites, waiting, done = self._parted(states)
        n = len(states)
        return np.concatenate(
            [
                (picks[:, :, None] == np.arange(self._picks)).reshape(n, -1),
                (sites[:, 1:, None] == np.arange(self._sites)).reshape(n, -1),
                self._open(states),
                waiting[:, None] == np.arange(self._picks),
                done[:, None],
            ],
            axis=1,
        )

    def decode(self, states: Array) -> Batch:
        picks, sites, _, _ = self._parted(states)
        site, by = np.zeros((2, len(states), self._most - 1), dtype=np.int64)
        for j in range(1, self._most):
            there = np.flatnonzero(picks[:, j] >= 0)
            before = states[there].copy()
            before[:, j : self._most] = before[:, self._most + j : 2 * self._most] = -1
            taken = np.arange(self._sites) < sites[there, j, None]
            site[there, j - 1] = (self._open(before) & taken).sum(axis=1)
            by[there, j - 1] = self._point[picks[there, j]]
        fragments = self._alphabet[np.where(picks >= 0, self._fragment[picks], -1)]
        return Batch.of({"fragments": fragments, "site": site, "by": by}, len(states))

    def encode(self, batch: Batch) -> Ints:
        flat = [self._lookup[token] for token in batch["fragments"].ravel().tolist()]
        fragments = np.array(flat, dtype=np.int64).reshape(len(batch), self._most)
        states = self.initial(len(batch))
        states[:, 0] = self._first[fragments[:, 0]]
        for j in range(1, self._most):
            open_sites = self._open(states)
            there = np.flatnonzero((fragments[:, j] >= 0) & open_sites.any(axis=1))
            which = batch["site"][there, j - 1] % open_sites[there].sum(axis=1)
            order = np.cumsum(open_sites[there], axis=1)
            site = (order > which[:, None]).argmax(axis=1)
            added = fragments[there, j]
            pick = self._first[added] + batch["by"][there, j - 1] % self._points[added]
            states[there, 2 * self._most] = pick
            states[there] = self._insert(states[there], site)
        states[:, -1] = 1
        return states

    def draw(self, n: int, rng: np.random.Generator) -> Ints:
        """(n, width) terminal states of random rows: walks hardly ever stop early."""
        return self.encode(self._space.draw(n, rng))

    def trees(self, states: Array) -> Iterator[Tree]:
        """Fragments of each state and its bonds: (fragment, point, fragment, point)."""
        picks, sites, _, _ = self._parted(states)
        for row, hangs in zip(picks.tolist(), sites.tolist(), strict=True):
            used = [pick for pick in row if pick >= 0]
            bonds = [
                (hangs[j] // self._reach, hangs[j] % self._reach, j, int(self._point[used[j]]))
                for j in range(1, len(used))
            ]
            yield [int(self._fragment[pick]) for pick in used], bonds

    def _parted(self, states: Ints) -> tuple[Ints, Ints, Ints, npt.NDArray[np.bool_]]:
        """Picks (n, m), sites (n, m), the pick that waits (n,), and whether it is finished."""
        m = self._most
        return states[:, :m], states[:, m : 2 * m], states[:, 2 * m], states[:, -1] == 1

    def _open(self, states: Ints) -> npt.NDArray[np.bool_]:
        """(n, sites) points that are there and bound to nothing."""
        picks, sites, _, _ = self._parted(states)
        holders = picks[:, :-1]
        points = np.where(holders >= 0, self._points[self._fragment[holders]], 0)
        own = np.where(holders >= 0, self._point[holders], -1)
        own[:, 0] = -1  # the root is bound to nothing
        p = np.arange(self._reach)
        there = (p < points[:, :, None]) & (p != own[:, :, None])
        mask: npt.NDArray[np.bool_] = there.reshape(len(states), self._sites)
        rows, taken = np.nonzero(sites >= 0)
        mask[rows, sites[rows, taken]] = False
        return mask

    def _insert(self, states: Ints, site: Ints) -> Ints:
        """The pick that waits, bound to a site; fragments that come after it move up."""
        m, place = self._most, np.arange(self._most)
        picks, sites, waiting, _ = self._parted(states)
        at = 1 + ((sites >= 0) & (sites < site[:, None])).sum(axis=1)[:, None]
        source = np.where(place < at, place, place - 1)
        made = states.copy()
        made[:, :m] = np.where(
            place == at, waiting[:, None], np.take_along_axis(picks, source, axis=1)
        )
        moved = np.take_along_axis(sites, source, axis=1)
        moved = moved + self._reach * (moved // self._reach >= at)
        made[:, m : 2 * m] = np.where(place == at, site[:, None], moved)
        made[:, 2 * m] = -1
        return made

    def _remove(self, states: Ints, site: Ints) -> Ints:
        """A leaf taken off its site, waiting again; fragments that come after it move down."""
        m, place = self._most, np.arange(self._most)
        picks, sites, _, _ = self._parted(states)
        at = (sites == site[:, None]).argmax(axis=1)[:, None]
        source = np.minimum(np.where(place < at, place, place + 1), m - 1)
        last = place == m - 1
        made = states.copy()
        made[:, :m] = np.where(last, -1, np.take_along_axis(picks, source, axis=1))
        moved = np.take_along_axis(sites, source, axis=1)
        moved = moved - self._reach * (moved // self._reach > at)
        made[:, m : 2 * m] = np.where(last, -1, moved)
        made[:, 2 * m] = np.take_along_axis(picks, at, axis=1)[:, 0]
        return made
