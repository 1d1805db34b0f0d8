"""CMA-ES: a normal distribution that moves and bends towards better rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from blackbox.arguments import check_count, check_range
from blackbox.formulation import Problem
from blackbox.optimizer import Supports
from blackbox.optimizers.pymoo._generations import Generational, operators
from blackbox.space import Integer, Ordinal, Permutation, Real, Simplex


class CMAES(Generational):
    """Covariance matrix adaptation (Hansen 2016, arXiv:1604.00772), as pymoo runs pycma.

    Starts at the best of a first sample. After it has converged it starts anew. Data from outside
    and spare rows (uniform ones) do not move the distribution, because an update weighs rows that
    the distribution drew; ask for whole generations, or take ``optuna.CMAES``, whose generations
    wait for nobody. Categories have no distances, so Categorical and Sequence are refused; integers
    and ranks are rounded, a Permutation is searched through random keys.

    Args:
        problem: one objective, no constraints; Real, Integer, Ordinal, Simplex, Permutation.
        population_size: rows of a generation; by default 4 + floor(3 log(width)).
        sigma: first standard deviation, on the unit cube.
        n_sample_points: rows of the first sample.
        seed: seeds the algorithm.

    Raises:
        ProblemError: an argument is out of its range.
        MissingExtraError: pymoo is not installed (extra ``pymoo``).
    """

    supports = Supports(parameters=(Real, Integer, Ordinal, Simplex, Permutation))

    def __init__(
        self,
        problem: Problem,
        *,
        population_size: int | None = None,
        sigma: float = 0.1,
        n_sample_points: int = 20,
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, seed=seed)
        self._size = population_size
        if population_size is not None:
            check_count("population_size", population_size, 4)
        check_range("sigma", sigma, 1e-9, 1e3)
        self._sigma = float(sigma)
        self._n_sample = check_count("n_sample_points", n_sample_points, 1)
        self._start()

    def _build(self, seed: int) -> Any:
        operators()
        from pymoo.algorithms.soo.nonconvex import cmaes

        algorithm = cmaes.CMAES(pop_size=self._size, sigma=self._sigma, seed=seed)
        algorithm.n_sample_points = self._n_sample  # as an argument, pycma would refuse it
        return algorithm

    def _fresh(self) -> Any:
        algorithm = super()._fresh()
        # Given a seed, pycma seeds and uses NumPy's global generator (and takes seed 0 for none);
        # given a function, it draws from that: the same numbers, from a generator of our own.
        normal = np.random.RandomState((self._key + self._runs) % 2**32).randn
        algorithm.options.update(seed=np.nan, randn=normal)
        return algorithm

    def _constraints(self) -> int:
        return 0

    def _rate(self, generation: Any) -> None:
        """Failed rows get a value worse than all others: ranks are all that counts."""
        values = np.array([i.F[0] for i in generation if i.get("ok")])
        # Beside large values 1 is too little to make a difference.
        above = values.max() + max(np.ptp(values), 1.0) if len(values) else 0.0
        worst = np.nextafter(above, np.inf)
        for individual in generation:
            if not individual.get("ok"):
                individual.F = np.array([worst])
