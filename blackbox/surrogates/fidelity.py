"""The covariance of one outcome measured at several fidelities, with hand-written gradients.

    k((x, s), (x', s')) = a a' [ k_0(x, x') + c(s, s') k_1(x, x') ] + o <g, g'>

k_0 is what all fidelities share, k_1 what a cheaper one gets wrong; both are kernels of the fast
engine. The scales of k_1 are given relative to those of k_0: what matters for the outcome is likely
to be what matters for the error, and few rows tell of the error. s is nearness to the target, 1 at
the target, and c vanishes there:

* truncated: ``c = (1 - s)(1 - s')(1 + s s')^b``, the linear-truncated kernel of BoTorch (Balandat
  et al. 2020, *BoTorch*) that ADMIRE-BayesOpt takes (2025, arXiv 2508.11551);
* tasks: ``c = v_l`` where both are the same level l, else 0: coregionalisation (Bonilla, Chai and
  Williams 2007) with a variance of its own for what each level gets wrong. It needs no order.

A loss also moves and stretches with the size of a model: g has one entry for each level below the
target (of a continuous fidelity, 1 - s and its square), ``a = exp(<g, w>)`` is the amplitude and
the last term a level's unknown offset. Noise varies in the same way: ``n = n_0 exp(<g, u>)``.

Notation: n, m rows; p numbers; q entries of g; theta = (of k_0, of k_1, of c, w).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array, Batch
from blackbox.formulation import Fidelity
from blackbox.space import Categorical, Integer, Ordinal
from blackbox.surrogates.kernel import TREND, Kernel, Rows

Coupling: TypeAlias = Literal["truncated", "tasks"]

_OFFSET = 4.0  # variance of the offsets of standardised values: wide
_LEVELS = 16  # values up to which each is a level of its own; categories always are
_GRID = 9  # values of any other fidelity that are proposed


class Levels:
    """A fidelity as numbers.

    Args:
        fidelity: of the problem; None for a problem that has the target alone.

    Attributes:
        fidelity: as given.
        values: (L,) values that may be proposed, the target last.
        ordered: whether nearer values are likely to be truer.
    """

    def __init__(self, fidelity: Fidelity | None) -> None:
        self.fidelity = fidelity
        self.ordered = fidelity is not None and not isinstance(fidelity.parameter, Categorical)
        if fidelity is None:
            self.values: Array = np.zeros(1)
            self._discrete, self._target, self._reach = True, 0.0, 1.0
            return
        p = fidelity.parameter
        self._discrete = p.cardinality <= _LEVELS or not self.ordered
        if self._discrete and isinstance(p, Integer):
            values = np.arange(p.low, p.high + 1)
        elif self._discrete and isinstance(p, Ordinal | Categorical):
            values = p.table
        else:
            values = p.decode(np.linspace(0.0, 1.0, _GRID)[:, None])
            values = np.array(list(dict.fromkeys(values.tolist())), dtype=values.dtype)
        target = p.check(np.array([fidelity.target]))
        below = values[values != target[0]]
        self._target = float(p.encode(target)[0, 0])
        away = np.abs(p.encode(below)[:, 0] - self._target)
        ends = p.encode(p.decode(np.array([[0.0], [1.0]])))[:, 0]
        self._reach = float(np.max(np.abs(ends - self._target), initial=0.0)) or 1.0
        order = np.argsort(-away, kind="stable") if self.ordered else np.arange(len(below))
        self.values = np.concatenate([below[order], target])

    @property
    def target(self) -> Array:
        """(1,) the target's value."""
        return self.values[-1:]

    def of(self, batch: Batch) -> Array:
        """(n,) fidelities of rows; the target where they have no column of it."""
        if self.fidelity is None or self.fidelity.name not in batch:
            return np.repeat(self.target, len(batch))
        return batch[self.fidelity.name]

    @property
    def width(self) -> int:
        """Entries q of g."""
        return len(self.values) - 1 if self._discrete else 2

    def nearness(self, values: Array) -> Array:
        """(n,) s of fidelities: 1 at the target, 0 farthest from it."""
        if self.fidelity is None or not self.ordered:
            return self.at_target(values).astype(np.float64)
        code = self.fidelity.parameter.encode(values)[:, 0]
        return np.asarray(1.0 - np.abs(code - self._target) / self._reach)

    def design(self, values: Array) -> Array:
        """(n, q) g of fidelities, zero at the target."""
        if self._discrete:
            return np.asarray(values[:, None] == self.values[:-1], dtype=np.float64)
        away = 1.0 - self.nearness(values)
        return np.column_stack([away, away**2])

    def at_target(self, values: Array) -> npt.NDArray[np.bool_]:
        """(n,) which fidelities are the target."""
        return np.asarray(values == self.values[-1], dtype=bool)


@dataclass(frozen=True)
class FidelityRows(Rows):
    """Rows with their fidelity.

    Args:
        nearness: (n,) s.
        design: (n, q) g.
    """

    nearness: Array
    design: Array

    def __getitem__(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.intp] | slice) -> Rows:
        return FidelityRows(
            self.numbers[chosen], self.codes[chosen], self.nearness[chosen], self.design[chosen]
        )

    def joined(self, other: Rows) -> FidelityRows:
        assert isinstance(other, FidelityRows)
        return FidelityRows(
            np.concatenate([self.numbers, other.numbers]),
            np.concatenate([self.codes, other.codes]),
            np.concatenate([self.nearness, other.nearness]),
            np.concatenate([self.design, other.design]),
        )


class FidelityKernel(Kernel):
    """The covariance at given hyperparameters; at the target it is k_0.

    Args:
        theta: hyperparameters, logarithms but for w.
        groups: (q,) group of each column of codes.
        numbers: how many, p.
        width: entries of g.
        coupling: how c couples fidelities.
    """

    def __init__(
        self,
        theta: Array,
        groups: npt.NDArray[np.intp],
        numbers: int,
        width: int,
        coupling: Coupling,
    ) -> None:
        size = plain_size(numbers, groups)
        super().__init__(theta[:size], groups)
        own = theta[size : 2 * size].copy()
        self._scales = size - TREND - 1
        own[: self._scales] += theta[: self._scales]
        self.gap = Kernel(own, groups)
        self._coupling = coupling
        rest = theta[2 * size :]
        self._of_c, self._w = rest[: len(rest) - width], rest[len(rest) - width :]

    def with_slope(self, a: Rows, b: Rows) -> tuple[Array, Array]:
        """(n, m) covariances, and (4, n, m) slopes and values of both parts for ``pull``."""
        shared, slope = super().with_slope(a, b)
        coupled = self._coupled(a, b)
        if not coupled.any():  # one side is at the target
            value = self._stretch(a, b) * shared
            return value, np.stack([slope, coupled, shared, coupled])
        wrong, wrong_slope = self.gap.with_slope(a, b)
        value = self._stretch(a, b) * (shared + coupled * wrong)
        value += _OFFSET * (_of(a).design @ _of(b).design.T)
        return value, np.stack([slope, wrong_slope, shared, wrong])

    def variance(self, rows: Rows) -> Array:
        own = super().variance(rows) + self._own(rows) * self.gap.variance(rows)
        offset = _OFFSET * (_of(rows).design ** 2).sum(axis=1)
        return np.asarray(self.amplitude(rows) ** 2 * own + offset)

    def variance_slope(self, rows: Rows) -> Array:
        slope = self._own(rows)[:, None] * self.gap.variance_slope(rows)
        slope += super().variance_slope(rows)
        return np.asarray(self.amplitude(rows)[:, None] ** 2 * slope)

    def to_target(self, rows: Rows) -> tuple[Array, Array]:
        """(n,) covariances of each row with itself at the target, and (n, p) slopes."""
        amplitude = self.amplitude(rows)
        return amplitude * super().variance(rows), amplitude[:, None] * super().variance_slope(rows)

    def gradient(self, rows: Rows, value: Array, slope: Array, weights: Array) -> Array:
        stretched = weights * self._stretch(rows, rows)
        coupled = self._coupled(rows, rows)
        shared = super().gradient(rows, slope[2], slope[0], stretched)
        wrong = self.gap.gradient(rows, slope[3], slope[1], stretched * coupled)
        shared[: self._scales] += wrong[: self._scales]
        by_c = stretched * slope[3]
        g = _of(rows).design
        if self._coupling == "tasks":
            of_c = np.exp(self._of_c) * np.einsum("il,ij,jl->l", g, by_c, g, optimize=True)
        else:
            s = _of(rows).nearness
            power = np.exp(self._of_c[0])
            of_c = np.array([power * np.sum(by_c * coupled * np.log1p(np.outer(s, s)))])
        core = stretched * (slope[2] + coupled * slope[3])
        return np.concatenate([shared, wrong, of_c, 2.0 * core.sum(axis=1) @ g])

    def pull(self, a: Rows, b: Rows, slope: Array, weights: Array) -> Array:
        stretched = weights * self._stretch(a, b)
        pulled = super().pull(a, b, slope[0], stretched)
        coupled = self._coupled(a, b)
        if coupled.any():
            pulled += self.gap.pull(a, b, slope[1], stretched * coupled)
        return pulled

    def amplitude(self, rows: Rows) -> Array:
        """(n,) a."""
        return np.asarray(np.exp(_of(rows).design @ self._w))

    def _stretch(self, a: Rows, b: Rows) -> Array:
        return np.outer(self.amplitude(a), self.amplitude(b))

    def _coupled(self, a: Rows, b: Rows) -> Array:
        """(n, m) c."""
        if self._coupling == "tasks":
            coupled: Array = (_of(a).design * np.exp(self._of_c)) @ _of(b).design.T
            return coupled
        s, t = _of(a).nearness, _of(b).nearness
        bent = (1.0 + np.outer(s, t)) ** np.exp(self._of_c[0])
        return np.asarray(np.outer(1.0 - s, 1.0 - t) * bent)

    def _own(self, rows: Rows) -> Array:
        """(n,) c of each row with itself."""
        if self._coupling == "tasks":
            return np.asarray(_of(rows).design ** 2 @ np.exp(self._of_c))
        s = _of(rows).nearness
        return np.asarray((1.0 - s) ** 2 * (1.0 + s**2) ** np.exp(self._of_c[0]))


def plain_size(numbers: int, groups: npt.NDArray[np.intp]) -> int:
    """Hyperparameters of one kernel of the fast engine."""
    return numbers + int(groups.max(initial=-1)) + 1 + TREND + 1


def _of(rows: Rows) -> FidelityRows:
    assert isinstance(rows, FidelityRows)
    return rows
