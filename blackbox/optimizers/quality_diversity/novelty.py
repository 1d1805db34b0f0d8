"""Novelty search: rows are varied because they behave like no other."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from blackbox.archives import UnstructuredArchive
from blackbox.archives._neighbours import Neighbours
from blackbox.archives.base import Ints
from blackbox.archives.population import Population
from blackbox.arguments import check_count, check_flag
from blackbox.batch import Batch
from blackbox.formulation import Floats, Problem
from blackbox.metrics.pareto import nondominated_ranks
from blackbox.optimizers.quality_diversity._elites import DEFAULT, ElitesOptimizer
from blackbox.optimizers.quality_diversity.variation import Variation
from blackbox.state import State


class NoveltySearch(ElitesOptimizer):
    """Rewards new behaviour alone (Lehman & Stanley 2011), or beside local quality.

    A population of the most novel rows is varied. The novelty of a row is its mean distance to the
    k nearest rows of the population and of an archive of all that was new enough. With
    ``competition`` (novelty search with local competition: Lehman & Stanley 2011, *GECCO*) rows are
    ranked by Pareto dominance in novelty and in how many of these neighbours score less.

    Args:
        problem: measures, and an objective (or none); any parameters.
        competition: whether rows compete with their neighbours too.
        population_size: number of rows that are varied.
        threshold: novelty from which a row enters the archive, in units of the measures' ranges.
        neighbours: the number k.
        batch_size: rows that ``ask()`` gives.
        n_init: first rows, which are not varied; rows told from outside count. By default a batch,
            and 100 at least.
        variation: how children are made.
        seed: seeds the optimizer's only generator.

    Attributes:
        archive: the rows that were new enough, each replaced by a better one near it.

    Raises:
        UnsupportedError: the problem has no measures, or several objectives.
        ProblemError: an argument is out of range.
        MissingExtraError: SciPy is not installed (extra ``qd``), or moocore with ``competition``
            (extra ``metrics``).
    """

    def __init__(
        self,
        problem: Problem,
        *,
        competition: bool = False,
        population_size: int = 100,
        threshold: float = 0.02,
        neighbours: int = 15,
        batch_size: int = 100,
        n_init: int | None = None,
        variation: Variation = DEFAULT,
        seed: int | None = None,
    ) -> None:
        check_flag("NoveltySearch: competition", competition)
        check_count("NoveltySearch: population_size", population_size, 1)
        memory = UnstructuredArchive(problem, threshold, neighbours=neighbours)
        super().__init__(
            problem,
            memory,
            batch_size=batch_size,
            n_init=n_init,
            init=None,
            variation=variation,
            seed=seed,
        )
        self._memory = memory
        self._population = _Novel(memory, population_size, competition)

    @property
    def _varied(self) -> _Novel:
        return self._population

    def _tell(self, batch: Batch) -> None:
        super()._tell(batch)
        self._population.learn(batch)

    def _state(self) -> State:
        return {**super()._state(), "population": self._population.state()}

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        self._population.load_state(state["population"])


class _Novel(Population):
    """The rows that are most novel beside those of an archive.

    Args:
        memory: the archive.
        capacity: largest number of rows.
        competition: whether local competition counts too.
    """

    def __init__(self, memory: UnstructuredArchive, capacity: int, competition: bool) -> None:
        super().__init__(memory.problem, capacity)
        self._memory = memory
        self._competition = competition

    def arguments(self) -> dict[str, Any]:
        return {"capacity": self._capacity, "competition": self._competition}

    def _worth(self, measures: Floats, scores: Floats, ids: Ints) -> Floats:
        k, others = self._memory.neighbours, self._others(ids, measures, scores)
        points = np.concatenate([self._unit(self._memory.measures)[others], measures])
        known = np.concatenate([self._memory.scores[others], scores])
        if len(points) == 1:
            return np.zeros(1)
        distances, near = Neighbours(points).several(measures, min(k + 1, len(points)))
        # The first is the row itself, or one that behaves the same.
        novelty: Floats = distances[:, 1:].mean(axis=1)
        if not self._competition:
            return novelty
        beaten = (known[near[:, 1:]] < scores[:, None]).mean(axis=1)
        rank = nondominated_ranks(np.column_stack([novelty, beaten]))
        # Within a rank the more novel first, by less than a rank.
        worth: Floats = novelty / (1.0 + novelty.max(initial=0.0)) - rank
        return worth

    def _others(self, ids: Ints, measures: Floats, scores: Floats) -> npt.NDArray[np.bool_]:
        """(k,) rows of the memory that are none of these: no row is a neighbour of its own."""
        memory = self._memory
        own = np.column_stack([ids, scores, measures])
        known = np.column_stack([memory.column("id"), memory.scores, self._unit(memory.measures)])
        these = {row.tobytes() for row in own}
        return np.array([row.tobytes() not in these for row in known], dtype=bool)
