"""Features: what exists comes back as it went in, and every step leads to something that exists."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import blackbox as bb
from blackbox.surrogates.features import Features

SPACE = bb.Space(
    bb.Real("lr", 1e-5, 1, log=True),
    bb.Real("x", -2, 3, size=2),
    bb.Real("fixed", 4, 4),
    bb.Integer("width", 1, 1000, log=True),
    bb.Integer("n", 0, 3, size=2),
    bb.Ordinal("depth", [1, 2, 4, 8]),
    bb.Categorical("act", ["a", "b", "c"]),
    bb.Simplex("mix", 3),
)
FEATURES = Features(SPACE)


@given(st.integers(0, 2**32 - 1))
def test_rows_survive_the_round_trip(seed):
    rows = SPACE.draw(5, np.random.default_rng(seed))
    back = FEATURES.decode(FEATURES.encode(rows))
    SPACE.check(back)
    for name in SPACE.names:
        if rows[name].dtype.kind == "f":
            np.testing.assert_allclose(back[name], rows[name], rtol=1e-12, atol=1e-12)
        else:
            np.testing.assert_array_equal(back[name], rows[name])


@given(st.integers(0, 2**32 - 1))
def test_any_point_decodes_to_a_valid_row(seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.2, 1.2, size=(5, FEATURES.width))
    points[:, list(FEATURES.categorical)] = rng.integers(3, size=(5, 1))
    SPACE.check(FEATURES.decode(points))


def test_shares_stand_for_themselves_and_categories_for_their_positions():
    row = bb.Batch(
        {
            "lr": [1e-5], "x": [[-2.0, 3.0]], "fixed": [4.0], "width": [1], "n": [[0, 3]],
            "depth": [8], "act": ["c"], "mix": [[0.5, 0.2, 0.3]],
        }
    )  # fmt: skip
    features = FEATURES.encode(row)[0]
    assert features[FEATURES.blocks["mix"]].tolist() == [0.5, 0.2, 0.3]
    assert features[FEATURES.blocks["act"]].tolist() == [2.0]
    assert features[FEATURES.blocks["x"]].tolist() == [0.0, 1.0]
    assert FEATURES.continuous.tolist() == [0, 1, 2, 9, 10, 11]


def test_steps_reach_other_values_only_and_near_ones_always():
    levels = {level.column: level for level in FEATURES.levels}
    width = levels[4]
    here = float(width.features(np.array([36]))[0])
    there = FEATURES.decode(_with(4, width.others(here)))["width"]
    assert {36, 38} <= set(there.tolist())  # 37 is the value at position 36
    assert 37 not in there
    act = levels[8]
    assert act.others(1.0).tolist() == [0.0, 2.0]
    assert len(levels[3].others(0.5)) == 0  # the fixed Real has no other value


def _with(column, values):
    rows = np.repeat(FEATURES.encode(SPACE.draw(1, np.random.default_rng(0))), len(values), axis=0)
    rows[:, column] = values
    return rows


def test_everything_lists_each_feasible_row_once():
    space = bb.Space(
        bb.Integer("a", 0, 4),
        bb.Ordinal("b", [1.0, 2.5]),
        bb.Categorical("c", ["x", "y"]),
        constraints=[bb.LinearConstraint({"a": 1, "b": 2}, upper=6)],
    )
    features = Features(space)
    rows = features.decode(features.everything())
    found = {(r["a"], r["b"], r["c"]) for r in rows}
    wanted = {(a, b, c) for a in range(5) for b in (1.0, 2.5) for c in "xy" if a + 2 * b <= 6}
    assert len(rows) == len(wanted)
    assert found == wanted


def test_permutations_and_strings_are_compared_by_their_differences():
    space = bb.Space(bb.Permutation("order", 4), bb.Sequence("word", "ab", length=(1, 3)))
    features = Features(space)
    batch = bb.Batch(
        {
            "order": np.array([[0, 1, 2, 3], [0, 1, 3, 2], [3, 2, 1, 0]]),
            "word": ["aab", "aab", "aab"],
        }
    )
    codes = features.rows(features.encode(space.check(batch))).codes
    apart = ((codes[:, None] - codes[None]) ** 2).sum(axis=-1)
    # One of six pairs of items in another order, and all six.
    np.testing.assert_allclose(apart[0], [0, 1 / 6, 1], atol=1e-12)
    assert len(features.everything()) == 24 * (2 + 4 + 8)


def test_everything_lists_the_empty_string_too():
    features = Features(bb.Space(bb.Sequence("word", "AB", (0, 2))))
    words = ["".join(word) for word in features.decode(features.everything())["word"]]
    assert sorted(words) == ["", "A", "AA", "AB", "B", "BA", "BB"]
