"""Problems of the regret suite; their optimum is not at the centre of the box."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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
    side.

    Args:
        base: a problem with one vector parameter ``x``, its ``solution`` and ``optimum``.
        instance: seeds where the optimum is moved.
    """

    objectives = (bb.Minimize("f"),)

    def __init__(self, base: Any, instance: int = 1) -> None:
        self._base, self.space = base, base.space
        self.optimum = float(base.optimum)
        x = base.space["x"]
        rng = np.random.default_rng(instance)
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
    """A function of the BBOB suite (Hansen et al. 2009) on [-5, 5]^d.

    Args:
        number: 1 to 24.
        d: number of inputs.
        instance: from 1; which rotation, optimum and asymmetries.
    """

    objectives = (bb.Minimize("f"),)

    def __init__(self, number: int, d: int, instance: int = 1) -> None:
        borrow("ioh")
        import ioh

        kind = ioh.ProblemClass.BBOB
        self._function = ioh.get_problem(number, instance, d, problem_class=kind)
        self.optimum = float(self._function.optimum.y)
        self.space = bb.Space(bb.Real("x", -5, 5, size=d))

    def evaluate(self, p: dict[str, Any]) -> float:
        """The value of a row."""
        return float(self._function(p["x"]))


def classics() -> dict[str, Case]:
    """Five textbook functions in 2 to 20 dimensions; three of them moved anew for each seed."""
    bases: dict[str, Callable[[], Any]] = {
        "Ackley 10": partial(bb.problems.Ackley, 10),
        "Levy 20": partial(bb.problems.Levy, 20),
        "Rosenbrock 20": partial(bb.problems.Rosenbrock, 20),
    }
    return {
        "Branin 2": Case(lambda seed: bb.problems.Branin()),
        "Hartmann 6": Case(lambda seed: bb.problems.Hartmann6()),
        **{name: Case(partial(_moved, base)) for name, base in bases.items()},
    }


def bbob() -> dict[str, Case]:
    """Twelve functions in 5 and in 20 dimensions, for each seed an instance of its own."""
    return {
        f"f{number} {d}-D": Case(partial(_instance, number, d)) for d in (5, 20) for number in BBOB
    }


# An optimizer that draws nothing runs alike from every seed: on one instance ten runs of it would
# be one, and a test that counts ten would take its luck for skill.
def _moved(base: Callable[[], Any], seed: int) -> bb.Problem:
    return Moved(base(), seed + 1)


def _instance(number: int, d: int, seed: int) -> bb.Problem:
    return Bbob(number, d, seed + 1)
