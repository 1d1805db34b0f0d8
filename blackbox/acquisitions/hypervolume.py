"""Expected hypervolume improvement, in closed form on the fast engine for up to five objectives.

What a front does not dominate is cut into boxes; what an outcome adds to the volume is the sum over
boxes of the part of each that it dominates, a product over objectives. For independent normals

    EHVI = sum over boxes of prod over objectives of (g(l) - g(u)),   g(a) = E[(Y - a)+] = s h(z),

with l and u a box's lower and upper corner, z = (mu - a) / s, and h as for expected improvement.
(Yang, Emmerich, Deutz and Bäck 2019, *Efficient computation of expected hypervolume improvement
using box decomposition algorithms*.) Noise and pending rows are drawn jointly, as for ``EI``: each
draw has a front and boxes of its own (Daulton, Balandat and Bakshy 2021), and all share the
deviations.

Notation: p points, m objectives, K draws, b boxes of all draws together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from blackbox.acquisitions.base import (
    Acquisition,
    AcquisitionFunction,
    Belief,
    checked_numbers,
    need_sized,
)
from blackbox.acquisitions.feasibility import constrained
from blackbox.acquisitions.improvement import completed
from blackbox.acquisitions.normal import log_h, ratios
from blackbox.batch import Array
from blackbox.formulation import Problem
from blackbox.metrics import is_nondominated, nondominated_ranks
from blackbox.surrogates.exact import ExactModel
from blackbox.surrogates.posterior import Posterior

_DRAWS = {2: 16, 3: 4, 4: 2}  # of more objectives one
_MARGIN = 1e-3  # standardised scores by which a front must be exceeded
_MOST = 5  # objectives up to which boxes are few enough
_BASELINE = 48  # observed rows whose noise-free values are drawn, those of the first fronts
# How far the reference point lies below the front's worst values, by turns: a tenth of its extent,
# or so far that the volume is this many times that of the front's own box. With the first alone a
# front that began in the middle stayed there; with the second alone it was filled less evenly, the
# more so the more objectives share in it (measured on ZDT, DTLZ2 and the RE suite).
_NEAR, _FAR = 0.1, 4.0
_TOP = 1e10  # stands for a box without an upper end
_CELLS = 2**18  # points times boxes at once
_LEAST = 1e-12  # share of g(l) that a box must keep to be told from nothing


@dataclass(frozen=True)
class EHVI(Acquisition):
    """Log noisy expected hypervolume improvement, for two to five objectives.

    In closed form where the models are of the fast engine and not warped; by BoTorch's quasi-Monte
    Carlo elsewhere (Daulton, Balandat and Bakshy 2021, *Parallel Bayesian Optimization of Multiple
    Noisy Objectives with Expected Hypervolume Improvement*; Ament et al. 2023 for the logarithm),
    there from four objectives on with an approximate partition of the volume. The reference point
    is below the worst values of the observed feasible front: by a tenth of its extent, as in
    BoTorch (Ishibuchi et al. 2011), or, for half of the rows, at random, so far that the volume is
    four times that of its box, which makes extreme rows worth more and the front grow. An
    objective in which the front has no extent, as in a front of one row, takes the extent and the
    worst value of all feasible rows. In closed form a score must exceed those of the front by a
    thousandth of the standard deviation of all, or an uncertainty of nearly nothing would count for
    much along the border of a space. Constraints multiply it by the probability that they hold.

    Args:
        reference: (m,) scores that a row must exceed in every objective to count, larger is better
            as in ``problem.scores``; None infers them. ``Bayes`` by itself gives those of the
            problem's ``reference``.

    Raises:
        ProblemError: ``reference`` is no such numbers.
    """

    reference: tuple[float, ...] | None = None
    objectives: ClassVar[tuple[int, float]] = (2, math.inf)

    def __post_init__(self) -> None:
        if self.reference is not None:
            reference = checked_numbers("EHVI: reference", self.reference)
            object.__setattr__(self, "reference", reference)

    @classmethod
    def of(cls, problem: Problem) -> EHVI:
        """With the reference point that the problem declares, if it does."""
        if problem.reference is None:
            return cls()
        return cls(tuple(problem.scores(problem.reference)[0].tolist()))

    def checked(self, problem: Problem) -> None:
        super().checked(problem)
        if self.reference is not None:
            need_sized("EHVI: reference", self.reference, len(problem.objectives))

    def build(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        return constrained(belief, lambda: self._unconstrained(belief, rng))

    def _unconstrained(self, belief: Belief, rng: np.random.Generator) -> AcquisitionFunction:
        m = len(belief.objectives)
        if self.reference is not None:
            need_sized("EHVI: reference", self.reference, m)
        below = _FAR ** (1 / m) - 1 if rng.random() < 0.5 else _NEAR
        reference = self.reference or tuple(reference_point(belief.scores[belief.feasible], below))
        models = [
            model
            for model in belief.objectives
            if isinstance(model, ExactModel) and math.isinf(model.outcomes.c)
        ]
        if len(models) < m or m > _MOST:
            from blackbox.acquisitions.torch.several import noisy_ehvi

            return noisy_ehvi(belief, np.asarray(reference), rng)
        # Volumes of standardised scores are those of scores but for a factor.
        pairs = zip(models, reference, strict=True)
        corner = np.array([model.outcomes.forward(np.array([r]))[0] for model, r in pairs])
        posteriors, values = _completed(models, belief, rng)
        return HypervolumeImprovement(models, posteriors, _boxes(values, corner))


def reference_point(scores: Array, below: float = _NEAR) -> Array:
    """(m,) a point below the front of (n, m) scores, n >= 1, by a part of its extent."""
    front = scores[is_nondominated(scores)]
    worst, extent = front.min(axis=0), np.ptp(front, axis=0)
    flat = extent <= 0
    worst = np.where(flat, scores.min(axis=0), worst)
    extent = np.where(flat, np.ptp(scores, axis=0), extent)
    reference: Array = worst - below * np.where(extent > 0, extent, 1.0)
    return reference


def _completed(
    models: list[ExactModel], belief: Belief, rng: np.random.Generator
) -> tuple[list[Posterior], Array]:
    """Each objective's process completed by draws, and (r, m, K) values at what counts as told."""
    observed = belief.x[belief.feasible]
    if any(model.noisy for model in models):
        means = np.column_stack([model.moments(observed).mean[:, 0] for model in models])
        ranks = nondominated_ranks(means)
        observed = observed[np.argsort(ranks, kind="stable")[:_BASELINE]]
    count = _DRAWS.get(len(models), 1)
    pairs = [completed(model, observed, belief.pending, count, rng) for model in models]
    most = max(values.shape[1] for _, values in pairs)
    spread = [np.broadcast_to(values, (len(values), most)) for _, values in pairs]
    return [posterior for posterior, _ in pairs], np.stack(spread, axis=1)


@dataclass(frozen=True)
class Boxes:
    """What the fronts of all draws leave undominated.

    Args:
        lower: (b, m) corners, standardised scores.
        upper: (b, m).
        draw: (b,) the draw whose front each box belongs to.
        draws: how many there are.
    """

    lower: Array
    upper: Array
    draw: npt.NDArray[np.intp]
    draws: int


def _boxes(values: Array, corner: Array) -> Boxes:
    """Of (r, m, K) values above a (m,) corner."""
    values = values + _MARGIN
    cut = [_partition(values[:, :, k], corner) for k in range(values.shape[2])]
    lower, upper = (np.concatenate(parts) for parts in zip(*cut, strict=True))
    draw = np.repeat(np.arange(len(cut)), [len(part) for part, _ in cut])
    return Boxes(lower, upper, draw, len(cut))


def _partition(values: Array, corner: Array) -> tuple[Array, Array]:
    """(b, m) lower and upper corners of boxes that fill what (r, m) values do not dominate."""
    values = values[(values > corner).all(axis=1)]
    front = np.unique(values[is_nondominated(values)], axis=0)
    if len(corner) == 2:
        left = np.concatenate([corner[:1], front[:, 0]])  # a staircase, from the left
        right = np.concatenate([front[:, 0], [_TOP]])
        floor = np.concatenate([front[:, 1], corner[1:]])
        top = np.full_like(floor, _TOP)
        return np.stack([left, floor], axis=1), np.stack([right, top], axis=1)
    from blackbox.acquisitions.torch.several import partition

    lower, upper = partition(front, corner)
    return lower, np.minimum(upper, _TOP)


@dataclass(frozen=True)
class HypervolumeImprovement:
    """The logarithm of the expected improvement, as a function of features.

    Args:
        models: m of the fast engine, not warped.
        posteriors: each model's process completed by draws.
        boxes: what no front dominates.
        width: deviation by which what is predicted is widened.
    """

    models: list[ExactModel]
    posteriors: list[Posterior]
    boxes: Boxes
    width: float = 0.0

    def widened(self, by: float) -> HypervolumeImprovement:
        return replace(self, width=by)

    def values(self, points: Array) -> Array:
        chunk = max(1, _CELLS // len(self.boxes.draw))
        starts = range(0, len(points), chunk)
        parts = [self._measured(points[i : i + chunk], slopes=False)[0] for i in starts]
        return np.concatenate([np.empty(0), *parts])

    def values_and_gradients(self, points: Array) -> tuple[Array, Array]:
        return self._measured(points, slopes=True)

    def _measured(self, points: Array, *, slopes: bool) -> tuple[Array, Array]:
        boxes, m = self.boxes, len(self.models)
        moments = [
            model.on_features(points, posterior.moments(model.rows(points))).widened(self.width)
            for model, posterior in zip(self.models, self.posteriors, strict=True)
        ]
        sides = [
            _side(moments[j].mean, moments[j].deviation, boxes, j, slopes=slopes) for j in range(m)
        ]
        each = np.sum([side[0] for side in sides], axis=0)  # (p, b)
        most = each.max(axis=1, keepdims=True)
        share = np.exp(each - most)
        total = share.sum(axis=1, keepdims=True)
        value = (most + np.log(total))[:, 0] - math.log(boxes.draws)
        gradient = np.zeros(points.shape)
        if slopes:
            share /= total
            for moment, (_, by_mean, by_deviation) in zip(moments, sides, strict=True):
                of_draws = _gathered(share * by_mean, boxes, moment.mean.shape[1])
                gradient += moment.pull(of_draws, (share * by_deviation).sum(axis=1))
        return value, gradient


def _side(
    mean: Array, deviation: Array, boxes: Boxes, j: int, *, slopes: bool
) -> tuple[Array, Array, Array]:
    """(p, b) logarithms of ``g(l) - g(u)`` of one objective, and derivatives by mean, deviation."""
    s = deviation[:, None]
    mu = mean[:, boxes.draw] if mean.shape[1] > 1 else mean
    low, high = (mu - boxes.lower[:, j]) / s, (mu - boxes.upper[:, j]) / s
    log = log_h(low)
    ratio = np.exp(log_h(high) - log)
    left = np.maximum(1.0 - ratio, _LEAST)
    value = np.log(s) + log + np.log(left)
    if not slopes:
        return value, value, value
    (chance, density), (chance_up, density_up) = ratios(low), ratios(high)
    by_mean = (chance - ratio * chance_up) / left / s
    by_deviation = (density - ratio * density_up) / left / s
    return value, by_mean, by_deviation


def _gathered(by_box: Array, boxes: Boxes, components: int) -> Array:
    """(p, K) sums over each draw's boxes of (p, b) values."""
    if components == 1:
        return np.asarray(by_box.sum(axis=1, keepdims=True))
    starts = np.searchsorted(boxes.draw, np.arange(components))
    return np.asarray(np.add.reduceat(by_box, starts, axis=1))
