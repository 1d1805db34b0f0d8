"""The reference documents every public name, and links between pages lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import blackbox

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


def test_every_public_name_is_in_the_reference() -> None:
    text = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "docs/api").glob("*.md"))
    documented = set(re.findall(r"\.\. auto\w+:: ([\w.]+)", text))
    names = set(blackbox.__all__) - {"__version__"}
    # A module such as bb.optuna is documented under the name it is imported by.
    homes = {n: getattr(getattr(blackbox, n), "__name__", n) for n in names}
    assert {n for n in names if not {f"blackbox.{n}", homes[n]} & documented} == set()


def test_local_links_of_the_readme_lead_somewhere() -> None:
    links = LINK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
