"""``python -m studies.benchmarks.llambo [requests|faults|hybrid]``: one table each, or all."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from studies.benchmarks.llambo import faults, hybrid, requests

PARTS = {"requests": requests.main, "faults": faults.main, "hybrid": hybrid.main}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the parts that are named."""
    parser = argparse.ArgumentParser(prog="python -m studies.benchmarks.llambo")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    named = parser.parse_args(arguments).parts
    for part in named or PARTS:
        if part not in PARTS:
            parser.error(f"there is no part {part!r}; name some of {', '.join(PARTS)}")
        PARTS[part]()


if __name__ == "__main__":
    main()
