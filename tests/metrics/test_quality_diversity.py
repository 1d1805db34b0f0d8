"""QD score and coverage against a dictionary of elites."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox import metrics
from blackbox.errors import BatchError

rows = st.lists(
    st.tuples(st.one_of(st.just(math.nan), st.floats(-5, 5)), st.integers(-1, 6)), max_size=30
)


@given(rows)
def test_only_the_elite_of_a_cell_counts(table):
    elites: dict[int, float] = {}
    for score, cell in table:
        if cell >= 0 and not math.isnan(score):
            elites[cell] = max(score, elites.get(cell, -math.inf))
    scores = np.array([s for s, _ in table])
    cells = np.array([c for _, c in table], dtype=int)
    expected = sum(score + 5 for score in elites.values())
    assert metrics.qd_score(scores, cells, offset=-5) == pytest.approx(expected)
    assert metrics.coverage(cells, 7, scores=scores) == len(elites) / 7


@given(rows.filter(len))
def test_another_row_never_lowers_either(table):
    scores = np.array([s for s, _ in table])
    cells = np.array([c for _, c in table])
    less = metrics.qd_score(scores[:-1], cells[:-1], offset=-5)
    assert less <= metrics.qd_score(scores, cells, offset=-5) + 1e-9
    assert metrics.coverage(cells[:-1], 7) <= metrics.coverage(cells, 7)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.qd_score([1.0], [0, 1]), "give .n,. both"),
        (lambda: metrics.qd_score([-1.0], [3]), "elite of cell 3 scores -1.0, below offset=0.0"),
        (lambda: metrics.qd_score([1.0], [0.5]), "whole numbers"),
        (lambda: metrics.qd_score([1.0], [0], offset=math.nan), "offset is nan"),
        (lambda: metrics.qd_score([1.0], [0], offset="x"), "offset is 'x'; give the least"),
        (lambda: metrics.coverage([7], 7), "cell 7 does not exist"),
        (lambda: metrics.coverage([[1]], 7), "whole numbers"),
        (lambda: metrics.coverage([1], 0), "n_cells is 0"),
        (lambda: metrics.coverage([1], 1.5), "n_cells is 1.5; give an int"),
        (lambda: metrics.coverage([1], 7, scores=[1.0, 2.0]), "where cells have"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(BatchError, match=message):
        call()
