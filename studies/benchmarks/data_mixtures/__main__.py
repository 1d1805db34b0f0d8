"""``python -m studies.benchmarks.data_mixtures SUITE``: run what is missing, write the table."""

from __future__ import annotations

from collections.abc import Sequence

from studies.benchmarks.common import command

SUITES = ("oracle", "scales", "tables", "surrogates", "live")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments, run the suite, write its table."""
    command.main("studies.benchmarks.data_mixtures", SUITES, "mix", arguments)


if __name__ == "__main__":
    main()
