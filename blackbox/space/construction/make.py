"""The construction of a space."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING, Literal, TypeAlias

from blackbox.batch import Array
from blackbox.errors import SpaceError
from blackbox.space.choices import Ordinal
from blackbox.space.construction.base import Construction
from blackbox.space.construction.composite import Composite
from blackbox.space.construction.grid import Grid
from blackbox.space.construction.restricted import Restricted, WithinBounds
from blackbox.space.construction.slots import Order, Slots
from blackbox.space.construction.strings import Orders, Strings
from blackbox.space.numbers import Integer
from blackbox.space.parameter import Parameter
from blackbox.space.vectors import Permutation, Sequence

if TYPE_CHECKING:
    from blackbox.space.space import Space

Kind: TypeAlias = Literal["any", "fixed", "grid", "ends"]
_KINDS = ("any", "fixed", "grid", "ends", None)


def construction(
    space: Space, order: Kind | None = None, possible: Callable[[Array], Array] | None = None
) -> Construction:
    """As ``Space.construction``."""
    if not (order is None or isinstance(order, str)) or order not in _KINDS:
        raise SpaceError(f"construction: order={order!r}; give one of {list(_KINDS)}")
    if possible is not None and not callable(possible):
        raise SpaceError(f"construction: possible={possible!r}; give a function of states")
    endless = [p.name for p in space if not p.discrete]
    if endless:
        raise SpaceError(
            f"construction: parameters {endless} are continuous; declare Integer, Ordinal or "
            "Categorical ones"
        )
    plain = _grid(space) if order == "grid" else _joined(space, order)
    linear = None if space.polytope is None else WithinBounds(plain, space.polytope)
    rules = [rule for rule in (linear, possible) if rule is not None]
    return Restricted(plain, rules) if rules else plain


def _grid(space: Space) -> Construction:
    others = [p.name for p in space if not isinstance(p, Integer | Ordinal)]
    if others:
        raise SpaceError(
            f'construction: order="grid" is for Integer and Ordinal parameters, not for {others}'
        )
    return Grid(list(space))


def _joined(space: Space, order: Kind | None) -> Construction:
    """Neighbours of one kind as one construction, and these side by side."""
    parts: list[tuple[Construction, list[str]]] = []
    parameters = list(space)
    if order != "fixed":  # their order does not matter: as few constructions as possible
        parameters.sort(key=lambda p: str(_kind(p, order)))
    for kind, group in groupby(parameters, key=lambda p: _kind(p, order)):
        parts += _parts(kind, list(group), order)
    if len(parts) == 1:
        return parts[0][0]
    return Composite(parts, space.names, "fixed" if order == "fixed" else "any")


def _kind(parameter: Parameter, order: Kind | None) -> Order | None:
    """The order of slots, None for a construction of the parameter's own."""
    if isinstance(parameter, Permutation):
        return None
    if isinstance(parameter, Sequence) and (
        order != "any" or parameter.length[0] < parameter.length[1]
    ):
        return None
    return "fixed" if order == "fixed" else "any"


def _parts(
    kind: Order | None, group: list[Parameter], order: Kind | None
) -> list[tuple[Construction, list[str]]]:
    """Constructions of neighbours of one kind, each with its columns."""
    if kind is not None:
        return [(Slots(group, kind), [p.name for p in group])]
    return [
        (Strings(p, both_ends=order == "ends") if isinstance(p, Sequence) else Orders(p), [p.name])
        for p in group
        if isinstance(p, Sequence | Permutation)
    ]
