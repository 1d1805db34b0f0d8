"""How docstrings and signatures of this package read in the reference."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import GoogleDocstring

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PLAINER = (
    (re.compile(r"\b(?:npt|opt)\."), ""),
    (re.compile(r"TypeAliasForwardRef\('(\w+)'\)"), r"\1"),
    (re.compile(r"\bNDArray\[np\.(\w+?)_?\]"), r"NDArray[\1]"),
    (re.compile(r"<class '[\w.]*?(\w+)'>"), r"\1"),
    (re.compile(r"~?\b(?:blackbox|collections)\.[\w.]*?(\w+)\b(?=[\[\],| )])"), r"\1"),
)


class Docstring(GoogleDocstring):
    """Google style without types, which the annotations give: a colon in a text is a colon."""

    def _parse_attribute_docstring(self) -> list[str]:
        self._what = "method"
        self._parse()
        return []

    def _consume_returns_section(
        self, preprocess_types: bool = False
    ) -> list[tuple[str, str, list[str]]]:
        lines = self._dedent(self._consume_to_next_section())
        return [("", "", lines)] if lines else []


def plainer(
    app: Sphinx,
    what: str,
    name: str,
    obj: Any,
    options: Any,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """A signature with short names of types."""
    for pattern, short in PLAINER:
        signature = signature and pattern.sub(short, signature)
        returns = returns and pattern.sub(short, returns)
    return signature, returns


def docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """A docstring of this package as reStructuredText."""
    lines[:] = Docstring(lines, Config(), app, what, name, obj, options).lines()


def setup(app: Sphinx) -> dict[str, Any]:
    """Read docstrings in place of ``sphinx.ext.napoleon``."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", docstring)
    app.connect("autodoc-process-signature", plainer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
