"""The covariance of the fast engine, with hand-written gradients.

    k(x, x') = s exp(-sum over g of |c_g - c'_g|^2 / h_g) M(r) + sum over q of t_q <v^q, v'^q>,

    r^2 = sum over i of (u_i - u'_i)^2 / l_i^2,   v = 2 u - 1,   q = 1, 2.

M is Matern 5/2 over the numbers u (Rasmussen and Williams 2006, *Gaussian Processes for Machine
Learning*, eq. 4.17). The factor before it compares what has no place on a line: each category,
permutation or string is embedded as codes c whose squared distance counts differences (see
``codes``), which makes it the exponential Hamming kernel for categories and the Mallows kernel for
permutations (Jiao and Vert 2015). The last sum is a separable parabola with normal coefficients,
a trend that reaches where no observation is near (ibid., section 2.7); where the data show none,
t_1 and t_2 vanish. The numbers may be taken along other axes than those of the cube (see ``axes``).

Both squared distances are matrix products, and so are their gradients; nothing of size n x n x d is
ever made. That is most of the speed of the fast engine.

Notation: n, m rows; p numbers; q codes in g groups;
theta = log (l_1..l_p, h_1..h_g, t_1, t_2, s).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array

TREND = 2  # hyperparameters of the trend


@dataclass(frozen=True)
class Rows:
    """Rows as the kernel sees them.

    Args:
        numbers: (n, p) coordinates on a line.
        codes: (n, q) embeddings of everything else.
    """

    numbers: Array
    codes: Array

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.intp] | slice) -> Rows:
        return Rows(self.numbers[chosen], self.codes[chosen])

    def joined(self, other: Rows) -> Rows:
        """These rows, then the others."""
        return Rows(
            np.concatenate([self.numbers, other.numbers]), np.concatenate([self.codes, other.codes])
        )


class Kernel:
    """The covariance at given hyperparameters.

    Args:
        theta: (p + g + 3,) logarithms of length scales, code scales, the trend's two variances and
            the signal variance.
        groups: (q,) group of each column of codes, from 0 to g - 1.
        axes: (p, p) orthonormal columns along which length scales and trend are; None for the axes
            of the cube.
    """

    def __init__(
        self, theta: Array, groups: npt.NDArray[np.intp], axes: Array | None = None
    ) -> None:
        g = int(groups.max()) + 1 if len(groups) else 0
        p = len(theta) - g - TREND - 1
        self.theta = theta
        self.groups = groups
        self.axes = axes
        self.lengths: Array = np.exp(theta[:p])
        self.scales: Array = np.exp(theta[p : p + g])
        self.trend: Array = np.exp(theta[p + g : -1])
        self.signal = float(np.exp(theta[-1]))

    @property
    def reach(self) -> Array:
        """(p,) length scale along each number, whatever the axes."""
        if self.axes is None:
            return self.lengths
        reach: Array = ((self.axes / self.lengths) ** 2).sum(axis=1) ** -0.5
        return reach

    def along(self, rows: Rows) -> Rows:
        """Rows with coordinates along the axes as numbers; the cube turns about its middle."""
        if self.axes is None:
            return rows
        return Rows(0.5 + (rows.numbers - 0.5) @ self.axes, rows.codes)

    def by_numbers(self, slopes: Array) -> Array:
        """(n, p) derivatives by the numbers, of those by the coordinates along the axes."""
        return slopes if self.axes is None else slopes @ self.axes.T

    def __call__(self, a: Rows, b: Rows) -> Array:
        """(n, m) covariances."""
        value, _ = self.with_slope(a, b)
        return value

    def variance(self, rows: Rows) -> Array:
        """(n,) covariances of each row with itself."""
        line, square = _powers(self.along(rows).numbers)
        along = self.trend[0] * (line**2).sum(axis=1) + self.trend[1] * (square**2).sum(axis=1)
        variance: Array = self.signal + along
        return variance

    def variance_slope(self, rows: Rows) -> Array:
        """(n, p) derivatives of ``variance`` by the numbers."""
        line, square = _powers(self.along(rows).numbers)
        return self.by_numbers(4.0 * self.trend[0] * line + 8.0 * self.trend[1] * square * line)

    def with_slope(self, a: Rows, b: Rows) -> tuple[Array, Array]:
        """(n, m) covariances, and minus twice the derivatives by r^2 of the part that has r."""
        a, b = self.along(a), self.along(b)
        value, slope = self._stationary(a, b)
        for t, left, right in zip(self.trend, _powers(a.numbers), _powers(b.numbers), strict=True):
            value += (t * left) @ right.T
        return value, slope

    def gradient(self, rows: Rows, value: Array, slope: Array, weights: Array) -> Array:
        """(p + g + 3,) sums over all pairs of weights times the derivative by theta.

        Args:
            rows: (n) rows.
            value: (n, n) covariances of the rows.
            slope: (n, n) from ``with_slope``.
            weights: (n, n), symmetric.
        """
        p, g = len(self.lengths), len(self.scales)
        rows = self.along(rows)
        gradient = np.empty(p + g + TREND + 1)
        along = np.array(
            [t * _pairs(weights, v) for t, v in zip(self.trend, _powers(rows.numbers), strict=True)]
        )
        gradient[p + g : -1] = along
        weighted = weights * value  # of both parts; what the trend adds is taken off again
        gradient[-1] = weighted.sum() - along.sum()
        if p:
            gradient[:p] = _spread(weights * slope, rows.numbers / self.lengths)
        if g:
            weighted -= weights * self._trend(rows, rows)
            scaled = rows.codes / np.sqrt(self.scales)[self.groups]
            spread = _spread(weighted, scaled)
            gradient[p : p + g] = np.bincount(self.groups, spread, minlength=g)
        return gradient

    def pull(self, a: Rows, b: Rows, slope: Array, weights: Array) -> Array:
        """(n, p) derivatives by a's numbers of ``sum over b of weights * k(a, b)``, row by row.

        Args:
            a: (n) rows.
            b: (m) rows.
            slope: (n, m) from ``with_slope``.
            weights: (n, m).
        """
        a, b = self.along(a), self.along(b)
        inner = slope * weights
        pulled = inner @ b.numbers
        pulled -= inner.sum(axis=1, keepdims=True) * a.numbers
        pulled /= self.lengths**2
        line, square = _powers(b.numbers)
        pulled += (2.0 * self.trend[0]) * (weights @ line)
        pulled += (4.0 * self.trend[1]) * (2.0 * a.numbers - 1.0) * (weights @ square)
        return self.by_numbers(pulled)

    def _trend(self, a: Rows, b: Rows) -> Array:
        powers = zip(self.trend, _powers(a.numbers), _powers(b.numbers), strict=True)
        trend: Array = sum((t * left) @ right.T for t, left, right in powers)
        return trend

    def _scaled(self, numbers: Array) -> Array:
        """(n, p) points whose distance is r, of (n, p) coordinates along the axes."""
        return numbers / self.lengths

    def _stationary(self, a: Rows, b: Rows) -> tuple[Array, Array]:
        if len(self.lengths):
            s = _squares(self._scaled(a.numbers), self._scaled(b.numbers))
            np.multiply(s, 5.0, out=s)
            np.sqrt(s, out=s)
            decay = np.exp(-s)
            slope = (1.0 + s) * decay
            decay *= s
            decay *= s
            decay /= 3.0
            value = slope + decay
            slope *= 5.0 / 3.0
        else:
            value = np.ones((len(a), len(b)))
            slope = np.zeros_like(value)
        factor: Array | float = self.signal
        if len(self.groups):
            root = np.sqrt(self.scales)[self.groups]
            factor = self.signal * np.exp(-_squares(a.codes / root, b.codes / root))
        value *= factor
        slope *= factor
        return value, slope


def _powers(numbers: Array) -> tuple[Array, Array]:
    line = 2.0 * numbers - 1.0
    return line, line**2


def _squares(a: Array, b: Array) -> Array:
    """(n, m) squared distances."""
    center = a.mean(axis=0) if len(a) else 0.0  # less cancellation
    a, b = a - center, b - center
    squares: Array = a @ (-2.0 * b.T)
    squares += np.einsum("ij,ij->i", a, a)[:, None]
    squares += np.einsum("ij,ij->i", b, b)
    return np.maximum(squares, 0.0, out=squares)


def _pairs(weights: Array, columns: Array) -> float:
    """Sum over all pairs of weights times the product of the rows of columns."""
    return float(np.vdot(weights @ columns, columns))


def _spread(weights: Array, columns: Array) -> Array:
    """(c,) sums over all pairs of symmetric weights times squared differences of each column."""
    columns = columns - columns.mean(axis=0)
    spread: Array = 2.0 * (weights.sum(axis=1) @ columns**2)
    spread -= 2.0 * np.einsum("ij,ij->j", weights @ columns, columns)
    return spread
