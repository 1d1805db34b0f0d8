"""The space of candidates and its encoding: the only place where user units meet the unit cube."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from blackbox.arguments import MOST, is_whole
from blackbox.batch import Array, Batch, Row, as_column
from blackbox.errors import SpaceError
from blackbox.space.linear import LinearConstraint, Polytope
from blackbox.space.numbers import Integer, Real
from blackbox.space.parameter import Cube, Parameter
from blackbox.space.vectors import Sequence as SequenceParameter

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox.space.construction import Construction
    from blackbox.space.construction.make import Kind


class Space:
    """Named parameters, with optional linear constraints between them.

    Args:
        *parameters: at least one, with different names.
        constraints: linear constraints that every candidate satisfies.

    Raises:
        SpaceError: no parameters, a name twice, or a constraint on something else.

    Example:
        >>> space = Space(Real("lr", 1e-5, 1, log=True), Integer("width", 16, 64))
        >>> space.width
        2
    """

    def __init__(
        self, *parameters: Parameter, constraints: Sequence[LinearConstraint] = ()
    ) -> None:
        if not parameters:
            raise SpaceError("a Space needs at least one parameter")
        for parameter in parameters:
            if not isinstance(parameter, Parameter):
                raise SpaceError(
                    f"{parameter!r} is a {type(parameter).__name__}; give parameters such as "
                    "Real, Integer, Ordinal, Categorical, Simplex, Permutation, Sequence"
                )
        self._parameters = {p.name: p for p in parameters}
        if len(self._parameters) < len(parameters):
            names = [p.name for p in parameters]
            twice = sorted({name for name in names if names.count(name) > 1})
            raise SpaceError(f"parameter names {twice} are given twice; rename one of each")
        listed: Sequence[Any] = constraints if isinstance(constraints, list | tuple) else [()]
        if not all(isinstance(constraint, LinearConstraint) for constraint in listed):
            raise SpaceError(f"constraints={constraints!r} must be a list of LinearConstraint")
        self.constraints = tuple(constraints)
        self._blocks: dict[str, slice] = {}
        start = 0
        for p in parameters:
            self._blocks[p.name] = slice(start, start + p.width)
            start += p.width
        self._width = start
        self._numbers = _NumberBlock(parameters, self._blocks)
        self._polytope = Polytope(self, self.constraints) if self.constraints else None

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in order."""
        return tuple(self._parameters)

    @property
    def width(self) -> int:
        """Number of coordinates of the unit cube."""
        return self._width

    @property
    def blocks(self) -> dict[str, slice]:
        """Each parameter's coordinates in the unit cube."""
        return dict(self._blocks)

    @property
    def discrete(self) -> bool:
        """Whether there are finitely many candidates."""
        return all(p.discrete for p in self)

    @property
    def cardinality(self) -> float:
        """Number of candidates before constraints, at most 1e308 where there are finitely many."""
        product = math.prod(p.cardinality for p in self)
        return min(product, 1e308) if self.discrete else product

    @property
    def polytope(self) -> Polytope | None:
        """The linear constraints in matrix form, None where there are none."""
        return self._polytope

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """For each vector parameter, the names of its elements."""
        return {p.name: p.labels for p in self if p.size is not None}

    @property
    def real_labels(self) -> tuple[str, ...]:
        """The coordinates that derivatives are taken by: ``x``, or ``x[0]``, ``x[1]``, ...

        One for each coordinate of every ``Real`` parameter, in order.
        """
        labels: list[str] = []
        for p in self:
            if isinstance(p, Real):
                labels += [p.name] if p.size is None else [f"{p.name}[{i}]" for i in p.labels]
        return tuple(labels)

    def __getitem__(self, name: str) -> Parameter:
        try:
            return self._parameters[name]
        except KeyError:
            raise SpaceError(f"no parameter {name!r}; the space has {list(self.names)}") from None

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._parameters.values())

    def __len__(self) -> int:
        return len(self._parameters)

    def __contains__(self, name: object) -> bool:
        return name in self._parameters

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and self.spec() == other.spec()

    def __hash__(self) -> int:
        return hash(self.names)

    def __repr__(self) -> str:
        parts = [repr(p) for p in self] + [f"constraints={list(self.constraints)}"] * bool(
            self.constraints
        )
        return f"Space({', '.join(parts)})"

    def encode(self, batch: Batch) -> Cube:
        """(n, width) points of the unit cube for valid rows."""
        need_batch(batch)
        parts = [p.encode(batch[p.name]) for p in self]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def decode(self, cube: npt.ArrayLike) -> Batch:
        """Valid rows for (n, width) points of the unit cube; linear constraints are not applied.

        Raises:
            SpaceError: no numbers, points of another shape, or coordinates that are NaN or outside
                [0, 1].
        """
        try:
            points = np.asarray(cube, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise SpaceError(f"points are {cube!r}; give (n, {self._width}) numbers") from error
        if points.ndim != 2 or points.shape[1] != self._width:
            raise SpaceError(f"points of shape {points.shape}; give (n, {self._width})")
        if points.size and not (points.min() >= 0.0 and points.max() <= 1.0):
            raise SpaceError("points of the unit cube must lie in [0, 1] and not be NaN; clip them")
        return self._decode(points)

    def _decode(self, points: Cube) -> Batch:
        columns = self._numbers.decode(points)
        if len(columns) < len(self._parameters):
            columns = {
                name: columns[name] if name in columns else p.decode(points[:, self._blocks[name]])
                for name, p in self._parameters.items()
            }
        return Batch.of(columns, len(points))

    def draw(self, n: int, rng: np.random.Generator) -> Batch:
        """n rows, uniform over the space (over its feasible part, under linear constraints).

        Raises:
            SpaceError: ``n`` is no int of at least 0, ``rng`` no generator, or no row satisfies
                the linear constraints.
        """
        if not is_whole(n, 0, MOST):
            raise SpaceError(f"draw(n={n!r}): n must be an int from 0 to {MOST}")
        if not isinstance(rng, np.random.Generator):
            raise SpaceError(f"draw(rng={rng!r}): give a generator, as np.random.default_rng(0)")
        if self._polytope is not None:
            return self._polytope.draw(self, n, rng)
        return self._decode(rng.random((n, self._width)))

    def feasible(self, batch: Batch) -> npt.NDArray[np.bool_]:
        """(n,) whether each valid row satisfies the linear constraints."""
        need_batch(batch)
        if self._polytope is None:
            return np.ones(len(batch), dtype=bool)
        return self._polytope.feasible(batch)

    def check(self, batch: Batch) -> Batch:
        """The parameters' columns, each in its canonical type.

        Raises:
            SpaceError: a column is missing, or a value is outside; names the row and the fix.
        """
        columns: dict[str, Array] = {}
        for p in self:
            if p.name not in need_batch(batch):
                raise SpaceError(f"column {p.name!r} is missing; the batch has {list(batch.names)}")
            columns[p.name] = as_column(p.name, p.check(batch[p.name]))
        checked = Batch.of(columns, len(batch))
        outside = ~self.feasible(checked)
        if outside.any():
            i = int(np.flatnonzero(outside)[0])
            raise SpaceError(f"row {i} breaks a linear constraint: {checked[i]}")
        return checked

    def rows(self, batch: Batch) -> Iterator[Row]:
        """Rows as ``evaluate`` gets them: as the batch gives them, sequences without padding."""
        padded = [p.name for p in self if isinstance(p, SequenceParameter)]
        for row in batch:
            for name in padded:
                row[name] = row[name][row[name] != ""]
            yield row

    def construction(
        self, order: Kind | None = None, *, possible: Callable[[Array], Array] | None = None
    ) -> Construction:
        """The steps by which a candidate is built.

        Args:
            order: which choice comes next. "any": every parameter that is not set; "fixed": the
                first; "grid": numbers grow from their lowest values until a step stops; "ends":
                sequences grow at both ends. None takes "fixed" inside sequences and "any" else.
            possible: (n,) bool, of (n, width) states of the construction: whether a partial state
                may be completed to a candidate that is wanted. It must not be false for a state
                and true for one that is reached from it. The class of the construction says what
                the entries of a state are.

        Raises:
            SpaceError: the space is not discrete, the order is not for its parameters, or no
                candidate can be finished.
        """
        from blackbox.space.construction.make import construction

        return construction(self, order, possible)

    def spec(self) -> dict[str, Any]:
        """The declaration as a plain dict, for fingerprints."""
        declared: dict[str, Any] = {"parameters": {p.name: p.spec() for p in self}}
        if self.constraints:
            declared["constraints"] = [c.spec() for c in self.constraints]
        return declared


def need_batch(batch: object) -> Batch:
    """The batch, refused where it is none.

    Raises:
        SpaceError: so it is.
    """
    if not isinstance(batch, Batch):
        raise SpaceError(f"{batch!r} is a {type(batch).__name__}; give a Batch")
    return batch


class _NumberBlock:
    """All Real and Integer parameters decoded as one matrix.

    A NumPy call costs a microsecond, and at one row a call for each parameter would be most of
    the cost of an ask.
    """

    def __init__(self, parameters: Sequence[Parameter], blocks: dict[str, slice]) -> None:
        self._parameters = [p for p in parameters if isinstance(p, Real | Integer)]
        coordinates: list[int] = []
        self._spans: list[tuple[str, int, int | None, bool]] = []
        for p in self._parameters:
            start = len(coordinates)
            stop = None if p.dim is None else start + p.dim
            self._spans.append((p.name, start, stop, isinstance(p, Integer)))
            coordinates.extend(range(blocks[p.name].start, blocks[p.name].stop))
        width = sum(b.stop - b.start for b in blocks.values())
        self._take = None if len(coordinates) == width else np.array(coordinates, dtype=np.intp)
        each = [p for p in self._parameters for _ in range(p.width)]
        self._start = _column([p.scale()[0] for p in each])
        self._span = _column([p.scale()[1] for p in each])
        self._low = _column([float(p.low) for p in each])
        self._high = _column([float(p.high) for p in each])
        self._log = np.flatnonzero([p.log for p in each])
        self._whole = np.flatnonzero([isinstance(p, Integer) for p in each])

    def decode(self, points: Cube) -> dict[str, Array]:
        if not self._parameters:
            return {}
        chosen = points if self._take is None else points[:, self._take]
        # Transposed, so that each parameter's column lies in one piece of memory.
        table = self._span * chosen.T
        table += self._start
        if self._log.size:
            table[self._log] = np.exp(table[self._log])
        if self._whole.size:
            table[self._whole] = np.rint(table[self._whole])
        np.minimum(np.maximum(table, self._low, out=table), self._high, out=table)
        table.setflags(write=False)  # with the views on it that follow
        columns: dict[str, Array] = {}
        for name, start, stop, whole in self._spans:
            rows = table[start] if stop is None else np.ascontiguousarray(table[start:stop].T)
            columns[name] = rows.astype(np.int64) if whole else rows
        return columns


def _column(values: Sequence[float]) -> Array:
    """(w, 1) values, or (1, 1) where all are the same: NumPy is twice as fast with one."""
    return np.array(values if len(set(values)) > 1 else values[:1])[:, None]
