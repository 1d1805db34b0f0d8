"""What the command of every study does around its work."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from blackbox.errors import BlackboxError

#: Wall seconds since a command began.
Clock: TypeAlias = Callable[[], float]


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def at_least(least: int) -> Callable[[str], int]:
    """What reads a whole number that is not below ``least``, for ``argparse``."""

    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} is less than {least}")
        return int(text)

    return number


def command(work: Callable[[Clock], Path]) -> int:
    """Do a study's work and say where its report is; the exit status.

    Args:
        work: writes the report and returns its path; it is given a clock.

    Returns:
        0, or 1 after an error that is explained: a ``BlackboxError``, or a file or folder that
        cannot be read or written.
    """
    start = time.perf_counter()
    try:
        path = work(lambda: time.perf_counter() - start)
    except (BlackboxError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(f"report: {path} ({time.perf_counter() - start:.0f} s)", flush=True)
    return 0
