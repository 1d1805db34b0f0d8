"""The base class: numbering, fidelity, what may be told, states, supports."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest

import blackbox as bb
from blackbox.errors import BlackboxError, ProblemError, StateError, TellError, UnsupportedError
from blackbox.state import State, pack

SPACE = bb.Space(bb.Real("x", 0, 1), bb.Integer("k", 0, 9))


class Recorder(bb.Optimizer):
    """Asks for the same rows and remembers what it is told."""

    supports = bb.Supports(objectives=(1, 2), constraints=True)

    def __init__(self, problem: bb.Problem, *, rate: float = 0.5, seed: int | None = None) -> None:
        super().__init__(problem, seed=seed)
        self.told: list[bb.Batch] = []

    def _ask(self, n: int) -> bb.Batch:
        return self.problem.space.draw(n, self.rng)

    def _tell(self, batch: bb.Batch) -> None:
        self.told.append(batch)

    def _state(self) -> State:
        return {"rows": sum(map(len, self.told))}

    def _load_state(self, state: State) -> None:
        self.told = []


def plain(**declared: Any) -> bb.Problem:
    return bb.problem(lambda p: 0.0, SPACE, **declared)


def leveled() -> bb.Problem:
    return plain(fidelity=bb.Fidelity(bb.Ordinal("steps", [1, 10]), target=10))


def test_ids_go_on_and_pending_follows() -> None:
    optimizer = Recorder(plain(), seed=0)
    assert optimizer.ask(2)["id"].tolist() == [0, 1]
    assert optimizer.ask()["id"].tolist() == [2]
    assert optimizer.asked == 3
    assert optimizer.pending["id"].tolist() == [0, 1, 2]
    assert optimizer.pending["id"].dtype == np.int64


def test_told_rows_have_every_column_in_its_canonical_type() -> None:
    optimizer = Recorder(plain(), seed=0)
    batch = optimizer.ask(2)
    optimizer.tell(bb.Batch({"y": [1, 2], "id": batch["id"], "note": ["a", "b"]}))
    told = optimizer.told[0]
    assert told.names == ("id", "x", "k", "y", "ok")
    assert [told[name].dtype.kind for name in told.names] == list("ififb")
    assert told.select(["x", "k"]) == batch.select(["x", "k"])


def test_inputs_may_be_told_changed_but_only_within_the_space() -> None:
    optimizer = Recorder(plain(), seed=0)
    batch = optimizer.ask(1)
    with pytest.raises(bb_error("SpaceError"), match="parameter 'k': row 0 is 99"):
        optimizer.tell(batch.with_columns(k=99, y=0.0))
    optimizer.tell(batch.with_columns(k=3.0, y=0.0))
    assert optimizer.told[0]["k"].tolist() == [3]
    assert optimizer.told[0]["k"].dtype == np.int64


def bb_error(name: str) -> type[BlackboxError]:
    import blackbox.errors

    kind: type[BlackboxError] = getattr(blackbox.errors, name)
    return kind


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_rows_without_finite_outcomes_are_failed_rows(bad: float) -> None:
    optimizer = Recorder(plain(), seed=0)
    optimizer.tell(optimizer.ask(3).with_columns(y=[bad, 1, 2], ok=[True, False, True]))
    assert optimizer.told[0]["ok"].tolist() == [False, False, True]


def test_none_is_a_missing_outcome() -> None:
    optimizer = Recorder(plain(), seed=0)
    values = np.array([None, 2], dtype=object)
    optimizer.tell(optimizer.ask(2).with_columns(y=values))
    assert optimizer.told[0]["ok"].tolist() == [False, True]


def test_no_rows_are_legal_and_not_learnt() -> None:
    optimizer = Recorder(plain(), seed=0)
    batch = optimizer.ask(2).with_columns(y=0.0)
    optimizer.tell(batch[:0])
    optimizer.tell(batch[:0].select(["id", "y"]))
    assert optimizer.told == []
    assert len(optimizer.pending) == 2


def test_fidelity_is_filled_in_at_the_target() -> None:
    optimizer = Recorder(leveled(), seed=0)
    batch = optimizer.ask(2)
    assert batch["steps"].tolist() == [10, 10]
    optimizer.tell(batch.select(["id"]).with_columns(y=0.0))
    assert optimizer.told[0]["steps"].tolist() == [10, 10]
    optimizer.tell(bb.Batch({"x": [0.5], "k": [1], "y": [0.0]}))
    assert optimizer.told[1]["steps"].tolist() == [10]
    with pytest.raises(TellError, match=r"column 'steps' holds values other than the target 10"):
        optimizer.tell(bb.Batch({"x": [0.5], "k": [1], "steps": [1], "y": [0.0]}))


WRONG: list[tuple[Any, str]] = [
    (lambda b: b.columns(), "tell: dict given; give a Batch"),
    (lambda b: None, "tell: NoneType given; give a Batch"),
    (
        lambda b: b,
        r"tell: outcome 'y' is missing; the batch has \['id', 'x', 'k'\] and the problem",
    ),
    (lambda b: b.with_columns(y="high"), r"tell: problem.*outcome 'y' is .*; give 3 numbers"),
    (lambda b: b.with_columns(y=np.ones((3, 2))), r"outcome 'y' is array\(\[\[1"),
    (lambda b: b.with_columns(y=0.0, id=0.5), r"column 'id' is float64\(3,\); give \(n,\) int64"),
    (lambda b: b.with_columns(y=0.0, id=["a"] * 3), "column 'id' is <U1"),
    (lambda b: b.with_columns(y=0.0, ok=1), r"column 'ok' is int64; give \(n,\) bools"),
    (lambda b: b.with_columns(y=0.0, id=[0, 1, 7]), "id 7 was never asked for .ids so far: 0 to 2"),
    (lambda b: b.with_columns(y=0.0, id=[0, 1, -2]), "id -2 was never asked for"),
    (lambda b: b.with_columns(y=0.0, id=[0, 1, 1]), "id 1 stands twice; tell each row once"),
    (
        lambda b: b.with_columns(y=0.0).drop("x").with_columns(id=[0, 1, -1]),
        r"need columns \['x'\]",
    ),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG)
def test_wrong_tells_are_refused_and_leave_nothing(wrong: Any, message: str) -> None:
    optimizer = Recorder(bb.problem(_named_problem, SPACE), seed=0)
    batch = optimizer.ask(3)
    before = pack(optimizer.state_dict())
    with pytest.raises(TellError, match=message):
        optimizer.tell(wrong(batch))
    assert pack(optimizer.state_dict()) == before
    assert optimizer.told == []
    optimizer.tell(batch.with_columns(y=0.0))


def _named_problem(p: dict[str, Any]) -> float:
    return 0.0


_named_problem.__name__ = "problem"


@pytest.mark.parametrize("n", [0, -1, 1.5, "2", True])
def test_ask_takes_positive_ints(n: Any) -> None:
    optimizer = Recorder(plain(), seed=0)
    with pytest.raises(TellError, match=r"ask\(n=.*\): n must be a positive int or None"):
        optimizer.ask(n)
    with pytest.raises(TellError, match=r"ask\(n=1000.*\): n must be at most 2147483647"):
        optimizer.ask(10**400)
    assert optimizer.asked == 0
    assert len(optimizer.ask(np.int64(2))) == 2


def test_state_of_other_arguments_is_refused_with_both_named() -> None:
    state = Recorder(plain(), rate=0.1, seed=0).state_dict()
    other = Recorder(plain(), rate=0.2, seed=0)
    with pytest.raises(StateError, match=r"'rate': 0.1.*this is .*'rate': 0.2.*as it was first"):
        other.load_state_dict(state)


@pytest.mark.parametrize("key", ["next", "rng", "pending", "own"])
def test_incomplete_state_is_refused_and_changes_nothing(key: str) -> None:
    optimizer = Recorder(plain(), seed=0)
    optimizer.ask(2)
    state = optimizer.state_dict()
    other = Recorder(plain(), seed=0)
    before = pack(other.state_dict())
    del state[key]
    with pytest.raises(StateError, match=f"load_state_dict: no {key!r} in the state"):
        other.load_state_dict(state)
    assert pack(other.state_dict()) == before


@pytest.mark.parametrize("state", [None, {}, [], "state"])
def test_what_is_no_state_is_refused(state: Any) -> None:
    with pytest.raises(StateError, match=r"give what state_dict\(\) returned"):
        Recorder(plain(), seed=0).load_state_dict(state)


def test_spec_is_plain_data() -> None:
    class Nested(Recorder):
        """Takes arguments of every kind."""

        def __init__(self, problem: bb.Problem, init: Any, *, seed: int | None = None) -> None:
            super().__init__(problem, seed=seed)

    inner = Recorder(plain(), seed=1)
    made = Nested(plain(), [inner, (np.float64(0.5), np.arange(2)), {"f": math.sin}], seed=None)
    assert made.spec() == {
        "type": "Nested",
        "arguments": {
            "init": [
                {"type": "Recorder", "arguments": {"rate": 0.5, "seed": 1}},
                [0.5, [0, 1]],
                {"f": "sin"},
            ],
            "seed": None,
        },
    }
    pack(made.state_dict())


def test_every_mismatch_is_named_with_its_fix() -> None:
    class Narrow(Recorder):
        """Takes reals and one objective."""

        supports = bb.Supports(parameters=(bb.Real,))

    problem = bb.problem(
        lambda p: {},
        bb.Space(
            bb.Real("x", 0, 1),
            bb.Integer("k", 0, 9),
            bb.Simplex("m", 2),
            constraints=[bb.LinearConstraint({"x": 1, "k": 1}, upper=5)],
        ),
        [bb.Minimize("f"), bb.Maximize("g")],
        constraints=[bb.Constraint("c", upper=1)],
        measures=[bb.Measure("b", 0, 1)],
    )
    with pytest.raises(UnsupportedError) as caught:
        Narrow(problem)
    lines = str(caught.value).split("\n  - ")
    assert lines == [
        f"Narrow cannot take {problem.name}:",
        "parameter 'k' is a Integer; declare it as one of Real",
        "parameter 'm' is a Simplex; declare it as one of Real",
        "2 objectives; declare 1",
        "constraints ['c']; declare none, or fold them into the objective",
        "linear constraints on inputs; declare none, or reparametrise the space",
        "measures ['b']; declare none, or take a quality-diversity optimizer",
    ]


@pytest.mark.parametrize("problem", [None, "x", SPACE, bb.Problem])
def test_what_is_no_problem_is_refused(problem: Any) -> None:
    with pytest.raises(ProblemError, match=r"problem is .*; give a Problem"):
        Recorder(problem)


@pytest.mark.parametrize("seed", [-1, 1.5, "0", True])
def test_wrong_seeds_are_refused(seed: Any) -> None:
    with pytest.raises(ProblemError, match=r"seed=.* must be an int of at least 0 or None"):
        Recorder(plain(), seed=seed)


def test_unseeded_optimizers_differ() -> None:
    assert Recorder(plain()).ask(3) != Recorder(plain()).ask(3)


def test_repr_shows_the_arguments() -> None:
    text = repr(Recorder(plain(), rate=0.1, seed=3))
    assert text.startswith("Recorder(")
    assert text.endswith("rate=0.1, seed=3)")


def test_a_copy_goes_on_as_its_original_would():
    optimizer = bb.Sobol(bb.problems.Branin(), seed=3)
    optimizer.ask(5)
    twin = copy.deepcopy(optimizer)
    assert twin.spec() == optimizer.spec()
    assert twin.ask(4).equals(optimizer.ask(4))


def test_arguments_that_do_not_exist_are_named():
    with pytest.raises(TypeError, match=r"__init__\(\) got an unexpected keyword argument 'sed'"):
        bb.Random(bb.problems.Branin(), sed=3)


GRADIENT = bb.Minimize("y", gradient="slope")


def test_gradients_are_told_whole_or_in_part_and_fail_no_row() -> None:
    optimizer = Recorder(plain(objectives=GRADIENT), seed=0)
    batch = optimizer.ask(3)
    optimizer.tell(batch.with_columns(y=[1, 2, math.nan], slope=[[1], [math.inf], [3]]))
    told = optimizer.told[0]
    assert told.names == ("id", "x", "k", "y", "slope", "ok")
    assert told["ok"].tolist() == [True, True, False]
    np.testing.assert_array_equal(told["slope"], [[1.0], [math.nan], [3.0]])
    assert told["slope"].dtype == np.float64
    optimizer.tell(bb.Batch({"x": [0.5], "k": [1], "y": [0.0], "slope": [7]}))
    assert optimizer.told[1]["slope"].tolist() == [[7.0]]
    optimizer.tell(optimizer.ask(2)[:0].with_columns(y=0.0, slope=0.0))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "outcome 'slope' is missing"),
        ({"slope": np.ones((2, 3))}, "(?s)gradient 'slope' is .*; give 2 rows of 1 numbers, the"),
        ({"slope": ["a", "b"]}, "gradient 'slope' is .*; give 2 rows of 1 numbers"),
    ],
)
def test_gradients_of_another_shape_are_not_told(wrong: dict[str, Any], message: str) -> None:
    optimizer = Recorder(plain(objectives=GRADIENT), seed=0)
    batch = optimizer.ask(2)
    with pytest.raises(TellError, match=message):
        optimizer.tell(batch.with_columns(y=0.0, **wrong))
    assert optimizer.told == []


WEATHER = bb.Environment(
    bb.Real("wind", 0, 10), scenarios={"wind": [1, 5, 9]}, weights=[0.5, 0.25, 0.25]
)


def test_scenarios_are_drawn_by_their_weights_from_the_optimizers_generator() -> None:
    optimizer = Recorder(plain(environment=WEATHER), seed=0)
    batch = optimizer.ask(2000)
    assert batch.names == ("id", "x", "k", "wind")
    assert (batch["wind"] == 1).mean() == pytest.approx(0.5, abs=0.04)
    assert set(batch["wind"]) == {1, 5, 9}
    other = Recorder(plain(environment=WEATHER), seed=0)
    assert other.ask(2000) == batch
    loaded = Recorder(plain(environment=WEATHER), seed=0)
    loaded.load_state_dict(other.state_dict())
    assert loaded.ask(50) == optimizer.ask(50)
    assert loaded.pending == optimizer.pending


def test_told_rows_keep_their_scenario_or_bring_one() -> None:
    optimizer = Recorder(plain(environment=WEATHER), seed=0)
    batch = optimizer.ask(2)
    optimizer.tell(batch[:1].select(["id"]).with_columns(y=0.0))
    assert optimizer.told[0]["wind"].tolist() == batch["wind"][:1].tolist()
    optimizer.tell(batch[1:].with_columns(y=0.0, wind=2))
    assert optimizer.told[1]["wind"].tolist() == [2.0]
    outside = bb.Batch({"x": [0.5], "k": [1], "y": [0.0]})
    with pytest.raises(bb_error("SpaceError"), match="column 'wind' is missing"):
        optimizer.tell(outside)
    with pytest.raises(bb_error("SpaceError"), match=r"parameter 'wind': row 0 is 11.*from 0"):
        optimizer.tell(outside.with_columns(wind=11))
    optimizer.tell(outside.with_columns(wind=7))
    assert optimizer.told[2]["wind"].tolist() == [7.0]
    optimizer.tell(bb.Batch({"id": np.zeros(0, dtype=np.int64), "y": np.zeros(0)}))
    mixed = asked_and_outside(optimizer)
    optimizer.tell(mixed)
    assert optimizer.told[3]["wind"].tolist() == mixed["wind"].tolist()


def asked_and_outside(optimizer: bb.Optimizer) -> bb.Batch:
    asked = optimizer.ask(1).with_columns(y=0.0)
    rows = bb.Batch({"id": [-1], "x": [0.5], "k": [1], "wind": [3], "y": [0.0]})
    return bb.Batch.concat([asked, rows.select(asked.names)])


def test_an_optimizer_may_choose_the_scenarios_itself() -> None:
    class Chooser(Recorder):
        """Always asks in a storm."""

        supports = bb.Supports(environment=True)

        def _ask(self, n: int) -> bb.Batch:
            return super()._ask(n).with_columns(wind=9.5)

    optimizer = Chooser(plain(environment=WEATHER), seed=0)
    assert optimizer.ask(3)["wind"].tolist() == [9.5] * 3
    fidelity = bb.Fidelity(bb.Ordinal("steps", [1, 10]), target=10)
    both = Chooser(plain(environment=WEATHER, fidelity=fidelity), seed=0).ask(1)
    assert set(both.names) == {"id", "x", "k", "steps", "wind"}


def test_a_preference_needs_an_optimizer_for_it() -> None:
    def rank(b: bb.Batch) -> dict[str, Any]:
        return {"taste": b["x"]}

    problem = bb.problem(rank, SPACE, bb.Preference("taste"), batch=True)
    with pytest.raises(UnsupportedError) as caught:
        Recorder(problem)
    assert str(caught.value).endswith(
        "\n  - preference 'taste'; declare Minimize or Maximize, or take an optimizer that learns "
        "from preferences"
    )

    class Comparing(Recorder):
        """Takes preferences."""

        supports = bb.Supports(preference=True)

    optimizer = Comparing(problem, seed=0)
    batch = optimizer.ask(3)
    optimizer.tell(batch[[0, 2]].with_columns(taste=[1, 0]))
    optimizer.tell(batch[[1]].with_columns(taste=[5]))
    assert [b["id"].tolist() for b in optimizer.told] == [[0, 2], [1]]
