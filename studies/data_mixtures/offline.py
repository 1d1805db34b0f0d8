"""Studies of data whose answers are known: recorded runs, and the fitted law."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

import blackbox as bb
from blackbox.acquisitions.search import keys
from blackbox.batch import Batch
from studies.data_mixtures.oracle import MixingLaw
from studies.data_mixtures.recorded import NATURAL, Recorded, ift, pile
from studies.data_mixtures.results import rank_correlation
from studies.data_mixtures.runs import Floats

Known: TypeAlias = Recorded | MixingLaw

OURS, TARGET_ONLY, RANDOM = "MultiFidelityBayes", "the target alone", "random"
_DRAWN = 500  # mixtures on which sizes of the law are compared
MOVED = 0.1  # share that is moved to see what a domain is worth


@dataclass(frozen=True)
class Data:
    """A data set.

    Args:
        words: what it is.
        build: the problem.
        unit: of the outcome.
        max_cost: of a study, in runs at the target.
        natural: the natural shares; None for equal ones.
    """

    words: str
    build: Callable[[], Known]
    unit: str
    max_cost: float
    natural: Sequence[float] | None = None


_PILE, _IFT = "RegMix's runs on the Pile", "ADMIRE's runs of instruction tuning"
DATA: Mapping[str, Data] = {
    "pile": Data(
        f"{_PILE}: mean loss on 13 validation sets",
        lambda: pile("avg13", apart=False), "nats a token", 5.0, NATURAL,
    ),
    "pile-cc": Data(
        f"{_PILE}: loss on Common Crawl", lambda: pile("pile_cc"), "nats a token", 5.0, NATURAL
    ),
    "ift": Data(f"{_IFT}: mean of 17 tasks", lambda: ift("mean", apart=False), "accuracy", 20.0),
    "ift-id": Data(
        f"{_IFT}: ten tasks in distribution", lambda: ift("id", apart=False), "accuracy", 20.0
    ),
    "ift-ood": Data(
        f"{_IFT}: seven tasks out of distribution",
        lambda: ift("ood", apart=False), "accuracy", 20.0,
    ),
    "law": Data("A law fitted to runs on SlimPajama, three sizes", MixingLaw, "nats a token", 8.0),
}  # fmt: skip


@dataclass(frozen=True)
class Course:
    """How a study went.

    Args:
        name: of the method.
        seed: of the study.
        history: rows in the order in which they were bought.
        spent: (n,) cost after each row.
        regrets: (n,) of what was recommended after each row.
        optimizer: as it was at the end; None for random search.
    """

    name: str
    seed: int
    history: Batch
    spent: Floats
    regrets: Floats
    optimizer: bb.MultiFidelityBayes | None


def natural_shares(data: Data, problem: Known) -> Floats:
    """(k,) natural shares, equal ones where they are not known."""
    (mix,) = problem.space
    assert isinstance(mix, bb.Simplex)
    shares = np.ones(mix.size) if data.natural is None else np.array(data.natural)
    return np.asarray(shares / shares.sum())


def follow(problem: Known, name: str, seed: int, max_cost: float) -> Course:
    """One study, asked after every row what it recommends."""
    optimizer = _optimizer(problem, name, seed)
    study = bb.Study(problem, optimizer)
    spent, regrets = [], []
    for _ in study.steps(max_cost=max_cost):
        spent.append(study.cost)
        if isinstance(optimizer, bb.MultiFidelityBayes):
            row = optimizer.recommend()
        else:
            scores = problem.scores(study.history)[:, 0]
            row = study.history.take(np.array([np.argmax(scores)]))
        regrets.append(float(problem.regret(row)[0]))
    made = optimizer if isinstance(optimizer, bb.MultiFidelityBayes) else None
    return Course(name, seed, study.history, np.array(spent), np.array(regrets), made)


def median_regret(courses: Sequence[Course], costs: Floats) -> Floats:
    """(C,) median over studies of the regret when no more than each cost was spent; NaN before."""
    found = np.full((len(courses), len(costs)), np.nan)
    for i, course in enumerate(courses):
        rows = np.searchsorted(course.spent, costs + 1e-9, side="right")
        found[i, rows > 0] = course.regrets[rows[rows > 0] - 1]
    early = np.isnan(found).any(axis=0)
    return np.where(early, np.nan, np.median(found, axis=0))


def expected(optimizer: bb.MultiFidelityBayes, mixes: Floats) -> tuple[Floats, Floats]:
    """(n,) expected outcomes at the target and their standard deviations."""
    (objective,) = optimizer.problem.objectives
    return optimizer.predict(Batch({"mix": mixes}))[objective.name]


def best_course(courses: Sequence[Course]) -> Course:
    """Of the multi-fidelity studies the one that expects most of what it recommends."""
    (sign,) = (o.sign for o in courses[0].optimizer.problem.objectives)  # type: ignore[union-attr]

    def hope(course: Course) -> float:
        assert course.optimizer is not None
        return sign * float(expected(course.optimizer, course.optimizer.recommend()["mix"])[0][0])

    return max((c for c in courses if c.name == OURS), key=hope)


def domain_effects(optimizer: bb.MultiFidelityBayes, mix: Floats) -> Floats:
    """(k,) change of the expected outcome by ten points more of each domain.

    They are taken from all other domains in proportion.
    """
    moved = (1.0 - MOVED) * mix + MOVED * np.eye(len(mix))
    values, _ = expected(optimizer, np.concatenate([mix[None], moved]))
    return np.asarray(values[1:] - values[0])


def rank_with_target(problem: Known, size: float) -> float:
    """Rank correlation of outcomes at a size with those at the target, of the same mixtures.

    Of recorded runs those of mixtures that both sizes trained; NaN for fewer than three.
    """
    target = max(sizes(problem))
    if isinstance(problem, MixingLaw):
        rows = problem.space.draw(_DRAWN, np.random.default_rng(0))
        pair = [
            problem.measure(rows.with_columns(params=np.full(_DRAWN, s)))["loss"]
            for s in (size, target)
        ]
        return rank_correlation(*pair)
    runs = problem.runs
    there = {key: i for i, key in enumerate(keys(runs.mixes).tolist()) if runs.sizes[i] == target}
    both = [
        (i, there[key])
        for i, key in enumerate(keys(runs.mixes).tolist())
        if runs.sizes[i] == size and key in there
    ]
    if len(both) < 3:
        return float("nan")
    cheap, dear = np.array(both).T
    return rank_correlation(problem.means[cheap], problem.means[dear])


def _optimizer(problem: Known, name: str, seed: int) -> bb.Optimizer:
    if isinstance(problem, MixingLaw):
        if name == OURS:
            return bb.MultiFidelityBayes(problem, seed=seed)
        return bb.Random(problem, seed=seed) if name == RANDOM else _alone(problem, None, seed)
    rows = problem.candidates
    if name == OURS:
        return bb.MultiFidelityBayes(problem, candidates=rows, seed=seed)
    at_target = rows[problem.target]
    return _Listed(problem, at_target, seed) if name == RANDOM else _alone(problem, at_target, seed)


def _alone(problem: Known, rows: Batch | None, seed: int) -> bb.MultiFidelityBayes:
    """The same optimizer where nothing but the target may be evaluated."""
    if rows is None:
        drawn = problem.space.draw(2000, np.random.default_rng([seed, 3]))
        rows = drawn.with_columns(params=np.full(len(drawn), max(sizes(problem))))
    return bb.MultiFidelityBayes(problem, candidates=rows, seed=seed)


def sizes(problem: Known) -> list[float]:
    """The sizes, the target last."""
    assert problem.fidelity is not None
    assert isinstance(problem.fidelity.parameter, bb.Ordinal)
    return [float(size) for size in problem.fidelity.parameter.table]


class _Listed(bb.Optimizer):
    """Rows of a list in random order."""

    def __init__(self, problem: bb.Problem, rows: Batch, seed: int) -> None:
        super().__init__(problem, seed=seed)
        self._rows = rows.select(problem.space.names).take(self.rng.permutation(len(rows)))
        self._next = 0

    def _ask(self, n: int) -> Batch:
        at = np.arange(self._next, min(self._next + n, len(self._rows)))
        self._next += len(at)
        return self._rows.take(at)

    def _tell(self, batch: Batch) -> None:
        pass

    def _state(self) -> dict[str, Any]:
        return {"next": self._next}

    def _load_state(self, state: dict[str, Any]) -> None:
        self._next = int(state["next"])
