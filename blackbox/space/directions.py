"""Directions in which a thin polytope is wide: for real numbers any, for integers a lattice's.

Between two close bounds no input moves alone. A step is therefore measured in the polytope's own
units, each input by its range and each constraint's sum by its room: what is short there leads far
inside. For integers, such steps are the reduced basis of a lattice (Lenstra 1983, *Integer
programming with a fixed number of variables*), to which the real numbers answer.

Notation: A (m, d) coefficients, lower and upper (m,), low and high (d,) inputs' bounds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from blackbox.batch import Array

_PASSES = 5
_LEAST = 1e-9  # of its declared range, what an input is given at least
_NOISE = 1e-12
_LOVASZ = 0.75
_MOST = 100  # exchanges for each pair: rounding may hinder an end
_EXACT = 2.0**40


class Directions:
    """Those of a polytope with some real inputs, some integers, and shares that sum to one.

    Args:
        a: (m, d) coefficients.
        lower: (m,) smallest sums.
        upper: (m,) largest sums.
        low: (d,) smallest inputs.
        high: (d,) largest inputs.
        real: which inputs are real numbers.
        whole: which are integers.
        simplices: each simplex' inputs.
    """

    def __init__(
        self,
        a: Array,
        lower: Array,
        upper: Array,
        low: Array,
        high: Array,
        *,
        real: Sequence[int],
        whole: Sequence[int],
        simplices: Sequence[slice],
    ) -> None:
        self._ranges, rooms = _rooms(a, lower, upper, low, high, simplices)
        self._sums = a / rooms[:, None]
        identity = np.eye(a.shape[1])
        gives = [identity[s][:-1] - identity[s][-1] for s in simplices]
        free = np.vstack([identity[list(real)], *gives])
        left, size, right = np.linalg.svd(self._measured(free).T, full_matrices=False)
        integers = identity[list(whole)]
        answered = self._measured(integers)
        basis = reduced(answered - answered @ left @ left.T) @ integers
        basis -= (self._measured(basis) @ left / size) @ right @ free
        # (k, d), each of a whole number of times leading from integers to integers
        self.whole = self._clean(basis)

    def among(self, movers: Array, rng: np.random.Generator) -> Array:
        """(n, d) steps made of (n, k, d) others: as far inside as their combinations lead."""
        _, size, right = np.linalg.svd(self._measured(movers).mT, full_matrices=False)
        far = size > _NOISE * size[:, :1]  # else the movers repeat themselves
        times = np.where(far, rng.standard_normal(size.shape) / np.where(far, size, 1), 0)
        return self._clean(np.einsum("nk,nkj,njd->nd", times, right, movers, optimize=True))

    def _measured(self, steps: Array) -> Array:
        """(..., d + m) changes of inputs and of sums that (..., d) steps make, in units."""
        measured: Array = np.concatenate([steps / self._ranges, steps @ self._sums.T], axis=-1)
        return measured

    def _clean(self, steps: Array) -> Array:
        """Without what rounding left of zeros."""
        size = np.abs(steps) / self._ranges
        return np.where(size > _NOISE * size.max(axis=-1, keepdims=True), steps, 0)


def reduced(basis: Array) -> Array:
    """(k, k) whole numbers that combine the (k, q) rows of a basis into short ones.

    Lenstra, Lenstra and Lovász (1982), *Factoring polynomials with rational coefficients*.
    """
    k = len(basis)
    whole = np.eye(k)
    at = 1
    for _ in range(_MOST * k * k):
        if at >= k or np.abs(whole).max() > _EXACT:
            break
        rows = whole[: at + 1] @ basis
        _, r = np.linalg.qr(rows.T)
        for j in range(at - 1, -1, -1):
            times = np.rint(r[j, at] / r[j, j])
            whole[at] -= times * whole[j]
            r[:, at] -= times * r[:, j]
        before, now = r[at - 1, at - 1] ** 2, r[at, at] ** 2 + r[at - 1, at] ** 2
        if now < _LOVASZ * before:
            whole[[at - 1, at]] = whole[[at, at - 1]]
            at = max(at - 1, 1)
        else:
            at += 1
    return whole


def _rooms(
    a: Array, lower: Array, upper: Array, low: Array, high: Array, simplices: Sequence[slice]
) -> tuple[Array, Array]:
    """Ranges (d,) that the constraints leave to inputs, and (m,) that inputs leave to sums."""
    shares = np.zeros((len(simplices), a.shape[1]))
    for row, block in zip(shares, simplices, strict=True):
        row[block] = 1
    ones = np.ones(len(shares))
    rows = [np.vstack([a, shares]), np.append(lower, ones), np.append(upper, ones)]
    least = np.where(high > low, _LEAST * (high - low), 1.0)
    for _ in range(_PASSES):
        for row, smallest, largest in zip(*rows, strict=True):
            under, over = np.sort([row * low, row * high], axis=0)
            used = row != 0
            ends = [smallest - over.sum() + over[used], largest - under.sum() + under[used]]
            first, last = np.sort(np.array(ends) / row[used], axis=0)
            low, high = low.copy(), high.copy()
            low[used] = np.maximum(low[used], first)
            high[used] = np.minimum(high[used], last)
    ranges = np.maximum(high - low, least)
    reach = np.abs(a) @ ranges
    return ranges, np.clip(upper - lower, _NOISE * reach, np.maximum(reach, 1e-300))
