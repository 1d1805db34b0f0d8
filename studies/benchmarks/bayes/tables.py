"""What the tables of several suites have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from studies.benchmarks.bayes.peers import OURS

SIGNIFICANCE = 0.05

Floats = npt.NDArray[np.float64]
#: Loss of each seed, for a case and an optimizer; smaller is better.
Found = Mapping[tuple[str, str], Mapping[int, float]]


def ranks(medians: Floats) -> Floats:
    """(k,) mean rank of each optimizer over the rows of (n, k) median losses; ties share."""
    mean: Floats = stats.rankdata(medians, axis=1).mean(axis=0)
    return mean


def compare(ours: Mapping[int, float], theirs: Mapping[int, float]) -> int:
    """1 where the peer is significantly better, -1 where it is worse, else 0.

    Wilcoxon's signed-rank test of the seeds that both ran, two-sided; the side is that of the
    greater sum of ranks, as in the test. Ties are left out.
    """
    shared = sorted(ours.keys() & theirs.keys())
    with np.errstate(invalid="ignore"):
        differences = np.array([theirs[seed] - ours[seed] for seed in shared])
    differences[np.isnan(differences)] = 0  # neither run found anything feasible
    differences = differences[differences != 0]
    if not len(differences) or stats.wilcoxon(differences).pvalue >= SIGNIFICANCE:
        return 0
    # Not of the median, which is 0 where half of the seeds tie.
    worse = np.sign(differences) @ stats.rankdata(np.abs(differences))
    return -int(np.sign(worse))


def medians(found: Found, cases: Sequence[str], names: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each case, a column for each optimizer."""
    return [
        {"problem": case}
        | {o: _median(ran, ran) if (ran := found[case, o]) else None for o in names}
        for case in cases
    ]


def overview(
    found: Found, cases: Sequence[str], names: Sequence[str], baseline: str = OURS
) -> list[dict[str, Any]]:
    """A row for each optimizer: its mean rank, and where it is better or worse than ours.

    An optimizer that lacks some of our runs is ranked on those that it has, beside the ones that
    have all: seeds are instances, some of them harder than others.
    """
    wanted = {c: _wanted(found, c, names, baseline) for c in cases}
    whole = [o for o in names if all(wanted[c] <= found[c, o].keys() for c in cases)]
    rows = []
    for name in names:
        seeds = {c: shared for c in cases if (shared := wanted[c] & found[c, name].keys())}
        beside = whole if name in whole else [*whole, name]
        table = np.array([[_median(found[c, o], seeds[c]) for o in beside] for c in seeds])
        row: dict[str, Any] = {"optimizer": name, "problems": len(seeds)}
        row["mean rank"] = float(ranks(table)[beside.index(name)]) if seeds else None
        row["ranked among"] = len(beside)
        judged = [
            compare(found[c, baseline], found[c, name]) for c in seeds if found.get((c, baseline))
        ]
        compared = judged and name != baseline
        row[f"better than {baseline}"] = judged.count(1) if compared else None
        row[f"worse than {baseline}"] = judged.count(-1) if compared else None
        rows.append(row)
    return rows


def _wanted(found: Found, case: str, names: Sequence[str], baseline: str) -> set[int]:
    """The seeds that ours ran; where it did not, those that any optimizer ran."""
    ours = found.get((case, baseline))
    return set(ours) if ours else {seed for name in names for seed in found[case, name]}


def _median(losses: Mapping[int, float], seeds: Iterable[int]) -> float:
    return float(np.median([losses[seed] for seed in seeds]))


#: Explains ``overview``.
NOTES = (
    "Mean rank: rank of the median on each problem, averaged; 1 is best. An optimizer that ran on "
    "fewer problems or seeds is ranked on those runs, beside the ones that ran on all.",
    "Better and worse: problems on which the optimizer is significantly better or worse than Bayes "
    "(Wilcoxon's signed-rank test over the seeds both ran, two-sided, 5 %; with fewer than six "
    "seeds it cannot be significant).",
)
