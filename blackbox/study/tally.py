"""The running totals of a study: what a budget counts, and the best row so far."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from blackbox.arguments import is_whole
from blackbox.batch import Array, Batch, Row
from blackbox.errors import TellError
from blackbox.formulation import Problem


class Tally:
    """Totals over the rows told, kept up row by row so that no history is needed for them.

    Attributes:
        told: rows told, failed ones and data from outside included.
        evaluations: rows told that were asked for.
        failed: rows told that failed.
        cost: cost of the evaluations, 1 each where the problem defines none.
        best: the best row at the target fidelity; None before there is one, or where rows have no
            order: several objectives or none, a preference, an environment.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._ids = np.zeros(1024, dtype=bool)
        ordered = len(problem.objectives) == 1 and not problem.preference
        self._ordered = ordered and problem.environment is None
        self._best_score = -np.inf
        self.told = self.evaluations = self.failed = 0
        self.cost = 0.0
        self.best: Row | None = None

    def count(self, told: Batch) -> None:
        """Take in rows that are new."""
        asked = told["id"] >= 0
        n = int(np.count_nonzero(asked))
        if n:
            self._mark(told["id"][asked])
        self.told += len(told)
        self.evaluations += n
        self.failed += int(np.count_nonzero(~told["ok"]))
        self.cost += float(told["cost"][asked].sum()) if "cost" in told else float(n)
        if self._ordered and len(told):
            self._improve(told)

    def is_told(self, ids: Array) -> npt.NDArray[np.bool_]:
        """(n,) whether each id was told; False for -1."""
        known = (ids >= 0) & (ids < len(self._ids))
        known[known] = self._ids[ids[known]]
        return known

    def _mark(self, ids: Array) -> None:
        largest = int(ids.max())
        if largest >= len(self._ids):
            larger = np.zeros(max(2 * len(self._ids), largest + 1), dtype=bool)
            larger[: len(self._ids)] = self._ids
            self._ids = larger
        self._ids[ids] = True

    def _improve(self, told: Batch) -> None:
        good = eligible(self._problem, told)
        scores = np.where(good, self._problem.scores(told)[:, 0], -np.inf)
        i = int(np.argmax(scores))
        if scores[i] > self._best_score:
            self._best_score = float(scores[i])
            self.best = next(self._problem.space.rows(told[i : i + 1].drop("ok")))


def eligible(problem: Problem, batch: Batch) -> npt.NDArray[np.bool_]:
    """(n,) rows that may be best: not failed, feasible, at the target fidelity."""
    good = problem.feasible(batch)
    if problem.fidelity is not None:
        good &= batch[problem.fidelity.name] == problem.fidelity.target
    return good


def checked_reasons(reasons: object) -> dict[int, str]:
    """Why rows failed, by id, as plain ints and texts.

    Raises:
        TellError: it is no dict from ids.
    """
    if reasons is None:
        return {}
    if not isinstance(reasons, Mapping) or not all(is_whole(i, 0) for i in reasons):
        raise TellError(
            f"tell: reasons={reasons!r}; give a dict from the id of a row to the text why it failed"
        )
    return {int(i): str(text) for i, text in reasons.items()}


def reasons_of_failed(reasons: Mapping[int, str], batch: Batch, told: Batch) -> dict[int, str]:
    """The reasons of those rows of a batch that are new and failed.

    Args:
        reasons: by id, as ``checked_reasons`` gave them.
        batch: the rows as they were given.
        told: those of them that are new.

    Raises:
        TellError: a reason has no row in the batch.
    """
    if not reasons:
        return {}
    unknown = reasons.keys() - set(batch["id"].tolist() if "id" in batch else [])
    if unknown:
        raise TellError(
            f"tell: reasons for ids {sorted(unknown)[:10]} that are not in the batch; give reasons "
            "for rows of the batch only"
        )
    return {i: reasons[i] for i in told["id"][~told["ok"]].tolist() if i in reasons}
