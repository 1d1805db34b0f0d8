"""Problems: the one sign flip, what an evaluation may answer, and what is declared wrongly."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import blackbox as bb
from blackbox.batch import Batch
from blackbox.errors import ProblemError

SPACE = bb.Space(bb.Real("x", 0, 1), bb.Sequence("s", "AB", (0, 3)))
ROWS = Batch({"x": [0.1, 0.9], "s": [["A", "", ""], ["B", "A", ""]]})


class Rich(bb.Problem):
    """Everything a problem can declare."""

    space = SPACE
    objectives = (bb.Minimize("loss", noise="loss_sem"), bb.Maximize("acc"))
    constraints = (bb.Constraint("mem", upper=16), bb.Constraint("lat", lower=1, upper=2))
    measures = (bb.Measure("size", 0, 5),)
    fidelity = bb.Fidelity(bb.Ordinal("steps", [10, 100]), target=100)
    about = "a test"

    def cost(self, batch: Batch) -> np.ndarray:
        return batch["steps"] / 10

    def evaluate(self, p: dict[str, Any]) -> dict[str, float]:
        length = float(len(p["s"]))
        return {
            "loss": p["x"],
            "acc": 1 - p["x"],
            "mem": 10 * length,
            "lat": 1.5,
            "size": length,
            "loss_sem": 0.1,
        }


def test_names_and_their_order() -> None:
    problem = Rich()
    problem.check()
    assert problem.name == "Rich"
    assert problem.inputs == ("x", "s", "steps")
    assert problem.outcomes == ("loss", "acc", "mem", "lat", "size", "loss_sem")


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.booleans())
def test_scores_are_larger_where_better(values: list[float], maximize: bool) -> None:
    kind = bb.Maximize if maximize else bb.Minimize
    problem = bb.problem(lambda p: 0.0, SPACE, kind("f"))
    scores = problem.scores(Batch({"f": values}))
    assert scores.shape == (len(values), 1)
    best = max(values) if maximize else min(values)
    assert values[int(scores[:, 0].argmax())] == best
    np.testing.assert_array_equal(np.abs(scores[:, 0]), np.abs(values))


@given(st.floats(-3, 3), st.floats(-2, 0), st.floats(0, 2))
def test_violations_are_distances_to_the_bounds(value: float, lower: float, upper: float) -> None:
    problem = bb.problem(
        lambda p: {}, SPACE, bb.Minimize("f"), constraints=[bb.Constraint("c", lower, upper)]
    )
    batch = Batch({"f": [0.0], "c": [value]})
    distance = abs(value - min(max(value, lower), upper))
    assert problem.violations(batch)[0, 0] == pytest.approx(distance)
    assert problem.feasible(batch)[0] == (lower <= value <= upper)
    assert not problem.feasible(batch.with_columns(ok=False))[0]


def test_rows_with_nan_constraints_are_not_feasible() -> None:
    problem = bb.problem(lambda p: {}, SPACE, constraints=[bb.Constraint("c", upper=1)])
    assert not problem.feasible(Batch({"y": [0.0], "c": [math.nan]}))[0]


def test_measure_by_rows_takes_padding_off_and_adds_nothing() -> None:
    outcomes = Rich().measure(ROWS.with_columns(id=[0, 1], steps=100))
    assert outcomes["mem"].tolist() == [10, 20]
    assert outcomes["loss"].tolist() == [0.1, 0.9]
    assert all(values.dtype == np.float64 for values in outcomes.values())


def test_measure_by_batch_sees_inputs_only() -> None:
    seen: list[tuple[str, ...]] = []

    def whole(batch: Batch) -> dict[str, Any]:
        seen.append(batch.names)
        return {"y": batch["x"] * 2}

    problem = bb.problem(whole, SPACE, batch=True)
    assert problem.measure(ROWS.with_columns(id=[0, 1]))["y"].tolist() == [0.2, 1.8]
    assert seen == [("x", "s")]


def test_one_outcome_may_be_a_bare_number_of_any_numeric_kind() -> None:
    for value in (1, 1.0, True, np.float32(1), np.array(1.0), None):
        measured = bb.problem(lambda p, value=value: value, SPACE).measure(ROWS)["y"]
        assert measured.tolist() == [1.0, 1.0] or np.isnan(measured).all() == (value is None)


ANSWERS: list[tuple[Any, str]] = [
    (lambda p: "good", "outcome 'y' is 'good'; give one number"),
    (lambda p: [1.0, 2.0], r"outcome 'y' is \[1.0, 2.0\]; give one number"),
    (lambda p: {"z": 1.0}, r"evaluate gave outcomes \['z'\]; the problem declares \['y'\]"),
    (lambda p: {"y": 1.0, "z": 2.0}, r"gave outcomes \['y', 'z'\]; the problem declares \['y'\]"),
    (lambda p: {}, r"gave outcomes \[\]; the problem declares \['y'\]"),
    (lambda p: 1j, "outcome 'y' is 1j; give one number"),
    (lambda p: {"y": {"a": 1}}, "outcome 'y' is .*; give one number"),
]


@pytest.mark.parametrize(("function", "message"), ANSWERS)
def test_wrong_answers_are_refused(function: Any, message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        bb.problem(function, SPACE).measure(ROWS)


def test_wrong_answers_of_batches_are_refused() -> None:
    short = bb.problem(lambda b: {"y": [1.0]}, SPACE, batch=True)
    with pytest.raises(ProblemError, match=r"outcome 'y' is \[1.0\]; give 2 numbers"):
        short.measure(ROWS)
    bare = bb.problem(lambda p: 1.0, SPACE, [bb.Minimize("f"), bb.Minimize("g")])
    with pytest.raises(ProblemError, match=r"evaluate gave 1.0; give a dict with \['f', 'g'\]"):
        bare.measure(ROWS)


def test_costs() -> None:
    batch = ROWS.with_columns(steps=[10, 100])
    assert Rich().costs(batch).tolist() == [1, 10]
    free = bb.problem(lambda p: 0.0, SPACE)
    assert not free.has_cost
    assert free.costs(ROWS).tolist() == [1, 1]
    assert bb.problem(lambda p: 0.0, SPACE, cost=lambda b: 3).costs(ROWS).tolist() == [3, 3]
    for wrong in ([1.0], [-1.0, 1.0], [math.nan, 1.0], [math.inf, 1.0], "ab", None):
        problem = bb.problem(lambda p: 0.0, SPACE, cost=lambda b, wrong=wrong: wrong)
        with pytest.raises(ProblemError, match=r"cost gave .*; give 2 finite costs of at least 0"):
            problem.costs(ROWS)


def faults(**changes: Any) -> str:
    """The message about Rich with some attributes changed."""
    problem = Rich()
    for name, value in changes.items():
        setattr(problem, name, value)
    with pytest.raises(ProblemError) as caught:
        problem.check()
    return str(caught.value)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"space": None}, "space is None; set it to a Space"),
    ({"objectives": bb.Minimize("f")}, "objectives is .*; set it to a list of Minimize and Max"),
    ({"objectives": ["f"]}, r"objectives is \['f'\]; set it to a list of Minimize and Maximize"),
    ({"objectives": (), "measures": ()}, "objectives are empty; give at least one"),
    ({"constraints": [bb.Minimize("f")]}, "constraints is .*; set it to a list of Constraint"),
    ({"measures": "size"}, "measures is 'size'; set it to a list of Measure"),
    ({"objectives": [bb.Minimize("x")]}, "name 'x' is used 2 times; rename all but one"),
    ({"objectives": [bb.Minimize("ok")]}, "outcome name 'ok' must be a non-empty string, not one"),
    ({"objectives": [bb.Minimize("")]}, "outcome name '' must be a non-empty string"),
    ({"objectives": [bb.Minimize(3)]}, "outcome name 3 must be a non-empty string"),
    ({"constraints": [bb.Constraint("c")]}, "constraint 'c' has lower=-inf, upper=inf; give at"),
    ({"constraints": [bb.Constraint("c", 2, 1)]}, "constraint 'c' has lower=2, upper=1; give at"),
    ({"constraints": [bb.Constraint("c", math.nan)]}, "constraint 'c' has lower=nan"),
    ({"constraints": [bb.Constraint("c", "1")]}, "constraint 'c' has lower='1'"),
    ({"measures": [bb.Measure("m", 1, 1)]}, "measure 'm' has low=1, high=1; give low < high"),
    ({"measures": [bb.Measure("m", 0, math.inf)]}, "measure 'm' has low=0, high=inf"),
    ({"measures": [bb.Measure("m", "0", 1)]}, "measure 'm' has low='0', high=1"),
    ({"fidelity": 3}, r"fidelity is 3; set it to Fidelity\(parameter, target=...\)"),
    (
        {"fidelity": bb.Fidelity(bb.Ordinal("steps", [1, 2]), target=3)},
        "fidelity 'steps': target 3 is outside: .* give one of",
    ),
    (
        {"fidelity": bb.Fidelity(bb.Real("v", 0, 1, size=2), target=[1, 1])},
        "fidelity 'v' is a vector; give a scalar parameter",
    ),
    ({"evaluate_batch": lambda b: {}}, "evaluate and evaluate_batch defined; define one"),
    ({"evaluate": None}, "neither evaluate nor evaluate_batch defined; define one"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_wrong_declarations_are_refused(changes: dict[str, Any], message: str) -> None:
    import re

    text = faults(**changes)
    assert "problem Rich is declared wrongly:" in text
    assert re.search(message, text), text


def test_everything_wrong_is_listed_at_once() -> None:
    text = faults(
        objectives=[bb.Minimize("x")],
        constraints=[bb.Constraint("c")],
        measures=[bb.Measure("m", 1, 0)],
        evaluate=None,
    )
    assert text.count("\n  - ") == 4


def test_attributes_need_no_constructor_of_the_base() -> None:
    class Bare(bb.Problem):
        def __init__(self) -> None:
            self.space = SPACE
            self.objectives = [bb.Minimize("f")]

        def evaluate(self, p: dict[str, Any]) -> float:
            return 0.0

    Bare().check()


def test_function_that_is_none_is_refused() -> None:
    with pytest.raises(ProblemError, match="function is None; give a callable"):
        bb.problem(None, SPACE)  # type: ignore[arg-type]


def test_bare_objective_has_no_sense() -> None:
    from blackbox.formulation import Objective

    with pytest.raises(ProblemError, match="objective 'f': use Minimize or Maximize"):
        _ = Objective("f").sign


def test_spec_tells_problems_apart() -> None:
    spec = Rich().spec()
    assert spec == Rich().spec()
    changed = [{"objectives": Rich.objectives[::-1]}, {"fidelity": None}, {"measures": ()}]
    for change in changed:
        problem = Rich()
        vars(problem).update(change)
        assert problem.spec() != spec
    noisy = bb.problem(lambda p: {}, SPACE, bb.Minimize("f", noise="f_sem")).spec()
    assert noisy != bb.problem(lambda p: {}, SPACE, bb.Minimize("f")).spec()
