"""The command: run the studies, measure what follows them, write the report."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import blackbox as bb
from blackbox.errors import ProblemError
from blackbox.executors import LocalExecutor
from studies.command import Clock, at_least, command, cores
from studies.data_mixtures.corpus import DOMAINS
from studies.data_mixtures.measure import measure
from studies.data_mixtures.offline import DATA
from studies.data_mixtures.problem import TINY, DataMixture
from studies.data_mixtures.results import Results, Told, collect, from_studies, make_plan

LIVE = "live"


@dataclass(frozen=True)
class Options:
    """What the command line says.

    Attributes:
        optimizers: names as in ``blackbox``: ``Bayes``, ``Random``, ``optuna.TPE``, ...
        seeds: a study for each optimizer and seed.
        max_cost: of each study, in training runs of the target size.
        repeats: fresh training seeds for each mixture that is confirmed.
        ladder: mixtures that are trained at every size.
        jobs: processes; each runs whole studies.
        workers: evaluations at once inside a study; more than 1 is faster for a single study, and
            its order, and so its course, then depends on the clock.
        out: folder of studies, measurements and report.
        tiny: models too small to learn, to see that everything runs.
        data: "live", or a data set whose answers are known, of ``offline.DATA``.
    """

    optimizers: tuple[str, ...]
    seeds: tuple[int, ...]
    max_cost: float
    repeats: int
    ladder: int
    jobs: int
    workers: int
    out: Path
    tiny: bool
    data: str = LIVE

    @property
    def problem(self) -> DataMixture:
        """The problem at the scale that was chosen."""
        return DataMixture(TINY) if self.tiny else DataMixture()


#: Arguments that suit twenty dear evaluations; an optimizer that is not here gets only its seed.
ARGUMENTS: dict[str, dict[str, Any]] = {
    # As many as there are domains: the default, twice that, would be most of the budget.
    "Bayes": {"n_init": len(DOMAINS)},
}


def optimizer(name: str, problem: DataMixture, seed: int) -> bb.Optimizer:
    """An optimizer by its name in ``blackbox``; a new one needs no change here.

    Raises:
        ProblemError: there is no optimizer of that name.
    """
    try:
        kind = functools.reduce(getattr, name.split("."), bb)
    except AttributeError:
        kind = None
    if not (isinstance(kind, type) and issubclass(kind, bb.Optimizer)):
        raise ProblemError(f"--optimizers {name!r}: blackbox has no such optimizer; try Bayes")
    made: bb.Optimizer = kind(problem, seed=seed, **ARGUMENTS.get(name, {}))
    return made


def run_study(options: Options, name: str, seed: int) -> Told:
    """Run one study, or the rest of it; whole studies side by side keep all cores busy.

    So each one is sequential and comes out the same whenever and however often it is stopped.
    """
    problem = options.problem
    path = options.out / f"{name.lower()}-{seed}"
    workers = options.workers if options.workers > 1 else None
    with bb.Study(problem, optimizer(name, problem, seed), path, name=name) as study:
        if study.told:
            _say(f"{path.name}: resumed at cost {study.cost:.1f}")
        spoken = study.cost
        for _ in study.steps(max_cost=options.max_cost, workers=workers, on_error="record"):
            if study.cost >= spoken + options.max_cost / 4 - 1e-9:
                spoken = study.cost
                best = "none yet" if study.best is None else f"{study.best['loss']:.3f}"
                _say(f"{path.name}: cost {study.cost:.1f} of {options.max_cost:g}, best {best}")
        chosen = _recommended(study)
        return Told(name, seed, study.history, study.failures, study.seconds, *chosen)


def _recommended(study: bb.Study) -> tuple[Any, dict[int, float]]:
    """What an optimizer that chooses sizes recommends and expects, and its evidence."""
    made = study.optimizer
    if not isinstance(made, bb.MultiFidelityBayes) or not study.history["ok"].any():
        return None, {}
    row = made.recommend()
    return (row["mix"][0], float(made.predict(row)["loss"][0][0])), made.evidence


def run(options: Options) -> Results:
    """Run everything, several processes at once; what is on disk already is not done again."""
    options.out.mkdir(parents=True, exist_ok=True)
    problem = options.problem
    for name in options.optimizers:
        optimizer(name, problem, 0)  # refuse a wrong name before anything runs
    with LocalExecutor(options.jobs) as executor:
        # One seed after another, so that an early look finds every optimizer.
        wanted = [(name, seed) for seed in options.seeds for name in options.optimizers]
        futures = [executor.submit(run_study, options, name, seed) for name, seed in wanted]
        for future in as_completed(futures):
            future.result()  # stop at the first error instead of after the last study
        told = sorted((f.result() for f in futures), key=lambda t: (t.optimizer, t.seed))
        plan = make_plan(told, options.repeats, options.ladder)
        known = from_studies(problem, told)
        runs = [run for run in plan.runs(problem) if run not in known]
        _say(f"{len(runs)} training runs to confirm the mixtures and to compare the sizes")
        measured = measure(problem, runs, executor, options.out / "measured.jsonl")
    return collect(problem, told, plan, measured, known)


def run_known(options: Options) -> Path:
    """The studies of a data set whose answers are known, and their report."""
    from studies.data_mixtures import offline, offline_report

    data = offline.DATA[options.data]
    problem = data.build()
    courses = []
    for name in (offline.OURS, offline.TARGET_ONLY, offline.RANDOM):
        for seed in options.seeds:
            courses.append(offline.follow(problem, name, seed, options.max_cost))
            last = courses[-1]
            _say(f"{name}, seed {seed}: {len(last.history)} runs, regret {last.regrets[-1]:.4f}")
    path = options.out / "report.html"
    options.out.mkdir(parents=True, exist_ok=True)
    offline_report.write_report(path, options.data, data, problem, courses)
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 1 after an error that is explained."""
    options = parse(arguments)

    def work(clock: Clock) -> Path:
        if options.data != LIVE:
            return run_known(options)
        results = run(options)
        from studies.data_mixtures.report import write_report

        path = options.out / "report.html"
        write_report(path, results, options, seconds=clock())
        return path

    return command(work)


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Options from the command line; ``--tiny`` has defaults of its own."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.data_mixtures",
        description="Find the mixture of six texts that prepares a language model best for "
        "Python files it has never seen. The same command resumes a run that was stopped.",
    )
    add = parser.add_argument
    known = {name: data.max_cost for name, data in DATA.items()}
    words = "models trained here, or recorded runs or a fitted law (BLACKBOX_DATA): "
    add("--data", choices=[LIVE, *known], default=LIVE, help=words + ", ".join(known))
    add("--tiny", action="store_true", help="seconds instead of minutes; the losses mean little")
    default = ["MultiFidelityBayes", "Bayes", "Random"]
    names = f"as in blackbox: Sobol, optuna.TPE, ...; default: {' '.join(default)}"
    add("--optimizers", nargs="+", default=default, metavar="NAME", help=names)
    add("--seeds", nargs="+", type=int, metavar="SEED", help="default: 0 1 2 3; tiny: 0")
    add(
        "--max-cost",
        type=_at_least_one,
        help="of each study, in target-size runs; default: 20; tiny: 8",
    )
    add("--repeats", type=at_least(1), help="fresh seeds to confirm a mixture; default: 5; tiny: 2")
    add("--jobs", type=at_least(1), help="processes; default: one a core")
    add("--workers", type=at_least(1), default=1, help="evaluations at once inside each study")
    add("--out", type=Path, help="default: runs/data_mixtures; tiny: runs/data_mixtures-tiny")
    given = parser.parse_args(arguments)
    tiny: bool = given.tiny
    folder = "data_mixtures" if given.data == LIVE else f"data_mixtures-{given.data}"
    return Options(
        optimizers=tuple(dict.fromkeys(given.optimizers)),
        seeds=tuple(dict.fromkeys(given.seeds or ((0,) if tiny else (0, 1, 2, 3)))),
        max_cost=given.max_cost or known.get(given.data, 8.0 if tiny else 20.0),
        repeats=given.repeats or (2 if tiny else 5),
        ladder=6 if tiny else 24,
        jobs=given.jobs or cores(),
        workers=given.workers,
        out=given.out or Path("runs") / (f"{folder}-tiny" if tiny else folder),
        tiny=tiny,
        data=given.data,
    )


def _at_least_one(text: str) -> float:
    if not float(text) >= 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return float(text)


def _say(text: str) -> None:
    print(text, flush=True)
