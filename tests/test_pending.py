"""Pending rows against the simplest model of them: a dict from id to row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import blackbox as bb
from blackbox.batch import Batch
from blackbox.errors import TellError
from blackbox.pending import Pending
from blackbox.state import pack, unpack

SPACE = bb.Space(bb.Real("x", 0, 1), bb.Integer("v", 0, 9, size=2), bb.Categorical("c", ["a", "b"]))
PROBLEM = bb.problem(lambda p: 0.0, SPACE)


class PendingMachine(RuleBasedStateMachine):
    """Asks and tells in any order; after each step the dict and the chunks hold the same rows."""

    @initialize()
    def start(self) -> None:
        self.optimizer = bb.Random(PROBLEM, seed=0)
        self.open: dict[int, dict[str, Any]] = {}
        self.closed: set[int] = set()
        self.last: Batch | None = None

    @rule(n=st.integers(1, 5))
    def ask(self, n: int) -> None:
        self.last = self.optimizer.ask(n)
        assert self.last["id"].tolist() == list(range(self.last["id"][0], self.last["id"][0] + n))
        for row in self.last:
            assert row["id"] not in self.open
            self.open[row["id"]] = row

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def tell_some(self, data: st.DataObject) -> None:
        """In any number and order, with or without rows from outside in between."""
        ids = data.draw(st.lists(st.sampled_from(sorted(self.open)), unique=True, min_size=1))
        self.optimizer.tell(Batch({"id": ids, "y": np.zeros(len(ids))}))
        self._close(ids)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), outside=st.integers(1, 3))
    def tell_beside_outside(self, data: st.DataObject, outside: int) -> None:
        ids = data.draw(st.lists(st.sampled_from(sorted(self.open)), unique=True, min_size=1))
        known = Batch({name: [self.open[i][name] for i in ids] for name in ("id", *SPACE.names)})
        extra = SPACE.draw(outside, np.random.default_rng(0)).with_columns(id=-1)
        rows = Batch.concat([known, extra.select(known.names)])
        shuffled = rows[data.draw(st.permutations(range(len(rows))))]
        self.optimizer.tell(shuffled.with_columns(y=0.0))
        self._close(ids)

    @precondition(lambda self: self.last is not None and set(self.last["id"]) <= set(self.open))
    @rule()
    def tell_the_last_ask_as_it_is(self) -> None:
        assert self.last is not None
        self.optimizer.tell(self.last.with_columns(y=1.0))
        self._close(self.last["id"].tolist())

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def told_rows_are_those_asked(self, data: st.DataObject) -> None:
        """Rows found by id alone carry the values that were asked."""
        ids = data.draw(st.lists(st.sampled_from(sorted(self.open)), unique=True, min_size=1))
        told = self.optimizer.checked(Batch({"id": ids, "y": np.zeros(len(ids))}))
        for row in told:
            asked = self.open[row["id"]]
            assert all(np.array_equal(row[name], asked[name]) for name in SPACE.names)

    @rule(data=st.data())
    def wrong_ids_are_refused(self, data: st.DataObject) -> None:
        wrong = st.integers(self.optimizer.asked, 10**9) | st.integers(-(10**9), -2)
        if self.closed:
            wrong |= st.sampled_from(sorted(self.closed))
        ids = [data.draw(wrong)]
        if self.open:
            ids += data.draw(st.lists(st.sampled_from(sorted(self.open)), unique=True))
        with pytest.raises(TellError, match=f"id {ids[0]} was (told before|never asked for)"):
            self.optimizer.tell(Batch({"id": ids[::-1], "y": np.zeros(len(ids))}))

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def a_row_twice_is_refused(self, data: st.DataObject) -> None:
        twice = data.draw(st.sampled_from(sorted(self.open)))
        with pytest.raises(TellError, match=f"id {twice} stands twice; tell each row once"):
            self.optimizer.tell(Batch({"id": [twice, twice], "y": [0.0, 1.0]}))

    @rule()
    def save_and_load(self) -> None:
        state = unpack(pack(self.optimizer.state_dict()))
        self.optimizer = bb.Random(PROBLEM, seed=0)
        self.optimizer.load_state_dict(state)

    @invariant()
    def same_rows_as_the_model(self) -> None:
        pending = self.optimizer.pending
        assert [row["id"] for row in pending] == sorted(self.open)
        for row in pending:
            asked = self.open[row["id"]]
            assert all(np.array_equal(row[name], asked[name]) for name in asked)

    def _close(self, ids: list[int]) -> None:
        for i in ids:
            del self.open[i]
        self.closed |= set(ids)


TestPending = PendingMachine.TestCase
TestPending.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def rows(*ids: int) -> Batch:
    return Batch({"id": list(ids), "x": [float(i) for i in ids]})


def test_nothing_is_pending_at_first() -> None:
    pending = Pending()
    assert len(pending.rows()) == 0
    assert pending.find(np.array([-1, -1]), 0) is None
    with pytest.raises(TellError, match="id 0 was never asked for"):
        pending.find(np.array([0]), 0)


def test_rows_come_in_the_order_of_the_given_ids() -> None:
    pending = Pending()
    pending.add(rows(0, 1, 2))
    pending.add(rows(3, 4))
    found = pending.find(np.array([4, 0, 2]), 5)
    assert found is not None
    assert found["x"].tolist() == [4, 0, 2]


def test_an_ask_without_rows_leaves_no_trace() -> None:
    pending = Pending()
    pending.add(rows(0, 1)[:0])
    pending.add(rows(0, 1))
    pending.remove(np.array([1]))
    assert pending.rows()["id"].tolist() == [0]


def test_finding_by_the_asked_column_itself_gives_the_asked_batch() -> None:
    pending = Pending()
    asked = rows(0, 1, 2)
    pending.add(asked)
    assert pending.find(asked["id"], 3) is asked
    pending.remove(np.array([1]))
    with pytest.raises(TellError, match="id 1 was told before"):
        pending.find(asked["id"], 3)
