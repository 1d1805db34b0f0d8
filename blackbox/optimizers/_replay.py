"""Optimizers of other packages behind ask and tell: what came in is written down and replayed.

A peer's own state is a web of private objects that could only be pickled. So a state holds the log
of asks and tells instead, as columns, and loading it replays the log on a peer that is built
afresh. That is exact, because a peer draws every random number from its own generator, and it costs
what the asks and tells cost the first time.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from blackbox.batch import Array, Batch
from blackbox.formulation import Floats, Problem
from blackbox.optimizer import Optimizer
from blackbox.pending import Pending
from blackbox.state import State


@dataclass(frozen=True)
class Told:
    """Outcomes in the form every peer takes: asked rows first, then rows it did not propose.

    Args:
        ids: (n,) ids of asked rows.
        ok: (n,) False for an asked row that failed, or was evaluated elsewhere than proposed.
        outside: (k,) inputs of the rows it did not propose; none of them failed.
        scores: (n + k, m) objectives, larger is better; 0 where not ok.
        slack: (n + k, c) constraints, satisfied where at most 0; 0 where not ok.
        measures: (n + k, q) measures; 0 where not ok.
    """

    ids: npt.NDArray[np.int64]
    ok: npt.NDArray[np.bool_]
    outside: Batch
    scores: Floats
    slack: Floats
    measures: Floats

    def asked_rows(self) -> Iterator[tuple[int, bool, Floats, Floats]]:
        """Id, ok, scores and slack of each asked row."""
        n = len(self.ids)
        return zip(
            self.ids.tolist(), self.ok.tolist(), self.scores[:n], self.slack[:n], strict=True
        )


class Log:
    """Asks and tells in order."""

    def __init__(self) -> None:
        self._events: list[tuple[int, int]] = []
        self._told: list[Told] = []

    def ask(self, n: int) -> None:
        """Note that n rows were asked for."""
        self._events.append((n, -1))

    def tell(self, told: Told) -> None:
        """Note outcomes."""
        self._events.append((len(told.ids), len(told.outside)))
        self._told.append(told)

    def state(self) -> State:
        """The log as columns."""
        events = np.array(self._events, dtype=np.int64).reshape(-1, 2)
        if not self._told:
            return {"events": events}
        outside = Batch.concat(t.outside for t in self._told if len(t.outside))
        return {
            "events": events,
            "ids": np.concatenate([t.ids for t in self._told]),
            "ok": np.concatenate([t.ok for t in self._told]),
            "scores": np.concatenate([t.scores for t in self._told]),
            "slack": np.concatenate([t.slack for t in self._told]),
            "measures": np.concatenate([t.measures for t in self._told]),
            "outside": outside.columns(),
        }


def events(state: State) -> Iterator[int | Told]:
    """What ``Log.state`` holds, in order: the size of each ask, or what was told."""
    asked = values = others = 0
    outside = Batch(state.get("outside", {}))
    for n, k in state["events"].tolist():
        if k < 0:
            yield n
            continue
        known, rows = slice(asked, asked + n), slice(values, values + n + k)
        yield Told(
            ids=state["ids"][known],
            ok=state["ok"][known],
            outside=outside[others : others + k],
            scores=state["scores"][rows],
            slack=state["slack"][rows],
            measures=state["measures"][rows],
        )
        asked, values, others = asked + n, values + n + k, others + k


class Peer(Optimizer):
    """An optimizer of another package.

    A subclass calls ``_start`` at the end of its constructor, and writes ``_start``, ``_propose``
    and ``_learn``. Rows told with inputs other than those proposed count as a failed proposal and
    as data from outside.
    """

    _key: int  # seeds the peer: the seed itself where one is given

    def __init__(self, problem: Problem, *, seed: int | None = None) -> None:
        super().__init__(problem, seed=seed)
        self._key = int(self.rng.integers(2**31)) if seed is None else int(seed) % 2**32
        self._reset()

    @abstractmethod
    def _start(self) -> None:
        """Build the peer afresh, seeded by ``_key``."""

    @abstractmethod
    def _propose(self, ids: range) -> Batch:
        """A proposal for each id."""

    @abstractmethod
    def _learn(self, told: Told) -> None:
        """Tell the peer."""

    def spec(self) -> dict[str, Any]:
        """Type and arguments; the type with its package, since names recur between packages."""
        package = type(self).__module__.removeprefix("blackbox.optimizers.").partition(".")[0]
        return {**super().spec(), "type": f"{package}.{type(self).__name__}"}

    def _reset(self) -> None:
        self._log = Log()
        self._given = 0
        self._proposed = Pending()

    def _ask(self, n: int) -> Batch:
        self._log.ask(n)
        ids = range(self._given, self._given + n)
        rows = self._propose(ids)
        self._given += n
        self._proposed.add(Batch.of({"id": np.array(ids, np.int64), **rows.columns()}, n))
        return rows

    def _tell(self, batch: Batch) -> None:
        told = self._sorted(batch)
        if len(told.ids) or len(told.outside):
            self._take(told)

    def _take(self, told: Told) -> None:
        self._log.tell(told)
        self._proposed.remove(told.ids)
        self._learn(told)

    def _state(self) -> State:
        return {"key": self._key, "log": self._log.state()}

    def _load_state(self, state: State) -> None:
        self._key = int(state["key"])
        self._reset()
        self._start()
        for event in events(state["log"]):
            if isinstance(event, Told):
                self._take(event)
            else:
                self._ask(event)

    def _sorted(self, batch: Batch) -> Told:
        ids, ok = batch["id"], batch["ok"]
        known = ids >= 0
        moved = np.zeros(len(batch), dtype=bool)
        proposed = self._proposed.find(ids[known], self._given)
        if proposed is not None:
            moved[known] = self._differ(proposed, batch[known])
        outside = ok & (moved | ~known)
        fine = ok[known] & ~moved[known]
        order = np.concatenate([np.flatnonzero(known), np.flatnonzero(outside)])
        used = np.concatenate([fine, np.ones(int(outside.sum()), dtype=bool)])
        rows = batch[order]
        return Told(
            ids=ids[known],
            ok=fine,
            outside=batch[outside].select(self.problem.space.names),
            scores=np.where(used[:, None], self.problem.scores(rows), 0.0),
            slack=np.where(used[:, None], slack(self.problem, rows), 0.0),
            measures=np.where(used[:, None], _measures(self.problem, rows), 0.0),
        )

    def _differ(self, proposed: Batch, told: Batch) -> npt.NDArray[np.bool_]:
        """(n,) rows told with other inputs than proposed."""
        differ = np.zeros(len(told), dtype=bool)
        for name in self.problem.space.names:
            unequal = np.asarray(proposed[name] != told[name], dtype=bool)
            differ |= unequal.reshape(len(told), -1).any(axis=1)
        return differ


def slack(problem: Problem, batch: Batch) -> Floats:
    """(n, c) how far each constraint is from its nearer bound, at most 0 where satisfied.

    ``Problem.violations`` is 0 there; models of constraints learn more from the distance.
    """
    columns: list[Array] = [
        np.maximum(c.lower - batch[c.name], batch[c.name] - c.upper) for c in problem.constraints
    ]
    return np.array(columns, dtype=np.float64).reshape(len(columns), len(batch)).T


def _measures(problem: Problem, batch: Batch) -> Floats:
    """(n, q) measures."""
    columns = [batch[m.name] for m in problem.measures]
    return np.array(columns, dtype=np.float64).reshape(len(columns), len(batch)).T
