"""Fronts and indicators against their definitions, on fronts small enough to count by hand."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox import metrics
from blackbox.errors import BatchError, MissingExtraError

GRID = 5


@st.composite
def sets(draw, objectives=(1, 4), rows=(1, 7), low=0):
    """(n, m) scores on a small integer grid, so that ties and duplicates are common."""
    m = draw(st.integers(*objectives))
    n = draw(st.integers(*rows))
    cell = st.integers(low, GRID)
    return np.array(
        draw(st.lists(st.lists(cell, min_size=m, max_size=m), min_size=n, max_size=n)), float
    )


@st.composite
def pairs(draw, low=0):
    """A set and a reference front with as many objectives."""
    first = draw(sets(low=low))
    m = first.shape[1]
    return first, draw(sets(objectives=(m, m), low=low))


def dominates(a, b):
    return bool((a >= b).all() and (a > b).any())


def brute_front(scores):
    return np.array([not any(dominates(b, a) for b in scores) for a in scores])


def brute_ranks(scores):
    ranks, left, rank = np.full(len(scores), -1), np.arange(len(scores)), 0
    while len(left):
        front = brute_front(scores[left])
        ranks[left[front]] = rank
        left, rank = left[~front], rank + 1
    return ranks


def stretched(scores):
    """The same order with infinite ends."""
    return np.where(scores == 0, -np.inf, np.where(scores == GRID, np.inf, scores))


def brute_hypervolume(scores, reference):
    """Count the unit boxes of the integer grid that some row dominates."""
    m = scores.shape[1]
    corners = itertools.product(*(range(int(z), GRID) for z in reference))
    return sum(any((row >= np.array(c) + 1).all() for row in scores) for c in corners) if m else 0


@given(sets())
def test_front_is_what_nothing_dominates(scores):
    np.testing.assert_array_equal(metrics.is_nondominated(scores), brute_front(scores))


@given(sets(rows=(1, 15)))
def test_ranks_peel_front_after_front(scores):
    np.testing.assert_array_equal(metrics.nondominated_ranks(scores), brute_ranks(scores))


@given(sets(), st.data())
def test_nan_rows_leave_the_rest_as_it_was(scores, data):
    n = len(scores)
    at = data.draw(st.integers(0, n))
    failed = np.full(scores.shape[1], 9.0)
    failed[data.draw(st.integers(0, scores.shape[1] - 1))] = np.nan
    mixed = np.insert(scores, at, failed, axis=0)
    others = np.arange(n + 1) != at
    front, ranks = metrics.is_nondominated(mixed), metrics.nondominated_ranks(mixed)
    assert not front[at]
    assert ranks[at] == n + 1
    np.testing.assert_array_equal(front[others], brute_front(scores))
    np.testing.assert_array_equal(ranks[others], brute_ranks(scores))
    assert metrics.hypervolume(mixed, -1) == metrics.hypervolume(scores, -1)
    assert metrics.igd_plus(mixed, scores) == 0


@given(sets(low=-2), st.integers(-2, 2))
def test_hypervolume_counts_boxes(scores, z):
    reference = np.full(scores.shape[1], float(z))
    found = metrics.hypervolume(scores, reference)
    assert found == pytest.approx(brute_hypervolume(scores, reference))
    assert metrics.hypervolume(scores, z) == found


@given(sets(rows=(2, 7)))
def test_hypervolume_never_falls_when_a_row_is_added(scores):
    whole = metrics.hypervolume(scores, 0)
    assert metrics.hypervolume(scores[:-1], 0) <= whole + 1e-12
    assert metrics.hypervolume(scores[::-1], 0) == pytest.approx(whole)
    assert metrics.hypervolume(scores[metrics.is_nondominated(scores)], 0) == pytest.approx(whole)


@given(sets(rows=(1, 12)))
def test_trace_is_the_hypervolume_of_every_prefix(scores):
    trace = metrics.hypervolume_trace(scores, 0)
    prefixes = [metrics.hypervolume(scores[: i + 1], 0) for i in range(len(scores))]
    np.testing.assert_allclose(trace, prefixes, atol=1e-9)
    assert (np.diff(trace) >= 0).all()


@pytest.mark.parametrize("m", [2, 3])
def test_trace_of_many_rows_ends_in_their_hypervolume_and_is_fast(m):
    rng = np.random.default_rng(0)
    scores = rng.random((50_000, m)) ** 2
    scores[rng.random(50_000) < 0.1, 0] = np.nan
    start = time.process_time()
    trace = metrics.hypervolume_trace(scores, 0)
    assert time.process_time() - start < 10
    for n in (10, 4096, 4097, 50_000):
        assert trace[n - 1] == pytest.approx(metrics.hypervolume(scores[:n], 0))


def test_trace_skips_failed_rows():
    scores = [[1, 1], [np.nan, 5], [2, 2], [-1, 9]]
    np.testing.assert_array_equal(metrics.hypervolume_trace(scores, 0), [1, 1, 4, 4])


def test_hypervolume_of_a_simplex_front_approaches_its_closed_form():
    # The region x + y <= 1 of the positive quadrant has area 1/2; a staircase of k steps
    # through its border lacks k triangles: 1/2 - 1/(2k).
    k = 200
    x = np.arange(k + 1) / k
    found = metrics.hypervolume(np.column_stack([x, 1 - x]), 0)
    assert found == pytest.approx(0.5 - 0.5 / k, abs=1e-12)


@settings(max_examples=50)
@given(sets())
def test_infinite_scores_are_the_ends_of_the_order(scores):
    # Of three objectives moocore would kill the process.
    wide = stretched(scores)
    assert metrics.is_nondominated(wide).tolist() == brute_front(scores).tolist()
    assert metrics.nondominated_ranks(wide).tolist() == brute_ranks(scores).tolist()


@pytest.mark.parametrize("m", [2, 3])
def test_surfaces_of_infinite_scores(m):
    rng = np.random.default_rng(m)
    runs = [rng.integers(0, GRID + 1, (6, m)).astype(float) for _ in range(5)]
    surfaces = zip(
        metrics.attainment(runs), metrics.attainment(list(map(stretched, runs))), strict=True
    )
    for finite, infinite in surfaces:
        np.testing.assert_array_equal(stretched(finite), infinite)


def test_hypervolume_of_infinite_rows():
    assert metrics.hypervolume([[np.inf, 1.0]], 0) == math.inf
    assert metrics.hypervolume([[np.inf, -1.0], [2, 2]], 0) == 4
    assert metrics.hypervolume([[-np.inf, 7.0]], 0) == 0


@given(pairs())
def test_igd_plus_by_definition(pair):
    a, r = pair
    short = np.maximum(r[:, None] - a[None], 0)
    expected = np.sqrt((short**2).sum(axis=2)).min(axis=1).mean()
    assert metrics.igd_plus(a, r) == pytest.approx(expected)


@given(pairs())
def test_epsilon_additive_by_definition_and_by_meaning(pair):
    a, r = pair
    epsilon = metrics.epsilon_additive(a, r)
    assert epsilon == pytest.approx((r[:, None] - a[None]).max(axis=2).min(axis=1).max())
    reached = [((a + epsilon + 1e-9) >= row).all(axis=1).any() for row in r]
    assert all(reached)


@given(pairs(low=1), st.data())
def test_epsilon_multiplicative_of_either_sign(pair, data):
    a, r = pair
    m = a.shape[1]
    minimized = np.array(data.draw(st.lists(st.booleans(), min_size=m, max_size=m)))
    ratio = np.where(minimized, a[None] / r[:, None], r[:, None] / a[None])
    sign = np.where(minimized, -1.0, 1.0)
    found = metrics.epsilon_multiplicative(sign * a, sign * r)
    assert found == pytest.approx(ratio.max(axis=2).min(axis=1).max())


@given(pairs())
def test_indicators_never_get_worse_when_a_row_is_added(pair):
    a, r = pair
    weights = metrics.lattice_weights(a.shape[1], 5)
    extra = r[:1]
    for indicator in (
        lambda s: metrics.igd_plus(s, r),
        lambda s: metrics.epsilon_additive(s, r),
        lambda s: metrics.r2(s, GRID, weights=weights),
    ):
        assert indicator(np.vstack([a, extra])) <= indicator(a) + 1e-12


@given(sets(objectives=(2, 2)))
@settings(deadline=None, max_examples=30)
def test_exact_r2_is_the_limit_of_many_weights(scores):
    weights = metrics.lattice_weights(2, 4000)
    exact = metrics.r2(scores, GRID)
    assert exact == pytest.approx(metrics.r2(scores, GRID, weights=weights), abs=5e-3)


@given(sets())
def test_weighted_r2_by_definition(scores):
    weights = metrics.lattice_weights(scores.shape[1], 3)
    expected = np.mean([(w * (GRID - scores)).max(axis=1).min() for w in weights])
    assert metrics.r2(scores, GRID, weights=weights) == pytest.approx(expected)


def test_exact_r2_closed_form():
    # One point at distance (1, 1): the integral of max(w, 1 - w) over [0, 1] is 3/4.
    assert metrics.r2([[4, 4]], 5) == pytest.approx(0.75)
    assert metrics.r2([[5, 5]], 5) == 0
    assert metrics.r2([[4, 4], [np.nan, 5]], 5) == pytest.approx(0.75)


@given(st.integers(1, 5), st.integers(1, 6))
def test_lattice_weights_are_all_weights_of_the_lattice(m, h):
    weights = metrics.lattice_weights(m, h)
    every = {w for w in itertools.product(range(h + 1), repeat=m) if sum(w) == h}
    assert len(weights) == len(every) == math.comb(h + m - 1, m - 1)
    assert {tuple(w) for w in np.rint(weights * h).astype(int).tolist()} == every


def test_empty_and_failed_sets():
    empty, failed, reference = np.empty((0, 2)), [[np.nan, 1.0]], [[1.0, 1.0]]
    for scores in (empty, failed):
        assert not metrics.is_nondominated(scores).any()
        assert metrics.hypervolume(scores, 0) == 0
        assert metrics.igd_plus(scores, reference) == math.inf
        assert metrics.epsilon_additive(scores, reference) == math.inf
        assert metrics.epsilon_multiplicative(scores, reference) == math.inf
        assert metrics.r2(scores, 2) == math.inf
        assert metrics.r2(scores, 2, weights=[[1, 1]]) == math.inf
    assert metrics.nondominated_ranks(failed).tolist() == [1]
    assert metrics.hypervolume_trace(empty, 0).shape == (0,)


def test_infinitely_bad_rows_do_not_count():
    assert metrics.epsilon_multiplicative([[-np.inf, 1.0]], [[-1.0, 1.0]]) == math.inf
    assert metrics.epsilon_multiplicative([[-np.inf, 1.0], [-2, 1]], [[-1.0, 1.0]]) == 2
    assert metrics.epsilon_additive([[-np.inf, 1.0], [-2, 1]], [[-1.0, 1.0]]) == 1


def test_arguments_are_not_written():
    scores, reference = np.array([[-2.0, 1.0], [-1, 2]]), np.array([[-1.0, 3.0]])
    before = scores.copy(), reference.copy()
    metrics.epsilon_multiplicative(scores, reference)
    metrics.hypervolume(scores, -5)
    metrics.nondominated_ranks(scores)
    np.testing.assert_array_equal(scores, before[0])
    np.testing.assert_array_equal(reference, before[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.is_nondominated([1.0, 2.0]), r"shape \(2,\); give \(n, m\)"),
        (lambda: metrics.is_nondominated(np.empty((3, 0))), r"shape \(3, 0\)"),
        (lambda: metrics.nondominated_ranks([["a", "b"]]), "array of numbers"),
        (lambda: metrics.is_nondominated([[1, 2], [3]]), "array of numbers"),
        (lambda: metrics.is_nondominated(np.empty((1, 300))), "at most 255"),
        (lambda: metrics.hypervolume([[1, 2]], [0, 0, 0]), r"reference has shape \(3,\)"),
        (lambda: metrics.hypervolume([[1, 2]], [0, np.nan]), "give finite numbers"),
        (lambda: metrics.hypervolume([[1, 2]], "no"), "reference is 'no'; give an array"),
        (lambda: metrics.igd_plus([[1, 2]], [[1, 2, 3]]), "as many objectives"),
        (lambda: metrics.igd_plus([[1, 2]], np.empty((0, 2))), "r >= 1"),
        (lambda: metrics.epsilon_additive([[1, 2]], [[1, 2], [np.nan, 1]]), "reference row 1"),
        (lambda: metrics.epsilon_multiplicative([[1, 0]], [[1, 2]]), "objective 1 has scores from"),
        (lambda: metrics.epsilon_multiplicative([[1, -1]], [[1, 2]]), "use epsilon_additive"),
        (lambda: metrics.r2([[1, 2, 3]], 5), "give weights"),
        (lambda: metrics.r2([[1, 6]], 5), r"score 6.0 of objective 1 is beyond ideal\[1\]=5.0"),
        (lambda: metrics.r2([[1, 2]], 5, weights=[[1, 2, 3]]), r"give \(k, 2\)"),
        (lambda: metrics.r2([[1, 2]], 5, weights=[[1, -2]]), "at least 0"),
        (lambda: metrics.r2([[1, 2]], 5, weights="a"), "weights is 'a'; give an array"),
        (lambda: metrics.lattice_weights(0, 3), "m is 0; give an int of at least 1"),
        (lambda: metrics.lattice_weights(2, 1.5), "divisions is 1.5; give an int"),
    ],
)
def test_bad_input_names_what_to_give(call, message):
    with pytest.raises(BatchError, match=message):
        call()


def test_missing_moocore_names_the_extra(monkeypatch):
    def absent(module):
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr("importlib.import_module", absent)
    with pytest.raises(MissingExtraError, match=r"blackbox\[metrics\]"):
        metrics.is_nondominated([[1.0, 2.0]])


def test_sorting_ten_thousand_rows_is_fast():
    scores = np.random.default_rng(0).random((10_000, 3))
    start = time.process_time()
    ranks = metrics.nondominated_ranks(scores)
    assert time.process_time() - start < 1.0
    assert (ranks == 0).sum() == metrics.is_nondominated(scores).sum()


@st.composite
def several_runs(draw):
    m = draw(st.integers(2, 3))
    return draw(st.lists(sets(objectives=(m, m), rows=(0, 4)), min_size=1, max_size=5)), m


@given(several_runs(), st.data())
def test_attainment_counts_the_runs_that_reach_each_point_of_the_grid(made, data):
    runs, m = made
    runs = [run.reshape(-1, m) for run in runs]
    count = data.draw(st.integers(1, len(runs)))
    (surface,) = metrics.attainment(runs, [count / len(runs)])
    for point in itertools.product(range(-1, GRID + 1), repeat=m):
        reached = sum(bool((run >= point).all(axis=1).any()) for run in runs)
        below = bool((surface >= point).all(axis=1).any())
        assert below == (reached >= count)


def test_attainment_of_runs_that_all_failed():
    empty, found = metrics.attainment([[[np.nan, 1.0]], [[1.0, 2.0]]], [1.0, 0.5])
    assert empty.shape == (0, 2)
    np.testing.assert_array_equal(found, [[1, 2]])


@pytest.mark.parametrize(
    ("runs", "levels", "message"),
    [
        ([], [0.5], "at least one run"),
        ([[[1, 2]], [[1, 2, 3]]], [0.5], r"\[2, 3\] objectives"),
        ([[[1, 2, 3, 4]]], [0.5], "each with 2 or 3"),
        ([[[1, 2]]], [0.0], "above 0"),
        ([[[1, 2]]], ["a"], "above 0"),
        ([[[1, 2]]], 0.5, "levels is 0.5; give a list"),
        (3, [0.5], "runs is 3; give a list"),
    ],
)
def test_attainment_of_bad_input(runs, levels, message):
    with pytest.raises(BatchError, match=message):
        metrics.attainment(runs, levels)
