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
from blackbox.formulation import missing

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
    ({"about": 3}, "about is 3; set it to a text"),
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
    (
        {"objectives": [bb.Minimize("f", gradient="acc")], "measures": [bb.Measure("acc", 0, 1)]},
        "name 'acc' is used 2 times; rename all but one",
    ),
    ({"objectives": [bb.Minimize("f", gradient="x")]}, "name 'x' is used 2 times"),
    ({"objectives": [bb.Minimize("f", gradient="")]}, "outcome name '' must be a non-empty string"),
    ({"measures": [bb.Measure("m", 0, 1, gradient=3)]}, "outcome name 3 must be a non-empty"),
    (
        {
            "space": bb.Space(bb.Integer("k", 0, 1)),
            "constraints": [bb.Constraint("c", 0, 1, gradient="c_grad")],
        },
        r"gradients \['c_grad'\], but the space has no Real parameter to derive by; declare none",
    ),
    ({"environment": bb.Real("w", 0, 1)}, "environment is Real.*; set it to Environment"),
    ({"environment": bb.Environment(bb.Real("x", 0, 1))}, "name 'x' is used 2 times"),
    (
        {"environment": bb.Environment(bb.Real("w", 0, 1))},
        r"environment and objectives \[\"Minimize\('loss'\)\", .*; give one Minimize or Maximize",
    ),
    (
        {"environment": bb.Environment(bb.Real("w", 0, 1))},
        r"environment and constraints \['mem', 'lat'\]: their risk is not defined; fold them",
    ),
    ({"environment": bb.Environment(bb.Real("w", 0, 1))}, r"environment and measures \['size'\]"),
    (
        {"environment": bb.Environment(bb.Real("w", 0, 1)), "objectives": [bb.Preference("p")]},
        r"environment and objectives \[\"Preference\('p'\)\"\]; give one Minimize or Maximize",
    ),
    (
        {"objectives": [bb.Preference("p"), bb.Minimize("f")]},
        r"objectives \['p', 'f'\] with a Preference; declare it as the only one",
    ),
    (
        {"objectives": [bb.Preference("p")]},
        "evaluate sees one row, and a Preference orders several; define evaluate_batch, or none",
    ),
    (
        {"reference": {"loss": 1.0}},
        r"reference is \{'loss': 1.0\}; give a Batch of one row with .*'acc'\], or None",
    ),
    ({"reference": bb.Batch({"loss": [1.0]})}, "reference is Batch.*; give a Batch of one row"),
    (
        {"reference": bb.Batch({"loss": [1.0, 2.0], "acc": [0.0, 0.0]})},
        "reference is Batch.*; give a Batch of one",
    ),
    (
        {"reference": bb.Batch({"loss": [np.inf], "acc": [0.0]})},
        "reference is Batch.*; give a Batch of one row",
    ),
    (
        {"reference": bb.Batch({"loss": ["low"], "acc": [0.0]})},
        "reference is Batch.*; give a Batch of one row",
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


def test_a_part_that_needs_a_problem_refuses_one_declared_wrongly() -> None:
    problem = Rich()
    problem.measures = 3  # type: ignore[assignment]
    with pytest.raises(ProblemError, match="measures is 3; set it to a list of Measure"):
        bb.archives.GridArchive(problem)


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"objectives": None}, "objectives is None; set it to a list"),
        ({"constraints": bb.Constraint("g", upper=1)}, r"constraints is Constraint\(.*; set it to"),
        ({"measures": 3}, "measures is 3; set it to a list of Measure"),
        ({"cost": 3}, r"cost is 3; define cost\(batch\)"),
        ({"batch": "no"}, "batch='no' must be True or False"),
        ({"objectives": bb.Minimize("m[a]")}, r"name 'm\[a\]' is used 2 times"),
    ],
)
def test_wrong_arguments_beside_a_function_are_refused(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ProblemError, match=message):
        bb.problem(lambda p: 0.0, bb.Space(bb.Simplex("m", ["a", "b"])), **arguments)


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


def test_noise_of_unknown_size_needs_no_outcome() -> None:
    problem = bb.problem(lambda p: 0.0, SPACE, bb.Minimize("f", noise=True))
    assert problem.outcomes == ("f",)
    assert problem.spec() != bb.problem(lambda p: 0.0, SPACE, bb.Minimize("f")).spec()
    with pytest.raises(ProblemError, match="objective 'f' has noise=False; leave noise out"):
        bb.problem(lambda p: 0.0, SPACE, bb.Minimize("f", noise=False))  # type: ignore[arg-type]


REALS = bb.Space(bb.Real("x", 0, 1), bb.Integer("k", 0, 9), bb.Real("v", -1, 1, size=2))


def steep(**declared: Any) -> bb.Problem:
    """Every kind of outcome with a gradient."""
    return bb.problem(
        declared.pop("function", lambda p: 0.0),
        declared.pop("space", REALS),
        [bb.Minimize("f", noise="f_sem", gradient="f_grad"), bb.Maximize("g")],
        constraints=[bb.Constraint("c", upper=1, gradient="c_grad")],
        measures=[bb.Measure("m", 0, 1, gradient="m_grad")],
        **declared,
    )


def test_gradients_come_last_and_are_labelled() -> None:
    problem = steep()
    assert problem.space.real_labels == ("x", "v[0]", "v[1]")
    assert problem.outcomes == ("f", "g", "c", "m", "f_sem", "f_grad", "c_grad", "m_grad")
    assert problem.gradients == {"f": "f_grad", "c": "c_grad", "m": "m_grad"}
    labels = ("x", "v[0]", "v[1]")
    assert problem.labels == {"v": ("0", "1")} | dict.fromkeys(problem.gradients.values(), labels)
    assert {k: v.shape for k, v in missing(problem, 5).items()} == {
        name: (5, 3) if name.endswith("_grad") else (5,) for name in problem.outcomes
    }


@given(st.integers(0, 4), st.booleans(), st.data())
def test_gradients_are_measured_by_rows_and_by_batches(n: int, batch: bool, data: Any) -> None:
    entries = st.floats(allow_nan=True, allow_infinity=True)
    rows = st.lists(st.lists(entries, min_size=3, max_size=3), min_size=n, max_size=n)
    table = np.array(data.draw(rows)).reshape(n, 3)
    plain = {"f": 1.0, "g": 2.0, "c": 0.0, "m": 0.5, "f_sem": 0.0}

    def whole(b: Batch) -> dict[str, Any]:
        named = {name: np.full(len(b), value) for name, value in plain.items()}
        return named | {"f_grad": table, "c_grad": None, "m_grad": table.tolist() or table}

    one = iter(table)

    def single(p: dict[str, Any]) -> dict[str, Any]:
        row = next(one)
        return plain | {"f_grad": row, "c_grad": None, "m_grad": list(row)}

    problem = steep(function=whole if batch else single, batch=batch)
    measured = problem.measure(REALS.draw(n, np.random.default_rng(0)))
    assert tuple(measured) == problem.outcomes
    known = np.where(np.isfinite(table), table, np.nan)
    for name in ("f_grad", "m_grad"):
        np.testing.assert_array_equal(measured[name], known)
        assert measured[name].dtype == np.float64
    assert measured["c_grad"].shape == (n, 3)
    assert np.isnan(measured["c_grad"]).all()


GRADIENTS: list[tuple[Any, str]] = [
    (1.0, "give 3 numbers, the derivatives by x, v.0., v.1."),
    ([1.0, 2.0], "gradient 'f_grad' is .1.0, 2.0.; give 3 numbers, the derivatives by x, v"),
    ([[1.0, 2.0, 3.0]], "give 3 numbers"),
    ("steep", "gradient 'f_grad' is 'steep'; give 3 numbers"),
    ({"x": 1.0}, "give 3 numbers"),
]


@pytest.mark.parametrize(("value", "message"), GRADIENTS)
def test_gradients_of_another_shape_are_refused(value: Any, message: str) -> None:
    objective = bb.Minimize("f", gradient="f_grad")
    problem = bb.problem(lambda p: {"f": 0.0, "f_grad": value}, REALS, objective)
    with pytest.raises(ProblemError, match=message):
        problem.measure(REALS.draw(1, np.random.default_rng(0)))
    whole = bb.problem(lambda b: {"f": [0.0, 0.0], "f_grad": value}, REALS, objective, batch=True)
    with pytest.raises(ProblemError, match="give 2 rows of 3 numbers, the derivatives by x, v"):
        whole.measure(REALS.draw(2, np.random.default_rng(0)))


def test_a_single_derivative_may_be_a_bare_number() -> None:
    line = bb.Space(bb.Real("x", 0, 1))
    objective = bb.Minimize("f", gradient="f_grad")
    rows = line.draw(3, np.random.default_rng(0))
    one = bb.problem(lambda p: {"f": 0.0, "f_grad": p["x"]}, line, objective).measure(rows)
    assert one["f_grad"].tolist() == rows["x"][:, None].tolist()
    whole = bb.problem(lambda b: {"f": b["x"], "f_grad": b["x"]}, line, objective, batch=True)
    assert whole.measure(rows)["f_grad"].tolist() == one["f_grad"].tolist()


def test_spec_holds_the_additions_only_where_they_are_declared() -> None:
    plain = bb.problem(lambda p: 0.0, REALS, constraints=[bb.Constraint("c", 0, 1)]).spec()
    assert plain["objectives"] == [{"type": "Minimize", "name": "y", "noise": None}]
    assert plain["constraints"] == [{"name": "c", "lower": 0, "upper": 1}]
    assert plain.keys() == {"space", "objectives", "constraints", "measures"}
    assert steep().spec()["measures"][0]["gradient"] == "m_grad"
    environment = bb.Environment(bb.Real("w", 0, 1), risk="worst")
    assert bb.problem(lambda p: 0.0, REALS, environment=environment).spec()["environment"] == (
        environment.spec()
    )


def test_evaluations_read_the_environment_after_the_fidelity() -> None:
    seen: list[dict[str, Any]] = []

    def probe(p: dict[str, Any]) -> float:
        seen.append(p)
        return 0.0

    problem = bb.problem(
        probe,
        SPACE,
        fidelity=bb.Fidelity(bb.Ordinal("steps", [1, 2]), target=2),
        environment=bb.Environment(bb.Real("w", 0, 1), bb.Sequence("road", "LR", (1, 3))),
    )
    assert problem.inputs == ("x", "s", "steps", "w", "road")
    assert problem.labels == {"s": ("0", "1", "2"), "road": ("0", "1", "2")}
    problem.measure(ROWS.with_columns(steps=2, w=0.5, road=[["L", "", ""], ["L", "R", ""]]))
    assert [p["road"].tolist() for p in seen] == [["L"], ["L", "R"]]
    assert [p["s"].tolist() for p in seen] == [["A"], ["B", "A"]]


def test_a_preference_is_declared_with_a_batch_or_by_hand() -> None:
    def rank(b: Batch) -> dict[str, Any]:
        return {"taste": -b["x"]}

    problem = bb.problem(rank, SPACE, bb.Preference("taste"), batch=True)
    assert problem.preference
    assert problem.scores(ROWS.with_columns(**problem.measure(ROWS)))[:, 0].tolist() == [-0.1, -0.9]
    assert problem.spec()["objectives"] == [{"type": "Preference", "name": "taste", "noise": None}]

    class ByHand(bb.Problem):
        space = SPACE
        objectives = (bb.Preference("taste"),)

    ByHand().check()
    with pytest.raises(ProblemError, match="defines no evaluate_batch; ask and tell by hand"):
        ByHand().measure(ROWS)
    assert not bb.problem(lambda p: 0.0, SPACE).preference
