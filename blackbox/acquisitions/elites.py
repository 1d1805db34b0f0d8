"""Expected joint improvement of elites: what a row promises to all cells of an archive together.

A row improves the elite of the one cell that its measures fall into, and neither its score nor its
measures are known before it is evaluated. Over independent processes of both,

    EJIE(x) = sum_c P(c | x) EI_c(x),

where ``EI_c`` is the expected improvement over the elite of cell c and ``P(c | x)`` the probability
that the measures fall into that cell (Kent, Gaier, Mouret and Branke 2024, *BOP-Elites: A Bayesian
Optimisation Approach to Quality Diversity Search with Black-Box Descriptor Functions*). It is
computed in logarithms throughout, so that it has a slope even where it is tiny.

Notation: m points, k measures, C cells of a grid; mu, s mean and deviation of standardised values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blackbox.acquisitions.feasibility import within
from blackbox.acquisitions.normal import log_h, ratios
from blackbox.batch import Array
from blackbox.surrogates.posterior import Moments

#: Cells less probable than the most probable one of a point by this factor are left out.
_NEGLIGIBLE = np.log(1e-6)
_FAR = 1e15  # standard deviations, beyond which bounds are as good as infinite
_CHUNK = 256  # points at once, which bounds the memory that pairs of points and cells take


@dataclass(frozen=True)
class JointImprovement:
    """Log expected joint improvement of elites, an ``AcquisitionFunction``.

    Args:
        objective: moments of the standardised score at (m, d) features, one component.
        measures: the same of each of k standardised measures.
        edges: for each measure the increasing standardised bounds of its bins, perhaps infinite.
        best: (C,) standardised scores of the elites, and of empty cells what filling them is
            worth more than; cells are numbered with the last measure fastest.
    """

    objective: Callable[[Array], Moments]
    measures: Sequence[Callable[[Array], Moments]]
    edges: Sequence[Array]
    best: Array

    def values(self, points: Array) -> Array:
        chunks = [points[i : i + _CHUNK] for i in range(0, len(points), _CHUNK)]
        return np.concatenate([self._at(self._moments(chunk)).value for chunk in chunks])

    def values_and_gradients(self, points: Array) -> tuple[Array, Array]:
        moments = self._moments(points)
        at = self._at(moments)
        slopes = zip(moments, at.by_mean.T, at.by_deviation.T, strict=True)
        gradients = [one.pull(by_mean[:, None], by_s) for one, by_mean, by_s in slopes]
        return at.value, np.sum(gradients, axis=0)

    def _moments(self, points: Array) -> list[Moments]:
        return [self.objective(points), *(measure(points) for measure in self.measures)]

    def _at(self, moments: Sequence[Moments]) -> JointValue:
        mean = np.column_stack([one.mean[:, 0] for one in moments])
        deviation = np.column_stack([one.deviation for one in moments])
        return log_ejie(mean, deviation, self.edges, self.best)


@dataclass(frozen=True)
class JointValue:
    """Values of the joint improvement, and how they change with what is predicted.

    Args:
        value: (m,) logarithms.
        by_mean: (m, 1 + k) derivatives by the means of the score and of the measures.
        by_deviation: (m, 1 + k) derivatives by their deviations.
    """

    value: Array
    by_mean: Array
    by_deviation: Array


def log_ejie(mean: Array, deviation: Array, edges: Sequence[Array], best: Array) -> JointValue:
    """Log expected joint improvement over a grid of cells, in closed form.

    Args:
        mean: (m, 1 + k) of the score and of the measures.
        deviation: (m, 1 + k) positive.
        edges: k arrays of increasing bounds.
        best: (C,) scores to improve on.
    """
    within_bins = [
        within(mean[:, j, None], deviation[:, j, None], bounds[:-1], bounds[1:])
        for j, bounds in enumerate((np.clip(e, -_FAR, _FAR) for e in edges), start=1)
    ]
    point, bins, log_p = _likely([value for value, _, _ in within_bins])
    cell = np.ravel_multi_index(tuple(bins), [len(bounds) - 1 for bounds in edges])
    s = deviation[point, 0]
    z = (mean[point, 0] - best[cell]) / s
    each = log_p + np.log(s) + log_h(z)
    starts = np.searchsorted(point, np.arange(len(mean)))
    top = np.maximum.reduceat(each, starts)
    value = top + np.log(np.add.reduceat(np.exp(each - top[point]), starts))
    share = np.exp(each - value[point])
    probability, density = ratios(z)
    columns_mean, columns_deviation = [share * probability / s], [share * density / s]
    for (_, by_mean, by_deviation), where in zip(within_bins, bins, strict=True):
        columns_mean.append(share * by_mean[point, where])
        columns_deviation.append(share * by_deviation[point, where])
    return JointValue(
        value,
        np.column_stack([np.add.reduceat(column, starts) for column in columns_mean]),
        np.column_stack([np.add.reduceat(column, starts) for column in columns_deviation]),
    )


def _likely(
    log_bins: Sequence[Array],
) -> tuple[npt.NDArray[np.intp], list[npt.NDArray[np.intp]], Array]:
    """Pairs of points and cells that are not negligible, measure by measure.

    Args:
        log_bins: for each measure (m, b) log probabilities of its bins.

    Returns:
        (p,) points in increasing order, for each measure the (p,) bins, (p,) log probabilities.
    """
    relative = [log - log.max(axis=1, keepdims=True) for log in log_bins]
    point = np.arange(len(log_bins[0]))
    behind = np.zeros(len(point))  # log probability relative to that of the likeliest cell
    bins: list[npt.NDArray[np.intp]] = []
    for log in relative:
        pair, here = np.nonzero(behind[:, None] + log[point] > _NEGLIGIBLE)
        behind = behind[pair] + log[point[pair], here]
        point, bins = point[pair], [*(b[pair] for b in bins), here]
    peak = np.sum([log.max(axis=1) for log in log_bins], axis=0)
    return point, bins, behind + peak[point]
