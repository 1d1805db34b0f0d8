"""Rows with their outcomes, as the models take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError
from blackbox.formulation import Problem
from blackbox.space import Space
from blackbox.surrogates.features import Features


@dataclass(frozen=True)
class Told:
    """Everything told so far.

    Args:
        batch: inputs, outcomes and ``ok``.
        x: (n, d) features of the inputs.
        groups: (n,) int, equal for rows of the same tell.
    """

    batch: Batch
    x: Array
    groups: Array

    def __len__(self) -> int:
        return len(self.batch)

    def joined(self, batch: Batch, x: Array) -> Told:
        """With the rows of a further tell after these."""
        groups = np.full(len(x), int(self.groups.max(initial=-1)) + 1)
        if not len(self):
            return Told(batch, x, groups)
        return Told(
            Batch.concat([self.batch, batch]),
            np.concatenate([self.x, x]),
            np.concatenate([self.groups, groups]),
        )

    @property
    def ok(self) -> Array:
        """(n,) which rows succeeded."""
        return self.batch["ok"] if len(self) else np.zeros(0, dtype=bool)


def joint_space(problem: Problem) -> Space:
    """What the models see as inputs: the space, and the environment where there is one."""
    if problem.environment is None:
        return problem.space
    constraints = problem.space.constraints
    return Space(*problem.space, *problem.environment.space, constraints=constraints)


def earlier(problem: Problem, features: Features, prior: Any) -> list[Told]:
    """The rows of earlier studies, checked.

    Raises:
        ProblemError: ``prior`` is no sequence of studies and batches, or one lacks an outcome.
        SpaceError: a row lies outside the space.
    """
    if isinstance(prior, Batch) or hasattr(prior, "history"):
        prior = [prior]
    if not isinstance(prior, list | tuple):
        raise ProblemError(f"Bayes: prior={prior!r}; give a list of studies and batches")
    found = []
    for number, study in enumerate(prior):
        batch = getattr(study, "history", study)
        if not isinstance(batch, Batch):
            raise ProblemError(f"Bayes: prior[{number}] is {study!r}; give a Study or a Batch")
        found.append(_earlier(problem, features, batch, number))
    return found


def _earlier(problem: Problem, features: Features, batch: Batch, number: int) -> Told:
    missing = [name for name in (*features.space.names, *problem.outcomes) if name not in batch]
    if missing:
        raise ProblemError(
            f"Bayes: prior[{number}] lacks {missing}; give studies of the same space and outcomes"
        )
    fidelity = problem.fidelity
    if fidelity is not None and fidelity.name in batch:  # other rows are of another function
        batch = batch[batch[fidelity.name] == fidelity.target]
    columns = features.space.check(batch).columns()
    gradients = problem.gradients.values()
    ok = np.array(batch["ok"]) if "ok" in batch else np.ones(len(batch), dtype=bool)
    for name in problem.outcomes:
        try:
            columns[name] = np.asarray(batch[name], dtype=np.float64)
        except ValueError:
            raise ProblemError(
                f"Bayes: outcome {name!r} of prior[{number}] is {batch[name]!r}; give numbers"
            ) from None
        if name not in gradients:
            ok &= np.isfinite(columns[name])
    told = Batch.of({**columns, "ok": ok}, len(batch))
    return Told(told, features.encode(told), np.zeros(len(told), dtype=np.intp))
