"""Six text domains that every installation of this study carries, and a target none of them is.

Nothing is downloaded. The standard library gives code, prose and the names of the Unicode
characters; PyTorch, which trains the models, gives C++ headers; NumPy gives docstrings; and
scikit-learn, which BoTorch's GPyTorch requires, gives tables of numbers.

A domain is a list of documents (files, topics, docstrings, blocks of lines). Every eighth document
is held out, so training and held-out text never share one, and exact duplicates are dropped before
the split. Documents come in the order of the SHA-256 of their names: a fixed shuffle that needs no
generator and does not depend on the file system.
"""

from __future__ import annotations

import ast
import gzip
import hashlib
import platform
import re
import sysconfig
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from blackbox.errors import MissingExtraError

Bytes = npt.NDArray[np.uint8]
Document = tuple[str, str]  # (name, text)

TRAIN_BYTES = 400_000  # the most text a domain brings to training
HELD_OUT_BYTES = 60_000  # the most held-out text a domain brings to a target
SOURCE_BYTES = 500_000  # the most text of the held-out packages
EVERY = 8  # every 8th document is held out

# Packages of the standard library whose files make up the target, whole and as they stand. No
# domain reads them.
HELD_OUT_PACKAGES = (
    "email", "html", "json", "logging", "sqlite3", "tomllib", "wsgiref", "zoneinfo",
)  # fmt: skip
CODE_PACKAGES = (
    "asyncio", "collections", "concurrent", "ctypes", "curses", "dbm", "http",
    "importlib", "multiprocessing", "re", "unittest", "urllib", "venv", "xml", "xmlrpc",
)  # fmt: skip


@dataclass(frozen=True)
class Domain:
    """One source of text, split once.

    Attributes:
        name: how the mixture calls it.
        source: where the text comes from, in words, with the version read.
        train: (t,) bytes for training; empty for a domain that is only a target.
        held_out: (v,) bytes that no training window touches.
        documents: number of documents in (train, held_out).
        sha256: of both parts, so that a report can say exactly what was read.
    """

    name: str
    source: str
    train: Bytes
    held_out: Bytes
    documents: tuple[int, int]
    sha256: str


def _stdlib() -> Path:
    return Path(sysconfig.get_paths()["stdlib"])


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(
            f"the corpus reads files of {name!r}, which is not installed; it comes with the "
            "extra 'bayes': pip install 'blackbox[bayes]'"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _shuffled(paths: Iterable[Path], root: Path) -> Iterator[tuple[str, Path]]:
    """(name, path) pairs in an order that is fixed but not alphabetic."""
    named = ((path.relative_to(root).as_posix(), path) for path in paths)
    return iter(sorted(named, key=lambda pair: hashlib.sha256(pair[0].encode()).digest()))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _docstring_nodes(tree: ast.Module) -> Iterator[ast.Constant]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, kinds) and node.body and isinstance(node.body[0], ast.Expr):
            value = node.body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value


def _bare_code(text: str) -> str:
    """Python source without docstrings, comment lines and runs of blank lines."""
    lines: list[str | None] = list(text.splitlines())
    for node in _docstring_nodes(ast.parse(text)):
        last = node.end_lineno or node.lineno
        lines[node.lineno - 1 : last] = [None] * (last - node.lineno + 1)
    kept = [line for line in lines if line is not None and not line.lstrip().startswith("#")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)) + "\n"


def _python_files(packages: Iterable[str]) -> Iterator[Path]:
    """Files of standard-library packages; some versions of Python ship tests inside."""
    files = (path for name in packages for path in (_stdlib() / name).rglob("*.py"))
    return (path for path in files if not {"test", "tests"} & set(path.parts))


def _code() -> Iterator[Document]:
    root = _stdlib()
    # _sysconfigdata is written by the build of Python, not by people.
    modules = (path for path in root.glob("*.py") if not path.name.startswith("_sysconfigdata"))
    for name, path in _shuffled([*_python_files(CODE_PACKAGES), *modules], root):
        yield name, _bare_code(_read(path))


def _docstrings() -> Iterator[Document]:
    root = _package("numpy")
    files = (path for path in root.rglob("*.py") if "tests" not in path.parts)
    for name, path in _shuffled(files, root):
        texts = [str(node.value) for node in _docstring_nodes(ast.parse(_read(path)))]
        yield name, "\n\n".join(text.strip() for text in texts if len(text) > 80)


def _manual() -> Iterator[Document]:
    from pydoc_data.topics import topics

    yield from sorted(topics.items(), key=lambda item: hashlib.sha256(item[0].encode()).digest())


def _headers() -> Iterator[Document]:
    root = _package("torch") / "include"
    files = (path for part in ("c10", "ATen/core") for path in (root / part).rglob("*.h"))
    for name, path in _shuffled(files, root):
        yield name, _read(path)


def _names() -> Iterator[Document]:
    blocks = range(0, 0x20000, 0x100)
    order = sorted(blocks, key=lambda block: hashlib.sha256(str(block).encode()).digest())
    for block in order:
        names = (unicodedata.name(chr(code), "") for code in range(block, block + 0x100))
        # The names of ideographs and syllables are made by rule from their numbers.
        kept = [name for name in names if name and not name.startswith(("CJK", "HANGUL"))]
        yield f"U+{block:04X}", "".join(f"{name}\n" for name in kept)


def _tables() -> Iterator[Document]:
    root = _package("sklearn") / "datasets" / "data"
    for name, path in _shuffled([*root.glob("*.csv"), *root.glob("*.csv.gz")], root):
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines = raw.decode("utf-8", errors="replace").splitlines(keepends=True)
        for start in range(0, len(lines), 40):
            yield f"{name}:{start}", "".join(lines[start : start + 40])


def _source() -> Iterator[Document]:
    root = _stdlib()
    for name, path in _shuffled(_python_files(HELD_OUT_PACKAGES), root):
        yield name, _read(path)


# name: (documents, what they are, the distribution whose version says which text it was).
_SOURCES: dict[str, tuple[Callable[[], Iterator[Document]], str, str]] = {
    "code": (_code, "standard-library code without docstrings and comment lines", "python"),
    "docstrings": (_docstrings, "docstrings of NumPy", "numpy"),
    "manual": (_manual, "the Python reference manual (pydoc_data.topics)", "python"),
    "headers": (_headers, "C++ headers of PyTorch (c10, ATen/core)", "torch"),
    "names": (_names, "names of the Unicode characters", "python"),
    "tables": (_tables, "tables of numbers bundled with scikit-learn", "scikit-learn"),
    "source": (_source, "files of held-out standard-library packages, as they stand", "python"),
}
DOMAINS = tuple(name for name in _SOURCES if name != "source")


def _version(distribution: str) -> str:
    if distribution == "python":
        return f"Python {platform.python_version()}"
    return f"{distribution} {metadata.version(distribution)}"


def _split(
    documents: Iterable[Document], train_bytes: int, held_out_bytes: int
) -> tuple[list[bytes], list[bytes]]:
    """Fill both parts from distinct documents until each has its bytes."""
    train: list[bytes] = []
    held_out: list[bytes] = []
    seen: set[bytes] = set()
    missing = [train_bytes, held_out_bytes]
    for _, text in documents:
        data = text.encode("utf-8", errors="replace")
        digest = hashlib.sha256(data).digest()
        if not data or digest in seen:
            continue
        seen.add(digest)
        which = 1 if train_bytes == 0 or len(seen) % EVERY == 0 else 0
        if missing[which] > 0:
            (train, held_out)[which].append(data[: missing[which]])
            missing[which] -= len(data)
        if max(missing) <= 0:
            break
    return train, held_out


def _limits(name: str) -> tuple[int, int]:
    """Bytes for training, and held out."""
    return (0, SOURCE_BYTES) if name == "source" else (TRAIN_BYTES, HELD_OUT_BYTES)


@cache
def load(name: str) -> Domain:
    """Read and split one domain, once in each process.

    Args:
        name: one of ``DOMAINS``, or "source" for the held-out packages.

    Raises:
        MissingExtraError: a package the domain reads is not installed.
    """
    documents, words, distribution = _SOURCES[name]
    train, held_out = _split(documents(), *_limits(name))
    parts = b"".join(train), b"".join(held_out)
    return Domain(
        name=name,
        source=f"{words}; {_version(distribution)}",
        train=np.frombuffer(parts[0], dtype=np.uint8),
        held_out=np.frombuffer(parts[1], dtype=np.uint8),
        documents=(len(train), len(held_out)),
        sha256=hashlib.sha256(parts[0] + b"\x00" + parts[1]).hexdigest(),
    )
