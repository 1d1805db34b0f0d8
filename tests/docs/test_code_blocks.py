"""Every line of Python in the README and the documentation runs, and prints what is shown.

The blocks of one page run in order in one namespace, in an empty folder. A block of text that
follows a block of Python is what that Python prints.
"""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted(p for p in (ROOT / "docs").rglob("*.md") if "_build" not in p.parts),
]
BLOCK = re.compile(r"^```(?P<kind>\S*)[^\n]*\n(?P<body>.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
PYTHON = {"python", "{code-cell}"}


class Block(NamedTuple):
    """Python on a page, where it stands, and what it is said to print."""

    code: str
    line: int
    printed: str | None


def blocks(text: str) -> list[Block]:
    """The Python blocks of a page, in order."""
    found: list[Block] = []
    end = 0
    for match in BLOCK.finditer(text):
        body = match["body"]
        if match["kind"] in PYTHON:
            # Options of an executed cell are lines that start with a colon; a blank line keeps
            # the numbers of the lines right.
            code = re.sub(r"^:[^\n]*$", "", body, flags=re.MULTILINE)
            found.append(Block(code, text.count("\n", 0, match.start("body")), None))
        elif match["kind"] == "text" and found and not text[end : match.start()].strip():
            found[-1] = found[-1]._replace(printed=body)
        end = match.end()
    return found


def run(block: Block, page: Path, namespace: dict[str, object]) -> str:
    """What a block prints."""
    printed = io.StringIO()
    code = compile("\n" * block.line + block.code, str(page), "exec")
    with contextlib.redirect_stdout(printed):
        exec(code, namespace)  # noqa: S102 - the pages under test are our own
    return printed.getvalue()


# Dask and Ray leave sockets and processes to the garbage collector.
@pytest.mark.filterwarnings("ignore:.*unclosed.*:ResourceWarning")
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__page__"}
    try:
        for block in blocks(page.read_text(encoding="utf-8")):
            printed = run(block, page, namespace)
            if block.printed is not None:
                assert printed == block.printed, f"{page}, line {block.line}"
    finally:
        _close_figures()


def _close_figures() -> None:
    import matplotlib.pyplot as plt

    plt.close("all")


def test_blocks_are_found() -> None:
    text = (
        "```python\nx = 1\nprint(x)\n```\n\n```text\n1\n```\n```sh\nls\n```\n"
        "```{code-cell}\n:tags: [hide-input]\n\ny = 2\n```\nwords\n```text\nz\n```\n"
    )
    first, second = blocks(text)
    assert first == Block("x = 1\nprint(x)\n", 1, "1\n")
    assert second.code.strip() == "y = 2"
    assert second.printed is None


def test_line_numbers_are_those_of_the_page(tmp_path: Path) -> None:
    [block] = blocks("one\ntwo\n\n```python\n1 / 0\n```\n")
    with pytest.raises(ZeroDivisionError) as caught:
        run(block, tmp_path / "page.md", {})
    assert caught.traceback[-1].lineno == 4  # counted from zero: the fifth line


def test_readme_shows_output_that_is_checked() -> None:
    assert any(b.printed for b in blocks(PAGES[0].read_text(encoding="utf-8")))
