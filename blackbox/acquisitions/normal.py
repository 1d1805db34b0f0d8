"""Functions and quasi-random samples of the standard normal."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtri
from scipy.stats import qmc

from blackbox.batch import Array

_MOST = 21201  # dimensions that SciPy's direction numbers reach
_LOG_ROOT = 0.5 * math.log(2.0 * math.pi)
_FAR = -1e3  # where the next term of the asymptotic series is below 1e-10


def normals(dimension: int, count: int, rng: np.random.Generator) -> Array:
    """(dimension, count) standard normals by scrambled Sobol points; count is a power of two."""
    if dimension > _MOST:
        return rng.standard_normal((dimension, count))
    # SciPy spawns a child of a generator it is given, which its saved state does not remember.
    sobol = qmc.Sobol(dimension, rng=np.random.default_rng(int(rng.integers(2**63))))
    points = sobol.random(count)
    return np.asarray(ndtri(np.clip(points.T, 1e-12, 1 - 1e-12)))


def log_h(z: Array) -> Array:
    """Log of ``h(z) = phi(z) + z Phi(z)``, exact for all z (Ament et al. 2023, eq. 9)."""
    z = np.asarray(z, dtype=np.float64)
    near = np.maximum(z, -1.0)
    value = np.log(np.exp(-0.5 * near**2 - _LOG_ROOT) + near * np.exp(log_ndtr(near)))
    return np.where(z > -1.0, value, -0.5 * z**2 - _LOG_ROOT + _tail(z))


def log_mean(logs: Array) -> Array:
    """(m,) logarithms of the means of the rows whose (m, K) logarithms are given.

    SciPy's ``logsumexp`` takes ten times as long for a few rows, and it is in every step of a
    search.
    """
    if logs.shape[1] == 1:
        return np.asarray(logs[:, 0])
    most = logs.max(axis=1)
    mean: Array = most + np.log(np.exp(logs - most[:, None]).mean(axis=1))
    return mean


def hazard(z: Array) -> Array:
    """``phi / Phi``, exact for all z: by Mills' ratio left of 0, where both underflow."""
    mills = math.sqrt(math.pi / 2.0) * erfcx(-np.minimum(z, 0.0) / math.sqrt(2.0))
    right = np.maximum(z, 0.0)
    return np.where(z < 0, 1.0 / mills, np.exp(-0.5 * right**2 - _LOG_ROOT - log_ndtr(right)))


def ratios(z: Array) -> tuple[Array, Array]:
    """``Phi / h`` and ``phi / h``, exact for all z."""
    z = np.asarray(z, dtype=np.float64)
    near = np.maximum(z, -1.0)
    log = log_h(near)
    far = np.minimum(z, -1.0)
    mills = math.sqrt(math.pi / 2.0) * erfcx(-far / math.sqrt(2.0))  # Phi / phi
    density = np.exp(-_tail(z))
    return (
        np.where(z > -1.0, np.exp(log_ndtr(near) - log), mills * density),
        np.where(z > -1.0, np.exp(-0.5 * near**2 - _LOG_ROOT - log), density),
    )


def _tail(z: Array) -> Array:
    """Log of ``h / phi`` left of -1."""
    middle = np.clip(z, _FAR, -1.0)
    value = np.log1p(middle * math.sqrt(math.pi / 2.0) * erfcx(-middle / math.sqrt(2.0)))
    far = np.minimum(z, _FAR)
    return np.where(z > _FAR, value, np.log1p(-3.0 / far**2) - 2.0 * np.log(-far))
