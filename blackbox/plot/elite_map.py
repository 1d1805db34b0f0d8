"""A map of elites to look around in, as one HTML file."""

from __future__ import annotations

import html
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from blackbox.arguments import is_path
from blackbox.batch import Array, Batch
from blackbox.errors import BatchError, ProblemError
from blackbox.plot.data import Archive, EliteMap, growth, map_of
from blackbox.plot.data.elites import Ints, niches

_PAGE = Path(__file__).with_name("elite_map.html")
# Numbers of replaced elites that a file may hold; those of the present ones are always in it.
_DETAILS = 1_000_000


def elite_map(
    archive: Archive,
    path: str | os.PathLike[str],
    *,
    value: str | None = None,
    history: Any = None,
    title: str | None = None,
) -> Path:
    """Write the map as one HTML file that needs neither network nor server.

    A click on a cell, or the arrow keys, show its elite: inputs, measures, outcomes, and its
    lineage as far back as the archive knows it. A slider shows the map at another time: with a
    history the map as it was then, without one the cells whose present elite had been found.
    Grids of any number of measures are laid out as in ``plot.elites``, Voronoi cells of two as
    polygons; all other elites are points at the first two measures. Of a front every member can be
    chosen, and the colour is that of its best. Numbers are shown to six digits.

    Args:
        archive: a GridArchive, CVTArchive, UnstructuredArchive or FrontArchive; may be empty.
        path: file to write.
        value: what the colour shows: by default the first objective.
        history: a study, or a Batch of rows in the order of telling, for archives of one elite a
            cell, coloured by their objective. Inputs of replaced elites are in the file as long as
            they are no more than a million numbers.
        title: heading of the page; by default the problem's name.

    Returns:
        The path.

    Raises:
        ProblemError: no such value, a history of several objectives, or an argument of the wrong
            type.
        BatchError: the history lacks a column, or what is given is no archive.
        MissingExtraError: SciPy is not installed and there are Voronoi cells.
    """
    niches(archive)  # refuses what is no archive
    if not is_path(path):
        raise ProblemError(f"path={path!r}; give the path of a file")
    if not (title is None or isinstance(title, str)):
        raise ProblemError(f"title={title!r} must be a str or None")
    name = archive.problem.name if title is None else title
    made = _data(archive, value, history)
    # JSON inside HTML: no character that could end the element or start another.
    text = json.dumps(made, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    page = _PAGE.read_text(encoding="utf-8")
    page = page.replace("__TITLE__", html.escape(name)).replace("__DATA__", text)
    target = Path(path)
    target.write_text(page, encoding="utf-8")
    return target


def _data(archive: Archive, value: str | None, history: Any) -> dict[str, Any]:
    """Everything the page knows."""
    problem = archive.problem
    first = problem.objectives[0].name if problem.objectives else None
    shown = first if value is None else value
    drawn = map_of(archive, shown)
    if history is not None and shown != first:
        raise ProblemError(f"value={value!r} with a history; only its objective is known of all")
    rows, events, total = _present(archive, shown) if history is None else _past(archive, history)
    # Of several elites of a cell those of a front are all there; else the last is.
    last = np.unique(events["cell"][::-1], return_index=True)[1]
    known = events["value"] if history is None else events["value"][::-1][last]
    ends = [float(known.min()), float(known.max())] if len(known) else [0.0, 1.0]
    layout, slot = _layout(drawn, events)
    columns, groups = _details(archive, rows)
    parents = zip(archive.elites["id"].tolist(), np.asarray(archive.parents).tolist(), strict=True)
    meaning = (
        "Cells whose present elite had been found after so many evaluations."
        if history is None
        else "The map as it was after so many evaluations."
    )
    measures = zip(problem.measures, drawn.niches.low, drawn.niches.high, strict=True)
    return {
        "measures": [{"name": m.name, "low": float(a), "high": float(b)} for m, a, b in measures],
        "label": drawn.label,
        "rising": drawn.rising,
        "limits": [_rounded(end) for end in ends],
        "meaning": meaning,
        "total": total,
        "fronts": len(problem.objectives) > 1,
        "layout": layout,
        "events": {
            "id": events["id"].tolist(),
            "time": events["time"].tolist(),
            "row": events["row"].tolist(),
            "slot": slot.tolist(),
            "value": [_rounded(v) for v in events["value"].tolist()],
        },
        "details": columns,
        "groups": groups,
        "parents": [[child, parent] for child, parent in parents if child >= 0 and parent >= 0],
    }


def _present(archive: Archive, shown: str | None) -> tuple[Batch, dict[str, Array], int]:
    """The elites, and each entering the map when it was found."""
    elites, k = archive.elites, len(archive.cells)
    ids = elites["id"]
    # Rows from outside have no number; they were there from the start.
    order = np.argsort(ids, kind="stable")
    events = {
        "id": ids[order],
        "time": ids[order] + 1,
        "row": order,
        "cell": np.asarray(archive.cells)[order],
        "value": elites[shown or "id"][order].astype(np.float64) if k else np.empty(0),
        "place": np.asarray(archive.measures)[order],
    }
    return elites, events, int(ids.max(initial=-1)) + 1


def _past(archive: Archive, history: Any) -> tuple[Batch, dict[str, Array], int]:
    """The rows that became elites at some time, each entering the map when it was told."""
    told = getattr(history, "history", history)
    if not isinstance(told, Batch):
        raise BatchError(f"history is a {type(history).__name__}; give a study or a Batch")
    if "id" not in told:
        told = told.with_columns(id=np.arange(len(told)))
    grown, problem = growth(told, archive), archive.problem
    rows = told[grown.rows]
    kept = np.arange(len(rows))
    if len(rows) * problem.space.width > _DETAILS:
        kept = np.sort(grown.at(len(told)))
    row = np.full(len(rows), -1)
    row[kept] = np.arange(len(kept))
    value = rows[problem.objectives[0].name] if problem.objectives else grown.rows
    events = {
        "id": rows["id"],
        "time": grown.rows + 1,
        "row": row,
        "cell": grown.cells,
        "value": value.astype(np.float64),
        "place": np.column_stack([rows[m.name] for m in problem.measures]),
    }
    return rows[kept], events, len(told)


def _layout(drawn: EliteMap, events: dict[str, Array]) -> tuple[dict[str, Any], Ints]:
    """Where things lie in a unit square, and the number of each event's place in it."""
    cells, span = drawn.niches, drawn.niches.high - drawn.niches.low
    if drawn.kind in ("line", "grid") and cells.dims:
        tall, wide = cells.nested
        row, column = cells.flat(events["cell"])
        layout = {"kind": "grid", "rows": tall, "columns": wide, "dims": list(cells.dims)}
        return layout, row * wide + column
    if drawn.kind in ("line", "voronoi"):
        sites = (cells.centroids - cells.low) / span
        shapes = [(corners - cells.low) / span for corners in _polygons(drawn)]
        layout = {"kind": "voronoi", "polygons": [_points(shape) for shape in shapes]}
        return layout | {"sites": _points(_flat(sites))}, events["cell"]
    filled, slot = np.unique(events["cell"], return_inverse=True)
    first = np.unique(slot, return_index=True)[1]
    places = (events["place"][first] - cells.low) / span if len(filled) else np.empty((0, 2))
    return {"kind": "points", "sites": _points(_flat(places))}, slot


def _polygons(drawn: EliteMap) -> list[Array]:
    if len(drawn.niches.names) == 2:
        return [np.asarray(corners) for corners in drawn.niches.polygons()]
    low, high = float(drawn.niches.low[0]), float(drawn.niches.high[0])
    edges = drawn.niches.edges
    order = np.argsort(np.argsort(drawn.niches.centroids[:, 0]))
    tall = np.array([low, low, high, high])
    return [np.column_stack([edges[[i, i + 1, i + 1, i]], tall]) for i in order]


def _flat(places: Array) -> Array:
    """(n, 2) the first two coordinates; the middle where there is only one."""
    if places.shape[1] > 1:
        return places[:, :2]
    return np.column_stack([places[:, 0], np.full(len(places), 0.5)])


def _points(places: Array) -> list[list[float]]:
    return [[round(x, 5), round(y, 5)] for x, y in places.tolist()]


def _details(archive: Archive, rows: Batch) -> tuple[dict[str, list[Any]], list[Any]]:
    """Columns of what is shown of an elite, and their names by kind."""
    problem = archive.problem
    gradients = set(problem.gradients.values())
    named = {m.name for m in problem.measures}
    kinds = {
        "Objectives": [o.name for o in problem.objectives],
        "Measures": [m.name for m in problem.measures],
        "Inputs": list(problem.inputs),
        "Other outcomes": [
            o
            for o in problem.outcomes
            if o not in gradients | named and o not in {p.name for p in problem.objectives}
        ],
    }
    columns: dict[str, list[Any]] = {}
    groups: list[Any] = []
    for title, names in kinds.items():
        labels: list[str] = []
        for name in names:
            if name not in rows:
                continue
            parts = {name: rows[name]}
            if rows[name].ndim == 2:
                labelled = enumerate(problem.labels[name])
                parts = {f"{name}[{label}]": rows[name][:, j] for j, label in labelled}
            columns |= {key: [_rounded(v) for v in part.tolist()] for key, part in parts.items()}
            labels += parts
        groups.append([title, labels])
    return columns, groups


def _rounded(value: Any) -> Any:
    """A value that JSON knows: six digits of a number, None where it is none."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value if isinstance(value, int | str | bool | type(None)) else str(value)
