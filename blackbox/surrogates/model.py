"""What a surrogate is: a recipe that fits data, and the model it gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array
from blackbox.state import State
from blackbox.surrogates.features import Features
from blackbox.surrogates.outcomes import Outcomes
from blackbox.surrogates.posterior import Moments

_EARLIER = 0.25  # share of the rows fitted to that earlier studies may claim


@dataclass(frozen=True)
class Data:
    """Observations of one outcome.

    Args:
        features: the coordinates of ``x``.
        x: (n, d) features, n >= 1.
        y: (n,) finite values; of an objective its score, larger is better.
        noise: (n,) known standard errors of the values, or None.
        gradients: (n, p) derivatives of the values by the p columns ``features.numbers``, or None.
        tasks: (n,) int, 0 for rows of the study at hand, 1, 2, ... for those of earlier ones; None
            where there are no earlier ones.
        comparisons: (k, 2) int numbers of rows, of each pair the preferred one first, or None.
        noisy: whether values are known to be noisy, it is not known how much.
    """

    features: Features
    x: Array
    y: Array
    noise: Array | None = None
    gradients: Array | None = None
    tasks: Array | None = None
    comparisons: Array | None = None
    noisy: bool = False

    def __getitem__(self, chosen: Array) -> Data:
        optional: dict[str, Any] = {
            name: None if (column := getattr(self, name)) is None else column[chosen]
            for name in ("noise", "gradients", "tasks")
        }
        pairs = self.comparisons
        if pairs is not None:
            rows = np.arange(len(self.y))[chosen]
            number = np.full(len(self.y), -1)
            number[rows] = np.arange(len(rows))
            pairs = number[pairs]
            pairs = pairs[(pairs >= 0).all(axis=1)]
        return replace(self, x=self.x[chosen], y=self.y[chosen], comparisons=pairs, **optional)

    @property
    def here(self) -> npt.NDArray[np.bool_]:
        """(n,) which rows are of the study at hand."""
        return np.ones(len(self.y), dtype=bool) if self.tasks is None else self.tasks == 0

    def of_this_study(self) -> Data:
        """The rows of the study at hand."""
        return self if self.tasks is None else self[self.here]

    def thinned(self, most: int) -> Data:
        """At most so many rows: the better half of them are the best, the others an even draw.

        Scores of one study say nothing of those of another: each is thinned by itself, the one at
        hand to as many rows as can be, of which earlier ones have a quarter where they need it.
        """
        if len(self.y) <= most:
            return self
        if self.tasks is None:
            return self[_best_and_even(self.y, most)]
        earlier, counts = np.unique(self.tasks[~self.here], return_counts=True)
        own = np.flatnonzero(self.here)
        left = most - min(int(_EARLIER * most), int(counts.sum()))
        rows = [own[_best_and_even(self.y[own], left)]]
        left = most - len(rows[0])
        by_size = earlier[np.argsort(counts, kind="stable")]
        for i, task in enumerate(by_size):  # what a small one leaves, larger ones take
            there = np.flatnonzero(self.tasks == task)
            rows.append(there[_best_and_even(self.y[there], left // (len(by_size) - i))])
            left -= len(rows[-1])
        return self[np.sort(np.concatenate(rows))]


def _best_and_even(y: Array, most: int) -> npt.NDArray[np.intp]:
    """At most so many of (n,) scores: half of them the best, the others an even draw."""
    if len(y) <= most:
        return np.arange(len(y))
    order = np.argsort(-y, kind="stable")
    best, others = order[: most // 2], order[most // 2 :]
    drawn = others[np.linspace(0, len(others) - 1, most - len(best)).astype(np.intp)]
    return np.sort(np.concatenate([best, drawn]))


class Model(ABC):
    """A fitted surrogate of one outcome.

    Attributes:
        features: the coordinates of its inputs.
        outcomes: the map between values and the standardised ones that the process is of.
        noise: variance of the noise of the standardised values.
    """

    features: Features
    outcomes: Outcomes
    noise: float

    @abstractmethod
    def predict(self, points: Array) -> tuple[Array, Array]:
        """(n,) expectation and standard deviation of the noise-free values at (n, d) features.

        Where values are warped, the median and half the width of the band of one standard
        deviation to both sides.
        """

    @abstractmethod
    def botorch(self, device: str = "cpu") -> Any:
        """The same process as a BoTorch model of standardised values, for its acquisitions.

        Raises:
            MissingExtraError: PyTorch or BoTorch is not installed (extra ``bayes``).
        """

    def moments(self, points: Array) -> Moments:
        """Of the standardised noise-free values at (n, d) features, one component.

        Its ``pull`` gives (n, d) derivatives by the features.
        """
        from blackbox.surrogates.torch.moments import moments

        return moments(self, points)

    def memory(self) -> State:
        """What a later fit goes on from: numbers and arrays."""
        return {}


class Surrogate(Protocol):
    """A recipe: how to fit a model. A frozen dataclass, so that two equal ones are one."""

    def fit(self, data: Data, memory: State | None) -> Model:
        """Fit to data, going on from the memory of an earlier fit."""
