"""The columnar table that travels between problem, optimizer and study.

Ten million rows as objects are an hour of bookkeeping; as columns they are seconds. So a row is
only a *view* on columns, made when somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from blackbox.errors import BatchError, require

if TYPE_CHECKING:
    import pandas as pd

Array: TypeAlias = npt.NDArray[Any]
Row: TypeAlias = dict[str, Any]

# One dtype for each kind of value, so that a column's type never depends on who wrote it.
_KINDS = {"f": np.dtype(np.float64), "i": np.dtype(np.int64), "u": np.dtype(np.int64)}
_NUMBERS = (np.dtype(np.float64), np.dtype(np.int64), np.dtype(np.bool_))
_SCALARS = (bool, int, float, str, type(None))


def as_column(name: str, values: npt.ArrayLike, n: int | None = None) -> Array:
    """A read-only column of one of the permitted types.

    Args:
        name: the column's name, for messages.
        values: (n,) or (n, k) values; a scalar is repeated when ``n`` is given.
        n: the length the column must have.

    Returns:
        (n,) or (n, k) array of float64, int64, bool, str, or object (only None and plain
        Python scalars inside).

    Raises:
        BatchError: ragged, of more than two dimensions, of the wrong length, or of another type.
    """
    if type(values) is np.ndarray and values.dtype in _NUMBERS:
        array: Array = values
    else:
        array = _converted(name, values)
    if array.ndim == 0:
        if n is None:
            raise BatchError(f"column {name!r} is the scalar {values!r}; give one value a row")
        array = np.full(n, array[()], dtype=array.dtype)
    if array.ndim > 2:
        raise BatchError(f"column {name!r} has shape {array.shape}; give (n,) or (n, k)")
    if n is not None and len(array) != n:
        raise BatchError(f"column {name!r} has {len(array)} rows where the batch has {n}")
    if array.flags.writeable:
        # A copy: whoever gave the values may go on writing into them.
        shared = array is values or np.may_share_memory(array, values)
        array = array.copy() if shared else array
        array.setflags(write=False)
    elif _looks_on(array):
        array = array.copy()
        array.setflags(write=False)
    return array


def _looks_on(array: Array) -> bool:
    """Whether it is a read-only view of what can be written, as pandas gives its columns."""
    base = array.base
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return True
        base = base.base
    return False


def _converted(name: str, values: npt.ArrayLike) -> Array:
    """An array of one of the types that columns have."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise BatchError(f"column {name!r} is ragged: give every row the same length") from error
    kind = array.dtype.kind
    if kind == "U" and not isinstance(values, np.ndarray):
        # Beside a text NumPy writes every number as text: 1 must not become "1".
        plain = np.asarray(values, dtype=object)
        if not all(isinstance(value, str) for value in plain.flat):
            array, kind = plain, "O"
    if kind == "O":
        return _as_objects(name, array)
    if kind in _KINDS:
        if kind == "u" and array.size and int(array.max()) > np.iinfo(np.int64).max:
            raise BatchError(f"column {name!r} holds {array.max()}, which does not fit int64")
        return array.astype(_KINDS[kind], copy=False)
    if kind not in "bU":
        raise BatchError(
            f"column {name!r} has type {array.dtype}; give float, int, bool or str values"
        )
    return array


def _as_objects(name: str, array: Array) -> Array:
    plain = np.empty(array.shape, dtype=object)
    for index, value in np.ndenumerate(array):
        item = value.item() if isinstance(value, np.generic) else value
        if not isinstance(item, _SCALARS):
            raise BatchError(
                f"column {name!r} holds {item!r} of type {type(item).__name__}; "
                "give None, bool, int, float or str values"
            )
        if isinstance(item, int) and not -(2**63) <= item < 2**63:
            raise BatchError(f"column {name!r} holds {item}, which does not fit int64")
        plain[index] = item
    return plain


class Batch:
    """An immutable table of named NumPy columns with one common first axis.

    A scalar parameter or outcome is a column (n,); a vector parameter is *one* column (n, k).
    ``batch["lr"]`` is a column, ``batch[3]`` a row (a dict of plain Python scalars; vectors stay
    1-D arrays), ``batch[mask]``, ``batch[2:5]`` and ``batch[[4, 1]]`` are batches. Arrays are
    read-only and every operation returns a new batch. Two columns are reserved: ``id`` (int64,
    given by ``ask``; -1 marks data from outside) and ``ok`` (bool, False for a failed row).

    Example:
        >>> batch = Batch({"x": [0.1, 0.2], "act": ["relu", "gelu"]})
        >>> batch[1]
        {'x': 0.2, 'act': 'gelu'}

    Raises:
        BatchError: columns differ in length, or one cannot be stored (see ``as_column``).
    """

    __slots__ = ("_columns", "_n")
    __hash__ = None  # type: ignore[assignment]

    _columns: dict[str, Array]
    _n: int

    def __init__(self, columns: Mapping[str, npt.ArrayLike], n: int | None = None) -> None:
        if not hasattr(columns, "items"):
            raise BatchError(f"columns are {columns!r}; give a dict from name to values")
        made: dict[str, Array] = {}
        for name, values in columns.items():
            if not isinstance(name, str) or not name:
                raise BatchError(f"column name {name!r} must be a non-empty string")
            made[name] = as_column(name, values, n)
            n = len(made[name])
        self._columns = made
        self._n = n or 0

    @classmethod
    def of(cls, columns: dict[str, Array], n: int) -> Batch:
        """Trusted constructor: ``columns`` are arrays of length ``n`` that nobody else writes."""
        for array in columns.values():
            array.setflags(write=False)
        return cls._frozen(columns, n)

    @classmethod
    def _frozen(cls, columns: dict[str, Array], n: int) -> Batch:
        batch = cls.__new__(cls)
        batch._columns = columns
        batch._n = n
        return batch

    def __reduce__(self) -> tuple[Any, ...]:
        # Through ``of``, so that the arrays are read-only in another process too.
        return Batch.of, (self._columns, self._n)

    @staticmethod
    def concat(batches: Iterable[Batch]) -> Batch:
        """The rows of all batches in order; every batch must have the same columns.

        Raises:
            BatchError: a batch lacks a column or has one of another width.
        """
        parts = list(batches)
        if len(parts) <= 1:
            return parts[0] if parts else Batch({})
        names = parts[0].names
        for part in parts[1:]:
            if set(part.names) != set(names):
                raise BatchError(
                    f"batches with columns {sorted(names)} and {sorted(part.names)} "
                    "cannot be joined: give both the same columns"
                )
        columns = {}
        for name in names:
            arrays = [part[name] for part in parts]
            if len({array.shape[1:] for array in arrays}) > 1:
                raise BatchError(f"column {name!r} has another width in one of the batches")
            columns[name] = _concat(arrays)
        return Batch.of(columns, sum(map(len, parts)))

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(self._columns)

    def columns(self) -> dict[str, Array]:
        """A new dict from name to read-only column."""
        return dict(self._columns)

    def __len__(self) -> int:
        return self._n

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __iter__(self) -> Iterator[Row]:
        if not self._columns:
            yield from ({} for _ in range(self._n))
            return
        # tolist() turns a whole column into Python scalars at once; vectors stay arrays.
        columns = [c.tolist() if c.ndim == 1 else c for c in self._columns.values()]
        names = self.names
        for values in zip(*columns, strict=True):
            yield dict(zip(names, values, strict=True))

    @overload
    def __getitem__(self, key: str) -> Array: ...
    @overload
    def __getitem__(self, key: int | np.integer[Any]) -> Row: ...
    @overload
    def __getitem__(self, key: slice | Array | Sequence[int] | Sequence[bool]) -> Batch: ...
    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            try:
                return self._columns[key]
            except KeyError:
                raise BatchError(f"no column {key!r}; the batch has {list(self.names)}") from None
        if isinstance(key, int | np.integer):
            return self._row(int(key))
        if isinstance(key, slice):
            columns = {name: column[key] for name, column in self._columns.items()}
            return Batch._frozen(columns, len(range(*key.indices(self._n))))
        return self.take(np.asarray(key))

    def _row(self, i: int) -> Row:
        if not -self._n <= i < self._n:
            raise IndexError(f"row {i} of a batch of {self._n} rows")
        return {
            name: (column[i] if column.ndim == 2 or column.dtype == object else column[i].item())
            for name, column in self._columns.items()
        }

    def take(self, index: Array) -> Batch:
        """Rows by a boolean mask (n,) or by integer positions (m,)."""
        if index.dtype == bool and index.shape != (self._n,):
            raise BatchError(f"mask of shape {index.shape} for a batch of {self._n} rows")
        if index.dtype != bool:
            if index.ndim != 1 or (index.size and index.dtype.kind not in "iu"):
                raise BatchError(
                    f"rows {index.tolist()!r} of a batch; give a boolean mask or int positions"
                )
            index = index.astype(np.intp)
        n = int(np.count_nonzero(index)) if index.dtype == bool else len(index)
        return Batch.of({name: column[index] for name, column in self._columns.items()}, n)

    def with_columns(self, **columns: npt.ArrayLike) -> Batch:
        """A batch with columns added or replaced; a scalar is repeated for every row.

        Raises:
            BatchError: a column has the wrong length or type.
        """
        made = dict(self._columns)
        n = self._n if self._columns or self._n else None
        for name, values in columns.items():
            made[name] = as_column(name, values, n)
            n = len(made[name])
        return Batch._frozen(made, n or 0)

    def select(self, names: Iterable[str]) -> Batch:
        """A batch of these columns only, in this order."""
        return Batch._frozen({name: self[name] for name in names}, self._n)

    def drop(self, *names: str) -> Batch:
        """A batch without these columns; absent names are ignored."""
        kept = {name: column for name, column in self._columns.items() if name not in names}
        return Batch._frozen(kept, self._n)

    def equals(self, other: Batch) -> bool:
        """Same columns in the same order with the same values, NaN equal to NaN."""
        return (
            self._n == other._n
            and self.names == other.names
            and all(same_column(self[name], other[name]) for name in self.names)
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Batch) and self.equals(other)

    def to_dataframe(self, labels: Mapping[str, Sequence[str]] | None = None) -> pd.DataFrame:
        """A pandas table; a vector column becomes ``name[label]`` columns.

        Args:
            labels: for a vector column, the k labels of its elements (default 0 to k-1).

        Raises:
            MissingExtraError: pandas is not installed.
        """
        frame: pd.DataFrame = require("pandas", "data").DataFrame(self.flat(labels))
        return frame

    def flat(self, labels: Mapping[str, Sequence[str]] | None = None) -> dict[str, Array]:
        """Columns of one dimension only: (n, k) columns are split into ``name[label]``."""
        flat: dict[str, Array] = {}
        for name, column in self._columns.items():
            if column.ndim == 1:
                flat[name] = column
                continue
            parts = (labels or {}).get(name) or [str(j) for j in range(column.shape[1])]
            flat.update({f"{name}[{part}]": column[:, j] for j, part in enumerate(parts)})
        return flat

    def __repr__(self) -> str:
        columns = ", ".join(
            f"{name}: {column.dtype}{list(column.shape[1:]) or ''}"
            for name, column in self._columns.items()
        )
        return f"Batch({self._n} rows; {columns})"

    def _repr_html_(self) -> str:
        from html import escape

        shown = self[:20]
        flat = shown.flat()
        head = "".join(f"<th>{escape(name)}</th>" for name in flat)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_cell(c[i]))}</td>" for c in flat.values()) + "</tr>"
            for i in range(len(shown))
        )
        more = f"<p>{self._n} rows, the first 20 shown</p>" if self._n > 20 else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def same_column(a: Array, b: Array) -> bool:
    """Equal shape, kind and values, NaN equal to NaN."""
    if a.shape != b.shape or a.dtype.kind != b.dtype.kind:
        return False
    if a is b:
        return True
    if a.dtype == object:
        return all(x == y or (x != x and y != y) for x, y in zip(a.flat, b.flat, strict=True))
    return bool(np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))


def _concat(arrays: list[Array]) -> Array:
    kinds = {array.dtype.kind for array in arrays}
    if len(kinds) > 1 and not kinds <= {"f", "i"}:
        # Mixed kinds (say None beside floats) keep their values instead of becoming text.
        arrays = [array.astype(object) for array in arrays]
    return np.concatenate(arrays)


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def alike(values: list[Any]) -> list[Any]:
    """Values of one type, as files want a column: mixed int and float are floats, else text.

    None stays None.
    """
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) < 2:
        return values
    to = float if kinds == {int, float} else str  # as text 10 would be less than 2.5
    return [None if value is None else to(value) for value in values]
