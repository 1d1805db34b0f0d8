"""``python -m studies.benchmarks.gflownets SUITE``: run what is missing, then write the table."""

from __future__ import annotations

from collections.abc import Sequence

from studies.benchmarks.common import command

SUITES = ("grid", "tables", "pareto", "grids", "ngrams", "device")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments, run the suite, write its table."""
    command.main("studies.benchmarks.gflownets", SUITES, "gfn", arguments)


if __name__ == "__main__":
    main()
