"""pymoo's NSGA-II, NSGA-III and differential evolution as optimizers."""

from __future__ import annotations

import re
from typing import Any

from blackbox.arguments import check_count, check_number, check_range
from blackbox.errors import ProblemError
from blackbox.formulation import Floats, Problem
from blackbox.optimizer import Supports
from blackbox.optimizers.pymoo._generations import Generational, operators

_MANY = float("inf")
_VARIANT = re.compile(r"DE/(rand|best|target-to-best)/[12]/(bin|exp|line|hypercube)")


class _Genetic(Generational):
    """Crossover and mutation on the unit cube, with categories treated as such."""

    def _spare(self, k: int) -> Floats:
        """More offspring of the current population; uniform points before there is one."""
        algorithm = self._algorithm
        points = super()._spare(k)
        if algorithm.is_initialized:
            bred = algorithm.mating.do(
                algorithm.problem,
                algorithm.pop,
                k,
                algorithm=algorithm,
                random_state=algorithm.random_state,
            )
            if len(bred):
                points[: len(bred)] = bred.get("X")
        return points

    def _merge(self, extras: Any) -> None:
        from pymoo.core.population import Population

        algorithm = self._algorithm
        algorithm.pop = algorithm.survival.do(
            algorithm.problem,
            Population.merge(
                algorithm.pop, algorithm.eliminate_duplicates.do(extras, algorithm.pop)
            ),
            n_survive=algorithm.pop_size,
            algorithm=algorithm,
            random_state=algorithm.random_state,
        )

    def _variation(self, crossover_eta: float, crossover_prob: float) -> dict[str, Any]:
        ops, space = operators(), self.problem.space
        return {
            "crossover": ops.crossover(space, eta=crossover_eta, prob=crossover_prob),
            "mutation": ops.mutation(space, eta=20),
            "repair": ops.snapping(space),
        }


class NSGA2(_Genetic):
    """NSGA-II (Deb et al. 2002, IEEE TEC 6) with simulated binary crossover.

    Works on the unit cube: numbers, ranks, shares and random keys are crossed and mutated as
    coordinates, while categories and tokens come whole from a parent or are redrawn.

    Args:
        problem: any problem without linear constraints and measures.
        population_size: rows of a generation.
        seed: seeds the algorithm.

    Raises:
        MissingExtraError: pymoo is not installed (extra ``pymoo``).
    """

    supports = Supports(objectives=(1, _MANY), constraints=True)

    def __init__(
        self, problem: Problem, *, population_size: int = 100, seed: int | None = None
    ) -> None:
        super().__init__(problem, seed=seed)
        self._size = check_count("population_size", population_size, 2)
        self._start()

    def _build(self, seed: int) -> Any:
        variation = self._variation(15, 0.9)
        from pymoo.algorithms.moo import nsga2

        return nsga2.NSGA2(pop_size=self._size, seed=seed, **variation)


class NSGA3(_Genetic):
    """NSGA-III (Deb & Jain 2014, IEEE TEC 18): NSGA-II spread along reference directions.

    Args:
        problem: two or more objectives; no linear constraints, no measures.
        partitions: steps of the simplex lattice of directions along each edge; by default as many
            as give at most 100 directions.
        population_size: rows of a generation, at least one for each direction (the default).
        seed: seeds the algorithm.

    Raises:
        MissingExtraError: pymoo is not installed (extra ``pymoo``).
    """

    supports = Supports(objectives=(2, _MANY), constraints=True)

    def __init__(
        self,
        problem: Problem,
        *,
        partitions: int | None = None,
        population_size: int | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, seed=seed)
        if partitions is not None:
            check_count("partitions", partitions, 1)
        directions = operators().reference_directions(len(problem.objectives), partitions)
        self._directions: Floats = directions
        self._size = (
            len(directions)
            if population_size is None
            else check_count("population_size", population_size, len(directions))
        )
        self._start()

    def _build(self, seed: int) -> Any:
        variation = self._variation(30, 1.0)
        from pymoo.algorithms.moo import nsga3

        return nsga3.NSGA3(
            self._directions,
            pop_size=self._size,
            selection=operators().tournament(),
            seed=seed,
            **variation,
        )


class DE(Generational):
    """Differential evolution (Storn & Price 1997, J. Global Optimization 11).

    Adds differences of points of the unit cube, which the space decodes: integers and ranks are
    rounded, orders are random keys, and categories are taken in the order in which they are listed.

    Args:
        problem: one objective; no linear constraints, no measures.
        population_size: rows of a generation.
        variant: base vector, number of differences and crossover, as ``DE/best/1/bin``; base
            ``rand``, ``best`` or ``target-to-best``, 1 or 2 differences, crossover ``bin``,
            ``exp``, ``line`` or ``hypercube``.
        CR: probability of taking a coordinate from the mutant.
        F: weight of the difference.
        seed: seeds the algorithm.

    Raises:
        ProblemError: there is no such variant, or an argument is out of its range.
        MissingExtraError: pymoo is not installed (extra ``pymoo``).
    """

    supports = Supports(constraints=True)

    def __init__(
        self,
        problem: Problem,
        *,
        population_size: int = 100,
        variant: str = "DE/best/1/bin",
        CR: float = 0.2,  # noqa: N803  # as in the paper
        F: float = 0.5,
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, seed=seed)
        self._size = check_count("population_size", population_size, 6)
        if not _VARIANT.fullmatch(str(variant)):
            raise ProblemError(f"variant={variant!r} is unknown; give one like 'DE/rand/1/bin'")
        check_range("CR", CR, 0, 1)
        check_number("F", F, 0.0)
        self._options = {"variant": variant, "CR": CR, "F": F}
        self._start()

    def _build(self, seed: int) -> Any:
        operators()
        from pymoo.algorithms.soo.nonconvex import de

        return de.DE(pop_size=self._size, seed=seed, **self._options)

    def _spare(self, k: int) -> Floats:
        """Mutants of random members of the population; uniform points before there is one."""
        algorithm = self._algorithm
        points = super()._spare(k)
        if not algorithm.is_initialized:
            return points
        for start in range(0, k, self._size):
            # A call makes a mutant for each member, so that a choice among them is unbiased.
            bred = algorithm.mating.do(
                algorithm.problem,
                algorithm.pop,
                self._size,
                algorithm=algorithm,
                random_state=algorithm.random_state,
            ).get("X")
            block = points[start : start + self._size]
            block[:] = bred[algorithm.random_state.permutation(self._size)[: len(block)]]
        return points

    def _merge(self, extras: Any) -> None:
        from pymoo.algorithms.soo.nonconvex.ga import FitnessSurvival
        from pymoo.core.population import Population

        algorithm, survival = self._algorithm, FitnessSurvival()
        merged = Population.merge(algorithm.pop, extras)
        algorithm.pop = survival.do(algorithm.problem, merged, n_survive=self._size)
