"""What is illuminated: the paper's retina, and an arm in the plane for its soft arm."""

from __future__ import annotations

from dataclasses import dataclass, replace

import blackbox as bb
from blackbox.batch import Array, Batch
from blackbox.optimizers.quality_diversity.variation import Variation


class SmoothArm(bb.problems.PlanarArm):
    """The planar arm with a score that is positive, as the paper's ratios need.

    ``smoothness`` is 1 / (1 + variance of the angles), 1 where all are equal.
    """

    objectives = (bb.Maximize("smoothness"),)
    about = "Arm of links of equal length in the plane; smooth postures for each place of its tip"

    def __init__(self, joints: int = 10) -> None:
        super().__init__(joints)
        self.objectives = SmoothArm.objectives

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """Smoothness and place of every row."""
        found = super().evaluate_batch(batch)
        variance = 1 - found.pop("f") / 100
        return {"smoothness": 1 / (1 + variance), **found}


@dataclass(frozen=True)
class Domain:
    """A problem, the map it is judged on, and how long.

    Args:
        problem: with two measures and positive scores.
        cells: of the map along each measure.
        evaluations: of each run.
        variation: how children are made, the same in all treatments.
        splits: rows told after which MAP-Elites divides its cells into four, to arrive at ``cells``
            at last: the hierarchical version, with which the paper did its experiments.
        batch: rows of each ask.
    """

    problem: bb.Problem
    cells: tuple[int, int]
    evaluations: int
    variation: Variation
    splits: tuple[int, ...] = ()
    batch: int = 100


DOMAINS = {
    # Mutation alone, as in the paper: two networks from distant cells make no useful child.
    "retina": Domain(
        bb.problems.Retina(),
        (64, 64),
        40_000,
        Variation(iso=0, line=0, crossover=0, rate=0.05),
        splits=(10_000, 20_000),
    ),
    "arm": Domain(SmoothArm(), (50, 50), 20_000, Variation(exchange=0)),
}


def tiny(domain: Domain) -> Domain:
    """So small that it only shows that everything runs."""
    splits = (100, 200)[: len(domain.splits)]
    return replace(domain, cells=(8, 8), evaluations=400, batch=50, splits=splits)
