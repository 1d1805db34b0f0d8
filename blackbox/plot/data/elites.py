"""Elites and their cells, laid out in one or two dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from blackbox.batch import Batch
from blackbox.errors import BatchError, ProblemError, require
from blackbox.formulation import Problem
from blackbox.metrics import Elites, archive_profile, hypervolume
from blackbox.plot.data.curves import Curve
from blackbox.plot.data.runs import Floats, axis_label

Ints: TypeAlias = npt.NDArray[np.int64]

_LEVELS = 400
_NO_POINTS = np.empty((0, 2))

# A picture has no room for more cells than this; the elites are drawn as points instead.
_MATRIX = 4_000_000


class Archive(Elites, Protocol):
    """What pictures need of an archive beyond its cells and scores."""

    @property
    def problem(self) -> Problem:
        """What the elites are elites of."""

    @property
    def elites(self) -> Batch:
        """(k) ``id``, inputs and outcomes of the elites."""

    @property
    def parents(self) -> Ints:
        """(k,) ids of the rows that they were varied from, -1 for none."""

    def cell_of(self, measures: npt.ArrayLike) -> Ints:
        """(n,) cells of (n, m) measures, -1 where there is none."""


ArchiveData: TypeAlias = Archive | Sequence[Archive] | Mapping[str, Archive | Sequence[Archive]]


@dataclass(frozen=True)
class Niches:
    """The cells of an archive in the space of its measures.

    Args:
        names: the measures' names.
        low: (m,) least measures.
        high: (m,) largest measures.
        dims: cells along each measure; empty where the cells are no grid.
        centroids: (c, m) centres of Voronoi cells; no rows where they are none.
    """

    names: tuple[str, ...]
    low: Floats
    high: Floats
    dims: tuple[int, ...]
    centroids: Floats

    @property
    def fixed(self) -> bool:
        """Whether there are cells beside those that elites make."""
        return bool(self.dims) or len(self.centroids) > 0

    @property
    def nested(self) -> tuple[int, int]:
        """Rows and columns of the grid laid out flat: see ``flat``."""
        wide, tall = int(np.prod(self.dims[::2])), int(np.prod(self.dims[1::2]))
        return tall, wide

    def flat(self, cells: Ints) -> tuple[Ints, Ints]:
        """(k,) row and (k,) column of cells of a grid in two dimensions, each from 0.

        The first measure runs along the columns, the second along the rows. The third divides
        each column, the fourth each row, and so on: grids within the cells of a grid.
        """
        index = np.unravel_index(cells, self.dims)
        flat = []
        for axis in (1, 0):
            place = np.zeros(len(cells), dtype=np.int64)
            for j in range(axis, len(self.dims), 2):
                place = place * self.dims[j] + index[j]
            flat.append(place)
        return flat[0], flat[1]

    @property
    def edges(self) -> Floats:
        """(c + 1,) boundaries of the cells of one measure, increasing."""
        low, high = float(self.low[0]), float(self.high[0])
        if self.dims:
            return np.linspace(low, high, self.dims[0] + 1)
        centres = np.sort(self.centroids[:, 0])
        return np.concatenate([[low], (centres[1:] + centres[:-1]) / 2, [high]])

    def polygons(self) -> list[Floats]:
        """For each centroid the (p, 2) corners of its Voronoi cell within the ranges.

        Distances are in units of the ranges. Mirror images of the centroids at the four sides make
        the sides boundaries, so that no cell is unbounded.

        Raises:
            MissingExtraError: SciPy is not installed.
        """
        span = self.high - self.low
        unit = np.clip((self.centroids - self.low) / span, 1e-9, 1 - 1e-9)
        mirrored = [unit]
        for side in (0.0, 1.0):
            for axis in (0, 1):
                image = unit.copy()
                image[:, axis] = 2 * side - image[:, axis]
                mirrored.append(image)
        found = require("scipy.spatial", "qd").Voronoi(np.concatenate(mirrored))
        corners = self.low + found.vertices * span
        regions = [found.regions[region] for region in found.point_region[: len(unit)]]
        return [corners[region] for region in regions]


@dataclass(frozen=True)
class EliteMap:
    """One elite of each cell, and what its colour says.

    Args:
        niches: the cells.
        rows: (k,) which elites of the archive are shown.
        cells: (k,) their cells.
        places: (k, m) their measures.
        values: (k,) what is shown of them, in the user's own units.
        label: what the values are.
        rising: whether larger values are better.
    """

    niches: Niches
    rows: Ints
    cells: Ints
    places: Floats
    values: Floats
    label: str
    rising: bool

    @property
    def kind(self) -> str:
        """How it can be drawn: ``"line"``, ``"grid"``, ``"voronoi"`` or ``"points"``."""
        m = len(self.niches.names)
        if m == 1 and self.niches.fixed:
            return "line"
        if self.niches.dims and np.prod(self.niches.nested) <= _MATRIX:
            return "grid"
        return "voronoi" if m == 2 and len(self.niches.centroids) else "points"


def niches(archive: Archive) -> Niches:
    """The cells of an archive.

    Raises:
        BatchError: it is none.
    """
    if isinstance(archive, type) or not hasattr(archive, "cell_of"):
        kind = type(archive).__name__
        raise BatchError(f"a {kind} is no archive; give one, such as study.optimizer.archive")
    m = len(archive.low)
    return Niches(
        tuple(measure.name for measure in archive.problem.measures),
        np.asarray(archive.low, np.float64),
        np.asarray(archive.high, np.float64),
        tuple(getattr(archive, "dims", ())),
        np.asarray(getattr(archive, "centroids", np.empty((0, m))), np.float64),
    )


def map_of(archive: Archive, value: str | None = None) -> EliteMap:
    """One elite a cell, with what is to be shown of it.

    Args:
        archive: the elites.
        value: an objective, another outcome or a scalar input of numbers. By default the
            objective; of several objectives the hypervolume of the cell's front, over the worst
            seen; where there are none the id.

    Returns:
        The elites by increasing cell; of a cell with a front the best by ``value``.

    Raises:
        ProblemError: no such value, or none of numbers.
        BatchError: what is given is no archive.
    """
    cut = niches(archive)
    problem, elites = archive.problem, archive.elites
    objectives = {o.name: j for j, o in enumerate(problem.objectives)}
    cells = np.asarray(archive.cells)
    if value is None and len(objectives) > 1:
        return _by_volume(archive)
    name = value if value is not None else next(iter(objectives), "id")
    if (
        not isinstance(name, str)
        or name not in elites
        or elites[name].ndim != 1
        or elites[name].dtype.kind not in "fib"
    ):
        known = [n for n in elites.names if elites[n].ndim == 1 and elites[n].dtype.kind in "fib"]
        raise ProblemError(f"no value {name!r} to show; {problem.name} has {known}")
    rows, label, rising = np.arange(len(cells)), name, True
    if name in objectives:
        shown = problem.objectives[objectives[name]]
        label, rising = axis_label(shown), shown.sign > 0
        scores = np.asarray(archive.scores, np.float64).reshape(len(cells), len(objectives))
        rows = _best(cells, scores[:, objectives[name]])
    else:
        rows = np.unique(cells, return_index=True)[1]
    values = elites[name][rows].astype(np.float64)
    places = np.asarray(archive.measures)[rows]
    return _widened(EliteMap(cut, rows, cells[rows], places, values, label, rising))


def projected(drawn: EliteMap, names: Sequence[str]) -> EliteMap:
    """The same map in two of its measures: of cells that coincide, the best is shown.

    Raises:
        BatchError: not two of its measures.
    """
    known = drawn.niches.names
    listed = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    if not listed or len(names) != 2 or len(set(names)) < 2 or not set(names) <= set(known):
        raise BatchError(f"measures={names!r}; give two of {list(known)}")
    axes = [known.index(name) for name in names]
    old = drawn.niches
    dims = tuple(old.dims[j] for j in axes) if old.dims else ()
    # Voronoi cells of more measures have no shape in two of them.
    flat = Niches(tuple(names), old.low[axes], old.high[axes], dims, np.empty((0, 2)))
    drawn = replace(drawn, niches=flat, places=drawn.places[:, axes])
    if not dims:
        return _widened(drawn)
    index = np.unravel_index(drawn.cells, old.dims)
    cells = np.ravel_multi_index(tuple(index[j] for j in axes), dims)
    kept = _best(cells, drawn.values if drawn.rising else -drawn.values)
    return replace(
        drawn,
        rows=drawn.rows[kept],
        cells=cells[kept],
        places=drawn.places[kept],
        values=drawn.values[kept],
    )


def by_method(data: ArchiveData) -> dict[str, list[Archive]]:
    """Archives by the label of their method.

    Raises:
        BatchError: there is no archive.
    """
    named = data if isinstance(data, Mapping) else {"archive": data}
    groups = {str(k): list(v) if isinstance(v, list | tuple) else [v] for k, v in named.items()}
    if not groups or not all(groups.values()):
        raise BatchError("there is nothing to draw: give at least one archive")
    return cast("dict[str, list[Archive]]", groups)


def profiles(data: ArchiveData) -> tuple[list[Curve], str]:
    """Of how many cells the elite is at least so good, over all levels.

    Args:
        data: archives; one, a list of one method, or lists by label.

    Returns:
        One curve a method, its ``x`` increasing levels of the objective in the user's own units,
        and what the values are: shares of all cells, or numbers of elites where an archive has no
        fixed cells.

    Raises:
        BatchError: there is no archive.
        ProblemError: a problem has not exactly one objective.
    """
    groups = by_method(data)
    every = [archive for group in groups.values() for archive in group]
    cut = [niches(archive) for archive in every]
    for archive in every:
        if len(archive.problem.objectives) != 1:
            names = [o.name for o in archive.problem.objectives]
            raise ProblemError(
                f"{archive.problem.name} has objectives {names}; a profile is of one"
            )
    fixed = all(cells.fixed for cells in cut)
    scores = np.concatenate([archive.scores for archive in every])
    ends = (float(scores.min()), float(scores.max())) if len(scores) else (0.0, 1.0)
    # One level beyond the best, where no cell is left.
    levels = np.append(np.linspace(*ends, _LEVELS), np.nextafter(ends[1], np.inf))
    sign = every[0].problem.objectives[0].sign
    order = np.argsort(sign * levels)
    curves = []
    for name, group in groups.items():
        shares = [
            archive_profile(a.scores, a.cells, levels, n_cells=max(a.size, 1) if fixed else None)
            for a in group
        ]
        curves.append(Curve(name, (sign * levels)[order], np.array(shares)[:, order], _NO_POINTS))
    return curves, "share of all cells" if fixed else "elites"


def _by_volume(archive: Archive) -> EliteMap:
    cells, scores = np.asarray(archive.cells), np.asarray(archive.scores, np.float64)
    filled, rows = np.unique(cells, return_index=True)  # members of a cell follow each other
    worst = scores.min(axis=0) if len(scores) else np.zeros(scores.shape[1])
    fronts = np.split(scores, rows[1:]) if len(rows) else []
    volumes = np.array([hypervolume(front, worst) for front in fronts])
    places = np.asarray(archive.measures)[rows]
    return EliteMap(niches(archive), rows, filled, places, volumes, "hypervolume", True)


def _widened(drawn: EliteMap) -> EliteMap:
    """The map, its ranges holding every elite where these are points: some archives need none."""
    if drawn.kind != "points" or not len(drawn.places):
        return drawn
    low = np.minimum(drawn.niches.low, drawn.places.min(axis=0))
    high = np.maximum(drawn.niches.high, drawn.places.max(axis=0))
    return replace(drawn, niches=replace(drawn.niches, low=low, high=high))


def _best(cells: Ints, scores: Floats) -> Ints:
    """Row of the best score in each cell, by increasing cell."""
    order = np.lexsort((-scores, cells))
    first = np.ones(len(cells), dtype=bool)
    first[1:] = np.diff(cells[order]) > 0
    rows: Ints = order[first]
    return rows
