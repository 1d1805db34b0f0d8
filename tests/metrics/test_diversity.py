"""Diversity against definitions written out pair by pair."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np
import pytest

from blackbox import metrics
from blackbox.errors import BatchError


def levenshtein(a, b):
    @cache
    def distance(i, j):
        if not i or not j:
            return i + j
        change = distance(i - 1, j - 1) + (a[i - 1] != b[j - 1])
        return min(distance(i - 1, j) + 1, distance(i, j - 1) + 1, change)

    return distance(len(a), len(b))


def test_hamming_is_the_mean_over_pairs():
    rows = np.random.default_rng(0).choice(list("abc"), (12, 5))
    pairs = [(a != b).sum() for a, b in combinations(rows, 2)]
    assert metrics.hamming_diversity(rows) == pytest.approx(np.mean(pairs))
    assert metrics.hamming_diversity(rows[:1]) == 0


def test_edit_distance_is_the_mean_over_pairs_of_padded_strings():
    rng = np.random.default_rng(0)
    texts = ["", "kitten", "sitting", *("".join(rng.choice(list("ab"), n)) for n in range(8))]
    rows = [list(text) + [""] * (7 - len(text)) for text in texts]
    pairs = [levenshtein(a, b) for a, b in combinations(texts, 2)]
    assert metrics.edit_diversity(rows) == pytest.approx(np.mean(pairs))
    assert metrics.edit_diversity(rows[1:3]) == 3
    assert metrics.edit_diversity(rows[:1]) == 0


def test_top_k():
    assert metrics.top_k_mean([1, np.nan, 5, 3], 2) == 4
    assert metrics.top_k_mean([1.0], 5) == 1
    assert np.isnan(metrics.top_k_mean([], 3))


def test_pc_entropy_counts_the_nearest_points():
    front = np.array([[0, 1], [1, 0]])
    assert metrics.pc_entropy(front, front) == pytest.approx(np.log(2))
    assert metrics.pc_entropy([[0, 0.9]] * 3, front) == 0
    uneven = metrics.pc_entropy([[0, 0.8], [0, 0.9], [0.9, 0], [np.nan, 1]], front)
    assert uneven == pytest.approx(-(np.log(1 / 3) / 3 + 2 * np.log(2 / 3) / 3))
    assert metrics.pc_entropy(np.empty((0, 2)), front) == 0


def test_gd_plus_is_the_mean_shortfall_of_the_set():
    rng = np.random.default_rng(0)
    rows, front = rng.normal(size=(9, 3)), rng.normal(size=(6, 3))
    short = np.linalg.norm(np.maximum(front - rows[:, None], 0), axis=2).min(axis=1)
    assert metrics.gd_plus(rows, front) == pytest.approx(short.mean())
    assert metrics.gd_plus(front, front) == 0
    assert metrics.gd_plus(front[:0], front) == np.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.hamming_diversity([1, 2]), "give .n, k."),
        (lambda: metrics.edit_diversity("abc"), "give .n, k."),
        (lambda: metrics.top_k_mean([1.0], 0), "k is 0; give an int"),
        (lambda: metrics.top_k_mean(["a"], 1), "scores is .*; give an array of numbers"),
        (lambda: metrics.hamming_diversity([[1], [1, 2]]), "lists of equal lengths"),
        (lambda: metrics.pc_entropy([[0, 1]], [[1]]), "front has shape"),
        (lambda: metrics.gd_plus([[0, 1]], [[1]]), "reference has shape"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(BatchError, match=message):
        call()
