"""What numbers that users give are checked by."""

from __future__ import annotations

import math
from numbers import Integral, Real

from blackbox.errors import ProblemError


def is_number(value: object) -> bool:
    """Whether it is a real number, and no bool."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_whole(value: object, least: int) -> bool:
    """Whether it is a whole number of at least ``least``, and no bool."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def check_count(name: str, value: object, least: int) -> int:
    """An int of at least ``least``.

    Raises:
        ProblemError: it is not.
    """
    if not is_whole(value, least):
        raise ProblemError(f"{name}={value!r} must be an int of at least {least}")
    return int(value)  # type: ignore[call-overload,no-any-return]


def check_number(name: str, value: object, least: float) -> None:
    """Refuse what is no finite number, or below ``least``.

    Raises:
        ProblemError: so it is.
    """
    if not is_number(value) or not least <= float(value) < math.inf:  # type: ignore[arg-type]
        raise ProblemError(f"{name}={value!r} must be a finite number of at least {least}")
