"""Imports run one way down the house: a module imports itself and the lines above it, no more.

The walk reads the source and imports nothing, so it sees lazy imports inside functions and imports
for type checkers alike.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]

# Each line may import the lines above it. Modules of one line are siblings and strangers, unless
# SIBLINGS says otherwise.
HOUSE = (
    ("errors",),
    ("arguments",),
    ("batch",),
    ("state",),
    ("space",),
    ("formulation",),
    ("pending",),
    ("optimizer",),
    ("metrics",),
    ("archives", "surrogates", "acquisitions", "gflownets", "llm"),
    ("optimizers",),
    ("executors",),
    ("storage",),
    ("study",),
    ("plot",),
    ("testing",),
    ("problems",),
    ("cli",),
    ("__main__",),
)
SIBLINGS = {"acquisitions": {"surrogates"}}
# Ready-made problems are declarations: they stand below, but know neither optimizers nor studies.
ONLY = {"problems": {"errors", "arguments", "batch", "state", "space", "formulation", "metrics"}}

LINE = {name: number for number, line in enumerate(HOUSE) for name in line}


class Import(NamedTuple):
    """One module of the package importing another."""

    source: str
    target: str
    line: int
    runs: bool  # False under `if TYPE_CHECKING`


class Module(NamedTuple):
    """A parsed module, and whether it is a package's ``__init__``."""

    tree: ast.Module
    is_package: bool


def modules(package: Path) -> dict[str, Module]:
    """Every module of a package by its dotted name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = (package.name, *path.relative_to(package).with_suffix("").parts)
        is_package = parts[-1] == "__init__"
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        found[".".join(parts[:-1] if is_package else parts)] = Module(tree, is_package)
    return found


def imports(found: Mapping[str, Module]) -> Iterator[Import]:
    """Every import from one module of the package of another."""
    for source, (tree, is_package) in found.items():
        root = source.partition(".")[0]
        checked_only = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            for statement in node.body
            for inner in ast.walk(statement)
        }
        for node in ast.walk(tree):
            for target in _targets(node, source, is_package, set(found)):
                if target.partition(".")[0] == root:
                    yield Import(source, target, node.lineno, id(node) not in checked_only)


def _targets(node: ast.AST, source: str, is_package: bool, known: set[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        above = source.split(".")[: None if is_package else -1]
        above = above[: len(above) - node.level + 1]
        base = ".".join([*above, base] if base else above)
    # `from package import module` imports the module, not merely the package.
    inner = [f"{base}.{alias.name}" for alias in node.names]
    return [name if name in known else base for name in inner]


def top(module: str) -> str:
    """The first level below the package: ``space`` for ``blackbox.space.vectors``."""
    return module.split(".")[1] if "." in module else ""


def violations(package: Path) -> list[str]:
    """One line for each import that runs up or sideways, and each module the house lacks."""
    found = modules(package)
    wrong = [
        f"{name}: {top(name)!r} has no line in the house; give it one in HOUSE"
        for name in found
        if top(name) and top(name) not in LINE
    ]
    for source, target, line, _ in imports(found):
        a, b = top(source), top(target)
        if a == "" or a not in LINE or a == b:
            continue  # the package's own __init__ is the door: it names everything, lazily
        if b == "":
            wrong.append(f"{source}:{line} imports the package's door; import from the module")
        elif b not in LINE:
            continue  # reported above
        elif (a in ONLY and b not in ONLY[a]) or not _below(a, b):
            wrong.append(f"{source}:{line} imports {target}")
    return wrong


def _below(source: str, target: str) -> bool:
    return LINE[target] < LINE[source] or target in SIBLINGS.get(source, set())


def rings(package: Path) -> list[list[str]]:
    """Groups of modules that import each other in a ring when they run."""
    found = modules(package)
    graph: dict[str, set[str]] = {name: set() for name in found}
    for source, target, _, runs in imports(found):
        # A module inside a package imports from its neighbours; naming its own parent is a ring.
        if runs and source not in {target, package.name}:
            graph[source].add(target)
    reach = {name: _reachable(graph, name) for name in graph}
    circles = {tuple(sorted(b for b in reach[a] if a in reach[b])) for a in reach if a in reach[a]}
    return sorted(map(list, circles))


def _reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    todo = list(graph[start])
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(graph.get(name, ()))
    return seen


def test_imports_run_one_way_down_the_house() -> None:
    assert violations(ROOT / "blackbox") == []


def test_no_import_rings() -> None:
    assert rings(ROOT / "blackbox") == []


def test_package_is_walked() -> None:
    found = modules(ROOT / "blackbox")
    seen = {(i.source, i.target) for i in imports(found)}
    assert ("blackbox.batch", "blackbox.errors") in seen
    assert ("blackbox.space.space", "blackbox.space.linear") in seen


def plant(root: Path, files: Mapping[str, str]) -> Path:
    """A package on disk with these files."""
    package = root / "house"
    for name, text in {"__init__.py": "", "errors.py": "", **files}.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return package


PLANTED = {
    "up": {"batch.py": "from house.study import x", "study.py": ""},
    "up, by a plain import": {"batch.py": "import house.study", "study.py": ""},
    "up, a module named through the package": {
        "batch.py": "from house import study",
        "study.py": "",
    },
    "up, relative": {"batch.py": "from .study import x", "study.py": ""},
    "up, relative out of a package": {"space/__init__.py": "from ..study import x", "study.py": ""},
    "up, inside a function": {"batch.py": "def f():\n    import house.study", "study.py": ""},
    "up, for a type checker": {
        "batch.py": "if TYPE_CHECKING:\n    from house.study import Study",
        "study.py": "",
    },
    "sideways": {"surrogates.py": "import house.acquisitions", "acquisitions.py": ""},
    "problems to optimizers": {"problems.py": "import house.optimizers", "optimizers.py": ""},
    "the door": {"batch.py": "from house import Real"},
    "a module without a line": {"utils.py": ""},
}


@pytest.mark.parametrize("files", PLANTED.values(), ids=PLANTED)
def test_planted_violation_is_found(tmp_path: Path, files: Mapping[str, str]) -> None:
    assert len(violations(plant(tmp_path, files))) == 1


PERMITTED = {
    "down": {"batch.py": "from house.errors import x"},
    "down, relative": {"space/__init__.py": "", "space/a.py": "from ..errors import x"},
    "own package": {"space/__init__.py": "from house.space.a import A", "space/a.py": "A = 1"},
    "the named sibling": {"acquisitions.py": "import house.surrogates", "surrogates.py": ""},
    "third parties for a type checker": {"batch.py": "if TYPE_CHECKING:\n    import pandas as pd"},
    "the door naming everything": {"__init__.py": "from house.study import x", "study.py": ""},
}


@pytest.mark.parametrize("files", PERMITTED.values(), ids=PERMITTED)
def test_permitted_import_passes(tmp_path: Path, files: Mapping[str, str]) -> None:
    package = plant(tmp_path, files)
    assert violations(package) == []
    assert rings(package) == []


def test_planted_ring_is_found(tmp_path: Path) -> None:
    files = {
        "space/__init__.py": "",
        "space/a.py": "from house.space.b import x",
        "space/b.py": "def f():\n    from house.space import a",
    }
    assert rings(plant(tmp_path, files)) == [["house.space.a", "house.space.b"]]


def test_ring_through_the_own_package_is_found(tmp_path: Path) -> None:
    files = {"space/__init__.py": "from house.space.a import A", "space/a.py": "import house.space"}
    assert rings(plant(tmp_path, files)) == [["house.space", "house.space.a"]]


def test_import_for_a_type_checker_is_no_ring(tmp_path: Path) -> None:
    files = {
        "space/__init__.py": "",
        "space/a.py": "from house.space.b import x",
        "space/b.py": "if TYPE_CHECKING:\n    from house.space.a import x",
    }
    assert rings(plant(tmp_path, files)) == []
