"""What numbers, switches and paths that users give are checked by."""

from __future__ import annotations

import os
import sys
from numbers import Integral, Real
from typing import TypeGuard

import numpy as np

from blackbox.errors import ProblemError


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a real number, and no bool."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_whole(value: object, least: int) -> TypeGuard[int]:
    """Whether it is a whole number of at least ``least``, and no bool."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def is_path(value: object) -> TypeGuard[str | os.PathLike[str]]:
    """Whether it can name a file or folder: some text without NUL."""
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    return isinstance(text, str) and bool(text) and "\0" not in text


def check_count(name: str, value: object, least: int) -> int:
    """An int of at least ``least``.

    Raises:
        ProblemError: it is not.
    """
    if not is_whole(value, least):
        raise ProblemError(f"{name}={value!r} must be an int of at least {least}")
    return int(value)


def check_flag(name: str, value: object) -> None:
    """Refuse what is no bool.

    Raises:
        ProblemError: it is none.
    """
    if not isinstance(value, bool | np.bool_):
        raise ProblemError(f"{name}={value!r} must be True or False")


def check_range(name: str, value: object, low: float, high: float) -> None:
    """Refuse what is no number in [low, high].

    Raises:
        ProblemError: it is none.
    """
    if not is_number(value) or not low <= value <= high:
        raise ProblemError(f"{name}={value!r} must be a number from {low:g} to {high:g}")


def check_number(name: str, value: object, least: float) -> None:
    """Refuse what is no finite number, or below ``least``.

    Raises:
        ProblemError: so it is.
    """
    if not is_number(value) or not least <= value <= sys.float_info.max:
        raise ProblemError(f"{name}={value!r} must be a finite number of at least {least}")
