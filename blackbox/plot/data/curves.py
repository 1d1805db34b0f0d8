"""How good a run is after each evaluation, as step functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from blackbox.batch import Batch
from blackbox.errors import BatchError, ProblemError
from blackbox.formulation import Problem
from blackbox.metrics import hypervolume_trace, incumbents, simple_regret
from blackbox.metrics.scores import finite, numbers
from blackbox.plot.data.runs import Data, Floats, Run, groups, thin

XAxis: TypeAlias = Literal["evaluations", "cost"]
Point: TypeAlias = Batch | Mapping[str, float]

_ROUNDING = 1e-9  # of an optimum, which outcomes may pass by it


@dataclass(frozen=True)
class Curve:
    """The best so far of the runs of one method, as step functions on one grid.

    Args:
        name: the method's label.
        x: (k,) evaluations or cost at which a value changes in some run; a value holds from
            its x to the next. Empty where some run has no row that counts.
        values: (r, k) each run's best outcome, regret or hypervolume.
        points: (p, 2) of a single run with one objective, x and the outcome (or regret) of a
            sample of its rows that count; else no rows.
    """

    name: str
    x: Floats
    values: Floats
    points: Floats

    def quantile(self, q: float) -> Floats:
        """(k,) quantile over the runs."""
        level: Floats = np.quantile(self.values, q, axis=0) if self.x.size else self.x
        return level


def curves(
    data: Data,
    problem: Problem | None = None,
    *,
    x: XAxis = "evaluations",
    optimum: float | None = None,
    reference: Point | None = None,
) -> list[Curve]:
    """Best so far: of one objective its value or regret, of several their hypervolume.

    Args:
        data: see ``blackbox.plot``.
        problem: the problem that Batches belong to.
        x: count evaluations, or add up their cost.
        optimum: best possible outcome, in its own unit; makes the values simple regret.
        reference: outcomes of the hypervolume's reference point; by default the problem's, or
            the worst of every objective among all rows drawn.

    Returns:
        One curve a method. The curves of a method with several runs span what all runs have.

    Raises:
        BatchError: nothing to draw, an optimum that is no number, or a reference that lacks an
            objective or gives no number for it.
        ProblemError: ``x`` is unknown, ``optimum`` is given for several objectives or is worse
            than an outcome, or ``reference`` is given for one.
    """
    if x not in ("evaluations", "cost"):
        raise ProblemError(f"x={x!r}; give 'evaluations' or 'cost'")
    made = groups(data, problem)
    every = [run for runs in made.values() for run in runs]
    several = len(every[0].problem.objectives) > 1
    if several and optimum is not None:
        raise ProblemError("optimum is for one objective; for several give reference")
    if not several and reference is not None:
        raise ProblemError("reference is for several objectives; for one give optimum")
    if optimum is not None:
        finite("optimum", optimum, "the best possible outcome")
    z = _reference(every, reference) if several else None
    found = []
    for name, runs in made.items():
        steps = []
        for run in runs:
            place = run.cost if x == "cost" else np.arange(1.0, len(run.history) + 1)
            steps.append((place, _trace(run, optimum, z)))
        points = np.empty((0, 2))
        if len(runs) == 1 and not several:
            points = _points(runs[0], steps[0][0], optimum)
        found.append(Curve(name, *_together(steps), points))
    return found


def _trace(run: Run, optimum: float | None, reference: Floats | None) -> Floats:
    """(n,) best so far; NaN until the first row that counts."""
    if reference is not None:
        return hypervolume_trace(run.scores, reference)
    if optimum is not None:
        regret = simple_regret(run.scores, _score(run, optimum))
        if (regret < -_ROUNDING * (1 + abs(optimum))).any():
            # On the log scale of a regret the run would vanish.
            raise ProblemError(
                f"optimum={optimum}: run {run.name!r} has outcomes that are better by up to "
                f"{-regret.min():.3g}; give the best possible outcome, or none where it is noisy"
            )
        return np.where(np.isfinite(regret), np.maximum(regret, 0.0), np.nan)
    name = run.problem.objectives[0].name
    rows = incumbents(run.scores)
    seen = run.history[name].astype(np.float64)
    return np.where(rows >= 0, seen[rows], np.nan) if len(rows) else np.empty(0)


def _points(run: Run, place: Floats, optimum: float | None) -> Floats:
    """(p, 2) place and outcome, or regret, of a sample of the rows that count."""
    rows = np.flatnonzero(run.counts)
    rows = rows[thin(len(rows), run.best[rows])]
    seen = run.history[run.problem.objectives[0].name][rows]
    if optimum is not None:
        seen = _score(run, optimum) - run.scores[rows, 0]
    return np.column_stack([place[rows], seen])


def _score(run: Run, optimum: float) -> float:
    name = run.problem.objectives[0].name
    return float(run.problem.scores(Batch({name: [optimum]}))[0, 0])


def _together(steps: list[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """Step functions on the grid of all their changes, where all of them have a value."""
    known = [np.flatnonzero(~np.isnan(values)) for _, values in steps]
    if not all(rows.size for rows in known):
        return np.empty(0), np.empty((len(steps), 0))
    start = max(float(x[rows[0]]) for (x, _), rows in zip(steps, known, strict=True))
    end = min(float(x[-1]) for x, _ in steps)
    changes = [x[1:][values[1:] != values[:-1]] for x, values in steps]
    grid = np.unique(np.concatenate([[start, end], *changes]))
    grid = grid[(grid >= start) & (grid <= end)]
    at = [values[np.searchsorted(x, grid, side="right") - 1] for x, values in steps]
    return grid, np.array(at).reshape(len(steps), len(grid))


def _reference(runs: list[Run], reference: Point | None) -> Floats:
    """(m,) the reference point of a hypervolume, in scores."""
    reference = runs[0].problem.reference if reference is None else reference
    if reference is None:
        counted = np.vstack([run.scores[run.counts] for run in runs])
        return counted.min(axis=0) if len(counted) else np.zeros(counted.shape[1])
    names = [o.name for o in runs[0].problem.objectives]
    if not isinstance(reference, Mapping | Batch):
        raise BatchError(f"reference={reference!r}; give a dict with a value for each of {names}")
    missing = [name for name in names if name not in reference]
    if missing:
        raise BatchError(f"reference lacks {missing}; give a value for each of {names}")
    row = {name: np.ravel(numbers(f"reference {name}", reference[name]))[:1] for name in names}
    point: Floats = runs[0].problem.scores(Batch(row))[0]
    return point
