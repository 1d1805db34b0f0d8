"""The public names: listed once, loadable, documented, and the same to a type checker."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

import blackbox

DOOR = Path(blackbox.__file__)


def type_checked() -> dict[str, str]:
    """Name to module, as the imports under ``if TYPE_CHECKING`` say."""
    found = {}
    for node in ast.parse(DOOR.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for statement in node.body:
                assert isinstance(statement, ast.ImportFrom)
                for alias in statement.names:
                    found[alias.asname or alias.name] = f"{statement.module}.{alias.name}"
    return found


def test_no_name_stands_twice() -> None:
    assert len(set(blackbox.__all__)) == len(blackbox.__all__)


def test_dir_is_all() -> None:
    assert dir(blackbox) == sorted(blackbox.__all__)


@pytest.mark.parametrize("name", blackbox.__all__)
def test_name_loads(name: str) -> None:
    assert getattr(blackbox, name) is not None


def test_type_checker_sees_the_same_names() -> None:
    assert set(type_checked()) == set(blackbox.__all__) - {"__version__"}


@pytest.mark.parametrize(("name", "home"), type_checked().items())
def test_type_checker_sees_the_same_objects(name: str, home: str) -> None:
    module, _, attribute = home.rpartition(".")
    try:
        expected: Any = importlib.import_module(home)
    except ModuleNotFoundError:
        expected = getattr(importlib.import_module(module), attribute)
    assert getattr(blackbox, name) is expected


def test_star_import_gives_all_names() -> None:
    code = "from blackbox import *; import blackbox; print(set(blackbox.__all__) - set(globals()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=DOOR.parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'blackbox' has no attribute 'nonesuch'"):
        blackbox.nonesuch  # noqa: B018


def public() -> Iterator[tuple[str, Any]]:
    """Every public function and class by its name, and the public methods of each class."""
    for name in sorted(set(blackbox.__all__) - {"__version__"}):
        value = getattr(blackbox, name)
        if not isinstance(value, ModuleType):
            yield from _with_methods(name, value)
            continue
        yield name, value
        for inner in value.__all__:
            yield from _with_methods(f"{name}.{inner}", getattr(value, inner))


def _with_methods(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value):
        yield name, value
    if inspect.isclass(value) and value.__module__.startswith("blackbox"):
        for method, member in vars(value).items():
            if not method.startswith("_") and isinstance(member, METHODS):
                yield f"{name}.{method}", getattr(value, method)


METHODS = (FunctionType, property, classmethod, staticmethod)


def test_everything_public_has_a_one_line_summary() -> None:
    found = dict(public())
    assert "Study.run" in found
    assert "Batch.concat" in found
    bare = {
        name
        for name, value in found.items()
        if not (inspect.getdoc(value) or "").partition("\n")[0].endswith(".")
    }
    assert bare == set()


def test_modules_with_public_names_list_them() -> None:
    modules = [n for n in blackbox.__all__ if isinstance(getattr(blackbox, n), ModuleType)]
    assert [n for n in modules if not getattr(getattr(blackbox, n), "__all__", None)] == []
