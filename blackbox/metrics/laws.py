"""How near a sampler's law is to the one it should have, over candidates that can be listed.

A law is an (N,) array of probabilities, one for each candidate of a problem's table; positions
are candidates by their place in it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from blackbox.errors import BatchError
from blackbox.metrics.pareto import is_nondominated
from blackbox.metrics.scores import Floats, array, numbers


def l1_distance(law: npt.ArrayLike, target: npt.ArrayLike) -> float:
    """``sum over x of |p(x) - q(x)|``: twice the total variation.

    Args:
        law: (N,) probabilities p.
        target: (N,) probabilities q.

    Returns:
        From 0, where the laws agree, to 2, where they share no candidate.

    Raises:
        BatchError: wrong shapes, or numbers that are no probabilities.
    """
    p, q = _two_laws(law, target)
    return float(np.abs(p - q).sum())


def jensen_shannon(law: npt.ArrayLike, target: npt.ArrayLike) -> float:
    """Jensen-Shannon distance: the square root of the divergence in bits (Endres, Schindelin 2003).

    The divergence is the mean of both laws' Kullback-Leibler divergences from their average.

    Args:
        law: (N,) probabilities.
        target: (N,) probabilities.

    Returns:
        From 0, where the laws agree, to 1, where they share no candidate.

    Raises:
        BatchError: wrong shapes, or numbers that are no probabilities.
    """
    p, q = _two_laws(law, target)
    middle = (p + q) / 2
    divergence = sum(
        float((r[r > 0] * np.log2(r[r > 0] / middle[r > 0])).sum()) / 2 for r in (p, q)
    )
    return float(np.sqrt(max(divergence, 0.0)))


def modes_found(positions: npt.ArrayLike, modes: npt.ArrayLike) -> int:
    """How many modes are among candidates.

    Args:
        positions: (n,) candidates, whole numbers from 0 to N - 1; repetitions count once.
        modes: (N,) whether each candidate is a mode.

    Raises:
        BatchError: wrong shapes or types, or a position out of range.
    """
    wanted = array("modes", modes)
    if wanted.ndim != 1 or wanted.dtype != bool:
        raise BatchError(f"modes have shape {wanted.shape}, type {wanted.dtype}; give (N,) bools")
    where = array("positions", positions)
    where = where if where.size else where.astype(np.int64)
    if where.ndim != 1 or where.dtype.kind not in "iu":
        raise BatchError(
            f"positions have shape {where.shape}, type {where.dtype}; give (n,) whole numbers"
        )
    if where.size and not (where.min() >= 0 and where.max() < len(wanted)):
        raise BatchError(f"positions must lie from 0 to {len(wanted) - 1}")
    return int(wanted[np.unique(where)].sum())


def pareto_mass(law: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Probability that a sample is Pareto optimal among all candidates.

    Args:
        law: (N,) probabilities.
        scores: (N, m) scores of the candidates, larger is better.

    Returns:
        A number from 0 to 1.

    Raises:
        BatchError: wrong shapes, or numbers that are no probabilities.
        MissingExtraError: moocore is not installed.
    """
    p, front = _law("law", law), is_nondominated(scores)
    if len(p) != len(front):
        raise BatchError(f"law has {len(p)} candidates where scores have {len(front)}")
    return float(p[front].sum())


def _two_laws(law: npt.ArrayLike, target: npt.ArrayLike) -> tuple[Floats, Floats]:
    p, q = _law("law", law), _law("target", target)
    if len(p) != len(q):
        raise BatchError(f"law has {len(p)} candidates where target has {len(q)}")
    return p, q


def _law(name: str, values: npt.ArrayLike) -> Floats:
    p = numbers(name, values)
    if p.ndim != 1 or not (p >= 0).all() or abs(p.sum() - 1) > 1e-3:
        raise BatchError(
            f"{name} of shape {p.shape} sums to {p.sum()}; give (N,) probabilities of at least 0 "
            "that sum to one"
        )
    return p
