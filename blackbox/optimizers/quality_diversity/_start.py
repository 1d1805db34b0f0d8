"""The first rows, before there are elites to vary."""

from __future__ import annotations

import numpy as np

from blackbox.arguments import check_count
from blackbox.batch import Batch
from blackbox.errors import ProblemError
from blackbox.optimizer import Optimizer
from blackbox.optimizers.quality_diversity._lineage import Lineage
from blackbox.state import State

_NONE = Batch({})


class Start:
    """A number of first rows: uniform draws, or what another optimizer proposes.

    Args:
        owner: the optimizer whose first rows they are.
        init: the optimizer that proposes them, None for uniform draws.
        n: how many; rows told from outside count.

    Raises:
        ProblemError: n is no int of at least 0, or ``init`` is no optimizer of the same problem.
    """

    def __init__(self, owner: Optimizer, init: Optimizer | None, n: int) -> None:
        name = type(owner).__name__
        if init is not None and not isinstance(init, Optimizer):
            raise ProblemError(f"{name}: init={init!r}; give an Optimizer or None")
        if init is not None and init.problem.spec() != owner.problem.spec():
            raise ProblemError(
                f"{name}: init={init!r} is for another problem; build it for this one"
            )
        self._owner = owner
        self._init = init
        self._left = check_count(f"{name}: n_init", n, 0)
        self._inner = Lineage()  # init's own ids of rows that are out

    def ask(self, n: int) -> Batch:
        """At most n first rows; fewer when they come to an end."""
        n = min(n, self._left)
        if n == 0:
            return _NONE
        if self._init is None:
            self._left -= n
            return self._owner.problem.space.draw(n, self._owner.rng)
        rows = self._init.ask(n)
        self._left = 0 if len(rows) < n else self._left - n
        self._inner.add(self._owner.asked, rows["id"])
        return rows.select(self._owner.problem.space.names)

    def tell(self, batch: Batch) -> None:
        """Let ``init`` learn while its rows are out; count rows from outside."""
        if self._init is not None and (self._left or self._inner):
            self._init.tell(batch.with_columns(id=self._inner.take(batch["id"])))
        if self._left:
            self._left = max(0, self._left - int(np.count_nonzero(batch["id"] < 0)))

    def state(self) -> State:
        """What ``load`` needs."""
        init = {} if self._init is None else self._init.state_dict()
        return {"left": self._left, "inner": self._inner.state(), "init": init}

    def load(self, state: State) -> None:
        """Go on where ``state`` was taken."""
        self._left = int(state["left"])
        self._inner.load(state["inner"])
        if self._init is not None:
            self._init.load_state_dict(state["init"])
