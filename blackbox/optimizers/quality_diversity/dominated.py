"""Dominated novelty search: quality diversity without cells."""

from __future__ import annotations

from blackbox.archives import DominatedArchive
from blackbox.formulation import Problem
from blackbox.optimizer import Optimizer
from blackbox.optimizers.quality_diversity._elites import DEFAULT, ElitesOptimizer
from blackbox.optimizers.quality_diversity.variation import Variation


class DominatedNovelty(ElitesOptimizer):
    """Keeps rows that are far from all better ones (Bahlous-Boldi et al. 2025, arXiv 2502.00593).

    As ``MapElites``, with a ``DominatedArchive`` in place of cells: measures need no bounds, and
    there may be many of them. A tell costs as much as there are pairs of rows in the archive.

    Args:
        problem: measures, and an objective; any parameters.
        capacity: largest number of elites.
        neighbours: number of nearest better rows that count.
        batch_size: rows that ``ask()`` gives.
        n_init: first rows, which are not varied; rows told from outside count. By default a batch,
            and 100 at least.
        init: optimizer of the same problem that proposes the first rows; by default uniform draws.
        variation: how children are made.
        seed: seeds the optimizer's only generator.

    Raises:
        UnsupportedError: the problem has no measures, or several objectives.
        ProblemError: an argument is out of range, or ``init`` was built for another problem.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        capacity: int = 1000,
        neighbours: int = 3,
        batch_size: int = 100,
        n_init: int | None = None,
        init: Optimizer | None = None,
        variation: Variation = DEFAULT,
        seed: int | None = None,
    ) -> None:
        super().__init__(
            problem,
            DominatedArchive(problem, capacity, neighbours=neighbours),
            batch_size=batch_size,
            n_init=n_init,
            init=init,
            variation=variation,
            seed=seed,
        )
