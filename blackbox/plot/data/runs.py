"""What pictures are drawn of: runs, their rows that count, and which of them to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from blackbox.batch import Batch
from blackbox.errors import BatchError, ProblemError
from blackbox.formulation import Objective, Preference, Problem
from blackbox.metrics import is_nondominated

Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]

#: Rows drawn at most; more would be ink on ink.
LIMIT = 5_000


class Told(Protocol):
    """What a picture needs of a study."""

    @property
    def history(self) -> Batch:
        """Rows told, in the order of telling."""


Data: TypeAlias = (
    Told | Batch | Sequence[Told | Batch] | Mapping[str, Told | Batch | Sequence[Told | Batch]]
)


@dataclass(frozen=True)
class Run:
    """The told rows of one run and the problem they belong to.

    Args:
        name: label; runs of one name are repetitions of one method.
        problem: what was optimized.
        history: rows in the order of telling.
    """

    name: str
    problem: Problem
    history: Batch

    @cached_property
    def ok(self) -> Mask:
        """(n,) rows that did not fail and are at the target fidelity."""
        ok = np.ones(len(self.history), dtype=bool)
        if "ok" in self.history:
            ok &= self.history["ok"]
        fidelity = self.problem.fidelity
        if fidelity is not None and fidelity.name in self.history:
            ok &= self.history[fidelity.name] == fidelity.target
        for o in self.problem.objectives:
            ok &= np.isfinite(self.history[o.name])
        return ok

    @cached_property
    def counts(self) -> Mask:
        """(n,) rows of ``ok`` that satisfy every constraint."""
        return self.ok & self.problem.feasible(self.history)

    @cached_property
    def scores(self) -> Floats:
        """(n, m) scores, larger is better; NaN in rows that do not count."""
        scores = self.problem.scores(self.history)
        scores[~self.counts] = np.nan
        return scores

    @cached_property
    def best(self) -> Mask:
        """(n,) the best row of one objective, or the Pareto front of several."""
        if self.scores.shape[1] > 1:
            return is_nondominated(self.scores)
        best = np.zeros(len(self.history), dtype=bool)
        if self.counts.any():
            best[np.nanargmax(self.scores[:, 0])] = True
        return best

    @cached_property
    def cost(self) -> Floats:
        """(n,) cost spent up to and including each row; rows where none was recorded.

        Raises:
            BatchError: a cost is not known.
        """
        if "cost" not in self.history:
            return np.arange(1.0, len(self.history) + 1)
        unknown = np.flatnonzero(~np.isfinite(self.history["cost"]))
        if unknown.size:
            i = int(unknown[0])
            raise BatchError(
                f"run {self.name!r}: cost of row {i} is {self.history['cost'][i]}; give what "
                "every row cost, also of those that failed"
            )
        return np.cumsum(self.history["cost"], dtype=np.float64)

    def units(self, scores: Floats) -> Floats:
        """(n, m) scores in the user's units: a sign flip is its own inverse."""
        named = {o.name: scores[:, j] for j, o in enumerate(self.problem.objectives)}
        return self.problem.scores(Batch(named))

    def values(self, mask: Mask) -> Floats:
        """(k, m) objectives of some rows, in the user's units."""
        columns = [self.history[o.name][mask] for o in self.problem.objectives]
        return np.column_stack(columns).astype(np.float64)


def groups(data: Data, problem: Problem | None = None) -> dict[str, list[Run]]:
    """Runs by label.

    Args:
        data: a study, several (those of one name are one group), a dict from label to one or
            several, or a Batch in place of a study.
        problem: the problem that Batches belong to.

    Returns:
        At least one label, each with at least one run; all runs have the same outcomes.

    Raises:
        BatchError: nothing to draw, or a Batch without a problem or without its columns.
        ProblemError: the runs' problems declare different objectives, or a problem's rows cannot
            be compared: it has an environment or a preference.
    """
    found: dict[str, list[Run]] = {}
    if isinstance(data, Mapping):
        for name, one in data.items():
            found[str(name)] = [_run(run, problem, str(name)) for run in _listed(one)]
    else:
        for run in (_run(one, problem, None) for one in _listed(data)):
            found.setdefault(run.name, []).append(run)
    if not found or not all(found.values()):
        raise BatchError("there is nothing to draw: give at least one study, or a Batch")
    every = [run for runs in found.values() for run in runs]
    declared = {tuple((type(o), o.name) for o in run.problem.objectives) for run in every}
    if len(declared) > 1:
        raise ProblemError(
            f"the runs have different objectives {sorted(str(d) for d in declared)}; "
            "draw them one by one"
        )
    return found


def single(data: Data, problem: Problem | None = None) -> Run:
    """All rows as one run, for pictures that do not tell runs apart.

    Raises:
        BatchError: nothing to draw, or Batches whose columns differ.
        ProblemError: the problems' spaces or objectives differ.
    """
    runs = [run for group in groups(data, problem).values() for run in group]
    first = runs[0]
    if len(runs) == 1:
        return first
    if any(run.problem.space != first.problem.space for run in runs):
        raise ProblemError("the runs have different spaces; draw them one by one")
    return Run(first.name, first.problem, Batch.concat([run.history for run in runs]))


def chosen(problem: Problem, name: str | None) -> Objective:
    """The objective of that name; the first where none is given.

    Raises:
        ProblemError: no such objective, or none at all.
    """
    known = {o.name: o for o in problem.objectives}
    if not known or not (name is None or (isinstance(name, str) and name in known)):
        raise ProblemError(f"no objective {name!r}; {problem.name} has {list(known)}")
    return problem.objectives[0] if name is None else known[name]


def thin(n: int, keep: Mask, limit: int = LIMIT) -> npt.NDArray[np.int64]:
    """Row numbers of a regular sample of at most ``limit`` rows, and of all rows to keep.

    Args:
        n: number of rows.
        keep: (n,) rows that must stay.
        limit: size of the sample.

    Returns:
        (k,) increasing row numbers.
    """
    if n <= limit:
        return np.arange(n)
    sample = np.linspace(0, n - 1, limit).astype(np.int64)
    return np.union1d(sample, np.flatnonzero(keep))


def axis_label(objective: Objective) -> str:
    """Name of an objective and which way is better: ``loss (minimize)``."""
    return f"{objective.name} ({type(objective).__name__.lower()})"


def _listed(data: Any) -> list[Any]:
    return list(data) if isinstance(data, list | tuple) else [data]


def _run(one: Any, problem: Problem | None, name: str | None) -> Run:
    if isinstance(one, Batch):
        if problem is None:
            raise BatchError("a Batch does not say what it is of: give problem=")
        return _checked(problem.name if name is None else name, problem, one)
    history = getattr(one, "history", None)
    if not isinstance(history, Batch):
        raise BatchError(f"{one!r} is a {type(one).__name__}; give a Study or a Batch")
    owner: Any = getattr(one, "problem", None) if problem is None else problem
    if not isinstance(owner, Problem):
        raise BatchError(f"{one!r} does not know its problem: give problem=")
    return _checked(name or str(getattr(one, "name", "")) or owner.name, owner, history)


def _checked(name: str, problem: Problem, history: Batch) -> Run:
    if not problem.objectives:
        raise ProblemError(f"{problem.name} has no objectives to draw")
    if problem.environment is not None:
        raise ProblemError(
            f"{problem.name} has an environment, and outcomes of different scenarios cannot be "
            "compared; draw posterior, or one scenario's rows with a problem= that has none"
        )
    if isinstance(problem.objectives[0], Preference):
        raise ProblemError(
            f"{problem.name} has a preference, whose values only order the rows told together; "
            "draw posterior"
        )
    needed = [*problem.space.names, *(o.name for o in problem.objectives)]
    needed += [c.name for c in problem.constraints]
    missing = [column for column in needed if column not in history]
    if missing:
        raise BatchError(f"columns {missing} are missing; the batch has {list(history.names)}")
    return Run(name, problem, history)
