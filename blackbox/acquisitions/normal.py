"""Quasi-random normal samples."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from blackbox.batch import Array

_MOST = 21201  # dimensions that SciPy's direction numbers reach


def normals(dimension: int, count: int, rng: np.random.Generator) -> Array:
    """(dimension, count) standard normals by scrambled Sobol points; count is a power of two."""
    if dimension > _MOST:
        return rng.standard_normal((dimension, count))
    sobol = qmc.Sobol(dimension, rng=rng)
    points = sobol.random(count)
    return np.asarray(ndtri(np.clip(points.T, 1e-12, 1 - 1e-12)))
