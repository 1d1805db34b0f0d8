"""CMA-MAEGA: branches along the gradients of the objective and the measures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from blackbox.archives import Archive, CellArchive
from blackbox.batch import Batch
from blackbox.errors import UnsupportedError
from blackbox.formulation import Floats, Measure, Objective, Problem
from blackbox.optimizer import Supports
from blackbox.optimizers.quality_diversity.cma_mae import Annealing
from blackbox.optimizers.quality_diversity.emitters import Emitter, flat, ranked, start
from blackbox.optimizers.quality_diversity.emitting import check_emitters
from blackbox.optimizers.quality_diversity.evolution import FullCMA
from blackbox.optimizers.quality_diversity.evolution.base import rates
from blackbox.space import Real, Space
from blackbox.state import State


class ArborescenceEmitter(Emitter):
    """A point, whose gradients are measured, and then branches from it.

    Generations alternate: a root of one row, then branches ``root + c_0 g_0 + sum of c_j g_j``
    along the gradients of objective and measures, each of length 1 on the unit cube. CMA-ES learns
    which coefficients c pay (that of the objective's gradient may take either sign, where the paper
    takes its absolute value); the better branches' mean is the next root. Rows asked for while a
    root is out are normal steps around it.

    Args:
        archive: the archive that its rows go to.
        size: branches of a generation.
        sigma: first standard deviation of the coefficients.
    """

    def __init__(self, archive: CellArchive, size: int, sigma: float) -> None:
        super().__init__(archive, 1)
        self._branches = size
        self._sigma = sigma
        self.starts = 0
        self._root: Floats | None = None
        self._gradients: Floats | None = None  # (1 + m, width), objective first
        self._fresh_strategy()

    def _fresh_strategy(self) -> None:
        self.strategy = FullCMA(np.zeros(1 + len(self.archive.low)), self._sigma)

    def draw(self, k: int, rng: np.random.Generator, *, compiled: bool) -> Batch:
        space = self.archive.problem.space
        if self._root is None:
            self._root = start(self.archive, rng, first=self.starts == 0)
            self._fresh_strategy()
            self.starts += 1
        if self._gradients is None:
            points = np.tile(self._root, (k, 1))
            around = points[1:] if self.asked == k else points  # the root itself comes first
            around += self._sigma / math.sqrt(space.width) * rng.standard_normal(around.shape)
        else:
            coefficients = self.strategy.ask(k, rng, compiled=compiled)
            points = self._root + coefficients @ self._gradients
        return space.decode(np.minimum(np.maximum(points, 0.0, out=points), 1.0, out=points))

    def learn(self, rows: Batch) -> None:
        if self._gradients is None:
            self._measure(rows)
        else:
            self._grow(rows)
        self.size = 1 if self._gradients is None else self._branches

    def _measure(self, rows: Batch) -> None:
        """Take the gradients at the root; without any, start elsewhere."""
        assert self._root is not None  # it was drawn
        at = int(np.argmin(((rows["point"] - self._root) ** 2).sum(axis=1)))
        self._root = rows["point"][at].copy()
        slopes = np.nan_to_num(rows["slopes"][at]).reshape(-1, len(self._root))
        # The largest first: the square of a slope as large as floats is infinite.
        slopes = _divided(slopes, np.abs(slopes).max(axis=1, keepdims=True))
        if np.isfinite(rows["excess"][at]) and slopes.any():
            self._gradients = _divided(slopes, np.linalg.norm(slopes, axis=1, keepdims=True))
        else:
            self._root = None

    def _grow(self, rows: Batch) -> None:
        assert self._root is not None
        assert self._gradients is not None
        order = ranked(rows, new_first=False)
        points = rows["point"][order]
        weights = rates(points.shape[1], len(points)).weights
        # Of the points as evaluated, which may have been put on a bound.
        coefficients: Floats = (points - self._root) @ np.linalg.pinv(self._gradients)
        self.strategy.tell(coefficients)
        self._root = weights @ points[: len(weights)]
        self._gradients = None
        if flat(rows, self.archive) or self.strategy.degenerate:
            self._root = None

    def state(self) -> State:
        maybe = {"root": self._root, "gradients": self._gradients}
        return {
            **super().state(),
            **{name: array.copy() for name, array in maybe.items() if array is not None},
            "size": self.size,
            "starts": self.starts,
            "strategy": self.strategy.state(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self._root, self._gradients = (
            np.array(state[name]) if name in state else None for name in ("root", "gradients")
        )
        self.size, self.starts = int(state["size"]), int(state["starts"])
        self.strategy.load_state(state["strategy"])


class CMAMAEGA(Annealing):
    """CMA-MAE with a gradient arborescence (Fontaine & Nikolaidis 2023, arXiv 2205.10752).

    For problems that return gradients of the objective and of every measure. CMA-ES then searches
    among as many coefficients as there are gradients (CMA-MEGA: Fontaine & Nikolaidis 2021,
    *Differentiable quality diversity*, arXiv 2106.03894), so a thousand inputs are as easy as ten.
    See ``ArborescenceEmitter``; its next root is the branches' weighted mean, a gradient step of
    rate 1.

    ``ask()`` gives one root of each emitter, and their branches next time. A root that failed, or
    whose gradients are unknown or 0, is given up for an elite.

    Args:
        problem: one objective and at least one measure, all with a ``gradient``; real parameters.
        cells: as in ``MapElites``; an archive keeps its own thresholds.
        learning_rate: how fast thresholds follow, from 0 to 1; see ``CMAMAE``.
        threshold_min: threshold of an empty cell; by default just below all scores told so far.
        emitters: number of arborescences.
        batch_size: branches of a generation of each of them.
        sigma: first standard deviation of a branch along a gradient, in the mean over the
            coordinates, as a share of each parameter's range.
        seed: seeds the optimizer's only generator.

    Raises:
        UnsupportedError: a gradient or the measures are missing, or other parameters.
        ProblemError: an argument is out of range.
        MissingExtraError: SciPy is not installed (extra ``qd``).
    """

    supports = Supports(parameters=(Real,), constraints=True, measures=True)

    def __init__(
        self,
        problem: Problem,
        *,
        cells: int | Sequence[int] | Archive | None = None,
        learning_rate: float = 0.01,
        threshold_min: float | None = None,
        emitters: int = 15,
        batch_size: int = 35,
        sigma: float = 0.02,
        seed: int | None = None,
    ) -> None:
        super().__init__(problem, cells, learning_rate, threshold_min, seed)
        check_emitters(self, emitters, batch_size, sigma)
        named: list[Objective | Measure] = [*problem.objectives, *problem.measures]
        missing = [o.name for o in named if o.gradient is None]
        if missing:
            raise UnsupportedError(
                f"CMAMAEGA cannot take {problem.name}: no gradients of {missing}; declare "
                "gradient= and return them, or take CMAMAE"
            )
        self._slopes = [str(o.gradient) for o in named]
        length = sigma * math.sqrt(problem.space.width)
        self.emitters = [
            ArborescenceEmitter(self.archive, batch_size, length) for _ in range(emitters)
        ]

    def _rows(self, batch: Batch) -> Batch:
        stretch = _stretch(self.problem.space, batch)
        slopes = [batch[name] * stretch for name in self._slopes]
        slopes[0] = self.problem.objectives[0].sign * slopes[0]
        return super()._rows(batch).with_columns(slopes=np.concatenate(slopes, axis=1))


def _divided(slopes: Floats, lengths: Floats) -> Floats:
    """(g, width) slopes in units of (g, 1) lengths, 0 where these are."""
    return slopes / np.where(lengths > 0, lengths, 1.0)


def _stretch(space: Space, batch: Batch) -> Floats:
    """(n, width) derivatives of the user's units by the coordinates of the unit cube."""
    stretch = np.empty((len(batch), space.width))
    for p in space:
        assert isinstance(p, Real)
        values = batch[p.name].reshape(len(batch), -1) if p.log else 1.0
        stretch[:, space.blocks[p.name]] = p.scale()[1] * values
    return stretch
