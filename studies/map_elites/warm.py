"""Warm starts both ways: elites for Bayesian optimization, and its rows for an archive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import blackbox as bb
from blackbox.archives import GridArchive
from blackbox.batch import Array, Batch
from blackbox.formulation import Floats
from blackbox.state import State
from studies.map_elites.domains import SmoothArm

JOINTS = 8
BROKEN, ANGLE = 3, 0.6  # the joint that is stuck, and at which angle
CELLS = (40, 40)
SEEDED = 6  # elites that a Bayes begins with


class BrokenArm(bb.Problem):
    """Bring the tip of an arm, one joint of which has come to be stuck, to a target.

    Args:
        target: (2,) where the tip should be.
    """

    objectives = (bb.Minimize("distance"),)
    about = "Reach a target with an arm one joint of which is stuck"

    def __init__(self, target: Array) -> None:
        self._arm = SmoothArm(JOINTS)
        self._target = target
        self.space = self._arm.space

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """Distance of the tip from the target."""
        angles = batch["angles"].copy()
        angles[:, BROKEN] = ANGLE
        tip = self._arm.evaluate_batch(Batch({"angles": angles}))
        away = np.hypot(tip["x"] - self._target[0], tip["y"] - self._target[1])
        return {"distance": away}


class Rows(bb.Optimizer):
    """Proposes given rows, in order.

    Args:
        problem: any problem.
        rows: parameters of each.
        seed: draws nothing.
    """

    def __init__(self, problem: bb.Problem, rows: Batch, *, seed: int | None = None) -> None:
        super().__init__(problem, seed=seed)
        self._rows, self._next_row = rows.select(problem.space.names), 0

    def _ask(self, n: int) -> Batch:
        rows = self._rows[self._next_row : self._next_row + n]
        self._next_row += len(rows)
        return rows

    def _tell(self, batch: Batch) -> None:
        """Learns nothing."""

    def _state(self) -> State:
        return {"next": self._next_row}

    def _load_state(self, state: State) -> None:
        self._next_row = int(state["next"])


class Plain(bb.Problem):
    """A problem without its measures, which Bayes does not look at.

    Args:
        problem: with measures.
    """

    def __init__(self, problem: bb.Problem) -> None:
        self._problem = problem
        self.space, self.objectives = problem.space, problem.objectives

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The objectives of every row."""
        found = self._problem.measure(batch)
        return {o.name: found[o.name] for o in self.objectives}


@dataclass(frozen=True)
class Warm:
    """What warm starts were worth.

    Attributes:
        distances: (r, n) least distance so far of each run of Bayes, by how it began.
        scores: (r, p) QD score of the map of each run of MAP-Elites, by how it began.
        marks: (p,) evaluations at which these scores were taken, those of Bayes included.
    """

    distances: dict[str, Floats]
    scores: dict[str, Floats]
    marks: Array


def warm_starts(tiny: bool) -> Warm:
    """Run both, a few seeds each."""
    runs, told, rows = (2, 1000, 9) if tiny else (8, 50_000, 30)
    marks = np.array([100, 200]) if tiny else np.array([200, 500, 1000, 2000, 5000])
    archive = _illuminated(told)
    cold, seeded = zip(*(_reach(archive, seed, rows) for seed in range(runs)), strict=True)
    empty, history = zip(*(_fill(seed, marks, min(rows, 40)) for seed in range(runs)), strict=True)
    return Warm(
        {"from nothing": np.array(cold), f"from {SEEDED} elites": np.array(seeded)},
        {"from nothing": np.array(empty), "from a Bayes": np.array(history)},
        marks,
    )


def _illuminated(evaluations: int) -> GridArchive:
    """A map of the arm while it was whole."""
    arm = SmoothArm(JOINTS)
    archive = GridArchive(arm, CELLS)
    bb.Study(arm, bb.MapElites(arm, cells=archive, seed=0), keep_history=False).run(evaluations)
    return archive


def _reach(archive: GridArchive, seed: int, rows: int) -> tuple[Floats, Floats]:
    """Least distances of a Bayes that begins by itself, and of one that begins with elites."""
    rng = np.random.default_rng(seed)
    radius, turn = JOINTS * np.sqrt(rng.uniform(0.1, 0.7)), rng.uniform(0, 2 * np.pi)
    target = radius * np.array([np.cos(turn), np.sin(turn)])
    problem = BrokenArm(target)
    # The elites around the target: where one is spoilt by the damage, a neighbour may not be.
    around = archive.measures - target
    elites = archive.elites[np.argsort((around**2).sum(axis=1), kind="stable")[:SEEDED]]
    first = Rows(problem, elites, seed=0)
    cold = bb.Bayes(problem, n_init=SEEDED, seed=seed)
    seeded = bb.Bayes(problem, init=first, n_init=SEEDED, seed=seed)
    least = [
        np.minimum.accumulate(bb.Study(problem, optimizer).run(rows).history["distance"])
        for optimizer in (cold, seeded)
    ]
    return least[0], least[1]


def _fill(seed: int, marks: Array, rows: int) -> tuple[Floats, Floats]:
    """QD scores of a map begun by uniform draws, and of one begun with the rows of a Bayes."""
    problem = bb.problems.SphereProjection(10)
    plain = Plain(problem)
    bayes = bb.Study(plain, bb.Bayes(plain, seed=seed)).run(rows).history
    known = bayes.select(["x"])
    known = known.with_columns(**problem.measure(known))
    scores = []
    for told in (None, known):
        optimizer = bb.MapElites(problem, cells=CELLS, batch_size=20, n_init=rows, seed=seed)
        if told is not None:
            optimizer.tell(told)
        study = bb.Study(problem, optimizer)
        found = []
        for mark in marks:
            study.run(int(mark) - (0 if told is None else rows))
            archive = optimizer.archive
            found.append(float(np.maximum(archive.scores, 0).sum()) / archive.size)
        scores.append(np.array(found))
    return scores[0], scores[1]
