"""``python -m studies.benchmarks.gflownets SUITE``: run what is missing, then write the table."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from studies.benchmarks.bayes.environments import BENCH
from studies.benchmarks.bayes.foreign import ONE_THREAD

SUITES = ("grid", "tables", "pareto", "grids", "ngrams")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments, run the suite, write its table."""
    os.environ.update(ONE_THREAD)  # before PyTorch is imported
    from studies.benchmarks.bayes.store import Store
    from studies.benchmarks.gflownets.runner import Results, Suite, run

    args = _parser().parse_args(arguments)
    suite: Suite = import_module(f"studies.benchmarks.gflownets.{args.suite}").SUITE
    for given, known in ((args.cases, suite.cases), (args.algorithms, suite.algorithms)):
        for name in given:
            if name not in known:
                raise SystemExit(f"no {name!r}; there are: {', '.join(known)}")
    store = Store(f"gfn_{suite.name}", args.store)
    if not args.table:
        run(
            suite,
            store,
            algorithms=args.algorithms or [*suite.algorithms],
            cases=args.cases or [*suite.cases],
            seeds=suite.seeds if args.seeds is None else args.seeds,
            label=args.version,
        )
    if not args.no_table:
        suite.table(Results(suite, store, args.version))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m studies.benchmarks.gflownets", description=__doc__
    )
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("--algorithms", type=_names, default=(), help="A;B; by default all")
    parser.add_argument("--cases", type=_names, default=(), help="A;B; by default all")
    parser.add_argument("--seeds", type=int, help="how many, from 0; by default the suite's")
    parser.add_argument("--version", help="name of our own version, instead of a digest")
    parser.add_argument("--store", type=Path, default=BENCH / "results", help="folder of results")
    tables = parser.add_mutually_exclusive_group()
    tables.add_argument("--table", action="store_true", help="only write the table")
    tables.add_argument("--no-table", action="store_true", help="only run")
    return parser


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(";") if name.strip()]


if __name__ == "__main__":
    main()
