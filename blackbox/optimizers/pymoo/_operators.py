"""Operators on the unit cube for spaces that hold more than real numbers.

Imported only where pymoo is known to be there.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from pymoo.core.problem import Problem as PymooProblem
from pymoo.core.repair import NoRepair, Repair
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.selection.tournament import TournamentSelection, compare
from pymoo.util.ref_dirs import get_reference_directions

from blackbox.formulation import Floats
from blackbox.space import Categorical, Real, Sequence, Simplex, Space

Mask = npt.NDArray[np.bool_]


def cube_problem(space: Space, objectives: int, constraints: int) -> Any:
    """pymoo's description of the unit cube."""
    return PymooProblem(
        n_var=space.width, n_obj=objectives, n_ieq_constr=constraints, xl=0.0, xu=1.0
    )


def crossover(space: Space, **options: Any) -> Any:
    """Simulated binary crossover; categories come whole from one of the parents."""
    mask = categories(space)
    return _MixedSBX(mask, **options) if mask.any() else SBX(**options)


def mutation(space: Space, **options: Any) -> Any:
    """Polynomial mutation; categories are redrawn."""
    mask = categories(space)
    return _MixedPM(mask, **options) if mask.any() else PM(**options)


def snapping(space: Space) -> Any:
    """Move points to the one encoding of their values, so that equal rows count as duplicates."""
    if all(isinstance(p, Real | Simplex) for p in space):
        return NoRepair()
    return _Snap(space)


def categories(space: Space) -> Mask:
    """(width,) coordinates whose intervals stand in no order."""
    mask = np.zeros(space.width, dtype=bool)
    for p in space:
        if isinstance(p, Categorical):
            mask[space.blocks[p.name]] = True
        elif isinstance(p, Sequence):
            stop = space.blocks[p.name].stop
            mask[stop - p.size : stop] = True
    return mask


def reference_directions(objectives: int, partitions: int | None) -> Floats:
    """(k, m) evenly spaced weights (Das & Dennis 1998); by default at most 100 of them."""
    if partitions is None:
        partitions = 1
        while math.comb(partitions + objectives, objectives - 1) <= 100:
            partitions += 1
    made: Floats = get_reference_directions("das-dennis", objectives, n_partitions=partitions)
    return made


def tournament() -> Any:
    """NSGA-III's tournament.

    pymoo 0.6.2 passes no generator to the draw between two equally infeasible rows and fails there.
    """
    return TournamentSelection(func_comp=_by_violation)


def _by_violation(pop: Any, pairs: Any, random_state: Any = None, **_: Any) -> Any:
    winners = np.empty(len(pairs), dtype=int)
    for i, (a, b) in enumerate(pairs):
        if pop[a].CV[0] > 0 or pop[b].CV[0] > 0:
            winners[i] = compare(
                a,
                pop[a].CV[0],
                b,
                pop[b].CV[0],
                method="smaller_is_better",
                return_random_if_equal=True,
                random_state=random_state,
            )
        else:
            winners[i] = random_state.choice([a, b])
    return winners[:, None]


@contextmanager
def quiet() -> Iterator[None]:
    """pymoo divides by zero on purpose, and its NSGA-III switches all warnings off for good."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


class _MixedSBX(SBX):  # type: ignore[misc]  # pymoo has no types
    def __init__(self, mask: Mask, **options: Any) -> None:
        super().__init__(**options)
        self._mask = mask

    def _do(
        self, problem: Any, points: Floats, *args: Any, random_state: Any = None, **kwargs: Any
    ) -> Floats:
        children: Floats = super()._do(problem, points, *args, random_state=random_state, **kwargs)
        swap = random_state.random(points.shape[1:]) < 0.5
        children[0] = np.where(self._mask, np.where(swap, points[1], points[0]), children[0])
        children[1] = np.where(self._mask, np.where(swap, points[0], points[1]), children[1])
        return children


class _MixedPM(PM):  # type: ignore[misc]  # pymoo has no types
    def __init__(self, mask: Mask, **options: Any) -> None:
        super().__init__(**options)
        self._mask = mask

    def _do(
        self, problem: Any, points: Floats, *args: Any, random_state: Any = None, **kwargs: Any
    ) -> Floats:
        mutated = super()._do(problem, points, *args, random_state=random_state, **kwargs)
        drawn = random_state.random(points.shape)
        chosen = (
            random_state.random(points.shape)
            < self.get_prob_var(problem, size=len(points))[:, None]
        )
        redrawn: Floats = np.where(self._mask, np.where(chosen, drawn, points), mutated)
        return redrawn


class _Snap(Repair):  # type: ignore[misc]  # pymoo has no types
    def __init__(self, space: Space) -> None:
        super().__init__()
        self._blocks = [
            (p, space.blocks[p.name]) for p in space if not isinstance(p, Real | Simplex)
        ]

    def _do(self, problem: Any, points: Floats, **kwargs: Any) -> Floats:
        snapped = np.array(points, dtype=np.float64)
        for p, block in self._blocks:
            snapped[:, block] = p.encode(p.decode(snapped[:, block]))
        return snapped
