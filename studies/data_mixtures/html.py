"""The few pieces of HTML that a report is made of; everything given as text is escaped."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff;
       max-width: 860px; margin: 2.5em auto; padding: 0 1em }
h1 { font-size: 1.7em; line-height: 1.2; margin-bottom: .4em }
h2 { font-size: 1.25em; margin-top: 2.2em }
.lead { background: #f4f7fa; border-left: 4px solid #0072b2; padding: .3em 1.1em }
figure { margin: 1.2em 0 }
img { width: 100%; height: auto }
figcaption { color: #555; font-size: .9em }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .86em;
        font-variant-numeric: tabular-nums }
th, td { text-align: right; vertical-align: top; padding: .25em .6em;
         border-bottom: 1px solid #e3e3e3 }
th { color: #555; font-weight: 600 }
th:first-child, td:first-child, .words th, .words td { text-align: left }
td { overflow-wrap: break-word }
td:first-child { white-space: nowrap }
summary { cursor: pointer; color: #0072b2; margin: 1em 0 }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """A whole document that needs no other file."""
    body = "\n".join(part for part in parts if part)
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n"
        "</body></html>\n"
    )


def heading(text: str, level: int = 2) -> str:
    """A heading."""
    return f"<h{level}>{escape(text)}</h{level}>"


def paragraph(text: str, bold: str = "") -> str:
    """A paragraph, with words in bold before it."""
    strong = f"<b>{escape(bold)}</b> " if bold else ""
    return f"<p>{strong}{escape(text)}</p>" if text or bold else ""


def picture(figure: Figure, caption: str) -> str:
    """A figure as a PNG inside the page, with a caption that is its alternative text too."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        f"<figure><img alt='{escape(caption)}' src='data:image/png;base64,{data}'>"
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], words: bool = False) -> str:
    """A table; its first column is words, the others numbers unless ``words``."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    kind = " class='words'" if words else ""
    return (
        f"<div class='wide'><table{kind}><thead><tr>{top}</tr></thead>\n"
        f"<tbody>{body}</tbody></table></div>"
    )
