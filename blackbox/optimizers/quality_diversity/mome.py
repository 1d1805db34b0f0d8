"""MOME: a Pareto front in each cell of the space of measures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral

from blackbox.archives import FrontArchive, GridArchive
from blackbox.errors import ProblemError
from blackbox.formulation import Problem
from blackbox.optimizer import Optimizer, Supports
from blackbox.optimizers.quality_diversity._elites import DEFAULT, ElitesOptimizer
from blackbox.optimizers.quality_diversity.variation import Variation


class MOME(ElitesOptimizer):
    """Multi-objective MAP-Elites (Pierrot et al. 2022, arXiv 2202.03057).

    MAP-Elites whose cells hold the best compromises between several objectives instead of one
    elite: ``archive`` is a ``FrontArchive``. Each proposal is a child of two members, of
    uniform cells, in which those in thin places of the front are preferred (as ``FrontArchive``
    draws them; the paper draws uniformly). Rows that fail enter no front and cost no
    other; under constraints elites are feasible, and an archive of infeasible rows that come near
    gives half of the parents.

    Args:
        problem: two objectives or more, and measures; any parameters.
        cells: of the grid along each measure, such as ``(50, 50)``; by default 32 along each.
        front: most members of a cell's front.
        batch_size: rows that ``ask()`` gives.
        n_init: first rows, which are not varied; rows told from outside count. By default a batch,
            and 100 at least.
        init: optimizer of the same problem that proposes the first rows; by default uniform draws.
        variation: how children are made.
        seed: seeds the optimizer's only generator.

    Raises:
        UnsupportedError: the problem has fewer than two objectives, or no measures.
        ProblemError: an argument is out of range, or ``init`` was built for another problem.
    """

    supports = Supports(objectives=(2, math.inf), constraints=True, linear=True, measures=True)

    def __init__(
        self,
        problem: Problem,
        *,
        cells: Sequence[int] | None = None,
        front: int = 20,
        batch_size: int = 100,
        n_init: int | None = None,
        init: Optimizer | None = None,
        variation: Variation = DEFAULT,
        seed: int | None = None,
    ) -> None:
        if isinstance(cells, Integral):
            raise ProblemError(f"MOME: cells={cells!r}; give their number along each measure")
        archive = FrontArchive(problem, 32 if cells is None else cells, front=front)
        super().__init__(
            problem,
            archive,
            batch_size=batch_size,
            n_init=n_init,
            init=init,
            variation=variation,
            seed=seed,
        )
        if problem.constraints:
            # One infeasible row a cell, which is near to satisfying them: no front.
            self._infeasible = GridArchive(problem, archive.dims)
