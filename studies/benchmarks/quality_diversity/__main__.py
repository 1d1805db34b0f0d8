"""``python -m studies.benchmarks.quality_diversity SUITE``: run what is missing, then tabulate."""

from __future__ import annotations

from collections.abc import Sequence

from studies.benchmarks.common import command

SUITES = ("score", "published", "speed", "evolution", "several", "expensive", "durable")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments, run the suite, write its table."""
    command.main("studies.benchmarks.quality_diversity", SUITES, "qd", arguments, apart=True)


if __name__ == "__main__":
    main()
