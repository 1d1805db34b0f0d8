"""A problem: named outcomes on a space, and how to measure them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from blackbox.arguments import check_flag
from blackbox.batch import Array, Batch, Row
from blackbox.errors import ProblemError
from blackbox.formulation.columns import missing, outcome
from blackbox.formulation.environment import Environment
from blackbox.formulation.faults import faults
from blackbox.formulation.outcomes import (
    Constraint,
    Fidelity,
    Measure,
    Minimize,
    Objective,
    Preference,
)
from blackbox.space import Space

Floats: TypeAlias = npt.NDArray[np.float64]


class Problem:
    """A space, named outcomes, and how to measure them.

    Subclasses (or instances) set the attributes and define exactly one of ``evaluate(self, p)``,
    which takes a dict of Python scalars and returns a float (where there is one outcome) or a
    dict of named outcomes, and ``evaluate_batch(self, batch)``, which returns a dict of (n,)
    arrays. Gradients are arrays (g,), or (n, g) for a batch. A problem may define
    ``cost(self, batch)``, the (n,) cost of evaluating each row, in the user's unit, known
    beforehand. No ``super().__init__()`` is needed.

    Attributes:
        space: what may be tried.
        objectives: at least one ``Minimize`` or ``Maximize``, or a single ``Preference``.
        constraints: measured outcomes with bounds.
        measures: measured outcomes by which elites differ.
        fidelity: an input that makes evaluations cheaper, or None.
        environment: inputs that the user of the result cannot choose, or None.
        reference: one row of outcomes, the worst objectives that are of any use: the hypervolume's
            reference point where there are several; None where none is known.
        about: what the problem is, in words, for language models and reports.
    """

    space: Space
    objectives: Sequence[Objective]
    constraints: Sequence[Constraint] = ()
    measures: Sequence[Measure] = ()
    fidelity: Fidelity | None = None
    environment: Environment | None = None
    reference: Batch | None = None
    about: str = ""

    @property
    def name(self) -> str:
        """Name for plots and reports: the class's name."""
        return type(self).__name__

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Names of all outcomes an evaluation returns, noise, then gradients last."""
        measured = self._measured
        errors = [o.standard_error for o in self.objectives]
        named = [o.name for o in measured] + [name for name in errors if name is not None]
        return tuple(named + [o.gradient for o in measured if o.gradient is not None])

    @property
    def _measured(self) -> list[Objective | Constraint | Measure]:
        return [*self.objectives, *self.constraints, *self.measures]

    @property
    def gradients(self) -> dict[str, str]:
        """For each outcome whose derivative is returned, the name of that column (n, g)."""
        return {o.name: o.gradient for o in self._measured if o.gradient is not None}

    @property
    def preference(self) -> bool:
        """Whether the objective is a ``Preference``: its values only order rows told together."""
        return any(isinstance(o, Preference) for o in self.objectives)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of all columns an evaluation reads: parameters, fidelity, environment."""
        names = self.space.names + ((self.fidelity.name,) if self.fidelity else ())
        return names + self.environment.names if self.environment else names

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """For each vector column, inputs and gradients, the names of its elements."""
        labels = self.space.labels | (self.environment.space.labels if self.environment else {})
        return labels | dict.fromkeys(self.gradients.values(), self.space.real_labels)

    @property
    def has_cost(self) -> bool:
        """Whether the problem defines ``cost``."""
        return callable(getattr(self, "cost", None))

    def scores(self, batch: Batch) -> Floats:
        """(n, m) objectives, larger is better; the only sign flip of the package."""
        _need_batch(self, "scores", batch)
        if len(self.objectives) == 1:  # the everyday case, without a copy
            return self.objectives[0].sign * batch[self.objectives[0].name][:, None]
        scores = np.empty((len(batch), len(self.objectives)))
        for j, objective in enumerate(self.objectives):
            scores[:, j] = objective.sign * batch[objective.name]
        return scores

    def violations(self, batch: Batch) -> Floats:
        """(n, c) distance of each constraint to its bounds, 0 where satisfied."""
        _need_batch(self, "violations", batch)
        excess = np.zeros((len(batch), len(self.constraints)))
        for j, c in enumerate(self.constraints):
            values = batch[c.name]
            excess[:, j] = np.maximum(np.maximum(c.lower - values, values - c.upper), 0.0)
        return excess

    def nearness(self, batch: Batch) -> Floats:
        """(n,) scores of infeasible rows: fewer broken constraints first, then broken by less.

        Each violation v counts ``v / (1 + v)``, at most 1, so that no unit outweighs a constraint.
        NaN for rows that failed or are feasible.
        """
        _need_batch(self, "nearness", batch)
        violations = self.violations(batch)
        broken = violations > 0
        excess = np.where(np.isinf(violations), 1.0, violations / (1.0 + violations))
        scores = -np.where(broken, 1.0 + excess, 0.0).sum(axis=1)
        failed = ~batch["ok"] if "ok" in batch else False
        return np.where(failed | ~broken.any(axis=1), np.nan, scores)

    def feasible(self, batch: Batch) -> npt.NDArray[np.bool_]:
        """(n,) rows that did not fail and satisfy every constraint."""
        good: npt.NDArray[np.bool_] = (self.violations(batch) == 0).all(axis=1)
        if "ok" in batch:
            good &= batch["ok"]
        return good

    def costs(self, batch: Batch) -> Floats:
        """(n,) cost of evaluating each row; 1 each where the problem defines no cost.

        Raises:
            ProblemError: ``cost`` gave another length, or a negative or non-finite cost.
        """
        _need_batch(self, "costs", batch)
        if not self.has_cost:
            return np.ones(len(batch))
        given = self.cost(batch)  # type: ignore[attr-defined]
        try:
            costs = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            costs = np.full((), np.nan)
        costs = np.broadcast_to(costs, (len(batch),)) if costs.ndim == 0 else costs
        if costs.shape != (len(batch),) or not np.all(np.isfinite(costs) & (costs >= 0)):
            raise ProblemError(
                f"{self.name}.cost gave {given!r}; give {len(batch)} finite costs of at least 0"
            )
        return costs

    def measure(self, batch: Batch) -> dict[str, Array]:
        """Evaluate every row here and now: outcome name to (n,) floats, gradients (n, g).

        Raises:
            ProblemError: an outcome is missing, unknown, or has the wrong length or type; or the
                problem is a preference told by hand.
        """
        _need_batch(self, "measure", batch)
        rows = batch.select(self.inputs)
        whole = getattr(self, "evaluate_batch", None)
        if whole is not None:
            return self._named(whole(rows), len(batch))
        one = getattr(self, "evaluate", None)
        if one is None:
            raise ProblemError(f"{self.name} defines no evaluate_batch; ask and tell by hand")
        measured = missing(self, len(batch))
        for i, row in enumerate(self.rows(rows)):
            for name, value in self._named(one(row), None).items():
                measured[name][i] = value
        return measured

    def rows(self, batch: Batch) -> Iterator[Row]:
        """Rows as ``evaluate`` gets them: as the batch gives them, sequences without padding."""
        if self.environment is None:
            return self.space.rows(batch)
        return Space(*self.space, *self.environment.space).rows(batch)

    def _named(self, answer: Any, n: int | None) -> dict[str, Array]:
        """The answer of an evaluation as named floats: scalars, or (n,) arrays."""
        call = "evaluate" if n is None else "evaluate_batch"
        names = self.outcomes
        if not isinstance(answer, Mapping):
            if len(names) > 1:
                raise ProblemError(
                    f"{self.name}.{call} gave {answer!r}; give a dict with {list(names)}"
                )
            answer = {names[0]: answer}
        if set(answer) != set(names):
            raise ProblemError(
                f"{self.name}.{call} gave outcomes {sorted(map(str, answer))}; "
                f"the problem declares {sorted(names)}"
            )
        named = {name: outcome(self, name, answer[name], n) for name in names}
        self.check_noise(named)
        return named

    def check_noise(self, outcomes: Mapping[str, Array]) -> None:
        """Refuse known noise that no standard error can be.

        Raises:
            ProblemError: a standard error is negative.
        """
        for name in (o.standard_error for o in self.objectives):
            if name is not None and np.any(outcomes[name] < 0):
                raise ProblemError(
                    f"{self.name}: noise {name!r} is {np.min(outcomes[name])}; a standard error is "
                    "at least 0, or NaN where the row failed"
                )

    def check(self) -> None:
        """Refuse a problem declared wrongly.

        Raises:
            ProblemError: lists everything wrong at once.
        """
        wrong = faults(self)
        if wrong:
            raise ProblemError("\n  - ".join([f"problem {self.name} is declared wrongly:", *wrong]))

    def spec(self) -> dict[str, Any]:
        """The declaration as a plain dict, for fingerprints."""
        declared: dict[str, Any] = {
            "space": self.space.spec(),
            "objectives": [{"type": type(o).__name__, **_declared(o)} for o in self.objectives],
            "constraints": [_declared(c) for c in self.constraints],
            "measures": [_declared(m) for m in self.measures],
        }
        if self.fidelity:
            spec = {self.fidelity.name: self.fidelity.parameter.spec()}
            declared["fidelity"] = {"parameter": spec, "target": self.fidelity.target}
        if self.environment:
            declared["environment"] = self.environment.spec()
        if self.reference is not None:
            declared["reference"] = self.scores(self.reference)[0].tolist()
        return declared


def _need_batch(problem: Problem, call: str, batch: object) -> None:
    if not isinstance(batch, Batch):
        raise ProblemError(f"{problem.name}.{call}({batch!r}): give a Batch")


def need_problem(problem: object) -> None:
    """Refuse what is no problem, or one declared wrongly.

    Raises:
        ProblemError: so it is; lists everything wrong at once.
    """
    if not isinstance(problem, Problem):
        raise ProblemError(f"problem is {problem!r}; give a Problem")
    problem.check()


def _declared(outcome: Objective | Constraint | Measure) -> dict[str, Any]:
    """An outcome's fields; a gradient only where there is one, as in studies older than it."""
    fields = asdict(outcome)
    return {k: v for k, v in fields.items() if k != "gradient" or v is not None}


class _FunctionProblem(Problem):
    """A problem around a function."""

    def __init__(self, function: Callable[..., Any], batch: bool, declared: dict[str, Any]) -> None:
        self._name = getattr(function, "__name__", type(function).__name__)
        setattr(self, "evaluate_batch" if batch else "evaluate", function)
        for name, value in declared.items():
            setattr(self, name, value)

    @property
    def name(self) -> str:
        return self._name


_DEFAULT_OBJECTIVES = (Minimize("y"),)


def problem(  # noqa: PLR0913 - what a class would declare, one keyword each
    function: Callable[[Row], float | Mapping[str, float]] | Callable[[Batch], Any],
    space: Space,
    objectives: Sequence[Objective] | Objective = _DEFAULT_OBJECTIVES,
    *,
    batch: bool = False,
    constraints: Sequence[Constraint] = (),
    measures: Sequence[Measure] = (),
    fidelity: Fidelity | None = None,
    environment: Environment | None = None,
    cost: Callable[[Batch], npt.ArrayLike] | None = None,
    reference: Batch | None = None,
    about: str = "",
) -> Problem:
    """A problem from a function.

    Args:
        function: takes a dict of Python scalars and returns a float or a dict of outcomes; with
            ``batch=True`` takes a Batch and returns a dict of (n,) arrays.
        space: what may be tried.
        objectives: one objective or several; by default the outcome ``y`` is minimized.
        batch: whether the function evaluates whole batches.
        constraints: measured outcomes with bounds.
        measures: measured outcomes by which elites differ.
        fidelity: an input that makes evaluations cheaper, or None.
        environment: inputs that the user of the result cannot choose, or None.
        cost: (n,) cost of each row of a Batch, known before the evaluation.
        reference: one row of outcomes, the reference point of the hypervolume, or None.
        about: what the problem is, in words.

    Raises:
        ProblemError: lists everything wrong with the declaration at once.
    """
    if not callable(function):
        raise ProblemError(f"function is {function!r}; give a callable")
    check_flag("batch", batch)
    declared: dict[str, Any] = {
        "space": space,
        "objectives": [objectives] if isinstance(objectives, Objective) else _listed(objectives),
        "constraints": _listed(constraints),
        "measures": _listed(measures),
        "fidelity": fidelity,
        "environment": environment,
        "reference": reference,
        "about": about,
    }
    if cost is not None:
        declared["cost"] = cost
    made = _FunctionProblem(function, batch, declared)
    made.check()
    return made


def _listed(values: Any) -> Any:
    """A list of several, and what is no several as it is, for ``check`` to refuse."""
    return list(values) if isinstance(values, Iterable) else values
