"""Inputs and outcomes of single rows, one axis each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array, Batch
from blackbox.errors import BatchError
from blackbox.plot.data.runs import Floats, Run, chosen, thin
from blackbox.space import Parameter


@dataclass(frozen=True)
class Column:
    """One parameter or outcome as one axis.

    Args:
        name: its label.
        values: (n,) numbers, or positions in ``levels``.
        levels: names of the choices; empty for a number.
        log: whether its scale is logarithmic.
        limits: ends of the axis.
    """

    name: str
    values: Floats
    levels: tuple[str, ...]
    log: bool
    limits: tuple[float, float]

    @property
    def heights(self) -> Floats:
        """(n,) places between the ends of the axis, 0 to 1; the middle where they are equal."""
        return self.place(self.values)

    def place(self, values: npt.ArrayLike) -> Floats:
        """Places of values between the ends of the axis, 0 to 1."""
        scaled, low, high = (np.asarray(v, np.float64) for v in (values, *self.limits))
        if self.log:
            scaled, low, high = np.log(scaled), np.log(low), np.log(high)
        return (scaled - low) / (high - low) if high > low else np.full(scaled.shape, 0.5)


def inputs(run: Run, rows: Array) -> list[Column]:
    """The parameters of some rows as axes: one a scalar, one an element of a vector.

    Args:
        run: the told rows.
        rows: (k,) row numbers.

    Returns:
        Columns in the order of the space.
    """
    space = run.problem.space
    return columns(space, run.history.select(space.names)[rows])


def columns(parameters: Iterable[Parameter], batch: Batch) -> list[Column]:
    """Some parameters of all rows of a batch as axes, in the order given."""
    made = []
    for p in parameters:
        values = batch[p.name]
        named = {p.name: values}
        if values.ndim == 2:
            named = {f"{p.name}[{label}]": values[:, j] for j, label in enumerate(p.labels)}
        for name, column in named.items():
            levels = getattr(p, "values", None) or getattr(p, "items", None)
            if levels is None and column.dtype.kind in "if":
                ends = (getattr(p, "low", 0.0), getattr(p, "high", 1.0))
                made.append(_numbers(name, column, ends, bool(getattr(p, "log", False))))
            else:
                made.append(_choices(name, column, levels or sorted(set(column.tolist()))))
    return made


def measures(run: Run, rows: Array) -> list[Column]:
    """The measures of some rows as axes, over their ranges of interest."""
    return [
        _numbers(m.name, run.history[m.name][rows], (m.low, m.high), False)
        for m in run.problem.measures
        if m.name in run.history
    ]


def outcomes(run: Run, rows: Array) -> list[Column]:
    """The objectives of some rows as axes, from their least to their largest value."""
    columns = []
    for o in run.problem.objectives:
        values = run.history[o.name][rows].astype(np.float64)
        known = values[np.isfinite(values)]
        ends = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        columns.append(Column(o.name, values, (), False, ends))
    return columns


@dataclass(frozen=True)
class Rows:
    """The rows of a picture that shows inputs against outcomes.

    Args:
        run: where they come from.
        rows: (n,) row numbers of drawn rows, from the worst to the best.
        best: (n,) which of them are the best one, or on the Pareto front.
        values: (n,) the objective that is shown.
    """

    run: Run
    rows: npt.NDArray[np.int64]
    best: npt.NDArray[np.bool_]
    values: Floats


def ranked(run: Run, objective: str | None = None) -> Rows:
    """Rows that count, from the worst to the best by one objective, so the best are on top.

    Args:
        run: the told rows.
        objective: its name; by default the first.

    Raises:
        BatchError: no row counts.
        ProblemError: no such objective.
    """
    shown = chosen(run.problem, objective)
    j = [o.name for o in run.problem.objectives].index(shown.name)
    counted = np.flatnonzero(run.counts)
    if not counted.size:
        raise BatchError(f"{run.name}: there is no feasible row that did not fail")
    rows = counted[thin(len(counted), run.best[counted])]
    rows = rows[np.argsort(run.scores[rows, j], kind="stable")]
    return Rows(run, rows, run.best[rows], run.history[shown.name][rows].astype(np.float64))


def _numbers(name: str, column: Array, ends: tuple[float, float], log: bool) -> Column:
    return Column(name, column.astype(np.float64), (), log, (float(ends[0]), float(ends[1])))


def _choices(name: str, column: Array, levels: tuple[object, ...] | list[object]) -> Column:
    place = {level: float(i) for i, level in enumerate(levels)}
    codes = np.array([place[value] for value in column.tolist()], dtype=np.float64)
    texts = tuple(str(level) for level in levels)
    return Column(name, codes, texts, False, (0.0, float(len(levels) - 1)))
