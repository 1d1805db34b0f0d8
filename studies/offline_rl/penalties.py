"""Six penalties on what an ensemble does not know.

All take the ensemble's predictions in units of the data set's standard deviations, so that one
weight means the same on every task. Notation: N members, n rows, D outputs; mu_i and sigma_i are
member i's (n, D) means and standard deviations. With one member, or equal ones, every measure of
disagreement is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from studies.offline_rl.networks import Floats32


@dataclass(frozen=True)
class Predicted:
    """What an ensemble says about n transitions, and what came of it.

    Args:
        means: (N, n, D).
        stds: (N, n, D).
        outcome: (n, D) a drawn or observed outcome, for the likelihoods.
    """

    means: Floats32
    stds: Floats32
    outcome: Floats32


def max_aleatoric(p: Predicted) -> Floats32:
    """(n,) max_i ||sigma_i||, as in MOPO (Yu et al. 2020, section 4.3)."""
    return _floats(np.sqrt((p.stds**2).sum(axis=-1).max(axis=0)))


def max_pairwise(p: Predicted) -> Floats32:
    """(n,) max_ij ||mu_i - mu_j||, as in MOReL (Kidambi et al. 2020)."""
    largest = np.zeros(p.means.shape[1], dtype=np.float32)
    for i, j in combinations(range(len(p.means)), 2):
        gap = p.means[i] - p.means[j]
        np.maximum(largest, np.einsum("nd,nd->n", gap, gap), out=largest)
    return _floats(np.sqrt(largest))


def ens_var(p: Predicted) -> Floats32:
    """(n,) norm over outputs of the mixture's variance (Lakshminarayanan et al. 2017)."""
    return _floats(np.sqrt((_variance(p) ** 2).sum(axis=-1)))


def ens_std(p: Predicted) -> Floats32:
    """(n,) norm over outputs of the mixture's standard deviation."""
    return _floats(np.sqrt(_variance(p).sum(axis=-1)))


def loo_kl(p: Predicted) -> Floats32:
    """(n,) mean over i of KL(member i || Gaussian with the moments of all others).

    After M2AC (Pan et al. 2020): 1/2 sum_d [log(v / s^2) + (s^2 + (mu - m)^2) / v - 1].
    """
    members = len(p.means)
    total = np.zeros(p.means.shape[1], dtype=np.float32)
    if members == 1:
        return total
    first, second = p.means.sum(axis=0), (p.stds**2 + p.means**2).sum(axis=0)
    for mean, std in zip(p.means, p.stds, strict=True):
        others = (first - mean) / (members - 1)
        moment = (second - std**2 - mean**2) / (members - 1)
        # Differences of sums can lose all digits; no variance is below the bounds' smallest.
        variance = np.maximum(moment - others**2, np.float32(1e-6))
        ratio = std**2 / variance
        total += 0.5 * (ratio + (mean - others) ** 2 / variance - 1 - np.log(ratio)).sum(axis=-1)
    return _floats(total / members)


def ll_var(p: Predicted) -> Floats32:
    """(n,) variance over members of the log-likelihood of the outcome."""
    z = (p.outcome - p.means) / p.stds
    return _floats((-0.5 * z**2 - np.log(p.stds)).sum(axis=-1).var(axis=0))


PENALTIES: Mapping[str, Callable[[Predicted], Floats32]] = {
    penalty.__name__: penalty
    for penalty in (max_aleatoric, max_pairwise, ens_var, ens_std, loo_kl, ll_var)
}
#: These grow beyond all bounds away from the data and enter rewards as log(1 + u).
UNBOUNDED = ("loo_kl", "ll_var")


def charged(name: str, p: Predicted) -> Floats32:
    """(n,) what a reward is charged for each unit of weight."""
    u = PENALTIES[name](p)
    return _floats(np.log1p(u)) if name in UNBOUNDED else u


def _variance(p: Predicted) -> Floats32:
    """(n, D) mean_i(sigma_i^2) + variance of the mu_i: equal to the definition, and exact."""
    return _floats((p.stds**2).mean(axis=0) + p.means.var(axis=0))


def _floats(array: npt.ArrayLike) -> Floats32:
    return np.asarray(array, dtype=np.float32)
