"""Archives of a fixed set of cells, one elite in each, with thresholds."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from blackbox.archives._placing import Placed, place, worth_compiling
from blackbox.archives.base import Added, Archive, Ints
from blackbox.arguments import check_range, is_finite, is_number, is_whole
from blackbox.batch import Array
from blackbox.errors import ProblemError, StateError
from blackbox.formulation import Floats, Problem
from blackbox.state import State

_LARGEST = sys.float_info.max


class CellArchive(Archive):
    """An archive whose cells divide the space of measures, with one elite in each.

    **Thresholds** (CMA-MAE: Fontaine & Nikolaidis 2023, arXiv 2205.10752). A row is accepted where
    its score is above its cell's threshold. By itself that is the elite's score. With a finite
    ``threshold_min`` it starts there and follows slowly: k accepted rows of mean score f move it
    from t to ``(1-a)^k t + (1 - (1-a)^k) f``, a being the ``learning_rate``. The elite of a cell is
    the best row in either case: what is accepted below it teaches an emitter and replaces nothing.

    Args:
        problem: declares measures; the first objective is the score.
        size: number of cells; an empty one costs four bytes at most.
        learning_rate: from 0 to 1, how fast thresholds follow the scores of accepted rows.
        threshold_min: threshold of an empty cell: rows that score no more are refused. -inf lets
            any row into an empty cell, and needs ``learning_rate=1``.

    Raises:
        UnsupportedError: the problem declares no measures.
        ProblemError: more cells than memory, or an argument out of range.
    """

    def __init__(
        self,
        problem: Problem,
        size: int,
        *,
        learning_rate: float = 1.0,
        threshold_min: float = -math.inf,
    ) -> None:
        super().__init__(problem)
        name = type(self).__name__
        check_range(f"{name}: learning_rate", learning_rate, 0, 1)
        none = is_number(threshold_min) and threshold_min == -math.inf
        if not (none or is_finite(threshold_min)):
            raise ProblemError(f"{name}: threshold_min={threshold_min!r} must be finite or -inf")
        if none and learning_rate < 1:
            raise ProblemError(
                f"{name}: learning_rate={learning_rate} needs a finite threshold_min; give the "
                "least score worth keeping"
            )
        self._size = size
        self.learning_rate = float(learning_rate)
        self.threshold_min = float(threshold_min)
        self._index = self._no_elites(size)
        self._group_of = np.zeros(0, dtype=np.int64)
        self._seen = 0
        self._loops: ModuleType | None = None

    def _no_elites(self, size: int) -> npt.NDArray[np.int32]:
        """For each cell 1 + the row of its elite, 0 for none: untouched zeros cost no memory."""
        try:
            return np.zeros(size, dtype=np.int32)
        except (MemoryError, ValueError, OverflowError):
            gib = float(min(4 * size, 10**300)) / 2**30
            raise ProblemError(
                f"{type(self).__name__}: 10^{math.log10(size):.1f} cells need {gib:.3g} GiB, more "
                "than there is; take fewer along each measure, or a CVTArchive"
            ) from None

    @property
    def size(self) -> int:
        return self._size

    @property
    def thresholds(self) -> Floats:
        """(k,) what a row has to beat in each filled cell."""
        return self._own["threshold"][self._order]

    def _filled(self, measures: Floats) -> Ints:
        cells = self._cell_of(measures)
        return np.where(cells >= 0, self._index[cells], 0).astype(np.int64) - 1

    def insert(
        self,
        scores: Floats,
        measures: Floats,
        columns: Mapping[str, Array],
        parents: npt.ArrayLike | None = None,
    ) -> Added:
        self._seen += len(scores)
        cells = self._cell_of(measures)
        placed = self._placed(cells, scores)
        self.outside += placed.outside
        rows, winner = placed.rows, placed.winner
        if len(rows):
            self._fill_cells(placed, scores)
            if self.threshold_min > -math.inf:
                best = scores[winner] > self._own.arrays["score"][rows]
                rows, winner = rows[best], winner[best]
            parents = np.full(len(scores), -1) if parents is None else np.asarray(parents)
            own = {"cell": cells, "score": scores, "measures": measures, "parent": parents}
            self._own.put(rows, own, winner, self._compiled)
            self._table.put(rows, columns, winner, self._compiled)
        return Added(placed.status, placed.gain, cells)

    @property
    def _compiled(self) -> ModuleType | None:
        """The compiled loops, None while or where they are not worth it."""
        if self._loops is None and worth_compiling(self._seen):
            from blackbox.archives import _compiled

            self._loops = _compiled
        return self._loops

    def _placed(self, cells: Ints, scores: Floats) -> Placed:
        k, n = len(self), len(cells)
        thresholds = self._own.arrays["threshold"]
        arguments = (cells, scores, self._index, thresholds, k, self.threshold_min)
        compiled = self._compiled
        if compiled is None:
            return place(*arguments)
        if len(self._group_of) < k + n:
            self._group_of = np.full(k + n, -1, dtype=np.int64)
        return Placed(*compiled.place(*arguments, self._group_of))

    def _fill_cells(self, placed: Placed, scores: Floats) -> None:
        """Make rows for newly filled cells, and move the thresholds."""
        k, rows = len(self), placed.rows
        if placed.n > k:
            self._own.extend(placed.n)
            self._table.extend(placed.n)
        thresholds = self._own.arrays["threshold"]
        if self.threshold_min == -math.inf:
            thresholds[rows] = scores[placed.winner]
            return
        self._own["score"][k:] = -np.inf
        thresholds[k : placed.n] = self.threshold_min
        stay = (1.0 - self.learning_rate) ** placed.counts
        # Sums of scores as large as floats are infinite, and would close the cell for ever.
        mean = np.minimum(np.maximum(placed.totals, -_LARGEST), _LARGEST) / placed.counts
        thresholds[rows] = stay * thresholds[rows] + mean * (1 - stay)

    def merge(self, other: Archive) -> Archive:
        """A new archive with the better elite and the higher threshold of each cell.

        Its empty cells have the lower threshold of the two.

        Associative, and commutative but for equal scores, of which those of ``self`` are kept; not
        so for grids that have grown towards other sides, of which that of ``self`` grows further.
        Ids are kept and parents forgotten, as in ``Archive.merge``.

        Raises:
            ProblemError: the other archive is of another kind, problem or shape.
        """
        self._need_same(other)
        assert isinstance(other, CellArchive)
        merged = self.like(threshold_min=min(self.threshold_min, other.threshold_min))
        assert isinstance(merged, CellArchive)
        merged._cover_both(other)
        own = self._own.joined(other._own)
        own["cell"] = merged._cell_of(own["measures"])
        own["parent"][:] = -1
        merged._rebuild(own, self._table.joined(other._table))
        merged.outside = self.outside + other.outside
        return merged

    def _kin(self) -> dict[str, Any]:
        # Not the threshold of empty cells, which CMA-MAE lowers as it goes.
        return {k: v for k, v in super()._kin().items() if k != "threshold_min"}

    def _cover_both(self, other: Archive) -> None:
        """Take on a range that holds the other's too."""

    def _rebuild(self, own: Mapping[str, Array], table: Mapping[str, Array]) -> None:
        """Fill anew from rows that may share cells: the best and the highest threshold stay."""
        cells = own["cell"]
        order = np.lexsort((-own["score"], cells))
        first = np.flatnonzero(np.diff(cells[order], prepend=-1))
        kept = np.sort(order[first])
        self._own.fill({name: column[kept] for name, column in own.items()}, len(kept))
        self._table.fill({name: column[kept] for name, column in table.items()}, len(kept))
        self._index = self._no_elites(self.size)
        self._index[cells[kept]] = np.arange(1, len(kept) + 1)
        if len(kept):
            highest = np.maximum.reduceat(own["threshold"][order], first)
            self._own["threshold"][self._index[cells[order[first]]] - 1] = highest

    def state(self) -> State:
        return {**super().state(), "size": self.size}

    def _cells_in(self, state: State) -> int:
        size = state.get("size")
        if not is_whole(size, 0) or size != self.size:
            raise StateError(
                f"load_state: the state has {size!r} cells, the archive {self.size}; build it as "
                "it was first built"
            )
        return size
