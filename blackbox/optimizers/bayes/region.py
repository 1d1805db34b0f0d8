"""A trust region: in many dimensions a model is worth most near the best row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blackbox.acquisitions.base import Belief
from blackbox.acquisitions.search import Box
from blackbox.batch import Array
from blackbox.surrogates.exact import ExactModel
from blackbox.surrogates.features import Features

_START, _LEAST, _MOST = 0.8, 0.5**7, 1.6  # lengths, as in the paper
_CHANGES, _MOST_CHANGES, _PATIENCE = 20, 30, 40  # of categories, as in their paper
_FLAT = 2.0  # length scale from which on the whole cube looks the same
_SUCCESSES = 3  # in a row, after which the region doubles
_BETTER = 1e-3  # share of the scores' spread that counts as an improvement


@dataclass(frozen=True)
class TrustRegion:
    """A region around the best row that grows with successes and shrinks with failures.

    Eriksson et al. (2019), *Scalable Global Optimization via Local Bayesian Optimization*: a box
    whose sides are in proportion to the length scales and have the given length in the geometric
    mean; the next value of a whole number or an ordinal is always within. Of categories a Hamming
    ball, after Wan et al. (2021), *Think Global and Act Local*: with their 20 changes at the first
    length, in proportion to it (theirs has a size of its own), at least 1 and at most 30, and with
    their patience.

    What is below the least length starts again at the first one, and the model forgets nothing.
    The length is a function of the rows told, so there is no state.

    Args:
        patience: failures in a row after which it halves.
    """

    patience: int

    @classmethod
    def of(cls, features: Features) -> TrustRegion:
        """With the patience of the paper on numbers, or of that on categories."""
        return cls(_PATIENCE if features.categorical else max(4, features.width))

    def length(self, scores: Array) -> float:
        """The length after (n,) scores in the order in which they were told."""
        length, successes, failures = _START, 0, 0
        best = np.maximum.accumulate(scores)
        spread = float(np.median(best[-1] - scores)) if len(scores) else 0.0
        for gain in np.diff(best):
            success = gain > _BETTER * spread
            successes, failures = (successes + 1, 0) if success else (0, failures + 1)
            if successes == _SUCCESSES:
                length, successes = min(2.0 * length, _MOST), 0
            elif failures == self.patience:
                length, failures = length / 2.0, 0
                length = _START if length < _LEAST else length
        return length

    def box(self, belief: Belief, center: Array, begun: int) -> Box:
        """The region around a (d,) row; shares, permutations and strings are free.

        Args:
            belief: of one objective.
            center: features of the best row.
            begun: rows of the initial design: no successes or failures of the region, but what it
                has to better is the best of them.
        """
        features, model = belief.features, belief.objectives[0]
        scores = np.where(belief.feasible, belief.scores[:, 0], belief.scores[:, 0].min())
        begun = max(begun, 1)
        length = self.length(np.append(scores[:begun].max(), scores[begun:]))
        half = np.full(features.width, 0.5 * length)
        if isinstance(model, ExactModel) and features.numbers.size:
            lengths = np.clip(model.posterior.kernel.reach, 0.1, _FLAT)
            half[features.numbers] *= lengths / np.exp(np.log(lengths).mean())
        lower, upper = np.clip(center - half, 0.0, 1.0), np.clip(center + half, 0.0, 1.0)
        for level in features.levels:
            if level.column not in features.categorical:
                here = level.position(float(center[level.column]))
                near = np.array([max(here - 1, 0), min(here + 1, level.count - 1)])
                below, above = level.features(near)
                lower[level.column] = min(lower[level.column], below)
                upper[level.column] = max(upper[level.column], above)
        changes = min(max(1, round(_CHANGES * length / _START)), _MOST_CHANGES)
        return Box(lower, upper, center, min(changes, max(1, len(features.categorical))))
