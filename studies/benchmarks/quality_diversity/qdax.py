"""Algorithms of QDax, in its own environment, on the same functions as all others.

Asking and telling are compiled; evaluations are those of the benchmark's problems, in NumPy.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from blackbox.batch import Array
from studies.benchmarks.quality_diversity.settings import LINE, Setting


class QDax:
    """An algorithm of QDax behind the benchmark's ask and tell.

    Args:
        algorithm: with ``init_ask_tell``, ``ask`` and ``tell``.
        centroids: (C, m) of the cells.
        first: (n, d) solutions to begin with.
        seed: seeds it.
    """

    def __init__(self, algorithm: Any, centroids: Any, first: Array, seed: int) -> None:
        import jax

        self._jax = jax
        self._algorithm = algorithm
        self._centroids = centroids
        self._first: Array | None = first
        self._key = jax.random.key(seed)
        self._ask = jax.jit(algorithm.ask)
        self._tell = jax.jit(algorithm.tell)
        self.repertoire: Any = None
        self._emitter: Any = None
        self._asked: Any = None

    def ask(self) -> Array:
        if self._first is not None:
            self._asked = self._jax.numpy.asarray(self._first)
            return self._first
        self._key, key = self._jax.random.split(self._key)
        self._asked, _ = self._ask(self.repertoire, self._emitter, key)
        return np.asarray(self._asked, dtype=np.float64)

    def fronts(self) -> tuple[Array, Array]:
        """Scores and measures of the members of all fronts of MOME."""
        scores = np.asarray(self.repertoire.fitnesses)
        filled = np.isfinite(scores).all(axis=-1)
        return scores[filled], np.asarray(self.repertoire.descriptors)[filled]

    def tell(self, objective: Array, measures: Array) -> None:
        jnp = self._jax.numpy
        if self._first is not None:
            self._key, key = self._jax.random.split(self._key)
            self.repertoire, self._emitter, _ = self._algorithm.init_ask_tell(
                self._asked, jnp.asarray(objective), jnp.asarray(measures), self._centroids, key
            )
            self._first = None
            return
        self.repertoire, self._emitter, _ = self._tell(
            self._asked,
            jnp.asarray(objective),
            jnp.asarray(measures),
            self.repertoire,
            self._emitter,
        )


def me_line(setting: Setting, seed: int) -> QDax:
    """MAP-Elites with Iso+LineDD."""
    from qdax.core.map_elites import MAPElites

    problem = setting.build()
    algorithm = MAPElites(
        scoring_function=None,
        emitter=_iso_line(setting),
        metrics_function=lambda repertoire: {},
    )
    first = np.zeros((setting.batch, problem.space.width))
    first += setting.sigma * np.random.default_rng(seed).standard_normal(first.shape)
    return QDax(algorithm, _centroids(setting), first, seed)


def mome(setting: Any, seed: int) -> QDax:
    """MOME with the same variation as ours."""
    import warnings

    from qdax.core.mome import MOME

    warnings.simplefilter("ignore")
    problem = setting.build()
    algorithm = MOME(
        scoring_function=None,
        emitter=_iso_line(setting),
        metrics_function=lambda repertoire: {},
        pareto_front_max_length=setting.front,
    )
    rng = np.random.default_rng(seed)
    low, high = setting.bounds
    first = rng.uniform(low, high, (setting.batch, problem.space.width))
    return QDax(algorithm, _centroids(setting), first, seed)


def _iso_line(setting: Setting) -> Any:
    from qdax.core.emitters.mutation_operators import isoline_variation
    from qdax.core.emitters.standard_emitters import MixingEmitter

    low, high = setting.bounds
    return MixingEmitter(
        mutation_fn=None,
        variation_fn=partial(
            isoline_variation,
            iso_sigma=setting.sigma,
            line_sigma=LINE,
            minval=low,
            maxval=high,
        ),
        variation_percentage=1.0,
        batch_size=setting.batch,
    )


def _centroids(setting: Setting) -> Any:
    from qdax.core.containers.mapelites_repertoire import compute_euclidean_centroids

    measures = setting.build().measures
    return compute_euclidean_centroids(
        grid_shape=setting.cells,
        minval=[m.low for m in measures],
        maxval=[m.high for m in measures],
    )
