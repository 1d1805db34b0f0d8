"""``python -m studies.benchmarks.bayes SUITE``: run what is missing, then write the table."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from studies.benchmarks.bayes.peers import PEERS
from studies.benchmarks.common.environments import BENCH, ONE_THREAD

SUITES = ("regret", "timing", "llambo", "mixed", "several", "noisy", "fidelities")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments, run the suite, write its table."""
    os.environ.update(ONE_THREAD)  # before NumPy is imported
    from studies.benchmarks.bayes.runner import Results, Suite, run
    from studies.benchmarks.common import report
    from studies.benchmarks.common.store import Store

    args = _parser().parse_args(arguments)
    suite: Suite = import_module(f"studies.benchmarks.bayes.{args.suite}").SUITE
    optimizers = args.optimizers or suite.optimizers
    for given, known, kind in (
        (args.problems, suite.cases, "problem"),
        (optimizers, PEERS, "optimizer"),
    ):
        for name in given:
            if name not in known:
                raise SystemExit(f"no {kind} {name!r}; there are: {', '.join(known)}")
    store = Store(suite.name, args.store)
    published = Store(f"bayes_{suite.name}", report.RESULTS / "outcomes")
    if not args.table:
        seeds = suite.seeds if args.seeds is None else args.seeds
        run(
            suite,
            store,
            known=published,
            optimizers=optimizers,
            seeds=seeds,
            problems=args.problems,
            version=args.version,
            again=args.again,
            timeout=args.timeout,
        )
    if not args.no_table:
        found = [*published, *map(suite.digested, store)]
        results = Results(suite, found, args.version)
        suite.table(results)
        if suite.digest is not None:
            published.replace([*results.runs, *results.crashes])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.benchmarks.bayes", description=__doc__)
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("--optimizers", type=_names, default=(), help="A,B; by default all")
    parser.add_argument("--problems", type=_names, default=(), help="A,B; by default all")
    parser.add_argument("--seeds", type=int, help="how many, from 0; by default the suite's")
    parser.add_argument("--version", help="name of the version of Bayes, instead of a digest")
    parser.add_argument("--again", action="store_true", help="run finished ones anew")
    parser.add_argument("--timeout", type=int, default=3600, help="seconds of a run")
    parser.add_argument("--store", type=Path, default=BENCH / "results", help="folder of results")
    tables = parser.add_mutually_exclusive_group()
    tables.add_argument("--table", action="store_true", help="only write the table")
    tables.add_argument("--no-table", action="store_true", help="only run")
    return parser


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


if __name__ == "__main__":
    main()
