"""States and files of archives: read whole and found sound before anything is taken from them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from blackbox.archives._rows import cast
from blackbox.arguments import is_path, is_whole
from blackbox.batch import Array
from blackbox.errors import StateError
from blackbox.formulation import Problem
from blackbox.state import State, load, pack, save

_SCHEMA = 1
_FIX = "give what state() returned"


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Keys of plain data whose values differ, arrays compared bit by bit."""
    return [k for k in {**one, **other} if pack({k: one.get(k)}) != pack({k: other.get(k)})]


def write(made: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write plain data to a file, whole or not at all.

    Raises:
        StateError: it cannot be written there.
    """
    check_path("save", path)
    try:
        save({"schema": _SCHEMA, **made}, path)
    except OSError as error:
        raise StateError(f"{os.fspath(path)} cannot be written: {error.strerror}") from error


def read(path: str | os.PathLike[str], problem: Problem) -> State:
    """What ``write`` wrote of an archive: its ``archive``, kind and arguments, and its ``state``.

    Raises:
        StateError: there is no such file, or it is damaged, of another problem, or of a newer
            version.
    """
    check_path("load", path)
    try:
        saved = load(path)
    except OSError as error:
        raise StateError(f"{os.fspath(path)} cannot be read: {error.strerror}") from error
    if saved.get("schema") != _SCHEMA:
        raise StateError(
            f"{os.fspath(path)} has schema {saved.get('schema')!r} where {_SCHEMA} is read: "
            "it is no archive, or one of a newer blackbox"
        )
    wrong = differences(problem.spec(), entry(saved, "problem"))
    if wrong:
        raise StateError(
            f"{os.fspath(path)} is of another problem than {problem.name}: they differ in "
            f"{', '.join(wrong)}"
        )
    return {key: entry(saved, key) for key in ("archive", "state")}


def built(kind: Any, problem: Problem, spec: Mapping[str, Any]) -> Any:
    """An empty archive from its kind and arguments, of which some may be archives themselves.

    Args:
        kind: the class that all kinds of archives are below.
        problem: the problem.
        spec: what ``spec()`` gave.

    Raises:
        StateError: there is no such kind.
    """
    known = _below(kind)
    if spec["type"] not in known:
        raise StateError(f"archives of kind {spec['type']!r} are not known; import what makes them")
    arguments = {
        name: built(kind, problem, value) if isinstance(value, dict) else value
        for name, value in spec["arguments"].items()
    }
    return known[spec["type"]].build(problem, **arguments)


def _below(kind: Any) -> dict[str, Any]:
    """All kinds of archives below one, by name."""
    found: dict[str, Any] = {}
    for below in kind.__subclasses__():
        found |= {below.__name__: below, **_below(below)}
    return found


def check_path(name: str, path: object) -> None:
    """Refuse what names no file.

    Raises:
        StateError: so it does.
    """
    if not is_path(path):
        raise StateError(f"{name}: path={path!r}; give the path of a file")


def entry(state: Mapping[str, Any], key: str) -> Any:
    """An entry that a state has to have.

    Raises:
        StateError: it has none.
    """
    if key not in state:
        raise StateError(f"load_state: no {key!r} in the state; {_FIX}")
    return state[key]


def array(name: str, value: object, like: Array, n: int | None = None) -> Array:
    """(n, ...) an array of the type and width of another one, of n rows where n is given.

    Raises:
        StateError: it is none.
    """
    try:
        made = cast(np.asarray(value), like.dtype)
    except (TypeError, ValueError, OverflowError):
        made = np.zeros(())
    fits = made.ndim == like.ndim and made.shape[1:] == like.shape[1:]
    if not fits or (n is not None and len(made) != n):
        wanted = ("n" if n is None else n, *like.shape[1:])
        raise StateError(
            f"load_state: {name!r} of the state is {value!r:.60}, where {like.dtype} of shape "
            f"{wanted} is read; {_FIX}"
        )
    return made


def checked(state: object, own: Mapping[str, Array], table: Mapping[str, Array]) -> State:
    """A state with the entries that every archive has, each in its type.

    Args:
        state: what ``load_state`` is given.
        own: of each column that archives keep for themselves an array of its type and width.
        table: of each column of the problem's an array of its type and width.

    Raises:
        StateError: it is none, or of another problem.
    """
    if not isinstance(state, Mapping):
        raise StateError(f"load_state: {type(state).__name__} given; {_FIX}")
    made = dict(state)
    if not is_whole(entry(state, "outside"), 0):
        raise StateError(f"load_state: outside={state['outside']!r} is no number of rows; {_FIX}")
    m = own["measures"].shape[1]
    low, high = (array(key, entry(state, key), np.zeros(m), m) for key in ("low", "high"))
    if not (np.isfinite(high - low) & (low < high)).all():
        raise StateError(f"load_state: low={low} and high={high} are no ranges; {_FIX}")
    made |= {"low": low, "high": high}
    for key, like in (("table", table), ("own", own)):
        made[key] = _columns(key, entry(state, key), like)
    if len(made["own"]["cell"]) != len(made["table"]["id"]):
        raise StateError(f"load_state: 'own' and 'table' have rows of another number; {_FIX}")
    known = made["own"]
    if not (np.isfinite(known["score"]).all() and np.isfinite(known["measures"]).all()):
        raise StateError(f"load_state: scores or measures of elites are not finite; {_FIX}")
    if np.isnan(known["threshold"]).any():
        raise StateError(f"load_state: thresholds of elites are NaN; {_FIX}")
    return made


def check_cells(cells: Array, size: int) -> None:
    """Refuse elites of cells that do not exist.

    Raises:
        StateError: there are some.
    """
    if len(cells) and not (cells.min() >= 0 and cells.max() < size):
        raise StateError(f"load_state: elites of cells that are not from 0 to {size - 1}; {_FIX}")


def _columns(name: str, columns: object, like: Mapping[str, Array]) -> dict[str, Array]:
    if not isinstance(columns, Mapping) or set(columns) != set(like):
        given = sorted(map(str, columns)) if isinstance(columns, Mapping) else repr(columns)[:60]
        raise StateError(
            f"load_state: the state has columns {given}, the archive {sorted(like)}; build it as "
            "it was first built"
        )
    made: dict[str, Array] = {}
    n: int | None = None
    for column, values in columns.items():
        made[column] = array(f"{name}.{column}", values, like[column], n)
        n = len(made[column])
    return made
