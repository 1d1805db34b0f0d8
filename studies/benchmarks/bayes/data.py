"""Published data that the package does not ship: a folder named by ``BLACKBOX_DATA``."""

from __future__ import annotations

import os
from pathlib import Path

from blackbox.problems.files import VARIABLE


def available() -> bool:
    """Whether the variable is set."""
    return VARIABLE in os.environ


def path(*parts: str) -> Path:
    """A file below the folder.

    Raises:
        FileNotFoundError: the variable is not set, or there is no such file.
    """
    if not available():
        raise FileNotFoundError(f"set {VARIABLE} to the folder that holds {'/'.join(parts)}")
    found = Path(os.environ[VARIABLE]).joinpath(*parts)
    if not found.exists():
        raise FileNotFoundError(f"{VARIABLE} names a folder without {'/'.join(parts)}")
    return found
