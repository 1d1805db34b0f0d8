"""The command: run what is missing, then write the report."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blackbox.executors import LocalExecutor
from blackbox.problems.files import VARIABLE
from studies.command import Clock, at_least, command, cores
from studies.gflownets.experiments import EXPERIMENTS, Numbers, Settings, planned
from studies.gflownets.scale import FULL, SMALL, TINY, Scale


@dataclass(frozen=True)
class Done:
    """An experiment that was run.

    Args:
        name: which one.
        settings: its arguments.
        numbers: what it gave.
    """

    name: str
    settings: Settings
    numbers: Numbers


class Results:
    """What was run at a scale.

    Args:
        scale: how much of everything.
        done: experiments, as planned.
    """

    def __init__(self, scale: Scale, done: Sequence[Done]) -> None:
        self.scale = scale
        self._done = done

    def of(self, name: str, **settings: Any) -> list[Numbers]:
        """Numbers of the experiments of that name with those settings, by seed."""
        return [
            d.numbers for d in self._done if d.name == name and settings.items() <= _hashable(d)
        ]


def _hashable(done: Done) -> set[tuple[str, Any]]:
    return {(k, tuple(v) if isinstance(v, list) else v) for k, v in done.settings.items()}


def run(scale: Scale, jobs: int, folder: Path) -> Results:
    """Run every experiment that is not on disk yet, several at once.

    Args:
        scale: how much of everything.
        jobs: processes.
        folder: where ``results.jsonl`` is; a line is an experiment.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.jsonl"
    known = {_key(done.name, done.settings): done for done in _read(path)}
    plan = planned(scale)
    missing = [(name, settings) for name, settings in plan if _key(name, settings) not in known]
    print(f"{len(plan)} experiments, {len(plan) - len(missing)} of them done before", flush=True)
    with LocalExecutor(jobs) as executor:
        futures = {executor.submit(_run, name, settings): None for name, settings in missing}
        for number, future in enumerate(as_completed(futures), start=1):
            done, seconds = future.result()
            known[_key(done.name, done.settings)] = done
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([done.name, done.settings, done.numbers]) + "\n")
            print(f"{number}/{len(missing)} {_said(done)}: {seconds:.1f} s", flush=True)
    return Results(scale, [known[_key(name, settings)] for name, settings in plan])


def _run(name: str, settings: Settings) -> tuple[Done, float]:
    begun = time.perf_counter()
    numbers = EXPERIMENTS[name](**settings)
    return Done(name, settings, numbers), time.perf_counter() - begun


def _read(path: Path) -> Iterator[Done]:
    """Experiments on disk; a line that was cut off is none."""
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                yield Done(*json.loads(line))
            except json.JSONDecodeError:
                continue


def _key(name: str, settings: Settings) -> str:
    return json.dumps([name, settings], sort_keys=True)


def _said(done: Done) -> str:
    values = ["-".join(map(str, v)) if isinstance(v, list) else v for v in done.settings.values()]
    return f"{done.name} {' '.join(map(str, values))}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 1 after an error that is explained."""
    args = _parser().parse_args(arguments)
    scale = FULL if args.full else TINY if args.tiny else SMALL
    folder: Path = args.out or Path("runs") / f"gflownets-{scale.name}"
    if not os.environ.get(VARIABLE):
        print(f"{VARIABLE} is not set: tables and molecules are left out", flush=True)

    def work(clock: Clock) -> Path:
        results = run(scale, args.jobs, folder)
        from studies.gflownets.report import write_report

        path = folder / "report.html"
        write_report(path, results, clock())
        return path

    return command(work)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m studies.gflownets",
        description="Order-preserving and multi-objective GFlowNets at the settings of their "
        "papers. The same command resumes a run that was stopped.",
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--tiny", action="store_true", help="seconds; the numbers mean little")
    size.add_argument("--full", action="store_true", help="what the papers did; hours")
    jobs = "processes; default: one a core"
    parser.add_argument("--jobs", type=at_least(1), default=cores(), help=jobs)
    parser.add_argument("--out", type=Path, help="folder; default: runs/gflownets-SCALE")
    return parser
