"""A history for other programs: CSV, Parquet, and an ordinary Optuna study."""

from __future__ import annotations

import contextlib
import csv
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from blackbox.batch import Array, Batch, Row, alike
from blackbox.errors import StorageError, require
from blackbox.formulation import Constraint, Problem
from blackbox.space import Categorical, Integer, Ordinal, Parameter, Permutation, Real, Simplex
from blackbox.space import Sequence as SequenceParameter
from blackbox.storage.filesystem import as_path

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage, RDBStorage
    from optuna.trial import FrozenTrial

_ROWS = 65_536


def to_csv(
    history: Batch,
    path: str | os.PathLike[str],
    labels: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Write a history as UTF-8 CSV, floats with all their digits, None as nothing.

    Args:
        history: rows told.
        path: the file, replaced as a whole.
        labels: for a vector column, the names of its elements; default 0 to k-1.

    Raises:
        StorageError: the file cannot be written.
    """
    flat = history.flat(labels)
    with (
        _replacing(as_path(path)) as unfinished,
        open(unfinished, "w", newline="", encoding="utf-8", errors="surrogatepass") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(flat)
        # In pieces: as Python objects a column takes four times its size.
        for start in range(0, len(history), _ROWS):
            columns = [column[start : start + _ROWS].tolist() for column in flat.values()]
            writer.writerows(zip(*columns, strict=True))


def to_parquet(
    history: Batch,
    path: str | os.PathLike[str],
    labels: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Write a history as Parquet; of mixed types int and float become float, all others text.

    Args:
        history: rows told.
        path: the file, replaced as a whole.
        labels: for a vector column, the names of its elements; default 0 to k-1.

    Raises:
        MissingExtraError: pyarrow is not installed (extra ``data``).
        StorageError: the file cannot be written.
    """
    arrow, parquet = require("pyarrow", "data"), require("pyarrow.parquet", "data")
    columns = {name: _arrow(arrow, column) for name, column in history.flat(labels).items()}
    with _replacing(as_path(path)) as unfinished:
        parquet.write_table(arrow.table(columns), unfinished)


def to_optuna(
    problem: Problem,
    history: Batch,
    storage: str | BaseStorage,
    study_name: str,
    reasons: Mapping[int, str] | None = None,
) -> None:
    """Write a history as an ordinary Optuna study, for its dashboard and its plots.

    Elements of vectors become parameters such as ``mix[web]``; constraints become distances to
    the bounds, satisfied at or below zero; measures, noise, gradients, cost and ids become user
    attributes; failed rows become failed trials with their reason as a user attribute. Optuna
    takes about 0.03 s a row in a database, 0.001 s in a journal file.

    Args:
        problem: what the history is of.
        history: rows told, with every input and outcome of the problem.
        storage: a database URL such as ``"sqlite:///optuna.db"``, or any Optuna storage, for
            instance ``JournalStorage(JournalFileBackend("optuna.log"))``.
        study_name: name of the study, new in this storage.
        reasons: tracebacks of failed rows by id.

    Raises:
        MissingExtraError: Optuna is not installed (extra ``optuna``).
        StorageError: the study exists, the problem has no objective, or Optuna cannot write it.
    """
    optuna = require("optuna", "optuna")
    if not problem.objectives:
        raise StorageError(
            f"problem {problem.name} has no objectives and Optuna needs one: use to_csv or "
            "to_parquet, or declare an objective"
        )
    directions = ["maximize" if o.sign > 0 else "minimize" for o in problem.objectives]
    with _optuna_storage(storage, study_name) as opened:
        study = optuna.create_study(storage=opened, study_name=study_name, directions=directions)
        study.set_user_attr("blackbox", problem.name)
        for trial in _trials(problem, history, reasons or {}):
            study.add_trial(trial)


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file to write, which takes the place of ``path`` once it is whole."""
    if path.is_dir():
        raise StorageError(f"cannot write {str(path)!r}: it is a folder; give a file")
    unfinished = path.with_name(path.name + ".tmp")
    try:
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {str(path)!r}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _arrow(arrow: Any, column: Array) -> Any:
    values: Any = alike(column.tolist()) if column.dtype.kind in "OU" else column
    try:
        return arrow.array(values)
    except UnicodeEncodeError:
        # Lone surrogates are no text to Parquet.
        return arrow.array([str(v).encode("utf-8", "replace").decode() for v in values])


@contextlib.contextmanager
def _optuna_storage(storage: str | BaseStorage, study_name: str) -> Iterator[BaseStorage]:
    optuna, alchemy = require("optuna", "optuna"), require("sqlalchemy", "optuna")
    made: RDBStorage | None = None
    if not isinstance(storage, str | optuna.storages.BaseStorage):
        raise StorageError(
            f"storage is {storage!r}; give a URL such as 'sqlite:///optuna.db', or a storage of "
            "Optuna"
        )
    try:
        if isinstance(storage, str):
            made = optuna.storages.RDBStorage(storage)
            yield made
        else:
            yield storage
    except optuna.exceptions.DuplicatedStudyError as error:
        raise StorageError(
            f"Optuna's storage holds a study {study_name!r} already: give another study_name, or "
            "remove it with optuna.delete_study"
        ) from error
    except (optuna.exceptions.StorageInternalError, alchemy.exc.SQLAlchemyError) as error:
        raise StorageError(f"Optuna cannot write to {storage!r}: {error}") from error
    except ImportError as error:
        raise StorageError(
            f"Optuna cannot use {storage!r}: {error}; install that database's driver"
        ) from error
    finally:
        if made is not None:
            made.remove_session()
            made.engine.dispose()


def _trials(problem: Problem, history: Batch, reasons: Mapping[int, str]) -> Iterator[FrozenTrial]:
    """A finished trial for each row."""
    optuna = require("optuna", "optuna")
    parameters = [*problem.space, *([problem.fidelity.parameter] if problem.fidelity else [])]
    parameters += problem.environment.space if problem.environment else []
    names = {p.name: _elements(p) for p in parameters}
    distributions = {name: _distribution(p) for p in parameters for name in names[p.name]}
    complete, failed = optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.FAIL
    rest = [n for n in history.names if n not in problem.inputs and n != "ok"]
    for row in history:
        values = [row[o.name] for o in problem.objectives]
        ok = row.get("ok", True) and all(map(math.isfinite, values))
        given = {n: v.tolist() if isinstance(v := row[n], np.ndarray) else v for n in rest}
        attributes = {n: v for n, v in given.items() if _is_attribute(v)}
        if not ok:
            attributes["reason"] = reasons.get(row["id"], "failed")
        else:
            attributes = {n: v for n, v in attributes.items() if n not in _objectives(problem)}
        yield optuna.trial.create_trial(
            state=complete if ok else failed,
            values=values if ok else None,
            params=_params(row, names),
            distributions=distributions,
            user_attrs=attributes,
            constraints=_distances(problem.constraints, row),
        )


def _objectives(problem: Problem) -> set[str]:
    return {objective.name for objective in problem.objectives}


def _is_attribute(value: Any) -> bool:
    """Whether Optuna can keep a value as JSON."""
    if isinstance(value, list):
        return all(map(_is_attribute, value))
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def _elements(parameter: Parameter) -> list[str]:
    """Names of the Optuna parameters that one of ours becomes."""
    if parameter.size is None:
        return [parameter.name]
    return [f"{parameter.name}[{label}]" for label in parameter.labels]


def _params(row: Row, names: Mapping[str, list[str]]) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for name, elements in names.items():
        value = row[name]
        values = value.tolist() if isinstance(value, np.ndarray) else [value]
        params.update(zip(elements, values, strict=True))
    return params


def _distribution(parameter: Parameter) -> BaseDistribution:
    """The distribution of a parameter, or of each element of a vector."""
    from optuna import distributions

    match parameter:
        case Real():
            return distributions.FloatDistribution(parameter.low, parameter.high, log=parameter.log)
        case Integer():
            return distributions.IntDistribution(parameter.low, parameter.high, log=parameter.log)
        case Simplex():
            return distributions.FloatDistribution(0.0, 1.0)
        case Categorical() | Ordinal():
            return distributions.CategoricalDistribution(parameter.values)
        case Permutation():
            return distributions.CategoricalDistribution(parameter.items)
        case SequenceParameter():
            shorter = parameter.length[0] < parameter.length[1]
            return distributions.CategoricalDistribution(
                (*parameter.alphabet, *([""] if shorter else []))
            )
    raise StorageError(
        f"parameter {parameter.name!r} is a {type(parameter).__name__}, which Optuna does not "
        "know: use to_csv or to_parquet"
    )


def _distances(constraints: Sequence[Constraint], row: Row) -> dict[str, float] | None:
    """How far each bound is exceeded, negative inside, as Optuna wants it."""
    found: dict[str, float] = {}
    for constraint in constraints:
        value = row[constraint.name]
        if not math.isfinite(value):
            continue
        if math.isfinite(constraint.upper):
            found[f"{constraint.name} <= {constraint.upper:g}"] = value - constraint.upper
        if math.isfinite(constraint.lower):
            found[f"{constraint.name} >= {constraint.lower:g}"] = constraint.lower - value
    return found or None
