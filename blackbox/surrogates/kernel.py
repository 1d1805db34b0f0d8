"""The covariance of the fast engine, with hand-written gradients.

    k(x, x') = s exp(-sum over g of |c_g - c'_g|^2 / h_g) M(r),   r^2 = sum over i of (u_i - u'_i)^2 / l_i^2

M is Matern 5/2 over the numbers u (Rasmussen and Williams 2006, *Gaussian Processes for Machine
Learning*, eq. 4.17). The second factor compares what has no place on a line: each category,
permutation or string is embedded as codes c whose squared distance counts differences (see
``Features.codes``), which makes it the exponential Hamming kernel for categories and the Mallows
kernel for permutations (Jiao and Vert 2015).

Both squared distances are matrix products, and so are their gradients; nothing of size n x n x d is
ever made. That is most of the speed of the fast engine.

Notation: n, m rows; p numbers; q codes in g groups; theta = log (l_1..l_p, h_1..h_g, s).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array

_ROOT5 = 5.0**0.5


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
        theta: (p + g + 1,) logarithms of length scales, code scales and the signal variance.
        groups: (q,) group of each column of codes, from 0 to g - 1.
    """

    def __init__(self, theta: Array, groups: npt.NDArray[np.intp]) -> None:
        g = int(groups.max()) + 1 if len(groups) else 0
        self.theta = theta
        self.groups = groups
        self.lengths: Array = np.exp(theta[: len(theta) - g - 1])
        self.scales: Array = np.exp(theta[len(theta) - g - 1 : -1])
        self.signal = float(np.exp(theta[-1]))

    def __call__(self, a: Rows, b: Rows) -> Array:
        """(n, m) covariances."""
        value, _ = self._parts(a, b)
        return value

    def with_slope(self, a: Rows, b: Rows) -> tuple[Array, Array]:
        """(n, m) covariances, and minus twice their derivatives by r^2."""
        value, outer = self._parts(a, b)
        return value, outer

    def gradient(self, rows: Rows, value: Array, slope: Array, weights: Array) -> Array:
        """(p + g + 1,) sums over all pairs of weights times the derivative by theta.

        Args:
            rows: (n) rows.
            value: (n, n) covariances of the rows.
            slope: (n, n) from ``with_slope``.
            weights: (n, n), symmetric.
        """
        gradient = np.empty(len(self.theta))
        weighted = weights * value
        gradient[-1] = weighted.sum()
        p = len(self.lengths)
        if p:
            gradient[:p] = _spread(weights * slope, rows.numbers / self.lengths)
        if len(self.groups):
            scaled = rows.codes / np.sqrt(self.scales)[self.groups]
            spread = _spread(weighted, scaled)
            gradient[p:-1] = np.bincount(self.groups, spread, minlength=len(self.scales))
        return gradient

    def _parts(self, a: Rows, b: Rows) -> tuple[Array, Array]:
        if len(self.lengths):
            s = _squares(a.numbers / self.lengths, b.numbers / self.lengths)
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


def _squares(a: Array, b: Array) -> Array:
    """(n, m) squared distances."""
    center = a.mean(axis=0) if len(a) else 0.0  # less cancellation
    a, b = a - center, b - center
    squares: Array = a @ (-2.0 * b.T)
    squares += np.einsum("ij,ij->i", a, a)[:, None]
    squares += np.einsum("ij,ij->i", b, b)
    return np.maximum(squares, 0.0, out=squares)


def _spread(weights: Array, columns: Array) -> Array:
    """(c,) sums over all pairs of symmetric weights times squared differences of each column."""
    columns = columns - columns.mean(axis=0)
    spread: Array = 2.0 * (weights.sum(axis=1) @ columns**2)
    spread -= 2.0 * np.einsum("ij,ij->j", weights @ columns, columns)
    return spread
