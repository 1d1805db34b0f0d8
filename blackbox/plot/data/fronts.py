"""What runs reach with two or three objectives, alone and together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blackbox.arguments import is_number
from blackbox.errors import ProblemError
from blackbox.formulation import Problem
from blackbox.metrics import attainment
from blackbox.plot.data.runs import Data, Floats, groups, thin


@dataclass(frozen=True)
class Front:
    """What the runs of one method reach with several objectives.

    Args:
        name: the method's label.
        runs: number of runs.
        points: (n, m) other feasible outcomes; at most 5 000.
        infeasible: (q, m) outcomes that break a constraint; at most 5 000.
        front: (k, m) Pareto front of all runs together, by the first objective.
        surfaces: share of runs to the (s, m) outcomes that span what this share attains; of a
            single run, the share 1 and its front.
        steps: for two objectives, share of runs to the (v, 2) corners of its surface.
    """

    name: str
    runs: int
    points: Floats
    infeasible: Floats
    front: Floats
    surfaces: dict[float, Floats]
    steps: dict[float, Floats]


def fronts(
    data: Data,
    problem: Problem | None = None,
    *,
    levels: tuple[float, float, float] = (0.25, 0.5, 0.75),
) -> list[Front]:
    """Pareto fronts, and what shares of the runs attain where there are several.

    Args:
        data: see ``blackbox.plot``.
        problem: the problem that Batches belong to.
        levels: shares of the runs.

    Returns:
        One Front a method.

    Raises:
        BatchError: nothing to draw.
        ProblemError: the problem has not two or three objectives, or the levels are no shares.
        MissingExtraError: moocore is not installed.
    """
    listed = isinstance(levels, list | tuple) and all(map(is_number, levels))
    if not listed or len(levels) != 3 or not all(0 < level <= 1 for level in levels):
        raise ProblemError(f"levels={levels!r}; give three shares of the runs, above 0 and up to 1")
    made = groups(data, problem)
    every = [run for runs in made.values() for run in runs]
    declared = every[0].problem
    if len(declared.objectives) not in (2, 3):
        raise ProblemError(
            f"{declared.name} has {len(declared.objectives)} objectives; a front is drawn of 2 "
            "or 3, use convergence for one and parallel_coordinates for more"
        )
    counted = np.vstack([run.scores[run.counts] for run in every])
    worst = counted.min(axis=0) if len(counted) else np.zeros(counted.shape[1])
    found = []
    for name, runs in made.items():
        together = np.vstack([run.scores for run in runs])
        whole = attainment([together], [1.0])[0]
        shares = (1.0,) if len(runs) == 1 else levels
        surfaces = dict(zip(shares, attainment([run.scores for run in runs], shares), strict=True))
        units = runs[0].units
        steps = {q: units(_stairs(s, worst)) for q, s in surfaces.items() if s.shape[1] == 2}
        found.append(
            Front(
                name,
                len(runs),
                _sampled([run.values(run.counts & ~run.best) for run in runs]),
                _sampled([run.values(run.ok & ~run.counts) for run in runs]),
                _ordered(units(whole)),
                {q: _ordered(units(s)) for q, s in surfaces.items()},
                steps,
            )
        )
    return found


def _stairs(surface: Floats, worst: Floats) -> Floats:
    """(2k + 1, 2) corners of the border of what a surface dominates, down to the worst values."""
    if not len(surface):
        return surface
    down = surface[np.argsort(-surface[:, 0], kind="stable")]
    level = np.concatenate([[worst[1]], np.repeat(down[:, 1], 2)])
    reach = np.concatenate([np.repeat(down[:, 0], 2), [worst[0]]])
    return np.column_stack([reach, level])


def _ordered(points: Floats) -> Floats:
    return points[np.argsort(points[:, 0], kind="stable")]


def _sampled(parts: list[Floats]) -> Floats:
    points = np.vstack(parts)
    return points[thin(len(points), np.zeros(len(points), dtype=bool))]
