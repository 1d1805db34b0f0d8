"""What numbers, switches and paths that users give are checked by."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from numbers import Integral, Real
from typing import TypeGuard

import numpy as np

from blackbox.errors import ProblemError, require

#: Most rows, members or neighbours that anything is asked for: arrays of more cannot be made.
MOST = 2**31 - 1


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a real number, and no bool."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_finite(value: object) -> TypeGuard[float]:
    """Whether it is a number that a float64 can hold, and not infinite."""
    return is_number(value) and abs(value) <= sys.float_info.max


def is_bound(value: object) -> TypeGuard[float]:
    """Whether it is a number that a float64 can hold, infinite ones included."""
    return is_finite(value) or (isinstance(value, float | np.floating) and np.isinf(value))


def is_whole(value: object, least: int, most: float = math.inf) -> TypeGuard[int]:
    """Whether it is a whole number from ``least`` to ``most``, and no bool."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    return whole and least <= int(value) <= most  # type: ignore[call-overload]


def is_path(value: object) -> TypeGuard[str | os.PathLike[str]]:
    """Whether it can name a file or folder: some text without NUL."""
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    return isinstance(text, str) and bool(text) and "\0" not in text


def check_count(name: str, value: object, least: int, most: int = MOST) -> int:
    """An int from ``least`` to ``most``.

    Raises:
        ProblemError: it is not.
    """
    if not is_whole(value, least):
        raise ProblemError(f"{name}={value!r} must be an int of at least {least}")
    if value > most:
        raise ProblemError(f"{name}={value!r} must be an int of at most {most}")
    return int(value)


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse what is none of these texts, of which there are two or more.

    Raises:
        ProblemError: it is none.
    """
    if not isinstance(value, str) or value not in choices:
        *others, last = map(repr, choices)
        raise ProblemError(f"{name}={value!r}; give {', '.join(others)} or {last}")


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


def check_device(name: str, device: object, extra: str) -> None:
    """Refuse a device on which PyTorch cannot compute.

    Args:
        name: of what is given the device.
        device: such as ``"cpu"`` or ``"cuda"``.
        extra: of this package, which installs PyTorch.

    Raises:
        ProblemError: it cannot be used.
        MissingExtraError: PyTorch is not installed.
    """
    torch = require("torch", extra)
    try:
        torch.zeros(1, device=torch.device(device))
    except (RuntimeError, AssertionError, TypeError) as error:
        first = str(error).partition("\n")[0]
        raise ProblemError(
            f"{name}: device={device!r} cannot be used: {first}; give 'cpu'"
        ) from error


def check_number(name: str, value: object, least: float) -> None:
    """Refuse what is no finite number, or below ``least``.

    Raises:
        ProblemError: so it is.
    """
    if not is_finite(value) or value < least:
        raise ProblemError(f"{name}={value!r} must be a finite number of at least {least}")
