"""Problems of the regret suite; their optimum is not at the centre of the box."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import numpy as np

import blackbox as bb
from blackbox.batch import Array, Batch
from studies.benchmarks.bayes.runner import Case
from studies.benchmarks.common.environments import borrow

#: BBOB: separable (2, 3), moderate conditioning (6, 7, 8), high conditioning (10, 12, 13), many
#: optima with structure (15, 17) and without (20, 21).
BBOB = (2, 3, 6, 7, 8, 10, 12, 13, 15, 17, 20, 21)


class Moved(bb.Problem):
    """A ready-made problem of one vector whose optimum is moved off the centre of the box.

    In every coordinate the optimum lies 0.1 to 0.3 of the box's width from the centre, on either
    side, as a fixed generator draws it.

    Args:
        base: a problem with one vector parameter ``x`` and its ``solution``.
    """

    objectives = (bb.Minimize("f"),)

    def __init__(self, base: Any) -> None:
        self._base, self.space = base, base.space
        x = base.space["x"]
        rng = np.random.default_rng(1)
        away = rng.uniform(0.1, 0.3, x.width) * rng.choice([-1.0, 1.0], x.width)
        self.solution = {"x": (x.low + x.high) / 2 + away * (x.high - x.low)}
        self._shift = self.solution["x"] - base.solution["x"]

    @property
    def name(self) -> str:
        return str(self._base.name)

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """The value of every row."""
        values: dict[str, Array] = self._base.evaluate_batch(Batch({"x": batch["x"] - self._shift}))
        return values


class Bbob(bb.Problem):
    """A function of the BBOB suite (Hansen et al. 2009), instance 1, on [-5, 5]^d.

    Args:
        number: 1 to 24.
        d: number of inputs.
    """

    objectives = (bb.Minimize("f"),)

    def __init__(self, number: int, d: int) -> None:
        borrow("ioh")
        import ioh

        kind = ioh.ProblemClass.BBOB
        self._function = ioh.get_problem(number, instance=1, dimension=d, problem_class=kind)
        self.optimum = float(self._function.optimum.y)
        self.space = bb.Space(bb.Real("x", -5, 5, size=d))

    def evaluate(self, p: dict[str, Any]) -> float:
        """The value of a row."""
        return float(self._function(p["x"]))


@cache
def optimum(number: int, d: int) -> float:
    """The least value of a BBOB function."""
    return Bbob(number, d).optimum


def _same(build: Callable[[], bb.Problem], seed: int) -> bb.Problem:
    return build()


def classics() -> dict[str, Case]:
    """Five textbook functions in 2 to 20 dimensions."""
    builds: Mapping[str, tuple[Callable[[], bb.Problem], float]] = {
        "Branin 2": (bb.problems.Branin, float(bb.problems.Branin.optimum)),
        "Hartmann 6": (bb.problems.Hartmann6, bb.problems.Hartmann6.optimum),
        "Ackley 10": (lambda: Moved(bb.problems.Ackley(10)), 0.0),
        "Levy 20": (lambda: Moved(bb.problems.Levy(20)), 0.0),
        "Rosenbrock 20": (lambda: Moved(bb.problems.Rosenbrock(20)), 0.0),
    }
    return {n: Case(partial(_same, build), best=best) for n, (build, best) in builds.items()}


def bbob() -> dict[str, Case]:
    """Twelve functions in 5 and in 20 dimensions; values are stored as they are."""
    return {
        f"f{number} {d}-D": Case(partial(_same, partial(Bbob, number, d)))
        for d in (5, 20)
        for number in BBOB
    }
