"""Draws the pictures of the README: ``python docs/pictures.py`` (a few minutes)."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt

import blackbox as bb

STATIC = Path(__file__).parent / "_static"
SEEDS = range(5)


def studies(
    problem: bb.Problem, makes: dict[str, type[bb.Optimizer]], rows: int
) -> dict[str, list[bb.Study]]:
    """A study of each optimizer for each seed, by the optimizer's label."""
    made: dict[str, list[bb.Study]] = {}
    for label, make in makes.items():
        print(problem.name, label, file=sys.stderr)
        made[label] = [bb.Study(problem, make(problem, seed=seed)).run(rows) for seed in SEEDS]
    return made


def overview(path: Path) -> None:
    """Convergence, a Pareto front and a mixture, side by side."""
    fig = plt.figure(figsize=(13, 3.6), layout="constrained")
    left, middle, right = fig.subplots(1, 3, width_ratios=(1.25, 1, 1))

    hartmann = bb.problems.Hartmann6()
    makes = {
        "Bayes": bb.Bayes,
        "Optuna TPE": bb.optuna.TPE,
        "pymoo CMA-ES": bb.pymoo.CMAES,
        "Random": bb.Random,
    }
    bb.plot.convergence(studies(hartmann, makes, 80), ax=left)
    left.set_title("Hartmann, six inputs: 5 runs each, quartiles", fontsize=10)

    zdt1 = bb.problems.ZDT1(5)
    fronts = studies(zdt1, {"pymoo NSGA-II": bb.pymoo.NSGA2, "Random": bb.Random}, 1500)
    bb.plot.pareto(fronts, ax=middle)
    middle.set_title("ZDT1: the front that half the runs attain", fontsize=10)

    mixture = bb.problems.Mixture()
    bb.plot.simplex(bb.Study(mixture, bb.Bayes(mixture, seed=0)).run(40), ax=right)
    right.set_title("A data mixture: 40 evaluations of Bayes", fontsize=10)

    fig.savefig(path, dpi=110)
    plt.close(fig)


if __name__ == "__main__":
    overview(STATIC / "overview.png")
