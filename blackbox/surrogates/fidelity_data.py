"""Observations at several fidelities, and how they are brought to one scale.

A loss moves and stretches with the size of a model; what is left after each level is standardised
is what a ranking can be learnt from.

Notation: n rows, d features, q entries of g (see ``fidelity``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.distance import cdist

from blackbox.batch import Array
from blackbox.surrogates.features import Features
from blackbox.surrogates.fidelity import Levels
from blackbox.surrogates.outcomes import standardise

_OWN = 5  # rows from which on a level has a scale of its own


@dataclass(frozen=True)
class FidelityData:
    """Observations of one outcome at several fidelities.

    Args:
        features: coordinates of designs.
        levels: of the fidelity.
        x: (n, d) features, n >= 1.
        fidelity: (n,) values of the fidelity.
        y: (n,) finite values; of an objective its score, larger is better.
        noise: (n,) known standard errors of the values, or None.
        noisy: whether values are known to be noisy, it is not known how much.
    """

    features: Features
    levels: Levels
    x: Array
    fidelity: Array
    y: Array
    noise: Array | None = None
    noisy: bool = False

    def __getitem__(self, chosen: Array) -> FidelityData:
        noise = None if self.noise is None else self.noise[chosen]
        return FidelityData(
            self.features,
            self.levels,
            self.x[chosen],
            self.fidelity[chosen],
            self.y[chosen],
            noise,
            self.noisy,
        )

    def pooled(self) -> FidelityData:
        """Replicates of known noise as one row: their mean by precision, and its standard error.

        That is all they say together of the design, and of what is true of it alone.
        """
        if self.noise is None:
            return self
        level = np.unique(self.fidelity, return_inverse=True)[1]
        rows = np.column_stack([self.x, level])
        _, first, of = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        y, noise = self.y.copy(), self.noise.copy()
        for group in np.flatnonzero(np.bincount(of.ravel()) > 1):
            again = of.ravel() == group
            y[first[group]], noise[first[group]] = _mean(self.y[again], self.noise[again])
        return replace(self, y=y, noise=noise)[np.sort(first)]

    def thinned(self, most: int) -> FidelityData:
        """At most so many rows: those of the target, of the others the newest and an even draw.

        Where the target alone has more, its newest.
        """
        n = len(self.y)
        if n <= most:
            return self
        target = np.flatnonzero(self.levels.at_target(self.fidelity))[-most:]
        others = np.flatnonzero(~self.levels.at_target(self.fidelity))
        left = most - len(target)
        newest, older = others[len(others) - left // 2 :], others[: len(others) - left // 2]
        drawn = older[np.linspace(0, len(older) - 1, left - len(newest)).astype(np.intp)]
        return self[np.sort(np.concatenate([target, drawn, newest]))]


def _mean(y: Array, noise: Array) -> tuple[float, float]:
    """Of observations of one value by their precision, and its standard error."""
    least = noise.min()
    if least == 0:
        return float(y[noise == 0].mean()), 0.0
    weights = (least / noise) ** 2
    return float(weights @ y / weights.sum()), float(least / np.sqrt(weights.sum()))


@dataclass(frozen=True)
class Alignment:
    """The shift and scale of values at each fidelity.

    Args:
        levels: of the fidelity.
        known: values of the fidelity that have shift and scale of their own; empty where they
            depend on nearness.
        shifts: (k,) of the known levels; of a continuous fidelity coefficients of 1 and g.
        scales: (k,) of the known levels, or (1,).
    """

    levels: Levels
    known: Array
    shifts: Array
    scales: Array

    @classmethod
    def of(cls, data: FidelityData) -> Alignment:
        """From the values themselves."""
        levels, y = data.levels, data.y
        g = levels.design(data.fidelity)
        known = np.array([value for value in levels.values if np.any(data.fidelity == value)])
        if not np.isin(data.fidelity, levels.values).all():
            basis = np.column_stack([np.ones(len(y)), g])
            few = len(y) < 2 * basis.shape[1]
            shifts = np.zeros(basis.shape[1])
            shifts[0] = standardise(y)[1]
            if not few:
                shifts = np.linalg.lstsq(basis, y, rcond=None)[0]
            scale = standardise(y - basis @ shifts)[2]
            return cls(levels, known[:0], shifts, np.array([scale]))
        return cls(levels, known, *_compared(data, known))

    def at(self, values: Array) -> tuple[Array, Array]:
        """(n,) shifts and scales at fidelities; of a level never seen those of the nearest."""
        if not len(self.known):
            g = self.levels.design(values)
            shifts = np.column_stack([np.ones(len(values)), g]) @ self.shifts
            return shifts, np.full(len(values), self.scales[0])
        s, there = self.levels.nearness(values), self.levels.nearness(self.known)
        near = np.abs(s[:, None] - there) + (values[:, None] != self.known)
        at = near.argmin(axis=1)
        return self.shifts[at], self.scales[at]


def _compared(data: FidelityData, known: Array) -> tuple[Array, Array]:
    """(k,) shifts and scales of levels, each from its rows and the nearest ones of one level.

    Rows of one level may lie all over the space and those of another all near the best: their means
    and spreads say nothing of the levels. So a level is compared with the one that has most rows,
    its rows with their nearest neighbours there.
    """
    rows = [np.flatnonzero(data.fidelity == value) for value in known]
    base = max(rows, key=len)
    _, middle, scale = standardise(data.y[base])
    shifts, scales = np.full(len(known), middle), np.full(len(known), scale)
    for i, own in enumerate(rows):
        if own is base:
            continue
        beside = data.y[base[cdist(data.x[own], data.x[base]).argmin(axis=1)]]
        spread, theirs = float(data.y[own].std()), float(beside.std())
        if len(own) >= _OWN and spread > 0 and theirs > 0:
            scales[i] *= spread / theirs
        shifts[i] = data.y[own].mean() - (beside.mean() - middle) * scales[i] / scale
    return shifts, scales
