"""Regret traces against loops over every prefix."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox import metrics
from blackbox.errors import BatchError

traces = st.lists(st.one_of(st.just(math.nan), st.floats(-10, 10)), max_size=20).map(np.array)


@given(traces)
def test_best_and_incumbent_of_every_prefix(scores):
    best, rows = metrics.best_so_far(scores), metrics.incumbents(scores)
    for i in range(len(scores)):
        seen = scores[: i + 1]
        if np.isnan(seen).all():
            assert best[i] == -math.inf
            assert rows[i] == -1
        else:
            assert best[i] == np.nanmax(seen)
            assert rows[i] == np.nanargmax(seen)


@given(traces)
def test_simple_regret_never_rises(scores):
    regret = metrics.simple_regret(scores, 10.0)
    finite = regret[np.isfinite(regret)]
    assert (np.diff(finite) <= 0).all()
    assert (regret >= 0).all()
    np.testing.assert_array_equal(regret, metrics.simple_regret(scores[:, None], 10.0))


def test_inference_regret_judges_the_recommended_point_at_its_true_value():
    true = np.array([1.0, 3.0, 2.0])
    observed = np.array([1.1, 2.0, 5.0])  # noise makes the worse point look best
    regret = metrics.inference_regret(true[metrics.incumbents(observed)], 3.0)
    np.testing.assert_allclose(regret, [2.0, 0.0, 1.0])
    np.testing.assert_array_equal(metrics.inference_regret([math.nan, 3.0], 3.0), [math.inf, 0])


def test_an_infinitely_bad_first_row_is_an_incumbent():
    np.testing.assert_array_equal(metrics.incumbents([math.nan, -math.inf, -math.inf]), [-1, 1, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.best_so_far([[1.0, 2.0]]), "use hypervolume_trace"),
        (lambda: metrics.simple_regret(["x"], 0.0), "array of numbers"),
        (lambda: metrics.simple_regret([1.0], math.nan), "optimum is nan"),
        (lambda: metrics.simple_regret([1.0], "a"), "optimum is 'a'; give the best possible"),
        (lambda: metrics.inference_regret(3.0, 0.0), r"recommended has shape \(\)"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(BatchError, match=message):
        call()
