"""Outcomes that differ from one evaluation to the next: medians, and what elites are worth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from blackbox.archives import Archive
from blackbox.arguments import check_count
from blackbox.batch import Array, Batch
from blackbox.errors import ProblemError, UnsupportedError
from blackbox.optimizer import ALL_PARAMETERS, Optimizer, Supports
from blackbox.state import State


class Replicated(Optimizer):
    """Asks each proposal of another optimizer several times, and tells it the median outcome.

    A candidate is told when all its replicates are; failed ones do not count, and where all failed
    the candidate has. Rows from outside are single measurements, told as they are; so is a row told
    with other inputs than proposed, which is no replicate. A known standard error is told as the
    median of those of single measurements, which is more than that of a median.

    Args:
        optimizer: whose proposals are replicated.
        replicates: evaluations of each; a batch holds as many rows for each candidate.
        seed: unused but for the fingerprint: every random number is the other optimizer's.

    Attributes:
        inner: the other optimizer, whose ``archive`` holds the medians.

    Raises:
        ProblemError: ``replicates`` is no int of at least 2, or ``optimizer`` is none.
        UnsupportedError: the problem is a preference, or has an environment or gradients.
    """

    supports = Supports(ALL_PARAMETERS, (0, np.inf), True, True, True)

    def __init__(
        self, optimizer: Optimizer, replicates: int = 5, *, seed: int | None = None
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise ProblemError(f"Replicated: optimizer={optimizer!r}; give an Optimizer")
        super().__init__(optimizer.problem, seed=seed)
        if self.problem.environment is not None or self.problem.gradients:
            raise UnsupportedError(
                f"Replicated cannot take {self.problem.name}: medians of an environment's "
                "scenarios, or of gradients, mean nothing"
            )
        self.inner = optimizer
        self._replicates = check_count("Replicated: replicates", replicates, 2)
        self._due: list[int] = []  # inner ids of replicates not yet asked
        self._of: dict[int, int] = {}  # id of each row that is out: inner id
        self._told: dict[int, list[list[float]]] = {}  # inner id: outcomes of told replicates

    @property
    def batch_size(self) -> int:
        return self._replicates * self.inner.batch_size

    def _ask(self, n: int) -> Batch:
        short = n - len(self._due)
        if short > 0:
            fresh = self.inner.ask(-(-short // self._replicates))
            self._due += np.repeat(fresh["id"], self._replicates).tolist()
        now, self._due = self._due[:n], self._due[n:]
        self._of.update({self.asked + i: own for i, own in enumerate(now)})
        pending = self.inner.pending
        return pending.take(np.searchsorted(pending["id"], now)).drop("id")

    def _tell(self, batch: Batch) -> None:
        outside, moved = batch["id"] < 0, self._moved(batch)
        single = outside | (moved & batch["ok"])
        if single.any():
            rows = batch[single]
            self.inner.tell(rows.with_columns(id=np.full(len(rows), -1)))
        names, good = self.problem.outcomes, batch["ok"] & ~moved
        values = np.column_stack([np.where(good, batch[name], np.nan) for name in names])
        done: list[int] = []
        for i in np.flatnonzero(~outside).tolist():
            own = self._of.pop(int(batch["id"][i]))
            told = self._told.setdefault(own, [])
            told.append(values[i].tolist())
            if len(told) == self._replicates:
                done.append(own)
        if done:
            medians = np.array([_median(np.array(self._told.pop(own))) for own in done])
            columns = dict(zip(names, medians.T, strict=True))
            self.inner.tell(Batch({"id": np.array(done), **columns}))

    def _moved(self, batch: Batch) -> npt.NDArray[np.bool_]:
        """(n,) rows told with other inputs than proposed."""
        moved, asked = np.zeros(len(batch), dtype=bool), np.flatnonzero(batch["id"] >= 0)
        own = [self._of[i] for i in batch["id"][asked].tolist()]
        pending = self.inner.pending
        if own:
            proposed = pending.take(np.searchsorted(pending["id"], own))
            for name in self.problem.space.names:
                unequal = np.asarray(proposed[name] != batch[name][asked], dtype=bool)
                moved[asked] |= unequal.reshape(len(asked), -1).any(axis=1)
        return moved

    def _state(self) -> State:
        of = np.array([*self._of.items()], dtype=np.int64).reshape(-1, 2)
        told = {str(own): np.array(values) for own, values in self._told.items()}
        return {"inner": self.inner.state_dict(), "due": list(self._due), "of": of, "told": told}

    def _load_state(self, state: State) -> None:
        self.inner.load_state_dict(state["inner"])
        self._due = [int(i) for i in state["due"]]
        self._of = {int(a): int(b) for a, b in state["of"]}
        self._told = {int(own): values.tolist() for own, values in state["told"].items()}


def corrected(archive: Archive, replicates: int = 32) -> Archive:
    """An archive of what the elites are really worth: evaluated anew, placed by their medians.

    The measure of a method under noise (Flageat & Cully 2023, arXiv 2302.00463): an elite that was
    lucky once moves to the cell it really belongs to, or loses to another one there. Gradients stay
    those of the first evaluation.

    Args:
        archive: the elites; it stays as it is.
        replicates: evaluations of each elite, here and now.

    Raises:
        ProblemError: ``archive`` is none, ``replicates`` no positive int, or the problem cannot
            evaluate.
    """
    if not isinstance(archive, Archive):
        raise ProblemError(f"corrected: archive={archive!r}; give an Archive")
    replicates = check_count("corrected: replicates", replicates, 1)
    elites, problem = archive.elites, archive.problem
    made = archive.like()
    if not len(elites):
        return made
    measured = problem.measure(elites.take(np.repeat(np.arange(len(elites)), replicates)))
    names = [name for name in problem.outcomes if name not in problem.gradients.values()]
    table = np.column_stack([measured[name] for name in names])
    medians = np.array([_median(rows) for rows in table.reshape(len(elites), replicates, -1)])
    truth = dict(zip(names, medians.T, strict=True))
    made.add(elites.with_columns(**truth), archive.parents)
    return made


def _median(rows: Array) -> Array:
    """(o,) median of (r, o) outcomes over the replicates that succeeded; NaN where none did."""
    good = np.sort(rows[np.isfinite(rows).all(axis=1)], axis=0)
    if not len(good):
        return np.full(rows.shape[1], np.nan)
    # Halves first: the sum of two values as large as floats would be a failure.
    low, high = good[(len(good) - 1) // 2], good[len(good) // 2]
    median: Array = np.where(low == high, low, low / 2 + high / 2)
    return median
