"""Every error that blackbox raises, and the one way to ask for an optional dependency.

The tree::

    BlackboxError
    ├── BatchError           a column has the wrong name, length, shape or type
    ├── SpaceError           a parameter or a value outside it
    ├── ProblemError         a problem declared wrongly, or an evaluation that answers wrongly
    ├── UnsupportedError     this optimizer cannot take this problem
    ├── TellError            outcomes that do not fit what was asked
    ├── StateError           a state that does not fit, is damaged or comes from a newer version
    ├── StorageError         the study on disk cannot be read or written
    │   ├── StudyMismatchError   it was made by another problem or optimizer
    │   └── StudyLockedError     another process is writing it
    ├── EvaluationError      an evaluation raised while ``on_error="raise"``
    ├── ExecutorError        an executor that can take no more work
    └── MissingExtraError    an optional dependency is not installed

Each message names the field, the value and the fix.
"""

from __future__ import annotations

import importlib
from types import ModuleType


class BlackboxError(Exception):
    """Base of every error of this package."""


class BatchError(BlackboxError, ValueError):
    """A column has the wrong name, length, shape or type."""


class SpaceError(BlackboxError, ValueError):
    """A parameter is declared wrongly, or a value lies outside its space."""


class ProblemError(BlackboxError, ValueError):
    """A problem is declared wrongly, or its evaluation answers in the wrong form."""


class UnsupportedError(BlackboxError, TypeError):
    """An optimizer cannot take this problem; the message lists every mismatch."""


class TellError(BlackboxError, ValueError):
    """Outcomes told do not fit the rows that were asked for."""


class StateError(BlackboxError, ValueError):
    """A state does not fit this optimizer, is damaged, or comes from a newer version."""


class StorageError(BlackboxError, OSError):
    """The study on disk cannot be read or written; what it held before is intact."""


class StudyMismatchError(StorageError):
    """The study on disk was made by another problem or optimizer."""


class StudyLockedError(StorageError):
    """Another process is writing this study."""


class EvaluationError(BlackboxError, RuntimeError):
    """An evaluation raised while ``on_error="raise"``; its row stays pending."""


class ExecutorError(BlackboxError, RuntimeError):
    """An executor can take no more work."""


class MissingExtraError(BlackboxError, ImportError):
    """An optional dependency is not installed; the message names the extra to install."""


def require(module: str, extra: str) -> ModuleType:
    """Import an optional dependency.

    Args:
        module: dotted name of the module.
        extra: name of the extra of this package that installs it.

    Raises:
        MissingExtraError: the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or module.split(".", maxsplit=1)[0] != error.name.split(".")[0]:
            raise
        package = module.split(".", maxsplit=1)[0]
        raise MissingExtraError(
            f"{package!r} is not installed; it comes with the extra {extra!r}: "
            f"pip install 'blackbox[{extra}]'"
        ) from error
