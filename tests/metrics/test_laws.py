"""Distances of laws against SciPy and closed forms, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from blackbox import metrics
from blackbox.errors import BatchError


def test_distances_of_laws():
    p, q = [0.5, 0.5, 0.0], [0.0, 0.25, 0.75]
    assert metrics.l1_distance(p, q) == 1.5
    assert metrics.l1_distance([1, 0], [0, 1]) == 2
    assert metrics.jensen_shannon([1, 0], [0, 1]) == 1
    rng = np.random.default_rng(0)
    for law, other in rng.dirichlet(np.full(7, 0.3), (20, 2)):
        assert metrics.l1_distance(law, law) == metrics.jensen_shannon(law, law) == 0
        assert metrics.jensen_shannon(law, other) == pytest.approx(jensenshannon(law, other, 2))
    assert metrics.jensen_shannon(p, q) == pytest.approx(jensenshannon(p, q, 2))


def test_modes_count_once():
    modes = np.array([True, False, True, True])
    assert metrics.modes_found([0, 0, 1, 3], modes) == 2
    assert metrics.modes_found([], modes) == 0


def test_pareto_mass_is_the_share_on_the_front():
    scores = [[1, 0], [0, 1], [0, 0], [0, 1]]
    assert metrics.pareto_mass([0.1, 0.2, 0.3, 0.4], scores) == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.l1_distance([0.5, 0.6], [0.5, 0.5]), "law of shape .* sum to one"),
        (lambda: metrics.jensen_shannon([0.5, 0.5], [1.5, -0.5]), "target of shape"),
        (lambda: metrics.l1_distance([1.0], [0.5, 0.5]), "1 candidates where target has 2"),
        (lambda: metrics.l1_distance([np.nan, 1.0], [0.5, 0.5]), "law of shape"),
        (lambda: metrics.l1_distance("x", [1.0]), "law is 'x'; give an array of numbers"),
        (lambda: metrics.modes_found([0.5], [True]), "whole numbers"),
        (lambda: metrics.modes_found([1], [True]), "from 0 to 0"),
        (lambda: metrics.modes_found([0], [1]), "bools"),
        (lambda: metrics.pareto_mass([1.0], [[1, 0], [0, 1]]), "where scores have 2"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(BatchError, match=message):
        call()
