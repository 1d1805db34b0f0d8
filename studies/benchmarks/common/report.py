"""Benchmark results as Markdown, with what a reader needs to repeat them."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"

Rows = Sequence[Mapping[str, Any]]


def write_table(
    name: str,
    title: str,
    rows: Rows | Mapping[str, Rows],
    notes: Sequence[str] = (),
    *,
    seeds: Sequence[int] = (),
    libraries: Sequence[str] = ("numpy",),
    command: str | None = None,
) -> Path:
    """Write ``results/<name>.md`` and print it.

    Args:
        name: file name without ending; also the command, ``python -m studies.benchmarks.<name>``,
            unless ``command`` stands in its place.
        title: the heading.
        rows: one dict a row, the keys of the first are the columns; or several such tables,
            each under its own heading.
        notes: sentences below the tables.
        seeds: the seeds that were used.
        libraries: distributions whose versions are listed.
        command: module and arguments, where they are not the file's name.
    """
    tables = rows if isinstance(rows, Mapping) else {"": rows}
    parts = [f"# {title}\n", f"`python -m studies.benchmarks.{command or name}`\n"]
    for heading, table in tables.items():
        if heading:
            parts.append(f"## {heading}\n")
        parts.append(markdown(table) + "\n")
    parts += [f"- {note}" for note in notes]
    parts += [f"- {line}" for line in machine(libraries, seeds)]
    text = "\n".join(parts) + "\n"
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.md"
    path.write_text(text, encoding="utf-8")
    print(text)
    return path


def markdown(rows: Rows) -> str:
    """A Markdown table; floats with three significant digits, missing values as a dash."""
    if not rows:
        return "(no rows)"
    names = list(rows[0])
    lines = [names, ["---"] * len(names)]
    lines += [[_cell(row.get(name)) for name in names] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine(libraries: Sequence[str] = (), seeds: Sequence[int] = ()) -> list[str]:
    """Processor, Python and library versions, seeds: one line each."""
    lines = [
        f"Processor: {_processor()}, {os.cpu_count()} logical cores",
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}",
    ]
    if libraries:
        lines.append("Libraries: " + ", ".join(f"{name} {_version(name)}" for name in libraries))
    if seeds:
        lines.append("Seeds: " + ", ".join(map(str, seeds)))
    return lines


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
