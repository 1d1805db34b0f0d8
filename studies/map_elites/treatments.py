"""The four treatments, with the same variation wherever there is any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import blackbox as bb
from blackbox.archives.base import Ints
from blackbox.archives.population import Population
from blackbox.formulation import Floats
from blackbox.optimizers.quality_diversity._elites import DEFAULT, ElitesOptimizer
from blackbox.optimizers.quality_diversity.variation import Variation
from studies.map_elites.domains import Domain

SIZE = 100  # of populations


class Best(Population):
    """The rows that score most, wherever their measures are."""

    def arguments(self) -> dict[str, Any]:
        return {"capacity": self._capacity}

    def _worth(self, measures: Floats, scores: Floats, ids: Ints) -> Floats:
        return scores


class Evolution(ElitesOptimizer):
    """A traditional evolutionary algorithm: the best of parents and children live on.

    Args:
        problem: one objective; its measures are recorded and not looked at.
        batch_size: children of a generation.
        variation: how children are made.
        seed: seeds the optimizer's only generator.
    """

    def __init__(
        self,
        problem: bb.Problem,
        *,
        batch_size: int = SIZE,
        variation: Variation = DEFAULT,
        seed: int | None = None,
    ) -> None:
        super().__init__(
            problem,
            Best(problem, SIZE),
            batch_size=batch_size,
            n_init=None,
            init=None,
            variation=variation,
            seed=seed,
        )


def _map_elites(domain: Domain, seed: int) -> bb.Optimizer:
    return bb.MapElites(
        domain.problem,
        cells=[c // 2 ** len(domain.splits) for c in domain.cells],
        splits=domain.splits,
        batch_size=domain.batch,
        variation=domain.variation,
        seed=seed,
    )


def _novelty(domain: Domain, seed: int) -> bb.Optimizer:
    return bb.NoveltySearch(
        domain.problem,
        competition=True,
        population_size=SIZE,
        batch_size=domain.batch,
        variation=domain.variation,
        seed=seed,
    )


def _evolution(domain: Domain, seed: int) -> bb.Optimizer:
    return Evolution(domain.problem, batch_size=domain.batch, variation=domain.variation, seed=seed)


#: By the names in the report, the paper's method first.
TREATMENTS: dict[str, Callable[[Domain, int], bb.Optimizer]] = {
    "MAP-Elites": _map_elites,
    "novelty + local competition": _novelty,
    "evolution": _evolution,
    "random sampling": lambda domain, seed: bb.Random(domain.problem, seed=seed),
}
