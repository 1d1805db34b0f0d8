"""Published data that the package does not ship: files of a folder that the user names."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from blackbox.arguments import is_path
from blackbox.errors import ProblemError

VARIABLE = "BLACKBOX_DATA"

PathLike: TypeAlias = str | os.PathLike[str]


@dataclass(frozen=True)
class DataFile:
    """A published file and how to recognise it.

    Args:
        name: where it lies below the folder that ``BLACKBOX_DATA`` names.
        sha256: digest of its content, in hexadecimal.
        source: where to get it, in words.
    """

    name: str
    sha256: str
    source: str

    def find(self, path: PathLike | None = None) -> Path:
        """The file, with its content checked.

        Args:
            path: the file itself; by default it is looked for below the folder that
                ``BLACKBOX_DATA`` names.

        Raises:
            ProblemError: the variable is not set, there is no such file, or its content differs.
        """
        found = self._place(path)
        if not found.is_file():
            raise ProblemError(f"there is no file {str(found)!r}; get it from {self.source}")
        digest = hashlib.sha256(found.read_bytes()).hexdigest()
        if digest != self.sha256:
            raise ProblemError(
                f"the SHA-256 of {str(found)!r} is {digest}, not {self.sha256}; it is damaged or "
                f"another version: get it from {self.source}"
            )
        return found

    def _place(self, path: PathLike | None) -> Path:
        if path is not None:
            if not is_path(path):
                raise ProblemError(f"path={path!r}; give the path of {self.name}, or None")
            return Path(path)
        if not os.environ.get(VARIABLE):
            raise ProblemError(
                f"{self.name} is not part of the package; give path=, or set {VARIABLE} to the "
                f"folder that holds it. Get it from {self.source}"
            )
        return Path(os.environ[VARIABLE], self.name)
