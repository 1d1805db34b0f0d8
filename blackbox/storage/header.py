"""The header of a study: what made it, and how two of them differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from blackbox.errors import StorageError, StudyMismatchError

_MISSING = object()


def pack_header(header: Mapping[str, Any]) -> str:
    """A header as JSON text.

    Raises:
        StorageError: a value that JSON cannot carry.
    """
    try:
        return json.dumps(header, default=_plain, sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise StorageError(
            f"the study's header cannot be stored: {error}; "
            "give nested dicts and lists of numbers, strings, booleans and None"
        ) from error


def check_header(stored: Mapping[str, Any], given: Mapping[str, Any], place: str) -> None:
    """Compare what made a study with what wants to continue it; ``info`` may differ.

    Raises:
        StudyMismatchError: they differ; the message lists every difference.
    """
    given = json.loads(pack_header(given))
    found = [line for line in differences(stored, given) if not line.startswith(("info.", "info:"))]
    if found:
        raise StudyMismatchError(
            f"the study in {place!r} was made by another problem or optimizer:\n  "
            + "\n  ".join(found)
            + "\nbuild both as they were when it began, or give another folder"
        )


def differences(stored: Any, given: Any, path: str = "") -> list[str]:
    """Every leaf in which two nested values differ, as ``a.b: stored 3, given 4``."""
    if isinstance(stored, Mapping) and isinstance(given, Mapping):
        keys = [*stored, *(key for key in given if key not in stored)]
        return [
            line
            for key in keys
            for line in differences(
                stored.get(key, _MISSING),
                given.get(key, _MISSING),
                f"{path}.{key}" if path else str(key),
            )
        ]
    if isinstance(stored, list) and isinstance(given, list) and len(stored) == len(given):
        return [
            line
            for i, (a, b) in enumerate(zip(stored, given, strict=True))
            for line in differences(a, b, f"{path}[{i}]")
        ]
    # As text: NaN is equal to itself, 1 and True are not equal.
    if _shown(stored) == _shown(given):
        return []
    return [f"{path or 'header'}: stored {_shown(stored)}, given {_shown(given)}"]


def _shown(value: Any) -> str:
    return "nothing" if value is _MISSING else json.dumps(value)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{value!r} is a {type(value).__name__}")
