"""How fidelities that have not proven themselves are tried.

A fidelity proves itself by forecasts of rows at the target (see ``learning``). Rows elsewhere say
little of each other, so forecasts are clear soonest where one design is evaluated at both: while a
fidelity is on trial, the target is evaluated at designs that were evaluated at that fidelity. They
are the best expected ones if it is worth anything, and no worse than others if it is not.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from blackbox.acquisitions.search import keys
from blackbox.batch import Array
from blackbox.optimizers.multi_fidelity.learning import Learning
from blackbox.optimizers.multi_fidelity.pool import Pool
from blackbox.surrogates.fidelity import Levels

_GRANT = 1.0  # what fidelities that are not proven may cost, in evaluations at the target
_PART = 0.5  # and, of what was spent at the target, the part that they may cost instead

Taken = Callable[[Array], Array]


class Trial:
    """Which levels may be proposed, and where.

    Args:
        learning: that judges the levels.
        levels: of the fidelity.
        pool: which designs may be evaluated where.
        x: (n, d) designs evaluated or pending.
        values: (n,) their fidelities.
        failed: (n,) whether the evaluation failed.
    """

    def __init__(
        self,
        learning: Learning,
        levels: Levels,
        pool: Pool,
        x: Array,
        values: Array,
        failed: Array,
    ) -> None:
        self._proven, self._doubted = learning.proven, learning.doubted
        self._pool, self._x, self._failed = pool, x, failed
        self._at = values[:, None] == levels.values

    def allowed(self, costs: Array) -> Array:
        """(L,) levels that may be proposed: what is not proven costs a part of the target.

        Args:
            costs: (n, L) of the designs at every level.
        """
        allowed, proven = ~self._doubted, self._proven
        if proven.all() or not len(self._x):
            return allowed
        spent = np.where(self._at, costs, 0.0).sum(axis=0)
        left = max(_GRANT * costs[-1, -1], _PART * spent[-1]) - spent[~proven].sum()
        allowed[~proven] &= costs[-1, ~proven] <= left
        return allowed

    def narrowed(self, taken: Taken) -> Taken:
        """Of (m, d) designs (m, L) whether they are not to be evaluated at each level (again).

        Args:
            taken: whether they cannot be.
        """
        tried = ~self._proven & ~self._doubted & self._at.any(axis=0)
        designs = self._x[self._at[:, tried].any(axis=1) & ~self._failed]
        if not (len(designs) and self._pool.nested(tried)):
            return taken
        single = keys(designs[~taken(designs)[:, -1]])

        def mask(points: Array) -> Array:
            closed = taken(points)
            closed[:, tried] |= ~self._pool.at_target(points)[:, None]
            if len(single):
                closed[:, -1] |= ~np.isin(keys(points), single)
            return closed

        return mask
