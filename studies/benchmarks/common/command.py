"""The command line of a benchmark of several suites: run what is missing, then write the table."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from studies.benchmarks.common.environments import BENCH, ONE_THREAD
from studies.benchmarks.common.store import Store
from studies.benchmarks.common.suites import Results, Suite, run


def main(
    package: str,
    suites: Sequence[str],
    prefix: str,
    arguments: Sequence[str] | None = None,
    *,
    apart: bool = False,
) -> None:
    """Read the arguments, run the suite, write its table.

    Args:
        package: of the benchmark, whose modules hold the suites.
        suites: names of these modules.
        prefix: of the files of results.
        arguments: of the command line; by default those of this process.
        apart: whether each run gets a process of its own.
    """
    os.environ.update(ONE_THREAD)  # before PyTorch is imported
    args = _parser(package, suites).parse_args(arguments)
    module = f"{package}.{args.suite}"
    suite: Suite = import_module(module).SUITE
    for given, known in ((args.cases, suite.cases), (args.algorithms, suite.algorithms)):
        for name in given:
            if name not in known:
                raise SystemExit(f"no {name!r}; there are: {', '.join(known)}")
    store = Store(f"{prefix}_{suite.name}", args.store)
    if not args.table:
        run(
            suite,
            store,
            algorithms=args.algorithms or [*suite.algorithms],
            cases=args.cases or [*suite.cases],
            seeds=suite.seeds if args.seeds is None else args.seeds,
            label=args.version,
            module=module if apart else None,
        )
    if not args.no_table:
        suite.table(Results(suite, store, args.version))


def _parser(package: str, suites: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {package}", description=__doc__)
    parser.add_argument("suite", choices=suites)
    parser.add_argument("--algorithms", type=_names, default=(), help="A;B; by default all")
    parser.add_argument("--cases", type=_names, default=(), help="A;B; by default all")
    parser.add_argument("--seeds", type=int, help="how many, from 0; by default the suite's")
    parser.add_argument("--version", help="name of our own versions, instead of digests")
    parser.add_argument("--store", type=Path, default=BENCH / "results", help="folder of results")
    tables = parser.add_mutually_exclusive_group()
    tables.add_argument("--table", action="store_true", help="only write the table")
    tables.add_argument("--no-table", action="store_true", help="only run")
    return parser


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(";") if name.strip()]
