"""Rows of every kind of parameter survive being written, and nothing else gets in."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import blackbox as bb
from blackbox.llm.structured import Fields, Misfit, digits_for, number, parsed

SPACE = bb.Space(
    bb.Real("rate", 1e-5, 1, log=True),
    bb.Real("x", -5, 10, size=2),
    bb.Integer("depth", 1, 8),
    bb.Ordinal("width", [16, 32, 64]),
    bb.Categorical("act", ["relu", "ge lu", None]),
    bb.Categorical("bias", [False, True]),
    bb.Simplex("mix", ["web", "code", "books"]),
    bb.Permutation("tour", ["a", "b", "c"]),
    bb.Sequence("dna", "ACGT", (0, 4)),
    bb.Sequence("words", ["in", "out"], 2),
)
FIELDS = Fields(SPACE)
ROW = {
    "rate": 0.01,
    "x": [0.5, -1],
    "depth": 3,
    "width": 32,
    "act": None,
    "bias": True,
    "mix": [0.2, 0.3, 0.5],
    "tour": ["c", "a", "b"],
    "dna": "ACG",
    "words": ["in", "in"],
}


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_what_is_written_is_read_again(seed: int) -> None:
    batch = SPACE.draw(3, np.random.default_rng(seed))
    texts = FIELDS.write(batch)
    rows = [dict(zip(SPACE.names, json.loads(text), strict=True)) for text in texts]
    again = FIELDS.batch([FIELDS.read(row) for row in rows])
    assert np.allclose(SPACE.encode(again), SPACE.encode(batch), atol=2e-4)


def test_every_parameter_is_described_and_has_a_schema() -> None:
    assert [line.split(": ")[0] for line in FIELDS.description] == list(SPACE.names)
    text = "\n".join(FIELDS.description)
    for part in ("1e-05 to 1, log scale", "array of 2", "integer 1 to 8", "[16,32,64]", "null"):
        assert part in text
    properties = FIELDS.schema["properties"]
    assert properties["act"] == {"type": ["null", "string"], "enum": ["relu", "ge lu", None]}
    assert properties["bias"]["type"] == "boolean"
    assert properties["words"]["items"] == {"type": "string", "enum": ["in", "out"]}
    assert set(FIELDS.schema["properties"]) == set(SPACE.names) == set(FIELDS.schema["required"])


def test_anonymous_names_say_nothing() -> None:
    fields = Fields(SPACE, anonymous=True)
    assert list(fields.schema["properties"]) == [f"X{i}" for i in range(1, 11)]
    named = {f"X{i}": value for i, value in enumerate(ROW.values(), start=1)}
    assert fields.batch([fields.read(named)]) == FIELDS.batch([FIELDS.read(ROW)])


def test_linear_constraints_are_described() -> None:
    c = bb.LinearConstraint({"x": 1.0, "y": 5.0}, upper=3.0)
    space = bb.Space(bb.Real("x", -5, 10), bb.Real("y", 0, 1), constraints=[c])
    assert Fields(space).description[-1] == "constraint: [1.0]*x + [5.0]*y <= 3"


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("rate", 2.0, "out of range"),
        ("rate", 1e400, "out of range"),
        ("rate", 10**400, "out of range"),
        ("rate", "0.1", "wrong type"),
        ("rate", True, "wrong type"),
        ("rate", None, "wrong type"),
        ("x", [1.0], "out of range"),
        ("x", 1.0, "wrong type"),
        ("depth", 2.5, "wrong type"),
        ("depth", 9, "out of range"),
        ("width", 17, "unknown category"),
        ("act", "__import__('os')", "unknown category"),
        ("act", ["relu"], "wrong type"),
        ("act", {"high": None}, "wrong type"),
        ("tour", [["a"], "a", "b"], "wrong type"),
        ("bias", 1, "unknown category"),
        ("mix", [0.5, 0.5, 0.5], "out of range"),
        ("mix", [1.5, -0.5, 0.0], "out of range"),
        ("tour", ["a", "a", "b"], "out of range"),
        ("tour", ["a", "b"], "out of range"),
        ("dna", "AXG", "unknown category"),
        ("dna", "ACGTA", "out of range"),
        ("words", ["in"], "out of range"),
        ("words", {}, "wrong type"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused(name: str, value: object, kind: str) -> None:
    with pytest.raises(Misfit) as caught:
        FIELDS.read({**ROW, name: value})
    assert caught.value.kind == kind
    assert repr(name) in str(caught.value)


def test_a_row_that_lacks_a_parameter_is_refused() -> None:
    with pytest.raises(Misfit, match="'dna' is missing"):
        FIELDS.read({k: v for k, v in ROW.items() if k != "dna"})
    with pytest.raises(Misfit, match="must be an object"):
        FIELDS.read([1, 2])


def test_a_number_printed_with_few_digits_may_lie_a_little_outside() -> None:
    fields = Fields(bb.Space(bb.Real("x", 0.123456789, 1.0)))
    assert fields.read({"x": 0.12345})["x"] == 0.123456789


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "no JSON"),
        ("nothing to see", "no JSON"),
        ('{"k": [1, 2', "truncated JSON"),
        ('{"other": 1}', "missing key"),
        ("[1, 2]", "missing key"),
        ('{"k": NaN}', "truncated JSON"),
        ("{" * 100_000, "no JSON"),
        ('{"k": ' + "[" * 100_000, "truncated JSON"),
        ("9" * 10_000, "no JSON"),
    ],
)
def test_a_text_without_the_object_is_refused(text: str, kind: str) -> None:
    with pytest.raises(Misfit) as caught:
        parsed(text, "k")
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    "text", ['Sure {not this}:\n```json\n{"k": 1}\n```', 'x {"j": {}} {"k": 1} y']
)
def test_an_object_inside_prose_is_found(text: str) -> None:
    assert parsed(text, "k") == ({"k": 1}, True)
    assert parsed('{"k": 1}', "k") == ({"k": 1}, False)


def test_numbers_are_short_and_true() -> None:
    assert [number(v) for v in (3, 3.0, 0.1234567, 1e-5, 1.5e300, -0.0)] == [
        "3", "3", "0.123457", "1e-05", "1.5e+300", "0",
    ]  # fmt: skip
    assert number(float("nan")) == "null"
    assert number(2**40) == str(2**40)


def test_digits_grow_where_a_range_is_narrow() -> None:
    space = bb.Space(bb.Real("kelvin", 20_000, 20_001), bb.Real("x", 0, 2, size=2))
    rows = bb.Batch({"kelvin": [20_000.125, 20_000.25], "x": [[0.1234567, 1], [1, 2]]})
    assert Fields(space).write(rows) == ["[20000.125,[0.12346,1]]", "[20000.25,[1,2]]"]


def test_digits_grow_where_outcomes_are_nearly_equal() -> None:
    values = np.array([1e6, 1e6 + 1e-3])
    texts = {number(v, digits_for(values)) for v in values.tolist()}
    assert len(texts) == 2
    assert digits_for(np.array([0.1, 0.9])) == digits_for(np.zeros(3)) == 6
    assert digits_for(np.array([1e308, -1e308])) == 6
