"""Paths through a construction, all states of a batch of them in one table."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from blackbox.gflownets.native import Native, OnCPU, OnDevice


@dataclass(frozen=True)
class Walks:
    """n whole paths, one after another: T_i + 1 states of path i, from the empty to a terminal one.

    Attributes:
        states: (V, width) the states.
        actions: (V,) the action taken from each; -1 at terminal states.
        row: (V,) the path that each belongs to, increasing.
        n: number of paths.
    """

    states: Tensor
    actions: Tensor
    row: Tensor
    n: int

    @property
    def parents(self) -> Tensor:
        """(N,) positions of the states before each of the N transitions; the next is the child."""
        return torch.nonzero(self.actions >= 0)[:, 0]

    @property
    def ends(self) -> Tensor:
        """(n, width) terminal states."""
        return self.states[self.actions < 0]


class Trail:
    """Collects the states of paths while they are walked, in whatever order.

    Args:
        where: what walks them.
    """

    def __init__(self, where: OnCPU | OnDevice) -> None:
        self._where = where
        self._states: list[Native] = []
        self._actions: list[Native] = []
        self._rows: list[Native] = []

    def add(self, states: Native, actions: Native, rows: Native) -> None:
        """One state of each of some paths, and the action taken there."""
        self._states.append(states)
        self._actions.append(actions)
        self._rows.append(rows)

    def walks(self, n: int, *, backward: bool = False, dropped: Native | None = None) -> Walks:
        """The paths in order; those collected from their ends are turned round.

        Args:
            n: number of paths begun.
            backward: whether states were added from the last to the first.
            dropped: (k,) paths to leave out.
        """
        turn, where = -1 if backward else 1, self._where
        row = where.tensor(self._rows[::turn])
        order = torch.argsort(row, stable=True)
        if dropped is not None:
            kept = torch.ones(n, dtype=torch.bool, device=row.device)
            kept[where.tensor([dropped])] = False
            order = order[kept[row[order]]]
            row, n = (torch.cumsum(kept, 0) - 1)[row], int(kept.sum())
        states, actions = where.tensor(self._states[::turn]), where.tensor(self._actions[::turn])
        return Walks(states[order], actions[order], row[order], n)


def forward(
    where: OnCPU | OnDevice,
    states: Native,
    *,
    epsilon: float = 0.0,
    temperature: float = 1.0,
    condition: Native | None = None,
    permitted: Native | None = None,
) -> Walks:
    """Paths from n states on by the forward policy; those without an object are left out.

    Args:
        where: what walks them.
        states: (n, width).
        epsilon: share of actions that are uniform over the allowed ones.
        temperature: scales the noise of the choice; 0 takes the likeliest action.
        condition: (n, c) what is wanted of each path.
        permitted: (A,) bool, actions that may be taken at all.
    """
    steps, n = where.construction, len(states)
    rows, trail = where.rows(n), Trail(where)
    dropped = rows[:0]
    while True:
        ended = steps.terminal(states)
        if ended.any():
            trail.add(states[ended], rows[ended] * 0 - 1, rows[ended])
            states, rows = states[~ended], rows[~ended]
        mask = steps.allowed(states) if permitted is None else steps.allowed(states) & permitted
        live = mask.any(1)
        if not live.all():
            dropped = where.native(where.tensor([dropped, rows[~live]]))
            states, rows, mask = states[live], rows[live], mask[live]
        if not len(rows):
            return trail.walks(n, dropped=dropped if len(dropped) else None)
        logits = where.outputs(states, None if condition is None else condition[rows])
        actions = where.choose(logits[:, : steps.actions], mask, epsilon, temperature)
        trail.add(states, actions, rows)
        states = steps.step(states, actions)


def backward(
    where: OnCPU | OnDevice, states: Native, *, learnt: bool, condition: Native | None = None
) -> Walks:
    """Paths to n objects, by the backward policy.

    Args:
        where: what walks them.
        states: (n, width) terminal states.
        learnt: whether the backward policy is learnt; else it is uniform over the parents.
        condition: (n, c) what is wanted of each path.
    """
    steps, n = where.construction, len(states)
    rows, trail = where.rows(n), Trail(where)
    trail.add(states, rows * 0 - 1, rows)
    while True:
        mask = steps.parents(states)
        live = mask.any(1)
        if not live.all():
            states, rows, mask = states[live], rows[live], mask[live]
        if not len(rows):
            return trail.walks(n, backward=True)
        logits = 0.0
        if learnt:
            outputs = where.outputs(states, None if condition is None else condition[rows])
            logits = outputs[:, steps.actions : 2 * steps.actions]
        actions = where.choose(logits, mask, 0.0, 1.0)
        states = steps.undo(states, actions)
        trail.add(states, actions, rows)
