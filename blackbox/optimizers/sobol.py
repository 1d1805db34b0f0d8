"""Scrambled Sobol points: random search without its clumps and gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from blackbox.batch import Batch
from blackbox.errors import SpaceError, UnsupportedError, require
from blackbox.formulation import Problem
from blackbox.optimizer import Optimizer
from blackbox.optimizers.random import ANY
from blackbox.state import State

if TYPE_CHECKING:
    from scipy.stats import qmc

_MAX_WIDTH = 21_201
_MAX_TRIES = 200_000


class Sobol(Optimizer):
    """A scrambled Sobol sequence (Owen 1998) decoded from the unit cube.

    Under linear constraints infeasible points are skipped. Points are best balanced after a power
    of two of them.

    Args:
        problem: any problem whose space takes at most 21 201 coordinates.
        seed: seeds the scrambling.

    Raises:
        MissingExtraError: scipy is not installed (extra ``bayes``).
    """

    supports = ANY

    def __init__(self, problem: Problem, *, seed: int | None = None) -> None:
        super().__init__(problem, seed=seed)
        width = problem.space.width
        if width > _MAX_WIDTH:
            raise UnsupportedError(
                f"Sobol takes at most {_MAX_WIDTH} coordinates, the space has {width}; use Random"
            )
        self._key = int(self.rng.integers(2**63))
        self._used = 0
        self._sequence = self._start()

    def _start(self) -> qmc.Sobol:
        sequence: qmc.Sobol = require("scipy.stats", "bayes").qmc.Sobol(
            self.problem.space.width, scramble=True, rng=np.random.default_rng(self._key)
        )
        return sequence

    def _points(self, n: int) -> Batch:
        points = np.empty((n, self.problem.space.width))
        # SciPy warns when the first draw is no power of two; ours is always a single point.
        first = min(n, 1) if self._used == 0 else 0
        if first:
            points[:1] = self._sequence.random(1)
        if n > first:
            points[first:] = self._sequence.random(n - first)
        self._used += n
        return self.problem.space.decode(points)

    def _ask(self, n: int) -> Batch:
        space = self.problem.space
        if space.polytope is None:
            return self._points(n)
        kept: list[Batch] = []
        missing, tried = n, 0
        while missing:
            batch = self._points(1)
            tried += 1
            if space.feasible(batch)[0]:
                kept.append(batch)
                missing -= 1
                tried = 0
            elif tried >= _MAX_TRIES:
                raise SpaceError(
                    f"Sobol: {_MAX_TRIES} points in a row break the linear constraints; "
                    "use Random, which walks inside thin regions"
                )
        return Batch.concat(kept)

    def _tell(self, batch: Batch) -> None:
        """A fixed sequence learns nothing."""

    def _state(self) -> State:
        return {"key": self._key, "used": self._used}

    def _load_state(self, state: State) -> None:
        self._key, self._used = int(state["key"]), int(state["used"])
        self._sequence = self._start()
        if self._used:  # SciPy cannot go forward by nothing
            self._sequence.fast_forward(self._used)
