"""Draws are uniform: distances to the exact distributions, with fixed seeds."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from blackbox.space import (
    Categorical,
    Integer,
    Ordinal,
    Permutation,
    Real,
    Sequence,
    Simplex,
    Space,
)

N = 20_000
# Each test is run with this one seed. A p-value below the bound would come once in 10 000 runs of a
# correct generator; a wrong distribution gives values like 1e-50.
SMALLEST = 1e-4


def drawn(*parameters: object, n: int = N) -> dict[str, np.ndarray]:
    return Space(*parameters).draw(n, np.random.default_rng(1)).columns()  # type: ignore[arg-type]


def uniform_counts(values: list[object], cells: int) -> None:
    counts = Counter(values)
    assert len(counts) == cells
    assert stats.chisquare(list(counts.values())).pvalue > SMALLEST


def test_reals_are_uniform_on_their_scale() -> None:
    b = drawn(Real("x", -3, 5), Real("log", 1e-8, 10, log=True), Real("v", 0, 1, size=2))
    assert stats.kstest((b["x"] + 3) / 8, "uniform").pvalue > SMALLEST
    assert stats.kstest((np.log10(b["log"]) + 8) / 9, "uniform").pvalue > SMALLEST
    for column in b["v"].T:
        assert stats.kstest(column, "uniform").pvalue > SMALLEST
    assert abs(stats.spearmanr(b["v"][:, 0], b["v"][:, 1]).statistic) < 0.03


def test_integers_are_uniform_up_to_their_ends() -> None:
    b = drawn(Integer("i", -2, 4), Integer("v", 0, 2, size=2))
    uniform_counts(b["i"].tolist(), 7)
    uniform_counts(list(map(tuple, b["v"].tolist())), 9)


def test_integers_on_a_log_scale_have_equal_shares_of_it() -> None:
    values, counts = np.unique(drawn(Integer("i", 1, 9, log=True))["i"], return_counts=True)
    assert values.tolist() == list(range(1, 10))
    edges = np.log(np.arange(0.5, 10))
    expected = N * np.diff(edges) / (edges[-1] - edges[0])
    assert stats.chisquare(counts, expected).pvalue > SMALLEST


def test_choices_are_uniform() -> None:
    b = drawn(Categorical("c", ["a", None, 3]), Ordinal("o", [1, 10, 100, 1000]))
    uniform_counts(b["c"].tolist(), 3)
    uniform_counts(b["o"].tolist(), 4)
    uniform_counts(list(zip(b["c"].tolist(), b["o"].tolist(), strict=True)), 12)


def test_many_categories_are_all_reached() -> None:
    b = drawn(Categorical("c", list(range(100))))
    uniform_counts(b["c"].tolist(), 100)


@pytest.mark.parametrize("k", [2, 3, 12])
def test_every_share_of_a_simplex_is_beta(k: int) -> None:
    mix = drawn(Simplex("mix", k))["mix"]
    for share in mix.T:
        assert stats.kstest(share, stats.beta(1, k - 1).cdf).pvalue > SMALLEST
    # The sum of two shares too, so that not only the marginals are right.
    if k > 2:
        both = mix[:, 0] + mix[:, -1]
        assert stats.kstest(both, stats.beta(2, k - 2).cdf).pvalue > SMALLEST


def test_permutations_are_uniform() -> None:
    orders = drawn(Permutation("t", "abcd"[:4].__iter__()))["t"]
    found = list(map(tuple, orders.tolist()))
    assert set(found) == set(permutations("abcd"))
    uniform_counts(found, 24)


def test_sequences_are_uniform_by_length_then_by_token() -> None:
    words = ["".join(row) for row in drawn(Sequence("s", "AB", (0, 2)))["s"]]
    counts = Counter(words)
    shares = {"": 1 / 3, **dict.fromkeys("AB", 1 / 6)}
    shares |= dict.fromkeys(("AA", "AB", "BA", "BB"), 1 / 12)
    assert set(counts) == set(shares)
    observed = [counts[word] for word in shares]
    assert stats.chisquare(observed, [N * p for p in shares.values()]).pvalue > SMALLEST


def test_draws_are_those_of_the_seed_alone() -> None:
    space = Space(Real("x", 0, 1), Simplex("m", 3), Sequence("s", "AB", (1, 3)))
    first = space.draw(5, np.random.default_rng(7))
    np.random.seed(0)  # noqa: NPY002 - the global generator must not matter
    assert space.draw(5, np.random.default_rng(7)) == first
    assert space.draw(5, np.random.default_rng(8)) != first


@pytest.mark.parametrize("width", [1, 3])
def test_wrong_distributions_would_be_found(width: int) -> None:
    """The same tests refuse draws that are a little off."""
    rng = np.random.default_rng(1)
    assert stats.kstest(rng.random(N) ** 1.05, "uniform").pvalue < SMALLEST
    mix = rng.dirichlet(np.full(width + 2, 1.1), N)
    assert stats.kstest(mix[:, 0], stats.beta(1, width + 1).cdf).pvalue < SMALLEST
