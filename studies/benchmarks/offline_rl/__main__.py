"""``python -m studies.benchmarks.offline_rl SUITE``: run what is missing, then write the table."""

from __future__ import annotations

from collections.abc import Sequence

from studies.benchmarks.common import command

SUITES = ("seconds", "calibration", "tuning", "mixed")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments, run the suite, write its table."""
    command.main("studies.benchmarks.offline_rl", SUITES, "orl", arguments)


if __name__ == "__main__":
    main()
