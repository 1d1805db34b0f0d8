"""Children: valid in every space, distributed as the formulas say, edits one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import blackbox as bb
from blackbox.errors import ProblemError
from blackbox.optimizers.quality_diversity._orders import (
    changed_order,
    changed_tokens,
    crossed_order,
    crossed_tokens,
)
from blackbox.optimizers.quality_diversity.variation import Variation
from blackbox.testing.cases import problems

SPACES = {p.name: p.space for p in problems()}
SPACES["labelled order"] = bb.Space(bb.Permutation("tour", ["b", "a", "c", "d"]))
SPACES["one item"] = bb.Space(bb.Permutation("tour", 1), bb.Sequence("s", "A", (0, 1)))
SPACES["fixed length"] = bb.Space(bb.Sequence("word", ["ab", "c", "def"], 4))


WIDE = Variation(iso=0.3)


def litter(
    space: bb.Space, n: int = 400, seed: int = 0, variation: Variation = WIDE
) -> tuple[bb.Batch, bb.Batch, bb.Batch]:
    """n children with their first and second parents."""
    rng = np.random.default_rng(seed)
    elites = space.draw(30, rng)
    first, second = rng.integers(0, 30, (2, n))
    made = variation.children(space, elites.columns(), first, second, rng)
    return space.check(made), elites.take(first), elites.take(second)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize(("crossover", "exchange"), [(0.0, 0.0), (1.0, 0.0), (0.5, 0.7)])
def test_children_are_in_the_space_and_in_the_types_of_their_parents(
    name: str, crossover: float, exchange: float
) -> None:
    variation = Variation(iso=0.3, crossover=crossover, exchange=exchange)
    children, first, _ = litter(SPACES[name], variation=variation)
    for column in first.names:
        assert children[column].dtype == first[column].dtype
        assert children[column].shape == first[column].shape


@pytest.mark.parametrize("name", ["permutation", "sequence", "finite", "fixed length"])
def test_in_a_discrete_space_every_mutant_differs_from_its_parent(name: str) -> None:
    children, first, _ = litter(SPACES[name], variation=Variation(crossover=0))
    same = np.ones(len(children), dtype=bool)
    for column in first.names:
        same &= (children[column] == first[column]).reshape(len(first), -1).all(axis=1)
    assert not same.any()


def pair(space: bb.Space, x: bb.Batch, y: bb.Batch, n: int, variation: Variation) -> bb.Batch:
    """n children of one pair."""
    both = bb.Batch.concat([space.check(x), space.check(y)])
    zeros, ones = np.zeros(n, dtype=np.int64), np.ones(n, dtype=np.int64)
    return variation.children(space, both.columns(), zeros, ones, np.random.default_rng(7))


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_single_numbers_are_exchanged_at_every_place_alike(share: float) -> None:
    space = bb.Space(bb.Real("u", -1, 1, size=7), bb.Real("v", -1, 1), bb.Real("w", 1, 9, log=True))
    x = bb.Batch({"u": np.zeros((1, 7)), "v": [0.0], "w": [2.0]})
    y = bb.Batch({"u": np.ones((1, 7)), "v": [1.0], "w": [5.0]})
    n = 20_000
    made = pair(space, x, y, n, Variation(iso=0.01, exchange=share))
    table = np.column_stack([made["u"], made["v"], (made["w"] - 2) / 3])
    still = np.isin(table, (0.0, 1.0)).all(axis=1)  # no number moved
    assert abs(still.mean() - share) <= 5 * np.sqrt(share * (1 - share) / n)
    taken = table[still].sum(axis=1)
    assert (taken == 1).all()  # one in twenty, and at least one
    assert np.ptp(table[still].mean(axis=0)) < 0.03  # no place is preferred


def test_many_numbers_are_exchanged_by_one_in_twenty() -> None:
    space = bb.Space(bb.Real("u", -1, 1, size=60), bb.Real("v", -1, 1, size=40))
    x, y = ({"u": np.full((1, 60), a), "v": np.full((1, 40), a)} for a in (0.0, 1.0))
    made = pair(space, bb.Batch(x), bb.Batch(y), 2000, Variation(exchange=1))
    taken = np.column_stack([made["u"], made["v"]])
    assert set(np.unique(taken)) == {0.0, 1.0}
    drawn = 100 * (1 - 0.99**5)  # different ones of five
    assert abs(taken.sum(axis=1).mean() - drawn) < 0.05
    assert abs(taken.mean(axis=0) - drawn / 100).max() < 0.03


def test_a_parent_alone_has_nothing_to_exchange_with_and_moves() -> None:
    space = bb.Space(bb.Real("u", -1, 1, size=3))
    x = space.draw(1, np.random.default_rng(0))
    zeros = np.zeros(200, dtype=np.int64)
    variation = Variation(exchange=1)
    made = variation.children(space, x.columns(), zeros, zeros, np.random.default_rng(1))
    assert (made["u"] != x["u"]).all()


def test_numbers_have_the_moments_of_iso_line() -> None:
    space = bb.Space(bb.Real("u", -50, 50), bb.Real("v", 1e-8, 1e8, log=True))
    x, y = bb.Batch({"u": [1.0], "v": [1.0]}), bb.Batch({"u": [3.0], "v": [np.exp(-4.0)]})
    n = 40_000
    made = pair(space, x, y, n, Variation(iso=0.02, line=0.5, exchange=0))
    steps = np.column_stack([made["u"] - 1.0, np.log(made["v"])])
    spans, along = np.array([100, 2 * np.log(1e8)]), np.array([2.0, -4.0])
    wanted = np.diag((0.02 * spans) ** 2) + 0.25 * np.outer(along, along)
    error = np.sqrt(np.diag(wanted) / n)
    assert (np.abs(steps.mean(axis=0)) < 4 * error).all()
    scale = np.sqrt(np.outer(np.diag(wanted), np.diag(wanted)))
    assert (np.abs(np.cov(steps.T) - wanted) < 6 * scale / np.sqrt(n)).all()


def test_without_the_line_the_second_parent_does_not_matter() -> None:
    space = SPACES["vectors"]
    x, y, z = (space.draw(1, np.random.default_rng(i)) for i in range(3))
    plain = Variation(line=0, crossover=0, exchange=0)
    assert pair(space, x, y, 50, plain) == pair(space, x, z, 50, plain)


def test_what_leaves_the_range_is_put_on_its_bound() -> None:
    space = bb.Space(
        bb.Real("u", 0, 1), bb.Real("v", 1e-3, 1, log=True), bb.Real("w", 0, 1, size=2)
    )
    x = bb.Batch({"u": [0.0], "v": [1.0], "w": [[0.0, 1.0]]})
    made = pair(space, x, x, 4000, Variation(iso=0.1, exchange=0))
    on = [made["u"] == 0, made["v"] == 1, made["w"][:, 0] == 0, made["w"][:, 1] == 1]
    for share in map(np.mean, on):
        assert abs(share - 0.5) < 0.04


@pytest.mark.parametrize("n", [1, 36, 500])
@pytest.mark.parametrize("exchange", [0.0, 0.5])
def test_the_compiled_loop_makes_the_same_children_from_the_same_numbers(
    n: int, exchange: float
) -> None:
    pytest.importorskip("numba")
    space = bb.Space(
        bb.Real("x", -2, 3, size=17), bb.Categorical("c", [*"abc"]), bb.Real("y", 0, 1)
    )
    elites = space.draw(50, np.random.default_rng(0)).columns()
    made, states = [], []
    for compiled in (False, True):
        rng = np.random.default_rng(3)
        first, second = rng.integers(0, 50, (2, n))
        variation = Variation(iso=0.2, line=0.7, exchange=exchange)
        made.append(variation.children(space, elites, first, second, rng, compiled=compiled))
        states.append(rng.bit_generator.state)
    assert made[0] == made[1]
    assert states[0] == states[1]


def test_whole_numbers_and_ranks_step_at_least_by_one_and_categories_to_any_other() -> None:
    space = bb.Space(
        bb.Integer("i", 0, 100), bb.Ordinal("o", [1, 2, 4, 8]), bb.Categorical("c", [*"abcd"])
    )
    x = bb.Batch({"i": [0], "o": [4], "c": ["b"]})
    made = pair(space, x, x, 3000, Variation(iso=0, line=0, rate=1.0))
    assert set(made["i"]) == {1}  # 0 has one neighbour
    shares = {v: np.mean(made["o"] == v) for v in (2, 8)}
    assert shares == pytest.approx({2: 0.5, 8: 0.5}, abs=0.05)
    shares = {v: np.mean(made["c"] == v) for v in "acd"}
    assert shares == pytest.approx(dict.fromkeys("acd", 1 / 3), abs=0.05)


def test_about_one_value_in_a_row_changes() -> None:
    space = bb.Space(*(bb.Categorical(f"c{i}", [*"abcd"]) for i in range(20)), bb.Real("x", 0, 1))
    children, first, _ = litter(space, 3000, variation=Variation(crossover=0))
    changed = sum((children[f"c{i}"] != first[f"c{i}"]).astype(int) for i in range(20))
    assert np.mean(changed) == pytest.approx(20 / 21, abs=0.07)
    sure, before, _ = litter(space, 10, variation=Variation(crossover=0, rate=1.0))
    assert all((sure[f"c{i}"] != before[f"c{i}"]).all() for i in range(20))


def test_crossover_takes_half_of_the_values_of_the_second_parent() -> None:
    space = bb.Space(*(bb.Categorical(f"c{i}", ["a", "b"]) for i in range(40)), bb.Real("x", 0, 1))
    x = bb.Batch({**{f"c{i}": ["a"] for i in range(40)}, "x": [0.5]})
    y = x.with_columns(**{f"c{i}": ["b"] for i in range(40)})
    made = pair(space, x, y, 500, Variation(crossover=1, rate=1e-9))
    taken = np.column_stack([made[f"c{i}"] == "b" for i in range(40)])
    assert taken.mean() == pytest.approx(0.5, abs=0.02)
    assert (np.abs(taken.mean(axis=1) - 0.5) < 0.5).all()


def test_shares_move_like_numbers_and_may_become_nothing() -> None:
    space = bb.Space(bb.Simplex("mix", 4))
    x = bb.Batch({"mix": [[0.25, 0.25, 0.25, 0.25]]})
    made = pair(space, x, x, 20_000, Variation(iso=0.02))["mix"]
    # Inside, projection takes away the step along (1, 1, 1, 1): variance iso^2 (1 - 1/k).
    assert made.mean(axis=0) == pytest.approx([0.25] * 4, abs=1e-3)
    assert made.var(axis=0) == pytest.approx([0.02**2 * 0.75] * 4, rel=0.05)
    corner = bb.Batch({"mix": [[1.0, 0.0, 0.0, 0.0]]})
    made = pair(space, corner, corner, 1000, Variation(iso=0.02))["mix"]
    assert (made == [1, 0, 0, 0]).all(axis=1).any()


def test_order_crossover_by_its_definition() -> None:
    p = bb.Permutation("tour", ["d", "a", "c", "b", "e"])
    space = bb.Space(p)
    rng = np.random.default_rng(0)
    first, second = (space.draw(500, rng)["tour"] for _ in "xy")
    stretches = set()
    for child, x, y in zip(crossed_order(p, first, second, rng), first, second, strict=True):
        possible = set()
        for a, b in itertools.combinations_with_replacement(range(6), 2):
            rest = [item for item in y if item not in x[a:b]]
            if (child == [*rest[:a], *x[a:b], *rest[a:]]).all():
                possible.add(b - a)
        assert possible
        stretches |= possible
    assert stretches == set(range(6))


def test_orders_are_changed_by_a_swap_or_by_moving_one_item() -> None:
    made = changed_order(np.tile(np.arange(5), (3000, 1)), np.random.default_rng(0))
    near: set[tuple[int, ...]] = set()
    for i, j in itertools.permutations(range(5), 2):
        swapped, rest = list(range(5)), [k for k in range(5) if k != i]
        swapped[i], swapped[j] = j, i
        near |= {tuple(swapped), (*rest[:j], i, *rest[j:])}
    assert set(map(tuple, made.tolist())) == near


def distance(a: str, b: str) -> int:
    """Levenshtein's, by recursion."""
    if not a or not b:
        return len(a) + len(b)
    if a[0] == b[0]:
        return distance(a[1:], b[1:])
    return 1 + min(distance(a[1:], b), distance(a, b[1:]), distance(a[1:], b[1:]))


@pytest.mark.parametrize("length", [(0, 5), (3, 5), (4, 4)])
def test_sequences_are_changed_by_one_edit(length: tuple[int, int]) -> None:
    p = bb.Sequence("dna", "ACGT", length)
    rng = np.random.default_rng(1)
    before = bb.Space(p).draw(600, rng)["dna"]
    after = p.check(changed_tokens(p, before, rng))
    kinds = set()
    for old, new in zip(before, after, strict=True):
        a, b = "".join(old), "".join(new)
        # An insertion may repeat a neighbour, yet it is one edit.
        assert distance(a, b) == 1, (a, b)
        kinds.add(len(b) - len(a))
    assert kinds == ({0} if length[0] == length[1] else {-1, 0, 1})


def test_sequences_are_crossed_at_one_point() -> None:
    p = bb.Sequence("dna", "ACGT", (1, 6))
    rng = np.random.default_rng(2)
    first, second = (bb.Space(p).draw(300, rng)["dna"] for _ in "xy")
    made = p.check(crossed_tokens(first, second, rng))
    for child, x, y in zip(*(map("".join, v) for v in (made, first, second)), strict=True):
        cuts = range(min(len(x), len(y)) + 1)
        assert any(child == x[:c] + y[c:] for c in cuts)


@pytest.mark.parametrize("iso", [0.02, 1.0])
def test_children_keep_linear_constraints(iso: float) -> None:
    space = bb.Space(
        bb.Real("x", 0, 1, size=3),
        bb.Integer("k", 0, 9),
        bb.Ordinal("o", [1, 5, 9]),
        bb.Simplex("mix", ["a", "b"]),
        constraints=[
            bb.LinearConstraint({"x": 1.0, "k": 0.1, "o": 0.1}, lower=0.5, upper=1.5),
            bb.LinearConstraint({"mix[a]": 1.0, "x[0]": -1.0}, lower=-0.2, upper=0.2),
        ],
    )
    variation = Variation(iso=iso, exchange=0)
    children, first, _ = litter(space, variation=variation)  # checked there
    moved = (children["x"] != first["x"]).any(axis=1)
    assert moved.mean() > 0.9


def test_bad_arguments_are_refused() -> None:
    for wrong in (-1, np.inf, np.nan, "x", None, True, [], 10**400):
        for name in ("iso", "line"):
            with pytest.raises(ProblemError, match=f"Variation: {name}=.* must be a finite number"):
                Variation(**{name: wrong})  # type: ignore[arg-type]
    for wrong in (-0.1, 1.5, "x", None, np.nan, True):
        for name in ("crossover", "exchange"):
            with pytest.raises(ProblemError, match=f"Variation: {name}=.* must be a number from 0"):
                Variation(**{name: wrong})  # type: ignore[arg-type]
    for wrong in (0, 2, "often", True, []):
        with pytest.raises(ProblemError, match=r"Variation: rate=.* must lie in \(0, 1\]"):
            Variation(rate=wrong)  # type: ignore[arg-type]
