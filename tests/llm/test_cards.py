"""The data card says what LLAMBO's partial and full contexts say."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox as bb
from blackbox.errors import ProblemError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 3))
X = np.column_stack([X, X[:, 0] + 0.1 * X[:, 1], RNG.integers(3, size=60), np.ones(60)])


def test_partial_context_counts() -> None:
    card = bb.llm.data_card(X, RNG.integers(2, size=60))
    assert card.startswith("60 samples, 6 features (4 numerical, 2 categorical).")
    assert "Classification, 2 classes with [" in card
    assert "Skewness" not in card
    assert "Regression." in bb.llm.data_card(X, X[:, 0])


def test_full_context_adds_statistics() -> None:
    card = bb.llm.data_card(X, X[:, 0], full=True)
    assert "1 pairs of features correlate by more than 0.5." in card
    assert "2 features correlate with the target by more than 0.5." in card
    assert "excess kurtosis" in card
    constant = bb.llm.data_card(np.ones((5, 1)), np.ones(5), full=True)
    assert "Skewness of the features unknown" in constant


def test_classes_may_be_words() -> None:
    assert "2 classes with [2, 1]" in bb.llm.data_card(np.ones((3, 1)), ["a", "b", "a"], full=True)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (3, "y", r"x has shape \(\), y \(\); give \(n, d\)"),
        (X, X[:5, 0], r"x has shape \(60, 6\), y \(5,\)"),
        (X[:0], [], "n >= 1"),
        ([["a"]], [1], "x of numbers"),
    ],
)
def test_what_is_no_data_set_is_refused(x, y, message) -> None:
    with pytest.raises(ProblemError, match=message):
        bb.llm.data_card(x, y)
