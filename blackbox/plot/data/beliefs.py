"""What a Bayes optimizer believes: slices of its models and of its acquisition."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError, TellError, require
from blackbox.formulation import Constraint, Preference
from blackbox.plot.data.columns import Column, columns
from blackbox.plot.data.runs import Floats, Mask, axis_label
from blackbox.space import Integer, Parameter, Permutation, Real, Sequence, Simplex

if TYPE_CHECKING:
    from blackbox.acquisitions.base import Belief
    from blackbox.optimizers.bayes import Bayes
    from blackbox.surrogates.model import Model

#: A Bayes optimizer, or a study of one.
Source: TypeAlias = Any

#: Shares of the probability inside a band, and its half-width in standard deviations.
BANDS = {0.68: 0.9944578832097535, 0.95: 1.9599639845400545}

_POINTS = 161
_MAP = 81
_CHUNK = 1000
_NEAR = 0.25  # distance from a slice, in features, at which a row has lost most of its say


@dataclass(frozen=True)
class Slice:
    """A function of one input, all others fixed.

    Args:
        column: the input; its values are the m places on the axis, in order.
        at: the input's place in the row that all others are taken from.
        mean: (m,) values; NaN where the row would break a linear constraint.
        bands: share of the probability to the (2, m) ends of its band; empty without one.
        told: (k,) the input's places in the rows told.
        near: (k,) how near these rows are to the slice, 1 on it, to 0.
    """

    column: Column
    at: float
    mean: Floats
    bands: dict[float, Floats]
    told: Floats
    near: Floats


@dataclass(frozen=True)
class Posterior:
    """Slices of one outcome's posterior.

    Args:
        name: the outcome and which way is better.
        slices: one an input that has an axis.
        values: (k,) the outcome of the rows told; NaN where only comparisons are known.
        here: expected value at the row that the slices go through.
    """

    name: str
    slices: list[Slice]
    values: Floats
    here: float


@dataclass(frozen=True)
class Worth:
    """Slices of the acquisition.

    Args:
        name: the recipe.
        slices: one an input that has an axis, through the first row asked for next.
        asked: for each slice (q,) places of the q rows asked for next.
        worth: (q,) what these are worth.
    """

    name: str
    slices: list[Slice]
    asked: list[Floats]
    worth: Floats


@dataclass(frozen=True)
class Map:
    """The acquisition of a space of two numbers.

    Args:
        name: the recipe.
        x: (a,) places of the first number.
        y: (b,) places of the second.
        worth: (b, a) values; NaN where a linear constraint is broken.
        axes: the two columns, whose values are those of the rows told.
        asked: (q, 2) the rows asked for next.
    """

    name: str
    x: Floats
    y: Floats
    worth: Floats
    axes: tuple[Column, Column]
    asked: Floats


def bayes_of(source: Source) -> Bayes:
    """The optimizer of a study, or itself.

    Raises:
        ProblemError: it is no Bayes.
        MissingExtraError: SciPy is not installed (extra ``bayes``).
    """
    require("scipy", "bayes")
    from blackbox.optimizers.bayes import Bayes

    optimizer = getattr(source, "optimizer", source)
    if not isinstance(optimizer, Bayes):
        raise ProblemError(f"{source!r} has no models; give a Bayes optimizer or a study of one")
    return optimizer


def model_of(optimizer: Bayes, belief: Belief, outcome: str | None) -> tuple[Model, float, str]:
    """The model of an outcome, the sign that turns its values into the user's, and its label.

    Args:
        optimizer: whose problem has the outcome.
        belief: what it believes.
        outcome: name of an objective or a constraint; by default the first objective.

    Raises:
        ProblemError: no such outcome.
    """
    problem = optimizer.problem
    known: dict[str, tuple[Model, float, str]] = {}
    for objective, model in zip(problem.objectives, belief.objectives, strict=True):
        known[objective.name] = model, float(objective.sign), axis_label(objective)
    for constraint, limit in zip(problem.constraints, belief.limits, strict=False):
        known[constraint.name] = limit.model, 1.0, _bounds(constraint)
    name = problem.objectives[0].name if outcome is None else outcome
    if not isinstance(name, str) or name not in known:
        raise ProblemError(f"no outcome {name!r}; {problem.name} has {list(known)}")
    return known[name]


def quantiles(model: Model, points: Array, sign: float, width: float) -> Floats:
    """(2, m) ends of a band of standardised half-width ``width``, in the user's units, in order.

    A warp bends a normal, so its ends are those of the band before the warp.
    """
    moments = model.moments(points)
    reach = width * moments.deviation
    ends = [model.outcomes.backward(moments.mean[:, 0] + s * reach) for s in (-sign, sign)]
    return sign * np.array(ends)


def expected(model: Model, points: Array, sign: float) -> Floats:
    """(n,) expected values at many (n, d) features, in the user's units."""
    parts = [points[i : i + _CHUNK] for i in range(0, len(points), _CHUNK)]
    return sign * np.concatenate([model.predict(part)[0] for part in parts])


def posterior(source: Source, outcome: str | None = None) -> Posterior:
    """Slices of what the model of an outcome expects, through the recommended row.

    Args:
        source: a Bayes optimizer, or a study of one.
        outcome: name of an objective or a constraint; by default the first objective.

    Raises:
        ProblemError: no Bayes, or no such outcome.
        TellError: no row has succeeded yet.
    """
    optimizer = bayes_of(source)
    belief = optimizer._looked_at()
    model, sign, label = model_of(optimizer, belief, outcome)
    features = belief.features
    row = best_row(optimizer, belief)
    made = []
    for column, rows in _axes(belief, row):
        x = features.encode(rows)
        bands = {share: quantiles(model, x, sign, width) for share, width in BANDS.items()}
        mean = quantiles(model, x, sign, 0.0)[0]
        for part in (mean, *bands.values()):
            part[..., ~features.feasible(x)] = np.nan
        made.append(_slice(belief, row, column, mean, bands))
    name = optimizer.problem.objectives[0].name if outcome is None else outcome
    values = optimizer._told.batch[optimizer._told.ok][name].astype(np.float64)
    if isinstance(optimizer.problem.objectives[0], Preference):
        values = np.full(len(values), np.nan)
    here = quantiles(model, features.encode(row), sign, 0.0)[0, 0]
    return Posterior(label, made, values, float(here))


def acquisition(source: Source) -> Worth | Map:
    """Slices of the acquisition through the row that is asked for next, or a map of two numbers.

    Looking does not change the next ask. Recipes that draw samples draw others here than there.

    Args:
        source: a Bayes optimizer, or a study of one.

    Raises:
        ProblemError: no Bayes.
        TellError: no row has succeeded yet.
    """
    optimizer = bayes_of(source)
    belief = optimizer._looked_at()
    space = belief.features.space
    asked = copy.deepcopy(optimizer).ask(optimizer.batch_size)
    row = asked.select(space.names).take(np.arange(1)) if len(asked) else None
    if row is None:
        row = best_row(optimizer, belief)
    name = type(optimizer._acquisition).__name__
    if len(space) == 2 and all(isinstance(p, Real | Integer) and p.size is None for p in space):
        return _map(optimizer, belief, name, asked)
    axes = _axes(belief, row)
    whole = Batch.concat([rows for _, rows in axes])
    values = _worth(optimizer, belief, whole)
    made, places, start = [], [], 0
    for column, rows in axes:
        part = values[start : start + len(rows)]
        start += len(rows)
        made.append(_slice(belief, row, column, part, {}))
        places.append(_places(space, asked, column.name) if len(asked) else np.empty(0))
    return Worth(name, made, places, _worth(optimizer, belief, asked.select(space.names)))


def best_row(optimizer: Bayes, belief: Belief) -> Batch:
    """The row recommended, with a scenario of an environment; the best mean where there is none."""
    space = belief.features.space
    row = optimizer.recommend()
    if not len(row):
        means = belief.objectives[0].moments(belief.x).mean[:, 0]
        return belief.features.decode(belief.x[[int(np.argmax(means))]])
    row = row.take(np.arange(1))
    environment = optimizer.problem.environment
    if environment is not None:
        scenario = environment.table.take(np.array([int(np.argmax(environment.weights))]))
        row = row.with_columns(**scenario.columns())
    return row.select(space.names)


def _bounds(constraint: Constraint) -> str:
    low = "" if np.isinf(constraint.lower) else f"{constraint.lower:g} ≤ "
    high = "" if np.isinf(constraint.upper) else f" ≤ {constraint.upper:g}"
    return f"{low}{constraint.name}{high}"


def _axes(belief: Belief, row: Batch) -> list[tuple[Column, Batch]]:
    """For each input that has an axis, its places and the rows that differ in it alone."""
    found = []
    for p in belief.features.space:
        for number, values in _walks(p, row[p.name]):
            m = len(values)
            rows = row.take(np.zeros(m, dtype=np.intp)).with_columns(**{p.name: values})
            column = columns([p], rows)[number]
            found.append((column, rows))
    if not found:
        raise ProblemError("no parameter has an axis to draw a slice along")
    return found


def _walks(p: Parameter, here: Array) -> Iterator[tuple[int, Array]]:
    """For each element of a parameter its number, and values (m,) or (m, k) that walk along it."""
    if isinstance(p, Permutation | Sequence):
        return
    if isinstance(p, Simplex):
        for j in range(p.size):
            share = np.union1d(np.linspace(0.0, 1.0, _POINTS), here[:, j])
            rest = np.delete(here[0], j)
            rest = rest / rest.sum() if rest.sum() > 0 else np.full(len(rest), 1 / len(rest))
            yield j, np.insert((1.0 - share)[:, None] * rest, j, share, axis=1)
        return
    if not isinstance(p, Real | Integer):
        yield 0, np.array(p.values, dtype=here.dtype)  # type: ignore[attr-defined]
        return
    for j in range(p.width):
        # With the place itself, or a narrow peak there would be missed.
        places = np.union1d(np.linspace(0.0, 1.0, _POINTS), p.encode(here)[:, j])
        cube = np.repeat(p.encode(here), len(places), axis=0)
        cube[:, j] = places
        values = p.decode(cube)
        changing = values if values.ndim == 1 else values[:, j]
        yield j, values[np.unique(changing, return_index=True)[1]]


def _slice(
    belief: Belief, row: Batch, column: Column, mean: Floats, bands: dict[float, Floats]
) -> Slice:
    space = belief.features.space
    told = _places(space, belief.features.decode(belief.x), column.name)
    at = float(_places(space, row, column.name)[0])
    return Slice(column, at, mean, bands, told, _near(belief, row, column.name))


def _places(space: Any, batch: Batch, name: str) -> Floats:
    """(n,) places of rows along one axis."""
    (found,) = [c for c in columns(space, batch) if c.name == name]
    places: Floats = found.values
    return places


def _near(belief: Belief, row: Batch, name: str) -> Floats:
    """(k,) nearness of the rows told to a slice: by the root mean square of what differs."""
    features = belief.features
    here, others = features.rows(features.encode(row)), features.rows(belief.x)
    gap = np.concatenate([others.numbers - here.numbers, others.codes - here.codes], axis=1) ** 2
    own = features.rows(_only(belief, name))
    own_columns = np.concatenate([own.numbers[0], own.codes[0]]) > 0
    rest = gap[:, ~own_columns]
    if not rest.shape[1]:
        return np.ones(len(gap))
    near: Floats = np.exp(-rest.mean(axis=1) / (2 * _NEAR**2))
    return near


def _only(belief: Belief, name: str) -> Array:
    """(1, d) features, one in the columns of the named input and zero elsewhere."""
    features = belief.features
    marks = np.zeros((1, features.width))
    for p in features.space:
        block = features.blocks[p.name]
        if p.name == name:
            marks[:, block] = 1.0
        elif name in [f"{p.name}[{label}]" for label in p.labels]:
            # The shares of a simplex change together.
            one = slice(block.start, block.stop)
            if not isinstance(p, Simplex):
                j = [f"{p.name}[{label}]" for label in p.labels].index(name)
                one = slice(block.start + j, block.start + j + 1)
            marks[:, one] = 1.0
    return marks


def _worth(optimizer: Bayes, belief: Belief, rows: Batch) -> Floats:
    """(m,) finite values of the acquisition, NaN elsewhere and where rows are infeasible."""
    values = np.full(len(rows), np.nan)
    inside: Mask = belief.features.space.feasible(rows)
    if inside.any():
        values[inside] = optimizer.worth(rows[inside])
    return np.where(np.isfinite(values), values, np.nan)


def _map(optimizer: Bayes, belief: Belief, name: str, asked: Batch) -> Map:
    space = belief.features.space
    ends: list[Array] = []
    for p in space:
        ends.append(np.unique(p.decode(np.linspace(0.0, 1.0, _MAP)[:, None])))
    x, y = np.meshgrid(*ends)
    rows = Batch(dict(zip(space.names, (x.ravel(), y.ravel()), strict=True)))
    first, second = columns(space, belief.features.decode(belief.x))
    places = [asked[n].astype(np.float64) for n in space.names] if len(asked) else [np.empty(0)] * 2
    worth = _worth(optimizer, belief, rows).reshape(x.shape)
    a, b = (np.asarray(end, dtype=np.float64) for end in ends)
    return Map(name, a, b, worth, (first, second), np.column_stack(places))


def recommended(source: Source) -> tuple[Floats, Floats]:
    """(k, m) means and (k, m) standard deviations of the objectives at the recommended rows.

    Raises:
        ProblemError: no Bayes.
        TellError: no row has succeeded yet, or none of them is feasible.
    """
    optimizer = bayes_of(source)
    rows = optimizer.recommend()
    if not len(rows):
        raise TellError("no feasible row was told, so none is recommended")
    found = optimizer.predict(rows)
    names = [o.name for o in optimizer.problem.objectives]
    means, deviations = (np.column_stack([found[n][i] for n in names]) for i in (0, 1))
    return means, deviations
