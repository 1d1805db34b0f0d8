"""A grid of equal cells over the ranges of the measures, which can be split and can grow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from blackbox.archives._placing import grid_cells
from blackbox.archives.base import Added, Archive, Ints
from blackbox.archives.cells import CellArchive
from blackbox.arguments import check_choice, is_whole
from blackbox.batch import Array
from blackbox.errors import ProblemError, StateError
from blackbox.formulation import Floats, Problem, need_problem
from blackbox.state import State

Outside: TypeAlias = Literal["refuse", "clip", "grow"]

# 0.3 is no exact number: so near a boundary, in cells, a value counts as on it.
_EDGE = 1e-6
_LARGEST = 1e307  # where doubling ends


class GridArchive(CellArchive):
    """A grid of equal cells (Mouret & Clune 2015, arXiv 1504.04909), numbered row by row.

    What lies outside the ranges is refused and counted by default. Clipping, which other libraries
    do, puts an elite into a cell whose measures it does not have, and a range that is too narrow
    then looks like a full edge. Where the range is not known, ``"grow"`` doubles it towards what
    lies outside, as often as needed. Two old cells become one, so no elite is lost but to a better
    one in its new cell: the archive holds what it would hold had the range been known, but that of
    equal scores another may have stayed.

    Args:
        problem: declares measures and their ranges.
        cells: number of cells along each measure, or one number for all.
        outside: what becomes of rows outside the ranges: ``"refuse"``, ``"clip"`` into the nearest
            cell, or ``"grow"`` the range.
        learning_rate: see ``CellArchive``.
        threshold_min: see ``CellArchive``.

    Attributes:
        dims: cells along each measure.

    Raises:
        ProblemError: as ``CellArchive``, or cells are no positive int for each measure.
    """

    def __init__(
        self,
        problem: Problem,
        cells: int | Sequence[int] = 100,
        *,
        outside: Outside = "refuse",
        learning_rate: float = 1.0,
        threshold_min: float = -math.inf,
    ) -> None:
        need_problem(problem)
        m = len(problem.measures)
        dims = _each(cells, m)
        if dims is None and m:
            raise ProblemError(
                f"GridArchive: cells={cells!r}; give one positive int for each of {m} measures"
            )
        check_choice("GridArchive: outside", outside, ("refuse", "clip", "grow"))
        self.dims = self._first_dims = dims or ()
        self._outside = outside
        super().__init__(
            problem,
            math.prod(self.dims),
            learning_rate=learning_rate,
            threshold_min=threshold_min,
        )
        self._measure_out()

    def arguments(self) -> dict[str, Any]:
        return {
            "cells": list(self._first_dims),
            "outside": self._outside,
            "learning_rate": self.learning_rate,
            "threshold_min": self.threshold_min,
        }

    @property
    def boundaries(self) -> list[Floats]:
        """For each measure the (cells + 1,) boundaries of its cells."""
        ranges = zip(self.low, self.high, self.dims, strict=True)
        return [np.linspace(low, high, d + 1) for low, high, d in ranges]

    def _cell_of(self, measures: Floats) -> Ints:
        arguments = (measures, self.low, self._scale, self._steps, _EDGE, self._outside == "clip")
        compiled = self._compiled
        return grid_cells(*arguments) if compiled is None else compiled.grid_cells(*arguments)

    def insert(
        self,
        scores: Floats,
        measures: Floats,
        columns: Mapping[str, Array],
        parents: npt.ArrayLike | None = None,
    ) -> Added:
        if self._outside == "grow":
            good = np.isfinite(scores) & np.isfinite(measures).all(axis=1)
            if good.any():
                self._cover(measures[good].min(axis=0), measures[good].max(axis=0))
        return super().insert(scores, measures, columns, parents)

    def _cover(self, least: Floats, largest: Floats) -> None:
        """Double the ranges until they hold these measures."""
        low, high = self.low.copy(), self.high.copy()
        slack = _EDGE * (self.high - self.low) / np.array(self.dims)
        for j in range(len(low)):
            while least[j] < low[j] - slack[j] and abs(low[j]) + abs(high[j]) < _LARGEST:
                low[j] = 2 * low[j] - high[j]
            while largest[j] > high[j] + slack[j] and abs(low[j]) + abs(high[j]) < _LARGEST:
                high[j] = 2 * high[j] - low[j]
        if not (np.array_equal(low, self.low) and np.array_equal(high, self.high)):
            self._reshape(self.dims, low, high)
            self._regrid()

    def split(self, factor: int | Sequence[int] = 2) -> None:
        """Divide every cell into ``factor`` along each measure; each elite keeps to its part.

        Mouret & Clune start with large cells, of which many are filled soon, and split them.

        Raises:
            ProblemError: the factor is no positive int, or more cells than memory.
        """
        factors = _each(factor, len(self.dims))
        if factors is None:
            raise ProblemError(f"split: factor={factor!r} must be a positive int, or one a measure")
        dims = tuple(d * f for d, f in zip(self.dims, factors, strict=True))
        self._reshape(dims, self.low, self.high)
        self._regrid()

    def _regrid(self) -> None:
        """Find every elite's cell anew.

        What counted as on the edge of a large cell still does where cells are smaller.
        """
        own = self._own.columns()
        own["cell"] = self._cell_of(np.clip(own["measures"], self.low, self.high))
        self._rebuild(own, self._table.columns())

    def like(self, **changes: Any) -> GridArchive:
        made = GridArchive(self.problem, **{**self.arguments(), **changes})
        made._reshape(made.dims if "cells" in changes else self.dims, self.low, self.high)
        return made

    def _reshape(self, dims: tuple[int, ...], low: Floats, high: Floats) -> None:
        self._index = self._no_elites(math.prod(dims))
        self.dims, self._size = dims, math.prod(dims)
        self.low, self.high = low.copy(), high.copy()
        self._measure_out()

    def _measure_out(self) -> None:
        """Cells along each measure, and cells per unit, as the loops take them."""
        self._steps = np.array(self.dims, dtype=np.int64)
        self._scale = self._steps / (self.high - self.low)

    def _need_same(self, other: Archive) -> None:
        super()._need_same(other)
        if isinstance(other, GridArchive) and other.dims != self.dims:
            raise ProblemError(f"merge: {self!r} and {other!r} are split differently; split one")

    def _cover_both(self, other: Archive) -> None:
        self._cover(other.low, other.high)

    def state(self) -> State:
        return {**super().state(), "dims": list(self.dims)}

    def _cells_in(self, state: State) -> int:
        given, size = state.get("dims"), state.get("size")
        dims = _each(given, len(self.low)) if isinstance(given, list | tuple) else None
        if dims is None or not is_whole(size, 1) or math.prod(dims) != size:
            raise StateError(
                f"load_state: dims={given!r} and size={size!r} in the state, where "
                f"{len(self.low)} measures have {self.dims}; give what state() returned"
            )
        return size

    def _restore(self, state: State) -> None:
        # A split archive goes on as a split one, on the range it has grown to.
        self._reshape(tuple(map(int, state["dims"])), state["low"], state["high"])
        super()._restore(state)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.dims))
        return f"GridArchive({shape} cells, {len(self)} elites, {self.outside} rows outside)"


def _each(given: int | Sequence[int], m: int) -> tuple[int, ...] | None:
    """A positive int for each of m measures, None where that is not what was given."""
    listed: list[Any] = list(given) if isinstance(given, Iterable) else [given] * m
    whole = all(is_whole(g, 1) for g in listed)
    return tuple(int(g) for g in listed) if whole and len(listed) == m else None
