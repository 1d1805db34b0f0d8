"""The command: tune on two data sets, look at penalties and proxies, write the report."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import blackbox as bb
from blackbox.archives import Archive, GridArchive
from blackbox.batch import Batch, Row
from blackbox.executors import LocalExecutor
from studies.command import Clock, at_least, command, cores
from studies.offline_rl.analysis import Pool
from studies.offline_rl.calibration import Judged, judge, on_policy
from studies.offline_rl.datasets import Apprenticeship, dataset
from studies.offline_rl.ensemble import EnsembleSettings
from studies.offline_rl.penalties import PENALTIES
from studies.offline_rl.problem import OfflineMBRL, Recipe, published
from studies.offline_rl.sac import SACSettings
from studies.offline_rl.threads import one_thread
from studies.offline_rl.training import Choice, TrainingSettings, learn

BEGIN = 5  # random rows before a model
MODELS = (2, 3, 5, 7, 10)
#: Name to quality and number of transitions.
SETS = {"medium": ("medium", 2_000), "scarce": ("replay", 400)}


@dataclass(frozen=True)
class Options:
    """What the command line says.

    Attributes:
        evaluations: of Bayes and of random search, on each data set.
        elites: evaluations of the elite map.
        seed: of searches and policies.
        jobs: processes.
        out: folder of studies and report.
        tiny: so small that the numbers mean nothing.
    """

    evaluations: int
    elites: int
    seed: int
    jobs: int
    out: Path
    tiny: bool

    @property
    def recipe(self) -> Recipe:
        """Of the scale that was chosen; a tiny one keeps its files by itself."""
        if not self.tiny:
            return Recipe()
        sac = SACSettings(hidden=(8, 8), batch=16)
        return Recipe(
            TrainingSettings(updates=20, every=10, imagined=60, episodes=3, sac=sac),
            EnsembleSettings(hidden=(8, 8), epochs=2),
            Apprenticeship(steps=60, warm=20, updates=1, look=10, settings=sac),
            cache=self.out / "cache",
        )

    def problem(self, name: str, **more: Any) -> OfflineMBRL:
        """The problem of a data set."""
        quality, transitions = SETS[name]
        settings: dict[str, Any] = {"recipe": self.recipe, "seed": self.seed, **more}
        return OfflineMBRL(quality, transitions // (10 if self.tiny else 1), **settings)

    @property
    def mapped(self) -> OfflineMBRL:
        """The problem of the elite map, of policies trained a quarter as long."""
        recipe = self.recipe
        short = replace(recipe.training, updates=max(1, recipe.training.updates // 4))
        return self.problem("medium", recipe=replace(recipe, training=short), elites=True)


@dataclass(frozen=True)
class Tuned:
    """What Bayes found on a data set.

    Attributes:
        history: all rows told.
        chosen: the row of best posterior mean.
        fresh: its true returns under fresh seeds.
        published: those of the published row.
        axes: weights (w,) and horizons (h,) of ``expected``.
        expected: penalty to (h, w) posterior means, the number of models that of ``chosen``.
    """

    history: Batch
    chosen: Row
    fresh: list[float]
    published: list[float]
    axes: tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]
    expected: dict[str, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Results:
    """All that the report is made of.

    Attributes:
        tuned: data set to what Bayes found.
        pools: data set to random rows with all that is known of their policies.
        elites: the map over weight and horizon.
        judged: number of models to place to the ensemble's judgement there.
    """

    tuned: dict[str, Tuned]
    pools: dict[str, list[dict[str, Any]]]
    elites: Archive
    judged: dict[int, dict[str, Judged]]


def tune(options: Options, name: str) -> Tuned:
    """Bayes on a data set, or the rest of it."""
    problem = options.problem(name)
    start = bb.Random(problem, seed=options.seed)
    optimizer = bb.Bayes(problem, init=start, n_init=BEGIN, trust_region=True, seed=options.seed)
    with bb.Study(problem, optimizer, options.out / f"bayes-{name}") as study:
        study.run(options.evaluations, on_error="record", progress=False)
        chosen = optimizer.recommend()[0]
        rows = {n: chosen[n] for n in problem.space.names}
        axes, expected = _expected(optimizer, rows)
        fresh, base = (
            [problem.worth(row, 1_000 + i).true for i in range(2)] for row in (rows, published())
        )
        return Tuned(study.history, rows, fresh, base, axes, expected)


def _expected(optimizer: bb.Bayes, chosen: Row) -> tuple[Any, dict[str, Any]]:
    weights = np.geomspace(0.05, 50, 25)
    horizons = np.unique(np.rint(np.geomspace(1, 50, 25)).astype(np.int64))
    w, h = np.meshgrid(weights, horizons)
    columns = {"weight": w.ravel(), "horizon": h.ravel()}
    columns["models"] = np.full(w.size, chosen["models"])
    found = {}
    for penalty in PENALTIES:
        batch = Batch({"penalty": np.full(w.size, penalty), **columns})
        found[penalty] = optimizer.predict(batch)["return"][0].reshape(w.shape)
    return (weights, horizons), found


def draw(options: Options, name: str) -> list[dict[str, Any]]:
    """Random rows of a data set, with returns true and modelled."""
    problem = options.problem(name)
    rows = problem.space.draw(options.evaluations, np.random.default_rng(options.seed + 1))
    return Pool(problem, options.out / f"random-{name}.jsonl").evaluate(rows)


def illuminate(options: Options) -> Path:
    """An elite map over weight and horizon."""
    problem = options.mapped
    optimizer = bb.MapElites(problem, cells=(6, 6), batch_size=8, seed=options.seed)
    with bb.Study(problem, optimizer, options.out / "elites") as study:
        study.run(options.elites, on_error="record", progress=False)
        path = options.out / "elites.archive"
        optimizer.archive.save(path)
    return path


def calibrate(options: Options) -> dict[int, dict[str, Judged]]:
    """The ensemble of the medium set judged on its own kind of data, on others, on a policy."""
    problem = options.problem("medium")
    recipe, rng = problem.recipe, np.random.default_rng(options.seed)
    whole, data = problem.model(), problem.data
    others = {
        place: dataset(quality, len(data), seed=100, cache=recipe.cache, how=recipe.agent)
        for place, quality in (("same kind", "medium"), ("transfer", "random"))
    }
    short = replace(recipe.training, updates=max(1, recipe.training.updates // 4))
    choice = Choice("ens_std", 0.0, 20, 7)
    with one_thread():
        policy = learn(problem.task, data, whole, choice, short, options.seed)
        found = {}
        for n in MODELS:
            model = whole.first(n)
            found[n] = {place: judge(model, part, rng) for place, part in others.items()}
            found[n]["on the policy"] = on_policy(problem.task, model, data, policy, rng)
    return found


def run(options: Options) -> Results:
    """Run everything, several processes at once; what is on disk is not done again."""
    options.out.mkdir(parents=True, exist_ok=True)
    for name in SETS:  # once, before several processes want them
        options.problem(name).model()
    _say("data and dynamics are there")
    with LocalExecutor(options.jobs) as executor:
        submit: Callable[..., Future[Any]] = executor.submit
        bayes = {name: submit(tune, options, name) for name in SETS}
        random = {name: submit(draw, options, name) for name in SETS}
        elites, judged = submit(illuminate, options), submit(calibrate, options)
        for what, future in (("calibration", judged), ("elites", elites)):
            future.result()
            _say(f"{what}: done")
        tuned = {name: future.result() for name, future in bayes.items()}
        pools = {name: future.result() for name, future in random.items()}
        archive = GridArchive.load(elites.result(), options.mapped)
        return Results(tuned, pools, archive, judged.result())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 1 after an error that is explained."""
    options = parse(arguments)

    def work(clock: Clock) -> Path:
        results = run(options)
        from studies.offline_rl.report import write_report

        return write_report(results, options, seconds=clock())

    return command(work)


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Options from the command line; ``--tiny`` has defaults of its own."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.offline_rl",
        description="Penalty, weight, horizon and number of models of offline model-based "
        "reinforcement learning on the pendulum. The same command resumes a run that was stopped.",
    )
    add = parser.add_argument
    add("--tiny", action="store_true", help="seconds instead of minutes; the numbers mean nothing")
    evaluations = "of each search on each set; default: 15; tiny: 7"
    add("--evaluations", type=at_least(BEGIN + 1), help=evaluations)
    add("--elites", type=at_least(1), help="evaluations of the elite map; default: 32; tiny: 8")
    add("--seed", type=at_least(0), default=0, help="of searches and policies; default: 0")
    add("--jobs", type=at_least(1), help="processes; default: one a core")
    add("--out", type=Path, help="default: runs/offline_rl; tiny: runs/offline_rl-tiny")
    given = parser.parse_args(arguments)
    return Options(
        evaluations=given.evaluations or (7 if given.tiny else 15),
        elites=given.elites or (8 if given.tiny else 32),
        seed=given.seed,
        jobs=given.jobs or cores(),
        out=given.out or Path("runs") / ("offline_rl-tiny" if given.tiny else "offline_rl"),
        tiny=given.tiny,
    )


def _say(text: str) -> None:
    print(text, flush=True)
