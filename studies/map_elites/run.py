"""The command: run every treatment on every domain, compare the maps, write the report."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path

import blackbox as bb
from blackbox.archives import Archive, GridArchive
from blackbox.executors import LocalExecutor
from blackbox.metrics import Comparison, compare_archives
from studies.command import Clock, at_least, command, cores
from studies.map_elites.domains import DOMAINS, Domain, tiny
from studies.map_elites.treatments import TREATMENTS
from studies.map_elites.warm import Warm, warm_starts


@dataclass(frozen=True)
class Options:
    """What the command line says.

    Attributes:
        runs: of each treatment on each domain.
        jobs: processes.
        out: folder of maps and report.
        tiny: so small that the numbers mean nothing.
    """

    runs: int
    jobs: int
    out: Path
    tiny: bool

    @property
    def domains(self) -> dict[str, Domain]:
        """By name, at the scale that was chosen."""
        return {name: tiny(d) if self.tiny else d for name, d in DOMAINS.items()}


@dataclass(frozen=True)
class Results:
    """All that the report is made of.

    Attributes:
        domains: by name.
        maps: domain to treatment to the map of each run.
        comparisons: domain to the metrics of all its runs.
        warm: what warm starts were worth.
    """

    domains: dict[str, Domain]
    maps: dict[str, dict[str, list[Archive]]]
    comparisons: dict[str, Comparison]
    warm: Warm


def illuminate(options: Options, name: str, treatment: str, seed: int) -> Path:
    """One run: the best row of each cell over everything evaluated, in a file.

    Every treatment is judged by all rows that it evaluated, not by those that it kept.
    """
    path = options.out / "maps" / f"{name}-{treatment.replace(' ', '_')}-{seed}.archive"
    if not path.exists():
        domain = options.domains[name]
        kept = GridArchive(domain.problem, domain.cells)
        study = bb.Study(domain.problem, TREATMENTS[treatment](domain, seed), keep_history=False)
        for told in study.steps(domain.evaluations, batch=domain.batch):
            kept.add(told)
        path.parent.mkdir(parents=True, exist_ok=True)
        kept.save(path)
    return path


def run(options: Options) -> Results:
    """Run everything, several processes at once; maps that are on disk are not made again."""
    domains = options.domains
    with LocalExecutor(options.jobs) as executor:
        tasks = {
            executor.submit(illuminate, options, name, treatment, seed): (name, treatment, seed)
            for seed in range(options.runs)
            for name in domains
            for treatment in TREATMENTS
        }
        paths = {}
        for done, future in enumerate(as_completed(tasks), start=1):
            paths[tasks[future]] = future.result()  # stop at the first error
            if done % max(1, len(tasks) // 10) == 0:
                _say(f"{done} of {len(tasks)} maps")
    maps = {
        name: {
            treatment: [
                Archive.load(paths[name, treatment, seed], domain.problem)
                for seed in range(options.runs)
            ]
            for treatment in TREATMENTS
        }
        for name, domain in domains.items()
    }
    comparisons = {name: compare_archives(groups) for name, groups in maps.items()}
    _say("warm starts")
    return Results(domains, maps, comparisons, warm_starts(options.tiny))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 1 after an error that is explained."""
    options = parse(arguments)

    def work(clock: Clock) -> Path:
        results = run(options)
        from studies.map_elites.report import write_report

        return write_report(results, options, seconds=clock())

    return command(work)


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Options from the command line; ``--tiny`` has defaults of its own."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.map_elites",
        description="MAP-Elites, novelty search with local competition, a traditional "
        "evolutionary algorithm and random sampling on the retina and on an arm. The same command "
        "resumes a run that was stopped.",
    )
    add = parser.add_argument
    add("--tiny", action="store_true", help="seconds instead of minutes; the numbers mean nothing")
    add("--runs", type=at_least(1), help="of each treatment on each domain; default: 8; tiny: 3")
    add("--jobs", type=at_least(1), help="processes; default: one a core")
    add("--out", type=Path, help="default: runs/map_elites; tiny: runs/map_elites-tiny")
    given = parser.parse_args(arguments)
    return Options(
        runs=given.runs or (3 if given.tiny else 8),
        jobs=given.jobs or cores(),
        out=given.out or Path("runs") / ("map_elites-tiny" if given.tiny else "map_elites"),
        tiny=given.tiny,
    )


def _say(text: str) -> None:
    print(text, flush=True)
