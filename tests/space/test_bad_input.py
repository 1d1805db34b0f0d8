"""Every wrong declaration and value gives one error that names the field, the value and the fix."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import blackbox as bb
from blackbox.batch import Batch
from blackbox.errors import SpaceError
from blackbox.space import (
    Categorical,
    Integer,
    Ordinal,
    Parameter,
    Permutation,
    Real,
    Sequence,
    Simplex,
    Space,
)

DECLARATIONS: list[tuple[Any, str]] = [
    (lambda: Real("", 0, 1), "parameter name '' must be a non-empty string"),
    (lambda: Real(3, 0, 1), "parameter name 3 must be a non-empty string"),  # type: ignore[arg-type]
    (lambda: Real("id", 0, 1), r"parameter name 'id' is reserved \(id, ok, cost\); rename it"),
    (lambda: Real("x[0]", 0, 1), r"parameter name 'x\[0\]' must not contain"),
    (lambda: Real("x\0", 0, 1), "must not contain"),
    (lambda: Real("x", 1, 0), "parameter 'x': low=1.0 is above high=0.0; swap them"),
    (lambda: Real("x", "0", 1), "parameter 'x': low='0' must be a number"),  # type: ignore[arg-type]
    (lambda: Real("x", True, 1), "parameter 'x': low=True must be a number"),
    (lambda: Real("x", 0, None), "parameter 'x': high=None must be a number"),  # type: ignore[arg-type]
    (lambda: Real("x", 0, 1j), "parameter 'x': high=1j must be a number"),  # type: ignore[arg-type]
    (lambda: Real("x", 0, math.inf), "parameter 'x': high=inf must be finite"),
    (lambda: Real("x", math.nan, 1), "parameter 'x': low=nan must be finite"),
    (lambda: Real("x", -1e308, 1e308), "parameter 'x': the range -1e.308 to 1e.308 overflows"),
    (lambda: Real("x", 0, 10**400), "parameter 'x': high=1000.* must be finite"),
    (lambda: Real("x", 0, 1, log=True), "parameter 'x': low=0.0 must be positive on a log scale"),
    (
        lambda: Real("x", 0, 1, size=0),
        "parameter 'x': size=0 must be a positive int of at most 2147483647 or None",
    ),
    (lambda: Real("x", 0, 1, size=10**400), "must be a positive int of at most 2147483647 or None"),
    (lambda: Real("x", 0, 1, size=2.0), "parameter 'x': size=2.0 must be a positive int"),  # type: ignore[arg-type]
    (lambda: Real("x", 0, 1, size=True), "parameter 'x': size=True must be a positive int"),
    (lambda: Real("x", 0, 1, log="no"), "parameter 'x': log='no' must be True or False"),  # type: ignore[arg-type]
    (lambda: Integer("k", 1, 9, log=1), "parameter 'k': log=1 must be True or False"),
    (lambda: Integer("k", 0.0, 1), "parameter 'k': low=0.0 must be an int"),  # type: ignore[arg-type]
    (lambda: Integer("k", 0, "1"), "parameter 'k': high='1' must be an int"),  # type: ignore[arg-type]
    (lambda: Integer("k", 5, 2), "parameter 'k': low=5 is above high=2; swap them"),
    (lambda: Integer("k", 0, 2**60), "parameter 'k': 0 to 1152921504606846976 is more than"),
    (lambda: Integer("k", 2**51, 2**51 + 1), "or beyond 2251799813685248; use a Real"),
    (lambda: Integer("k", 1, 2**41, log=True), "parameter 'k': 1 to 2199023255552 is more than"),
    (lambda: Integer("k", 0, 5, log=True), "parameter 'k': low=0 must be positive on a log scale"),
    (lambda: Categorical("c", []), "parameter 'c': values are empty; give at least one"),
    (lambda: Categorical("c", "abc"), "parameter 'c': values='abc' is a string; give a list"),
    (lambda: Categorical("c", 3), "parameter 'c': values=3 is no list"),  # type: ignore[arg-type]
    (lambda: Categorical("c", ["a", "a"]), "parameter 'c': value 'a' is given twice"),
    (lambda: Categorical("c", [1, True]), "parameter 'c': value True is given twice"),
    (lambda: Categorical("c", [math.nan]), "parameter 'c': value nan must be a str, int, float"),
    (lambda: Categorical("c", [[1]]), r"parameter 'c': value \[1\] must be a str, int, float"),
    (lambda: Categorical("c", ["a\0"]), "parameter 'c': value .* must not contain NUL"),
    (lambda: Categorical("c", [2**63]), "parameter 'c': value 9223372036854775808 does not fit"),
    (lambda: Ordinal("o", [2, 1]), r"parameter 'o': values \[2, 1\] must increase; sort them"),
    (lambda: Ordinal("o", []), "parameter 'o': values are empty"),
    (lambda: Simplex("m", ["a"]), r"parameter 'm': parts=\['a'\]; give at least two"),
    (lambda: Simplex("m", 1), r"parameter 'm': parts=\[0\]; give at least two"),
    (
        lambda: Simplex("m", 0),
        "parameter 'm': parts=0 must be a positive int of at most 1000000 or a list",
    ),
    (lambda: Simplex("m", ["a", "a"]), "parameter 'm': value 'a' is given twice"),
    (lambda: Simplex("m", [1, "1"]), "parameter 'm': value '1' is given twice"),
    (
        lambda: Simplex("m", 2.5),
        "parameter 'm': parts=2.5 must be a positive int of at most 1000000 or a list",
    ),  # type: ignore[arg-type]
    (
        lambda: Simplex("m", 10**400),
        "parameter 'm': parts=1000.* must be a positive int of at most",
    ),
    (
        lambda: Permutation("t", 0),
        "parameter 't': items=0 must be a positive int of at most 1000000 or a list",
    ),
    (
        lambda: Permutation("t", True),
        "parameter 't': items=True must be a positive int of at most 1000000 or a list",
    ),
    (lambda: Permutation("t", ["a", "a"]), "parameter 't': value 'a' is given twice"),
    (lambda: Sequence("s", [], 3), "parameter 's': values are empty"),
    (lambda: Sequence("s", ["a", ""], 3), r"parameter 's': tokens \['a', ''\] must be non-empty"),
    (lambda: Sequence("s", [1, 2], 3), r"parameter 's': tokens \[1, 2\] must be non-empty strings"),  # type: ignore[list-item]
    (lambda: Sequence("s", "AA", 3), "parameter 's': value 'A' is given twice"),
    (lambda: Sequence("s", 5, 3), "parameter 's': alphabet=5 is no list"),  # type: ignore[arg-type]
    (lambda: Sequence("s", "AB", 0), "parameter 's': length=0 must be a positive int, or"),
    (lambda: Sequence("s", "AB", (3, 2)), r"parameter 's': length=\(3, 2\) must be a positive int"),
    (lambda: Sequence("s", "AB", (1, 2, 3)), r"parameter 's': length=\(1, 2, 3\) must be"),  # type: ignore[arg-type]
    (
        lambda: Sequence("s", "AB", 10**400),
        "parameter 's': length=1000.* must be a positive int, or",
    ),
    (lambda: Sequence("s", "AB", 2.0), "parameter 's': length=2.0 must be a positive int"),  # type: ignore[arg-type]
    (Space, "a Space needs at least one parameter"),
    (lambda: Space("x"), "'x' is a str; give parameters such as Real"),  # type: ignore[arg-type]
    (lambda: Space([Real("x", 0, 1)]), "is a list; give parameters such as Real"),  # type: ignore[arg-type]
    (
        lambda: Space(Real("x", 0, 1), Integer("x", 0, 1)),
        r"parameter names \['x'\] are given twice; rename one of each",
    ),
    (
        lambda: Space(Real("x", 0, 1), constraints=["x < 1"]),
        r"constraints=\['x < 1'\] must be a list of Lin",
    ),  # type: ignore[list-item]
    (
        lambda: Space(Real("x", 0, 1), constraints=bb.LinearConstraint({"x": 1}, upper=1)),  # type: ignore[arg-type]
        r"constraints=LinearConstraint.* must be a list of LinearConstraint",
    ),
    (lambda: Space(Real("x", 0, 1))["y"], r"no parameter 'y'; the space has \['x'\]"),
]


@pytest.mark.parametrize(("make", "message"), DECLARATIONS)
def test_wrong_declaration(make: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        make()


VALUES: list[tuple[Parameter, Any, str]] = [
    (Real("x", 0, 1), [0.5, 2.0], r"parameter 'x': row 1 is 2.0; give a number from 0.0 to 1.0"),
    (Real("x", 0, 1), [0.5, math.nan], "parameter 'x': row 1 is nan; give a number from"),
    (Real("x", 0, 1), [-math.inf, 0.5], "parameter 'x': row 0 is -inf"),
    (
        Real("x", 0, 1),
        ["a", "b"],
        r"parameter 'x': values of type <U1, first \['a'\]; give numbers",
    ),
    (Real("x", 0, 1), [True, False], "parameter 'x': values of type bool"),
    (Real("x", 0, 1), [None, 0.5], "parameter 'x': values of type object"),
    (Real("x", 0, 1), [[0.5], [0.5]], r"parameter 'x': column of shape \(2, 1\) where \('n',\)"),
    (Real("x", 0, 1, size=2), [0.5, 0.5], r"column of shape \(2,\) where \('n', 2\) is needed"),
    (Real("x", 0, 1, size=2), [[0, 0], [0, 2]], r"row 1 is \[0.0, 2.0\]; give a number"),
    (
        Integer("k", 0, 9),
        [1.0, 1.5],
        "parameter 'k': row 1 is 1.5; give a whole number from 0 to 9",
    ),
    (Integer("k", 0, 9), [1, 10], "parameter 'k': row 1 is 10; give a whole number from 0 to 9"),
    (Integer("k", 0, 9), [1.0, math.nan], "parameter 'k': row 1 is nan"),
    (Categorical("c", ["a", "b"]), ["a", "x"], r"'c': row 1 is 'x'; give one of \['a', 'b'\]"),
    (Categorical("c", [1, None]), [1, 2], r"parameter 'c': row 1 is 2; give one of \[1, None\]"),
    (Categorical("c", list(range(99))), [0, -1], r"row 1 is -1; give one of \[0, .*7, '...'\]"),
    (Ordinal("o", [1, 10]), [1, 2], r"parameter 'o': row 1 is 2; give one of \[1, 10\]"),
    (Simplex("m", 2), [[0.5, 0.5], [0.5, 0.6]], r"row 1 is \[0.5, 0.6\]; its shares must sum to 1"),
    (Simplex("m", 2), [[0.5, 0.5], [1.5, -0.5]], "row 1 is .*; give non-negative shares"),
    (Simplex("m", 2), [[0.5, 0.5], [math.nan, 1]], r"row 1 is \[nan, 1.0\]; give non-negative"),
    (Simplex("m", 2), [["a", "b"]] * 2, "parameter 'm': shares of type <U1; give numbers"),
    (Simplex("m", 3), [[0.5, 0.5]] * 2, r"column of shape \(2, 2\) where \('n', 3\) is needed"),
    (
        Permutation("t", 3),
        [[0, 1, 2], [0, 0, 1]],
        r"row 1 is \[0, 0, 1\]; give each of \[0, 1, 2\]",
    ),
    (Permutation("t", ["ab"]), [["x"], ["ab"]], r"row 0 is \['x'\]; give each of \['ab'\]"),
    (Sequence("s", "AB", 2), ["AB", "AX"], r"row 1 is \['A', 'X'\]; give tokens of \['A', 'B'\]"),
    (Sequence("s", "AB", 2), ["AB", "ABA"], "parameter 's': row 1 is 'ABA'; .*longer than 2"),
    (Sequence("s", "AB", 2), ["AB", "A"], "parameter 's': row 1 is .*; give at least 2 tokens"),
    (
        Sequence("s", "AB", (0, 2)),
        [["A", ""], ["", "A"]],
        "row 1 is .*; padding '' must come after",
    ),
    (Sequence("s", ["ab", "c"], 2), ["abc", "c"], r"row 0 is 'abc'; give a list of 2 tokens"),
]


@pytest.mark.parametrize(("parameter", "values", "message"), VALUES)
def test_wrong_values(parameter: Parameter, values: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        Space(parameter).check(Batch({parameter.name: values}))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.draw(-1, np.random.default_rng(0)), r"draw\(n=-1\): n must be an int from 0"),
        (lambda s: s.draw(1.5, np.random.default_rng(0)), r"draw\(n=1.5\)"),
        (lambda s: s.draw(3, 0), r"draw\(rng=0\): give a generator, as np.random.default_rng"),
        (lambda s: s.decode("a"), r"points are 'a'; give \(n, 1\) numbers"),
        (lambda s: s.encode({"x": [0.5]}), r"\{'x': \[0.5\]\} is a dict; give a Batch"),
        (lambda s: s.check({"x": [0.5]}), "is a dict; give a Batch"),
        (lambda s: s.feasible(3), "3 is a int; give a Batch"),
    ],
)
def test_wrong_arguments_of_a_space(call: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        call(Space(Real("x", 0, 1)))


def test_missing_column() -> None:
    with pytest.raises(SpaceError, match=r"column 'x' is missing; the batch has \['y'\]"):
        Space(Real("x", 0, 1)).check(Batch({"y": [1.0]}))


@pytest.mark.parametrize(
    ("parameter", "values", "expected"),
    [
        (Real("x", 0, 1), [0, 1], [0.0, 1.0]),
        (Integer("k", 0, 9), [1.0, 2.0], [1, 2]),
        (Integer("k", 0, 9), np.array([1, 2], np.uint8), [1, 2]),
        (Categorical("c", [1, 2]), [1.0, 2.0], [1, 2]),
        (Categorical("c", [False, True]), [0, 1], [False, True]),
        (Ordinal("o", [0.5, 1.0]), [1, 1], [1.0, 1.0]),
        (Simplex("m", 2), [[1, 0]], [[1.0, 0.0]]),
        (Simplex("m", 2), [[0.5, 0.5 + 4e-7]], [[0.5 / (1 + 4e-7), (0.5 + 4e-7) / (1 + 4e-7)]]),
        (Permutation("t", 2), [[1.0, 0.0]], [[1, 0]]),
    ],
)
def test_values_of_another_type_become_canonical(
    parameter: Parameter, values: Any, expected: Any
) -> None:
    checked = Space(parameter).check(Batch({parameter.name: values}))[parameter.name]
    assert checked.tolist() == expected
    flat = zip(checked.ravel().tolist(), np.array(expected, object).ravel(), strict=True)
    assert all(type(a) is type(b) for a, b in flat)
