"""The command: run every method on every task, then write the report."""

from __future__ import annotations

import argparse
import contextlib
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import blackbox as bb
from blackbox.errors import ProblemError
from blackbox.executors import LocalExecutor
from blackbox.llm import Chat, Recorded
from blackbox.testing import StandIn
from studies.command import Clock, at_least, command, cores
from studies.llambo.methods import ASKING, METHODS
from studies.llambo.reactions import TABLES
from studies.llambo.tasks import TUNING, Task, task

STAND_IN = "stand-in"


@dataclass(frozen=True)
class Options:
    """What the command line says.

    Attributes:
        base_url: of the server, empty for the stand-in.
        model: name of the model on that server.
        key: name of the environment variable with the key.
        prices: money for a million tokens of prompts and of replies.
        tasks: names of tasks.
        methods: names of methods; those that a task has no use for are left out.
        seeds: a run for each.
        trials: evaluations after the starting points.
        jobs: processes.
        out: folder of the studies and the report.
    """

    base_url: str
    model: str
    key: str
    prices: tuple[float, float]
    tasks: tuple[str, ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    trials: int
    jobs: int
    out: Path

    @property
    def silent(self) -> bool:
        """Whether no language model takes part."""
        return not self.base_url


@dataclass(frozen=True)
class Done:
    """One finished run.

    Attributes:
        task: its name.
        method: its name.
        seed: of the optimizer and of the starting points.
        values: (n,) outcomes in order, NaN for failed rows; the start included.
        usage: totals of requests, tokens, money and faults; empty where no model was asked.
        own: proposals that the model did not make.
        reasoning: the model's words of the last proposal that has some.
    """

    task: str
    method: str
    seed: int
    values: npt.NDArray[np.float64]
    usage: dict[str, Any]
    own: int
    reasoning: str


@contextlib.contextmanager
def served(options: Options) -> Iterator[Chat]:
    """A client of the server that was named, or of a stand-in of its own."""
    how: dict[str, Any] = {"key": options.key, "prices": options.prices}
    if not options.silent:
        with Chat(options.base_url, options.model, **how) as chat:
            yield chat
        return
    with StandIn() as server, Chat(server.base_url, STAND_IN, **how) as chat:
        yield chat


def run_one(options: Options, name: str, method: str, seed: int) -> Done:
    """Run one study, or the rest of it; its exchanges are in its folder."""
    here = task(name, options.trials)
    folder = options.out / _slug(name) / f"{_slug(method)}-{seed}"
    with served(options) as chat:
        llm = Recorded(chat, folder / "llm.jsonl") if method in ASKING else chat
        optimizer = METHODS[method](here.problem, llm, here.about, seed)
        with bb.Study(here.problem, optimizer, folder, name=method) as study:
            if not study.told:
                _begin(study, here, method, seed)
            study.run(here.trials - (method in here.first), on_error="record")
            values = study.history[here.problem.objectives[0].name]
    asker = _asker(optimizer)
    if asker is None:
        return Done(name, method, seed, values, {}, 0, "")
    reasons = [entry["reasoning"] for entry in asker.record if entry["reasoning"]]
    own = sum(entry["own"] for entry in asker.record)
    return Done(
        name, method, seed, values, asker.usage.state(), own, reasons[-1] if reasons else ""
    )


def _begin(study: bb.Study, here: Task, method: str, seed: int) -> None:
    """Tell what every method is given, and evaluate what this one begins with."""
    if here.start is not None:
        study.tell(here.start(seed))
    if method in here.first:
        row = here.first[method]
        study.tell(row.with_columns(**here.problem.measure(row)))


def _asker(optimizer: bb.Optimizer) -> Any:
    """The optimizer that asks the model: itself, or the one that advises Bayes."""
    advice = getattr(optimizer, "_advice", None)
    inner = optimizer if advice is None else advice.optimizer
    return inner if hasattr(inner, "record") else None


def run(options: Options) -> list[Done]:
    """Run everything, several processes at once; what is on disk already is not done again."""
    options.out.mkdir(parents=True, exist_ok=True)
    wanted = [
        (name, method, seed)
        for name in options.tasks
        for method in task(name, options.trials).methods
        if method in options.methods
        for seed in options.seeds
    ]
    logging.getLogger("blackbox.llm").setLevel(logging.ERROR)
    if options.jobs == 1:
        return [run_one(options, *which) for which in wanted]
    done = []
    with LocalExecutor(options.jobs) as executor:
        futures = [executor.submit(run_one, options, *which) for which in wanted]
        for number, future in enumerate(as_completed(futures), start=1):
            done.append(future.result())
            one = done[-1]
            print(f"{number}/{len(wanted)} {one.task}, {one.method}, seed {one.seed}", flush=True)
    return sorted(done, key=lambda d: wanted.index((d.task, d.method, d.seed)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 1 after an error that is explained."""

    def work(clock: Clock) -> Path:
        options = parse(arguments)
        done = run(options)
        from studies.llambo.report import write_report

        path = options.out / "report.html"
        write_report(path, done, options, seconds=clock())
        return path

    return command(work)


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Options from the command line; ``--tiny`` has defaults of its own.

    Raises:
        ProblemError: a model without a server, or the other way round; an unknown method.
    """
    parser = argparse.ArgumentParser(
        prog="python -m studies.llambo",
        description="LLAMBO and its kin with any model, beside controls that need none. The same "
        "command resumes a run that was stopped. Needs BLACKBOX_DATA.",
    )
    add = parser.add_argument
    add("--base-url", default="", help="of a chat-completions server; none: the stand-in")
    add("--model", default="", help="name of the model on that server")
    add("--key", default="OPENAI_API_KEY", help="environment variable that holds the key")
    add("--prices", nargs=2, type=float, default=(0.0, 0.0), metavar="MONEY")
    add("--tiny", action="store_true", help="seconds instead of hours, to see that it runs")
    add("--tasks", nargs="+", metavar="TASK", help="default: all scikit-learn tasks and tables")
    add("--methods", nargs="+", metavar="METHOD", default=list(METHODS))
    add("--seeds", nargs="+", type=int, metavar="SEED", help="default: 0 to 4; tiny: 0")
    add("--trials", type=at_least(1), help="after the starting points; default: 25; tiny: 3")
    add("--jobs", type=at_least(1), help="processes; default: one a core; tiny: 1")
    add("--out", type=Path, help="default: runs/llambo; tiny: runs/llambo-tiny")
    given = parser.parse_args(arguments)
    tiny: bool = given.tiny
    if bool(given.base_url) != bool(given.model):
        raise ProblemError("give --base-url and --model together, or neither for the stand-in")
    for method in given.methods:
        if method not in METHODS:
            raise ProblemError(f"--methods {method!r}; give some of {list(METHODS)}")
    everything = ("iris DecisionTree", "Alkylation_Deprotection") if tiny else (*TUNING, *TABLES)
    return Options(
        base_url=given.base_url,
        model=given.model or STAND_IN,
        key=given.key,
        prices=(given.prices[0], given.prices[1]),
        tasks=tuple(given.tasks or everything),
        methods=tuple(given.methods),
        seeds=tuple(given.seeds or ((0,) if tiny else range(5))),
        trials=given.trials or (3 if tiny else 25),
        jobs=given.jobs or (1 if tiny else cores()),
        out=given.out or Path("runs") / ("llambo-tiny" if tiny else "llambo"),
    )


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in text.lower()).strip("-")
