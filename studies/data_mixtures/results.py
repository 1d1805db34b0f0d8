"""What is measured after the studies have run, and what the numbers allow one to say.

A study reports the least of many noisy losses, which is too good (the winner's curse). So every
study's mixture is trained again under seeds that no study has used, beside the baselines under the
same seeds, and only those losses are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import stats

from blackbox.errors import EvaluationError
from studies.data_mixtures import corpus
from studies.data_mixtures.measure import Measured, Run
from studies.data_mixtures.problem import PROPORTIONAL, DataMixture, mixture

if TYPE_CHECKING:
    from blackbox.batch import Batch

Floats = npt.NDArray[np.float64]

FRESH = 1_000  # training seeds from here on belong to the confirmation


@dataclass(frozen=True)
class Told:
    """One finished study.

    Attributes:
        optimizer: as the command line calls it.
        seed: the optimizer's.
        history: rows told.
        failures: id to reason.
        seconds: wall time the study ran, earlier sessions included.
        recommended: the mixture that the optimizer recommends at the target and the loss it expects
            there, where it chooses sizes; None takes the best row at the largest size.
        evidence: size to the nats by which its rows have improved forecasts of the target's, where
            the optimizer judges sizes.
    """

    optimizer: str
    seed: int
    history: Batch
    failures: Mapping[int, str]
    seconds: float
    recommended: tuple[Floats, float] | None = None
    evidence: Mapping[int, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Optimizer and seed."""
        return f"{self.optimizer}, seed {self.seed}"

    def best_so_far(self, params: int) -> tuple[Floats, Floats]:
        """(n,) cost spent after each row, and (n,) least loss at a size by then, or inf."""
        rows = self.history
        losses = np.where(rows["ok"] & (rows["params"] == params), rows["loss"], np.inf)
        return np.cumsum(rows["cost"]), np.minimum.accumulate(losses)


@dataclass(frozen=True)
class Candidate:
    """A mixture that was trained again under fresh seeds.

    Attributes:
        label: where it comes from.
        mix: (k,) shares.
        seen: loss for which a study chose it; NaN for a baseline.
        losses: (r,) losses under the fresh seeds, NaN where a run failed.
    """

    label: str
    mix: Floats
    seen: float
    losses: Floats

    @property
    def mean(self) -> float:
        """Mean loss under the fresh seeds."""
        return interval(self.losses)[0]


@dataclass(frozen=True)
class Plan:
    """The runs that follow the studies, by purpose."""

    candidates: Mapping[str, tuple[Floats, float]]
    ladder: Floats
    repeats: int

    def runs(self, problem: DataMixture) -> list[Run]:
        """Every run of the plan."""
        target, seeds = problem.target.params, range(FRESH, FRESH + self.repeats)
        confirm = [Run.of(m, target, s) for m, _ in self.candidates.values() for s in seeds]
        alone = [Run.of(m, target, problem.seed) for m in np.eye(len(corpus.DOMAINS))]
        sizes = [Run.of(m, size, problem.seed) for m in self.ladder for size in problem.sizes]
        return [*confirm, *alone, *sizes]


@dataclass(frozen=True)
class Results:
    """All that the report says, in numbers.

    Attributes:
        problem: what was optimized.
        told: the studies.
        baselines: the uniform mixture, then the one in the target's proportions.
        found: the mixture of each study, in the order of ``told``.
        alone: (k,) losses of each domain alone.
        ladder: params to (n,) losses of the same n mixtures at each size.
        measured: every run outside the studies.
    """

    problem: DataMixture
    told: Sequence[Told]
    baselines: Sequence[Candidate]
    found: Sequence[Candidate]
    alone: Floats
    ladder: Mapping[int, Floats]
    measured: Mapping[Run, Measured]

    @property
    def best(self) -> Candidate:
        """The mixture with the least loss in any study; chosen before it was trained again."""
        return min(self.found, key=lambda candidate: candidate.seen)

    @property
    def uniform(self) -> Candidate:
        """The mixture with equal shares."""
        return self.baselines[0]

    def regret(self, candidate: Candidate) -> float:
        """Confirmed loss above the least confirmed loss of any mixture."""
        return candidate.mean - float(np.nanmin([c.mean for c in (*self.baselines, *self.found)]))

    @property
    def optimizers(self) -> list[str]:
        """Names of the optimizers, in the order of ``told``."""
        return list(dict.fromkeys(told.optimizer for told in self.told))

    def of(self, optimizer: str) -> list[Told]:
        """The studies of one optimizer."""
        return [told for told in self.told if told.optimizer == optimizer]

    def points(self, optimizer: str) -> tuple[Floats, Floats]:
        """(n, k) mixtures and (n,) losses that an optimizer tried at the target size."""
        target = self.problem.target.params
        rows = [
            t.history[t.history["ok"] & (t.history["params"] == target)] for t in self.of(optimizer)
        ]
        return (
            np.concatenate([batch["mix"] for batch in rows]),
            np.concatenate([batch["loss"] for batch in rows]),
        )

    def means(self, optimizer: str) -> Floats:
        """(s,) mean fresh loss of the mixture that each study of an optimizer found."""
        pairs = zip(self.told, self.found, strict=True)
        return np.array([found.mean for told, found in pairs if told.optimizer == optimizer])


def make_plan(told: Sequence[Told], repeats: int, ladder: int) -> Plan:
    """Baselines and each study's mixture, and mixtures for all sizes from the studies' beginnings.

    A study's first rows are its initial design, so that the ladder's mixtures are spread out.

    Args:
        told: the studies.
        repeats: fresh seeds for each mixture.
        ladder: mixtures that are trained at every size.
    """
    k = len(corpus.DOMAINS)
    candidates = {
        "equal shares": (np.full(k, 1 / k), np.nan),
        "the target's proportions": (mixture(PROPORTIONAL), np.nan),
    }
    first = -(-ladder // len(told))
    starts = [np.empty((0, k))]
    for study in told:
        rows = study.history[study.history["ok"]]
        # An optimizer of its own choice of sizes may never have bought the target.
        largest = rows[rows["params"] == rows["params"].max()] if len(rows) else rows
        if len(largest) == 0:
            continue
        at = int(np.argmin(largest["loss"]))
        best = largest["mix"][at], float(largest["loss"][at])
        candidates[study.label] = best if study.recommended is None else study.recommended
        starts.append(rows["mix"][:first])
    return Plan(candidates, np.concatenate(starts)[:ladder], repeats)


def from_studies(problem: DataMixture, told: Sequence[Told]) -> dict[Run, float]:
    """Losses that the studies have measured; training is repeatable, so they hold here too."""
    known = {}
    for study in told:
        rows = study.history[study.history["ok"]]
        for mix, params, loss in zip(rows["mix"], rows["params"], rows["loss"], strict=True):
            known[Run.of(mix, params, problem.seed)] = float(loss)
    return known


def collect(
    problem: DataMixture,
    told: Sequence[Told],
    plan: Plan,
    measured: Mapping[Run, Measured],
    known: Mapping[Run, float],
) -> Results:
    """The results of a plan whose runs are done.

    Args:
        problem: what was optimized.
        told: the studies.
        plan: what was to be measured.
        measured: runs outside the studies.
        known: losses from inside them.

    Raises:
        EvaluationError: no training run of any study succeeded.
    """
    target, seeds = problem.target.params, range(FRESH, FRESH + plan.repeats)

    def losses(runs: Iterable[Run]) -> Floats:
        return np.array([known[run] if run in known else measured[run].loss for run in runs])

    candidates = [
        Candidate(label, mix, seen, losses(Run.of(mix, target, seed) for seed in seeds))
        for label, (mix, seen) in plan.candidates.items()
    ]
    alone = losses(Run.of(mix, target, problem.seed) for mix in np.eye(len(corpus.DOMAINS)))
    ladder = {
        size: losses(Run.of(mix, size, problem.seed) for mix in plan.ladder)
        for size in problem.sizes
    }
    kept = [study for study in told if study.label in plan.candidates]
    if not kept:
        reasons = [reason for study in told for reason in study.failures.values()]
        raise EvaluationError(f"every training run failed; the first said: {reasons[0]}")
    return Results(problem, kept, candidates[:2], candidates[2:], alone, ladder, measured)


def interval(values: Floats) -> tuple[float, float]:
    """Mean and half the width of its 95 % confidence interval (Student's t), without NaNs."""
    values = values[np.isfinite(values)]
    n = len(values)
    if n == 0:
        return np.nan, np.nan
    if n == 1:
        return float(values[0]), np.inf
    return float(values.mean()), float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / n**0.5)


def two_means(a: Floats, b: Floats) -> tuple[float, float]:
    """Mean of a minus mean of b, and half its 95 % interval (Welch's t), without NaNs."""
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if min(len(a), len(b)) < 2:
        return (float(a.mean() - b.mean()) if len(a) and len(b) else np.nan), np.inf
    va, vb = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    if va + vb == 0:
        return float(a.mean() - b.mean()), 0.0
    freedom = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    return float(a.mean() - b.mean()), float(stats.t.ppf(0.975, freedom) * (va + vb) ** 0.5)


def rank_correlation(a: Floats, b: Floats) -> float:
    """Spearman's, over pairs without NaN; NaN for fewer than three."""
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < 3:
        return float("nan")
    return float(stats.spearmanr(a[both], b[both]).statistic)
