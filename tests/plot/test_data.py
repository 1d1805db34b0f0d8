"""The arrays behind the pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox import metrics, problems
from blackbox.batch import Batch
from blackbox.errors import BatchError, ProblemError
from blackbox.formulation import (
    Environment,
    Fidelity,
    Maximize,
    Minimize,
    Preference,
    Problem,
    problem,
)
from blackbox.plot import data
from blackbox.space import Ordinal, Real, Space
from tests.plot.conftest import Trade, history_of, told


class Staged(Problem):
    """A fidelity whose cheap rows look too good."""

    space = Space(Real("x", 0, 1))
    objectives = (Maximize("f"),)
    fidelity = Fidelity(Ordinal("size", [1, 2]), target=2)

    def evaluate(self, p):
        return p["x"]


def test_curve_of_one_run_is_the_best_so_far_in_the_users_units(branin):
    run = history_of(branin, f=[5.0, 7.0, 3.0, 3.0, 4.0, 1.0])
    (curve,) = data.curves(run)
    np.testing.assert_array_equal(curve.x, [1, 3, 6])
    np.testing.assert_array_equal(curve.values, [[5, 3, 1]])
    np.testing.assert_array_equal(curve.points[:, 1], [5, 7, 3, 3, 4, 1])


def test_maximized_outcomes_rise():
    class Up(Problem):
        space = Space(Real("x", 0, 1))
        objectives = (Maximize("f"),)

        def evaluate(self, p):
            return p["x"]

    (curve,) = data.curves(history_of(Up(), f=[1.0, 3.0, 2.0, 4.0]))
    np.testing.assert_array_equal(curve.values, [[1, 3, 4]])
    (regret,) = data.curves(history_of(Up(), f=[1.0, 3.0, 2.0, 4.0]), optimum=5.0)
    np.testing.assert_array_equal(regret.values, [[4, 2, 1]])
    np.testing.assert_array_equal(regret.points[:, 1], [4, 2, 3, 1])


def test_failed_infeasible_and_cheap_rows_do_not_count():
    run = history_of(Staged(), f=[9.0, 1.0, 8.0, 2.0])
    ok = np.array([True, True, False, True])
    history = run.history.with_columns(size=[1, 2, 2, 2], ok=ok)
    (curve,) = data.curves(history, Staged())
    np.testing.assert_array_equal(curve.x, [2, 4])
    np.testing.assert_array_equal(curve.values, [[1, 2]])

    bnh = problems.BNH()
    good = history_of(bnh, f1=[1.0, 1.0], f2=[1.0, 9.0], c1=[99.0, 0.0], c2=[9.0, 9.0])
    (front,) = data.fronts(good)
    np.testing.assert_array_equal(front.front, [[1, 9]])
    np.testing.assert_array_equal(front.infeasible, [[1, 1]])


def test_an_optimum_worse_than_an_outcome_is_refused_not_drawn_off_the_log_scale(branin):
    run = history_of(branin, f=[5.0, 0.3])
    with pytest.raises(ProblemError, match=r"optimum=0.5: run 'A' .* better by up to 0.2"):
        data.curves(run, optimum=0.5)
    (rounded,) = data.curves(run, optimum=0.3 + 1e-12)
    assert rounded.values[0, -1] == 0


def test_an_unknown_cost_is_refused_not_added_up(branin):
    history = history_of(branin, f=[5.0, 7.0, 3.0]).history
    (curve,) = data.curves(history.with_columns(cost=[1.0, 2.0, 4.0]), branin, x="cost")
    np.testing.assert_array_equal(curve.x, [1, 7])
    with pytest.raises(BatchError, match="cost of row 1 is nan"):
        data.curves(history.with_columns(cost=[1.0, np.nan, 4.0]), branin, x="cost")


def test_rows_that_cannot_be_compared_have_no_best_to_draw():
    class Sail(Problem):
        space = Space(Real("x", 0, 1))
        objectives = (Maximize("f"),)
        environment = Environment(Real("wind", 0, 20), scenarios={"wind": [4, 8]}, risk="worst")

        def evaluate(self, p):
            raise NotImplementedError

    class Taste(Problem):
        space = Space(Real("x", 0, 1))
        objectives = (Preference("f"),)

    with pytest.raises(ProblemError, match="different scenarios cannot be compared"):
        data.curves(history_of(Sail(), f=[1.0, 3.0]))
    one = problem(lambda p: 0.0, Sail.space, Maximize("f"))
    assert data.curves(history_of(Sail(), f=[1.0, 3.0]), one)[0].values.tolist() == [[1, 3]]
    with pytest.raises(ProblemError, match="only order the rows told together"):
        data.curves(history_of(Taste(), f=[1.0, 3.0]))


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=8), min_size=1, max_size=4))
def test_curves_of_several_runs_hold_every_runs_value_at_every_step(runs):
    branin = problems.Branin()
    studies = [history_of(branin, f=np.array(values, float)) for values in runs]
    (curve,) = data.curves(studies)
    shortest = min(map(len, runs))
    for i, values in enumerate(runs):
        for step in range(1, shortest + 1):
            at = np.searchsorted(curve.x, step, side="right") - 1
            assert curve.values[i, at] == min(values[:step])
    assert curve.x[-1] == shortest


def test_cost_adds_up():
    trade = Trade()
    run = told(trade, 5)
    (curve,) = data.curves(run, x="cost")
    assert set(curve.x) <= set(np.cumsum(run.history["u"]))


def test_hypervolume_takes_the_place_of_several_outcomes(trade):
    run = told(trade, 30, failed=(3, 4))
    (curve,) = data.curves(run, reference={"gain": 0.0, "ms": 100.0})
    good = run.history[run.history["ok"]]
    expected = metrics.hypervolume(trade.scores(good), [0.0, -100.0])
    assert curve.values[0, -1] == pytest.approx(expected)
    assert (np.diff(curve.values[0]) >= 0).all()
    trade.reference = Batch({"gain": [0.0], "ms": [100.0]})
    (declared,) = data.curves(run)
    assert declared.values[0, -1] == curve.values[0, -1]


def test_a_method_with_a_run_that_has_nothing_has_no_curve(branin):
    empty = told(branin, 4, failed=range(4))
    (curve,) = data.curves([told(branin, 4), empty])
    assert curve.x.shape == (0,)
    assert curve.quantile(0.5).shape == (0,)


def test_names_group_studies_and_dicts_group_lists(branin):
    a, b, c = told(branin, 5, name="A"), told(branin, 5, 1, name="B"), told(branin, 5, 2, name="A")
    found = data.groups([a, b, c])
    assert {name: len(runs) for name, runs in found.items()} == {"A": 2, "B": 1}
    found = data.groups({"all": [a, b, c], "one": b})
    assert {name: len(runs) for name, runs in found.items()} == {"all": 3, "one": 1}
    assert list(data.groups(a.history, branin)) == ["Branin"]


def test_front_and_stairs_of_one_run(trade):
    run = history_of(trade, gain=[1.0, 3.0, 2.0, 0.0], ms=[1.0, 5.0, 2.0, 6.0])
    (front,) = data.fronts(run)
    np.testing.assert_array_equal(front.front, [[1, 1], [2, 2], [3, 5]])
    np.testing.assert_array_equal(front.points, [[0, 6]])
    # Down the worst ms at the largest gain, step by step, out to the worst gain.
    corners = [[3, 6], [3, 5], [2, 5], [2, 2], [1, 2], [1, 1], [0, 1]]
    np.testing.assert_array_equal(front.steps[1.0], corners)


def test_surfaces_of_several_runs_are_what_shares_attain(trade):
    runs = [told(trade, 20, seed) for seed in range(4)]
    (front,) = data.fronts(runs, levels=(0.25, 0.5, 1.0))
    assert front.runs == 4
    for level, count in ((0.25, 1), (0.5, 2), (1.0, 4)):
        for gain, ms in front.surfaces[level]:
            reached = sum(
                bool(((r.history["gain"] >= gain - 1e-12) & (r.history["ms"] <= ms + 1e-12)).any())
                for r in runs
            )
            assert reached >= count
    np.testing.assert_array_equal(front.surfaces[0.25], front.front)


def test_of_many_rows_a_sample_is_drawn_and_the_best_are_kept(trade):
    run = data.single(told(trade, 20_000))
    rows = data.ranked(run)
    assert data.LIMIT <= len(rows.rows) <= data.LIMIT + run.best.sum()
    assert set(np.flatnonzero(run.best)) <= set(rows.rows)
    assert (np.diff(rows.values) >= 0).all()  # gain is maximized: the best come last
    (front,) = data.fronts(told(trade, 20_000))
    assert len(front.points) == data.LIMIT


def test_inputs_are_one_axis_a_scalar_and_one_an_element(trade):
    run = data.single(told(trade, 30))
    rows = np.arange(30)
    columns = {c.name: c for c in data.inputs(run, rows)}
    names = ["u", "k", "kind", "order[0]", "order[1]", "order[2]", "word[0]", "word[1]", "word[2]"]
    assert list(columns) == [*names, "mix[one]", "mix[two]"]
    assert columns["kind"].levels == ("a", "None", "3")
    assert columns["order[0]"].levels == ("p", "q", "r")
    assert columns["mix[one]"].limits == (0, 1)
    for column in columns.values():
        assert ((column.heights >= 0) & (column.heights <= 1)).all()
    u = run.history["u"]
    np.testing.assert_allclose(columns["u"].heights, np.log10(u))
    kinds = [columns["kind"].levels[int(v)] for v in columns["kind"].values]
    assert kinds == [str(kind) for kind in run.history["kind"].tolist()]


def test_thin_keeps_few_rows_whole():
    keep = np.zeros(10, dtype=bool)
    np.testing.assert_array_equal(data.thin(10, keep, limit=10), np.arange(10))
    keep[7] = True
    sample = data.thin(10, keep, limit=3)
    np.testing.assert_array_equal(sample, [0, 4, 7, 9])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: data.groups([]), BatchError, "nothing to draw"),
        (lambda: data.groups({"a": []}), BatchError, "nothing to draw"),
        (lambda: data.groups(Batch({"x": [1.0]})), BatchError, "give problem="),
        (lambda: data.groups(3), BatchError, "3 is a int; give a Study or a Batch"),
        (
            lambda: data.groups(Batch({"x": [1.0]}), problems.Branin()),
            BatchError,
            r"columns \['y', 'f'\] are missing",
        ),
        (
            lambda: data.groups([told(problems.Branin()), told(problems.ZDT1(2))]),
            ProblemError,
            "different objectives",
        ),
        (
            lambda: data.single([told(problems.ZDT1(2)), told(problems.ZDT1(3))]),
            ProblemError,
            "different spaces",
        ),
        (lambda: data.curves(told(problems.Branin()), x="time"), ProblemError, "x='time'"),
        (lambda: data.curves(told(problems.BNH()), optimum=1.0), ProblemError, "give reference"),
        (lambda: data.curves(told(problems.Branin()), optimum="a"), BatchError, "optimum is 'a'"),
        (lambda: data.curves(told(problems.BNH()), reference=3), BatchError, "reference=3; give"),
        (
            lambda: data.curves(told(problems.BNH()), reference={"f1": "a", "f2": 1.0}),
            BatchError,
            "reference f1 is 'a'",
        ),
        (
            lambda: data.curves(told(problems.BNH()), reference={"f1": 1.0}),
            BatchError,
            r"reference lacks \['f2'\]",
        ),
        (lambda: data.fronts(told(problems.Branin())), ProblemError, "Branin has 1 objectives"),
        (lambda: data.fronts(told(problems.DTLZ2(4))), ProblemError, "parallel_coordinates"),
        (
            lambda: data.ranked(data.single(told(problems.Branin())), "g"),
            ProblemError,
            r"no objective 'g'; Branin has \['f'\]",
        ),
        (
            lambda: data.ranked(data.single(told(problems.Branin(), 3, failed=range(3)))),
            BatchError,
            "no feasible row",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_units_turn_scores_back(trade):
    run = data.single(told(trade, 5))
    np.testing.assert_array_equal(run.units(run.scores), run.values(run.counts))
    assert data.axis_label(Minimize("ms")) == "ms (minimize)"
