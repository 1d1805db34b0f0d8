"""The shares of mixtures as a kernel compares them.

A loss falls steeply where a domain's share rises from nothing and hardly where it is large already.
Square roots or logarithms of shares spread the small ones out, and with the kernel's linear trend
they are mixing laws: a loss that is linear in logarithms is a power law of the shares, one that is
linear in square roots is a power law with exponent 1/2 near the middle, and the process is the
residual. Which of them holds is decided by likelihood.

Logarithms are those of the ratio to an equal share of a part that is floored, so that an absent
domain has one. All maps are scaled to [0, 1].
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array
from blackbox.surrogates.features import Features
from blackbox.surrogates.kernel import Rows

Shares: TypeAlias = Literal["plain", "root", "log"]
SHARES: tuple[Shares, ...] = get_args(Shares)

#: Added to shares before they are mapped.
FLOOR: dict[Shares, float] = {"root": 1e-4, "log": 1e-2}


class ShareMap:
    """The numbers of rows with their shares mapped.

    Args:
        features: whose rows.
        kind: of the map.

    Attributes:
        among: (p,) which numbers are shares.
    """

    def __init__(self, features: Features, kind: Shares) -> None:
        self.kind, self.features = kind, features
        columns = [j for block in features.simplexes for j in range(block.start, block.stop)]
        self.among: npt.NDArray[np.bool_] = np.isin(features.numbers, columns)

    def rows(self, points: Array) -> Rows:
        """What a kernel compares, of (n, d) features."""
        rows = self.features.rows(points)
        if self.kind == "plain" or not self.among.any():
            return rows
        numbers = rows.numbers.copy()
        numbers[:, self.among] = _mapped(np.maximum(numbers[:, self.among], 0.0), self.kind)
        return Rows(numbers, rows.codes)

    def on_features(self, points: Array, by_numbers: Array) -> Array:
        """(n, d) derivatives by the features, of (n, p) ones by the mapped numbers."""
        full = np.zeros(points.shape)
        if self.kind != "plain" and self.among.any():
            shares = np.maximum(points[:, self.features.numbers][:, self.among], 0.0)
            by_numbers = by_numbers.copy()
            by_numbers[:, self.among] *= _slope(shares, self.kind)
        full[:, self.features.numbers] = by_numbers
        return full

    def plain(self, numbers: Array) -> Array:
        """(n, p) numbers of features whose mapped ones are these."""
        numbers = numbers.copy()
        if self.kind != "plain":
            numbers[:, self.among] = _unmapped(numbers[:, self.among], self.kind)
        return numbers


def _mapped(shares: Array, kind: Shares) -> Array:
    e = FLOOR[kind]
    if kind == "root":
        return np.asarray((np.sqrt(shares + e) - np.sqrt(e)) / (np.sqrt(1.0 + e) - np.sqrt(e)))
    return np.asarray(np.log1p(shares / e) / np.log1p(1.0 / e))


def _unmapped(mapped: Array, kind: Shares) -> Array:
    e = FLOOR[kind]
    if kind == "root":
        return np.asarray((mapped * (np.sqrt(1.0 + e) - np.sqrt(e)) + np.sqrt(e)) ** 2 - e)
    return np.asarray(e * np.expm1(mapped * np.log1p(1.0 / e)))


def _slope(shares: Array, kind: Shares) -> Array:
    e = FLOOR[kind]
    if kind == "root":
        return np.asarray(0.5 / np.sqrt(shares + e) / (np.sqrt(1.0 + e) - np.sqrt(e)))
    return np.asarray(1.0 / (shares + e) / np.log1p(1.0 / e))
