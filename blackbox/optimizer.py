"""The ask/tell contract: every optimizer of this package, and every peer behind it, is one."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import reduce
from typing import Any, ClassVar, Self, final

import numpy as np

from blackbox.arguments import MOST, is_whole
from blackbox.batch import Array, Batch, as_column
from blackbox.errors import ProblemError, StateError, TellError, UnsupportedError
from blackbox.formulation import Problem, no_inputs, outcome
from blackbox.pending import Pending
from blackbox.space import (
    Categorical,
    Integer,
    Ordinal,
    Parameter,
    Permutation,
    Real,
    Sequence,
    Simplex,
)
from blackbox.state import State, digest, generator_state, restore_generator

#: Every kind of parameter a space can hold.
ALL_PARAMETERS: tuple[type[Parameter], ...] = (
    Real,
    Integer,
    Ordinal,
    Categorical,
    Simplex,
    Permutation,
    Sequence,
)


@dataclass(frozen=True)
class Supports:
    """What problems an optimizer can take.

    Args:
        parameters: kinds of parameters.
        objectives: fewest and most objectives.
        constraints: measured constraints.
        linear: linear constraints on inputs.
        measures: measures (an optimizer that ignores them would waste them silently).
        fidelity: whether the optimizer chooses the fidelity; others ask at the target.
        environment: whether the optimizer chooses the scenarios; others get them by chance.
        preference: an objective that only orders the rows told together.
    """

    parameters: tuple[type[Parameter], ...] = ALL_PARAMETERS
    objectives: tuple[int, float] = (1, 1)
    constraints: bool = False
    linear: bool = False
    measures: bool = False
    fidelity: bool = False
    environment: bool = False
    preference: bool = False

    def mismatches(self, problem: Problem) -> list[str]:
        """Everything about a problem that is not supported, one line each, with the fix."""
        kinds = ", ".join(kind.__name__ for kind in self.parameters)
        wrong = [
            f"parameter {p.name!r} is a {type(p).__name__}; declare it as one of {kinds}"
            for p in problem.space
            if not isinstance(p, self.parameters)
        ]
        fewest, most = self.objectives
        if not fewest <= len(problem.objectives) <= most:
            wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
            wrong.append(f"{len(problem.objectives)} objectives; declare {wanted}")
        if problem.preference and not self.preference:
            wrong.append(
                f"preference {problem.objectives[0].name!r}; declare Minimize or Maximize, or "
                "take an optimizer that learns from preferences"
            )
        if problem.constraints and not self.constraints:
            names = [c.name for c in problem.constraints]
            wrong.append(f"constraints {names}; declare none, or fold them into the objective")
        if problem.space.constraints and not self.linear:
            wrong.append("linear constraints on inputs; declare none, or reparametrise the space")
        if problem.measures and not self.measures:
            names = [m.name for m in problem.measures]
            wrong.append(f"measures {names}; declare none, or take a quality-diversity optimizer")
        return wrong


class Optimizer(ABC):
    """Proposes candidates and learns from outcomes; it neither evaluates nor stores.

    ``ask`` and ``tell`` are final. They number rows, fill in the fidelity's target and scenarios of
    the environment, remember which rows are pending and check every column; a subclass writes
    ``_ask``, ``_tell``, ``_state`` and ``_load_state`` and draws every random number from
    ``self.rng``.

    Args:
        problem: what is optimized.
        seed: seeds the optimizer's only generator; None draws one from the operating system.

    Raises:
        ProblemError: the problem is declared wrongly, or the seed is no int of at least 0.
        UnsupportedError: this optimizer cannot take the problem; lists every mismatch.
    """

    supports: ClassVar[Supports] = Supports()
    _arguments: dict[str, Any]
    _came_with: dict[str, str]  # for each archive among them a digest of its elites at that time

    def __new__(cls, *args: Any, **kwargs: Any) -> Optimizer:
        made = super().__new__(cls)
        # Constructor arguments, kept for the fingerprint that guards a study against a resume
        # by another optimizer.
        try:
            bound = inspect.signature(cls.__init__).bind(made, *args, **kwargs)
        except TypeError:
            return made  # a copy, whose arguments follow; or wrong ones, which __init__ refuses
        bound.apply_defaults()
        made._arguments = {k: v for k, v in list(bound.arguments.items())[1:] if k != "problem"}
        made._came_with = {k: digest(v.state()) for k, v in made._arguments.items() if _has_rows(v)}
        return made

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # What help() and editors show is the constructor, not the ``__new__`` above it.
        _, *rest = inspect.signature(cls.__init__).parameters.values()
        cls.__signature__ = inspect.Signature(rest)  # type: ignore[attr-defined]

    def __init__(self, problem: Problem, *, seed: int | None = None) -> None:
        if not isinstance(problem, Problem):
            raise ProblemError(f"problem is {problem!r}; give a Problem")
        problem.check()
        wrong = self.supports.mismatches(problem)
        if wrong:
            name = type(self).__name__
            raise UnsupportedError("\n  - ".join([f"{name} cannot take {problem.name}:", *wrong]))
        if seed is not None and not is_whole(seed, 0):
            raise ProblemError(f"seed={seed!r} must be an int of at least 0 or None")
        self.problem = problem
        self.rng = np.random.default_rng(seed)
        self._pending = Pending()
        self._next = 0
        # Asked for at every tell, of a problem that does not change.
        self._outcomes = problem.outcomes
        self._gradients = frozenset(problem.gradients.values())
        self._input_names = problem.inputs

    @property
    def batch_size(self) -> int:
        """Rows that ``ask()`` gives when no number is asked for."""
        return 1

    @property
    def asked(self) -> int:
        """Rows asked for so far; also the id that the next row will get."""
        return self._next

    @property
    def pending(self) -> Batch:
        """Rows asked for and not yet told, by increasing id."""
        return self._pending.rows()

    @final
    def ask(self, n: int | None = None) -> Batch:
        """Propose candidates.

        Args:
            n: how many; by default the optimizer's natural batch.

        Returns:
            Columns ``id``, the parameters, and the fidelity and the environment if there are any.
            Fewer than n rows mean that the optimizer has nothing more to propose.

        Raises:
            TellError: ``n`` is not a positive int, or more rows than arrays hold.
        """
        if n is None:
            n = self.batch_size
        elif not is_whole(n, 1):
            raise TellError(f"ask(n={n!r}): n must be a positive int or None")
        elif n > MOST:
            raise TellError(f"ask(n={n!r}): n must be at most {MOST}; ask for fewer rows")
        proposed = self._ask(int(n))
        count = len(proposed)
        columns = {"id": np.arange(self._next, self._next + count), **proposed.columns()}
        fidelity, environment = self.problem.fidelity, self.problem.environment
        if fidelity is not None and fidelity.name not in columns:
            columns[fidelity.name] = np.full(count, fidelity.target)
        if environment is not None and not columns.keys() >= set(environment.names):
            columns |= environment.draw(count, self.rng).columns()
        batch = Batch.of(columns, count)
        self._pending.add(batch)
        self._next += count
        return batch

    @final
    def tell(self, batch: Batch) -> None:
        """Learn outcomes, of asked rows in any order and number, or of data from outside.

        Args:
            batch: a column for each outcome. Rows with an ``id`` given by ``ask`` may leave out
                parameters; rows with id -1, or a batch without ids, are data from outside and
                bring all of them. ``ok`` marks failed rows; a row whose outcome is NaN or
                infinite is a failed row too. An entry of a gradient that is NaN or infinite is
                only not known. The values of a ``Preference`` order the rows of this call.

        Raises:
            TellError: an outcome is missing, an id is unknown or was told before.
            SpaceError: a parameter lies outside its space, or data from outside lacks one. In
                every case nothing was told.
        """
        self.learn(self.checked(batch))

    @final
    def checked(self, batch: Batch) -> Batch:
        """The first half of ``tell``: the rows with every column checked; nothing is learnt yet.

        A study calls both halves, to write the rows down in between.

        Returns:
            Columns ``id``, the inputs, every outcome as float64 (n,), gradients (n, g), ``ok``.

        Raises:
            TellError, SpaceError: as ``tell``.
        """
        return self._checked(batch)

    @final
    def learn(self, told: Batch) -> None:
        """The second half of ``tell``: learn rows that ``checked`` gave."""
        self._pending.remove(told["id"])
        if len(told):
            self._tell(told)

    @final
    def state_dict(self) -> State:
        """Everything needed to go on exactly: nested dicts of arrays, numbers and strings."""
        return {
            "optimizer": self.spec(),
            "next": self._next,
            "rng": generator_state(self.rng),
            "pending": self.pending.columns(),
            "own": self._state(),
        }

    @final
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where ``state_dict`` was taken; build the optimizer the same way first.

        Raises:
            StateError: the state is of another optimizer, or one built with other arguments, or
                damaged; of a damaged one a part may have been taken.
        """
        if not (isinstance(state, Mapping) and isinstance(state.get("optimizer"), Mapping)):
            raise StateError("load_state_dict: give what state_dict() returned")
        if state["optimizer"] != self.spec():
            raise StateError(
                f"load_state_dict: the state is of {state['optimizer']}, this is {self.spec()}; "
                "build the optimizer as it was first built"
            )
        for key in ("next", "rng", "pending", "own"):
            if key not in state:
                raise StateError(
                    f"load_state_dict: no {key!r} in the state; give what state_dict() returned"
                )
        if not is_whole(state["next"], 0):
            raise StateError(
                f"load_state_dict: next={state['next']!r} is no number of rows; give what "
                "state_dict() returned"
            )
        restore_generator(self.rng, state["rng"])
        self._next = int(state["next"])
        self._pending = Pending()
        try:
            if state["pending"]:
                self._pending.add(Batch(state["pending"]))
            self._load_state(state["own"])
        except StateError:
            raise
        # PyTorch raises RuntimeError for weights of other shapes.
        except (
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
            OverflowError,
            RuntimeError,
        ) as error:
            raise StateError(
                f"load_state_dict: the state is damaged ({type(error).__name__}: {error}); give "
                "what state_dict() returned, to an optimizer that is built anew"
            ) from error

    @classmethod
    def of_state(cls, problem: Problem, state: Mapping[str, Any]) -> Self:
        """One in the state of another of this type that has no argument but its seed.

        For an optimizer within another, which draws its seed: where it draws from what the
        operating system gave, the state alone knows it.

        Raises:
            StateError: the state is of another optimizer, or damaged.
        """
        optimizer = cls(problem, seed=state["optimizer"]["arguments"]["seed"])
        optimizer.load_state_dict(state)
        return optimizer

    def spec(self) -> dict[str, Any]:
        """Type and arguments as a plain dict, for fingerprints."""
        arguments = {k: _plain(v) for k, v in self._arguments.items()}
        for name, elites in self._came_with.items():
            arguments[name] = {**arguments[name], "elites": elites}
        return {"type": type(self).__name__, "arguments": arguments}

    def __repr__(self) -> str:
        given = ", ".join(f"{k}={v!r}" for k, v in self._arguments.items())
        return f"{type(self).__name__}({self.problem.name}, {given})"

    @abstractmethod
    def _ask(self, n: int) -> Batch:
        """At most n proposals: the space's columns; fidelity and environment if supported."""

    @abstractmethod
    def _tell(self, batch: Batch) -> None:
        """Learn checked rows of one tell: id, inputs, every outcome as float64, ok. Not empty."""

    @abstractmethod
    def _state(self) -> State:
        """What ``_load_state`` needs beyond the generator and the pending rows."""

    @abstractmethod
    def _load_state(self, state: State) -> None:
        """Restore what ``_state`` gave."""

    def _checked(self, batch: Batch) -> Batch:
        if not isinstance(batch, Batch):
            raise TellError(f"tell: {type(batch).__name__} given; give a Batch")
        n = len(batch)
        ids = batch["id"] if "id" in batch else np.full(n, -1)
        if ids.dtype != np.int64 or ids.ndim != 1:
            raise TellError(f"tell: column 'id' is {ids.dtype}{ids.shape}; give (n,) int64 ids")
        columns = {"id": ids, **self._inputs(batch, ids)}
        for name in self._outcomes:
            columns[name] = self._outcome(batch, name)
        good = [np.isfinite(columns[n]) for n in self._outcomes if n not in self._gradients]
        try:
            self.problem.check_noise(columns)
        except ProblemError as error:
            raise TellError(f"tell: {error}") from None
        if "ok" in batch:
            if batch["ok"].dtype != bool or batch["ok"].ndim != 1:
                raise TellError(f"tell: column 'ok' is {batch['ok'].dtype}; give (n,) bools")
            good.append(batch["ok"])
        columns["ok"] = reduce(np.logical_and, good)
        return Batch.of(columns, n)

    def _outcome(self, batch: Batch, name: str) -> Array:
        if name not in batch:
            raise TellError(
                f"tell: outcome {name!r} is missing; the batch has {list(batch.names)} and the "
                f"problem declares outcomes {list(self._outcomes)}"
            )
        values = batch[name]
        if name not in self._gradients and values.dtype == np.float64 and values.ndim == 1:
            return values
        try:
            return as_column(name, outcome(self.problem, name, values, len(batch)))
        except ProblemError as error:
            raise TellError(f"tell: {error}") from None

    def _inputs(self, batch: Batch, ids: Array) -> dict[str, Array]:
        """The inputs' columns: as asked where they are unchanged or absent, else checked."""
        asked = self._pending.find(ids, self._next)
        names = self._input_names
        if asked is not None:
            given = batch.columns()
            columns = {n: asked[n] for n in names}
            if all(given.get(n, column) is column for n, column in columns.items()):
                return columns
        outside = ids < 0
        if not len(ids):
            batch = batch.with_columns(**no_inputs(self.problem).columns())
        elif asked is not None:
            batch = batch.with_columns(**{n: asked[n] for n in names if n not in batch})
        elif not outside.all() and any(n not in batch for n in names):
            absent = [n for n in names if n not in batch]
            raise TellError(f"tell: rows from outside (id -1) need columns {absent}")
        return self._checked_inputs(batch)

    def _checked_inputs(self, batch: Batch) -> dict[str, Array]:
        columns = self.problem.space.check(batch).columns()
        if self.problem.fidelity is not None:
            columns[self.problem.fidelity.name] = self._checked_fidelity(batch)
        if self.problem.environment is not None:
            columns |= self.problem.environment.space.check(batch).columns()
        return columns

    def _checked_fidelity(self, batch: Batch) -> Array:
        fidelity = self.problem.fidelity
        assert fidelity is not None
        if fidelity.name not in batch:
            return np.full(len(batch), fidelity.target)
        values = fidelity.parameter.check(batch[fidelity.name])
        if not self.supports.fidelity and np.any(values != fidelity.target):
            raise TellError(
                f"tell: column {fidelity.name!r} holds values other than the target "
                f"{fidelity.target!r}, and {type(self).__name__} knows no fidelities; "
                "tell only rows at the target"
            )
        return values


def _has_rows(value: Any) -> bool:
    """Whether it is an archive that holds elites; this module stands below the archives."""
    return all(hasattr(type(value), name) for name in ("elites", "state", "spec")) and bool(value)


def _plain(value: Any) -> Any:
    """An argument as plain data for the fingerprint; of rows, or a study's, a digest."""
    rows = getattr(value, "history", value)
    if isinstance(rows, Batch):
        return digest(rows.columns())
    if callable(getattr(value, "spec", None)) and not isinstance(value, type):
        value = value.spec()
    if is_dataclass(value) and not isinstance(value, type):
        named = {field.name: getattr(value, field.name) for field in fields(value)}
        value = {"type": type(value).__qualname__, **named}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return getattr(value, "__qualname__", type(value).__qualname__)
