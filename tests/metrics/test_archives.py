"""Metrics over sets of archives: tiny maps worked out by hand, and known identities."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from blackbox import metrics
from blackbox.errors import BatchError


def archive(cells, scores, measures=None, size=4, **more):
    """Anything with the attributes of an archive."""
    k = len(cells)
    places = np.full((k, 2), 0.5) if measures is None else np.asarray(measures, float)
    return SimpleNamespace(
        cells=np.asarray(cells, dtype=np.int64),
        scores=np.asarray(scores, dtype=float),
        measures=places.reshape(k, 2),
        size=size,
        low=np.zeros(2),
        high=np.ones(2),
        **more,
    )


def test_the_four_metrics_by_hand():
    # Best known: cell 0 -> 4, cell 1 -> 10, cell 2 -> 5; cell 3 stays empty.
    runs = [archive([0, 1], [4.0, 5.0]), archive([1, 2], [10.0, 5.0]), archive([0], [1.0])]
    lit = metrics.illumination(runs)
    np.testing.assert_allclose(lit.global_performance, [0.5, 1, 0.1])
    np.testing.assert_allclose(lit.global_reliability, [1.5 / 3, 2 / 3, 0.25 / 3])
    np.testing.assert_allclose(lit.precision, [1.5 / 2, 1, 0.25])
    np.testing.assert_allclose(lit.coverage, [2 / 3, 2 / 3, 1 / 3])


def test_pairs_of_arrays_will_do_and_the_best_row_of_a_cell_counts():
    cells, scores = [0, 1, 1, -1, 0], [4.0, 2, 5, 99, np.nan]
    lit = metrics.illumination([(cells, scores), ([1, 2], [10.0, 5.0]), ([0], [1.0])])
    np.testing.assert_allclose(lit.global_reliability, [1.5 / 3, 2 / 3, 0.25 / 3])


def test_an_offset_makes_negative_scores_ratios():
    runs = [archive([0, 1], [-6.0, -5.0]), archive([1, 2], [0.0, -5.0])]
    with pytest.raises(BatchError, match="an elite scores -6"):
        metrics.illumination(runs)
    lit = metrics.illumination(runs, offset=-10)
    np.testing.assert_allclose(lit.precision, [(1 + 0.5) / 2, 1])


def test_an_empty_run_and_elites_worth_nothing():
    lit = metrics.illumination([archive([], []), archive([0, 1], [0.0, 0.0])])
    np.testing.assert_array_equal(lit.global_performance, [0, 1])
    np.testing.assert_array_equal(lit.global_reliability, [0, 1])
    np.testing.assert_array_equal(lit.precision, [np.nan, 1])
    np.testing.assert_array_equal(lit.coverage, [0, 1])


maps = st.dictionaries(st.integers(0, 9), st.floats(0.125, 8), max_size=10)


@given(st.lists(maps, min_size=1, max_size=4).filter(any))
def test_reliability_is_precision_times_coverage(tables):
    runs = [(np.array([*t], dtype=int), np.array([*t.values()])) for t in tables]
    lit = metrics.illumination(runs)
    product = np.nan_to_num(lit.precision) * lit.coverage
    np.testing.assert_allclose(lit.global_reliability, product, atol=1e-12)
    for share in (lit.global_performance, lit.global_reliability, lit.coverage):
        assert ((share >= 0) & (share <= 1)).all()
    assert lit.global_performance.max() == 1


@given(maps)
def test_the_area_under_the_profile_is_the_qd_score(table):
    cells, scores = np.array([*table], dtype=int), np.array([*table.values()])
    # A step function that changes at the scores alone: sum it exactly between them.
    levels = np.unique([0.0, *scores])
    heights = metrics.archive_profile(scores, cells, levels[1:])
    area = float((np.diff(levels) * heights).sum())
    assert area == pytest.approx(metrics.qd_score(scores, cells))


def test_profile_by_hand():
    found = metrics.archive_profile([1.0, 2, 3, 2.5], [0, 1, 2, 1], [2.5, 0, 3.1], n_cells=6)
    np.testing.assert_allclose(found, [2 / 6, 3 / 6, 0])
    assert metrics.archive_profile([], [], [0.0]).tolist() == [0]


def test_cqd_by_hand():
    ends = {"low": [0, 0], "high": [3, 4], "least": -10.0, "most": 10.0}
    # One elite worth 3/4 in the corner; targets there, in the far corner and half way.
    targets = [[0, 0], [3, 4], [1.5, 2]]
    found = metrics.cqd_score([5.0], [[0, 0]], targets=targets, penalties=[0, 1], **ends)
    assert found == pytest.approx(3 * 0.75 + (0.75 + (0.75 - 1) + (0.75 - 0.5)))
    # A second, worse elite nearer to the far corner is the better answer there if distance counts.
    found = metrics.cqd_score(
        [5.0, 0.0, np.nan], [[0, 0], [3, 4], [1, 1]], targets=targets, penalties=[0, 1], **ends
    )
    assert found == pytest.approx(3 * 0.75 + (0.75 + 0.5 + 0.25))
    none = metrics.cqd_score([], np.zeros((0, 2)), targets=targets, penalties=[0, 0.5], **ends)
    assert none == pytest.approx(-1.5)


def test_cqd_does_not_change_when_scores_are_shifted_and_scaled():
    rng = np.random.default_rng(0)
    scores, measures, targets = rng.random(30), rng.random((30, 2)), rng.random((50, 2))
    ends = {"low": [0, 0], "high": [1, 1], "targets": targets}
    first = metrics.cqd_score(scores, measures, least=0.0, most=1.0, **ends)
    moved = metrics.cqd_score(7 * scores - 5, measures, least=-5.0, most=2.0, **ends)
    assert moved == pytest.approx(first)


def test_cqd_is_that_of_pyribs_where_scores_start_at_zero():
    archives = pytest.importorskip("ribs.archives")
    rng = np.random.default_rng(1)
    grid = archives.GridArchive(solution_dim=1, dims=[8, 8], ranges=[(0, 1), (-1, 3)])
    measures = rng.uniform([0, -1], [1, 3], (40, 2))
    grid.add(np.zeros((40, 1)), 5 * rng.random(40), measures)
    targets, penalties = rng.uniform([0, -1], [1, 3], (20, 2)), [0.0, 0.3, 1.0]
    theirs = archives.cqd_score(
        grid,
        iterations=1,
        target_points=targets[None],
        penalties=penalties,
        obj_min=0.0,
        obj_max=5.0,
        dist_max=float(np.hypot(1, 4)),
    )
    ours = metrics.cqd_score(
        grid.data("objective"), grid.data("measures"), low=[0, -1], high=[1, 3],
        least=0.0, most=5.0, targets=targets, penalties=penalties,
    )  # fmt: skip
    assert ours == pytest.approx(float(theirs.mean))


def test_moqd_by_hand():
    scores = [[1, 3], [3, 1], [2, 2], [1, 1], [np.nan, 9], [9, 9]]
    cells = [7, 7, 2, 2, 2, -1]
    # Cell 7: 3 + 3 - 1; cell 2: 4.
    assert metrics.moqd_score(scores, cells, 0.0) == pytest.approx(5 + 4)
    assert metrics.moqd_score(np.zeros((0, 2)), [], 0.0) == 0


METHODS = {
    "better": [archive([0, 1, 2], [4.0 + 0.1 * i, 9, 5]) for i in range(4)],
    "worse": [archive([0, 1], [1.0 + 0.1 * i, 3]) for i in range(4)],
}


def test_a_comparison_of_methods():
    table = metrics.compare_archives(METHODS, seed=3)
    assert [*table.values] == [
        "global performance", "global reliability", "precision", "coverage", "best", "QD score",
        "filled", "CQD score",
    ]  # fmt: skip
    np.testing.assert_allclose(table.values["QD score"]["better"], [18, 18.1, 18.2, 18.3])
    np.testing.assert_allclose(table.values["filled"]["worse"], 0.5)
    np.testing.assert_allclose(table.values["coverage"]["worse"], 2 / 3)
    pair = ("better", "worse")
    for metric, methods in table.values.items():
        if np.unique([*methods["better"], *methods["worse"]]).size > 1:
            expected = mannwhitneyu(*methods.values(), alternative="two-sided").pvalue
            assert table.p_values[metric][pair] == pytest.approx(expected)
        low, high = table.intervals[metric]["better"]
        assert low <= methods["better"].mean() <= high
    assert table.p_values["QD score"][pair] == pytest.approx(2 / 70)
    again = metrics.compare_archives(METHODS, seed=3)
    assert again.intervals == table.intervals
    assert str(again) == str(table)
    assert "better against worse: p = 0.029" in str(table)
    assert "better  18.15  [18.05, 18.25]" in str(table)


def test_a_comparison_as_a_dataframe():
    frame = metrics.compare_archives(METHODS).to_dataframe()
    assert len(frame) == 16
    row = frame[(frame["metric"] == "QD score") & (frame["method"] == "worse")].iloc[0]
    assert row["runs"] == 4
    assert row["mean"] == pytest.approx(4.15)
    assert row["p against better"] == pytest.approx(2 / 70)
    assert np.isnan(row["p against worse"])


def test_one_method_and_one_run():
    table = metrics.compare_archives([METHODS["better"][0]])
    assert table.p_values["QD score"] == {}
    assert np.isnan(table.intervals["QD score"]["archive"]).all()
    assert "archive  18\n" in str(table)
    assert metrics.compare_archives({"a": METHODS["better"][0]}).values["best"]["a"] == [9]
    pairs = metrics.compare_archives({"a": ([0], [1.0]), "b": [([0], [2.0])]})
    assert "filled" not in pairs.values
    assert pairs.p_values["best"]["a", "b"] == 1.0


def test_intervals_of_equal_methods_hold_the_mean_about_as_often_as_they_say():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(60):
        group = [([0], [s]) for s in rng.normal(10, 1, 20)]
        low, high = metrics.compare_archives(group, resamples=300).intervals["best"]["archive"]
        inside += low <= 10 <= high
    # 60 draws at the 92 % of a bootstrap of 20: four deviations below.
    assert inside >= 47


def test_fronts_in_cells():
    one = archive([0, 0, 3], [[1, 3], [3, 1], [2, 2]])
    other = archive([1], [[1.0, 1]])
    table = metrics.compare_archives({"a": [one], "b": [other]}, reference=[0, 0])
    np.testing.assert_allclose(table.values["MOQD score"]["a"], 5 + 4)
    np.testing.assert_allclose(table.values["hypervolume"]["a"], 6)
    np.testing.assert_allclose(table.values["coverage"]["a"], 2 / 3)
    np.testing.assert_allclose(table.values["filled"]["b"], 1 / 4)
    by_worst = metrics.compare_archives({"a": [one], "b": [other]})
    np.testing.assert_allclose(by_worst.values["MOQD score"]["a"], 0 + 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.illumination([]), "give a list of archives"),
        (lambda: metrics.illumination([7]), "a run is 7; give an archive or a pair"),
        (lambda: metrics.illumination([([0], ["a"])]), "scores is .* give an array of numbers"),
        (lambda: metrics.illumination([([0], [1.0])], offset="x"), "offset is 'x'; give the least"),
        (lambda: metrics.compare_archives(3), "a run is 3; give an archive or a pair"),
        (lambda: metrics.compare_archives([([0], [1.0])], level="x"), "level='x'; give"),
        (lambda: metrics.compare_archives([([0], [1.0])], resamples=1.5), "resamples is 1.5"),
        (lambda: metrics.compare_archives([([0], [1.0])], seed=-1), "seed=-1; give an int"),
        (lambda: metrics.illumination([archive([], [])]), "no run has an elite"),
        (
            lambda: metrics.illumination([archive([0], [1.0]), archive([0], [1.0], size=9)]),
            "archives of different size: 4 and 9",
        ),
        (
            lambda: metrics.compare_archives(
                [archive([0], [1.0], dims=(2, 2)), archive([0], [1.0], dims=(4, 1))]
            ),
            r"different dims: \[2, 2\] and \[4, 1\]",
        ),
        (
            lambda: metrics.illumination(
                [archive([0], [1.0], centroids=c) for c in ([[0, 0]], [[1, 1]])]
            ),
            "archives of different centroids; compare",
        ),
        (
            lambda: metrics.illumination(
                [archive([0], [1.0], elites_are_cells=True) for _ in range(2)]
            ),
            "archive without fixed cells are its own elites",
        ),
        (lambda: metrics.illumination([archive([0], [[1.0, 2]])]), "Pareto fronts"),
        (lambda: metrics.illumination([([0], [1.0, 2])]), "where cells have"),
        (lambda: metrics.compare_archives({}), "nothing to compare"),
        (lambda: metrics.compare_archives({"a": []}), "nothing to compare"),
        (lambda: metrics.compare_archives([([0], [1.0])], level=1.0), "level=1.0"),
        (lambda: metrics.compare_archives([([0], [-1.0])]), "offset=0.0 but an elite"),
        (lambda: metrics.archive_profile([1.0], [3], [0.0], n_cells=2), "cell 3 does not exist"),
        (lambda: metrics.archive_profile([1.0], [3], 0.0), "thresholds have shape"),
        (lambda: metrics.moqd_score([[1.0, 2]], [0, 1], 0.0), "where cells have 2"),
        (
            lambda: metrics.cqd_score(
                [1.0], [[0.0]], low=[0], high=[0], least=0, most=1, targets=[[0]]
            ),
            "give more",
        ),
        (
            lambda: metrics.cqd_score(
                [1.0], [[0.0]], low=[0], high=[1], least=0, most=1, targets=[0]
            ),
            "targets have shape",
        ),
        (
            lambda: metrics.cqd_score(
                [1.0], [[0.0]], low=[0], high=[1, 2], least=0, most=1, targets=[[0]]
            ),
            r"low has shape \(1,\), high \(2,\)",
        ),
        (
            lambda: metrics.cqd_score(
                [1.0], [[0.0]], low=[0], high=[1], least="a", most=1, targets=[[0]]
            ),
            "least is 'a'; give the score that counts as 0",
        ),
        (
            lambda: metrics.cqd_score(
                [1.0], [0.0], low=[0], high=[1], least=0, most=1, targets=[[0]]
            ),
            "measures",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(BatchError, match=message):
        call()
